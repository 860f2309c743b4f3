//! What every part of a broker shares: its configuration, its seams, the cluster's image, its partitions.

use std::sync::{Arc, Weak};

use arc_swap::Guard;
use ottla_config::BrokerConfig;
use ottla_metadata::{GROUP_VERSION, Image};
use ottla_protocol::TopicKey;
use ottla_quorum::Quorum;
use ottla_runtime::Runtime;
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, Uuid};
use tokio_util::sync::CancellationToken;

use crate::buffers::Buffers;
use crate::connections::Connections;
use crate::controller::ControllerHandle;
use crate::conversions::Conversions;
use crate::directories::Directories;
use crate::fetch_sessions::FetchSessions;
use crate::groups::Groups;
use crate::log_levels::LogLevels;
use crate::metrics::Metrics;
use crate::moves::Moves;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::settings::Settings;
use crate::telemetry;

/// One broker, as its handlers see it.
pub(crate) struct Node {
    pub(crate) settings: Arc<Settings>,
    pub(crate) log_levels: Arc<dyn LogLevels>,
    pub(crate) runtime: Runtime,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) controller: ControllerHandle,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) directories: Arc<Directories>,
    /// Partitions on their way between those.
    pub(crate) moves: Arc<Moves>,
    pub(crate) producer_ids: ProducerIds,
    /// Groups, as far as this broker coordinates them.
    pub(crate) groups: Arc<Groups>,
    /// What clients follow; each partition's place remembers where it was found.
    pub(crate) fetch_sessions: FetchSessions<Weak<Partition>>,
    pub(crate) buffers: Arc<Buffers>,
    /// Memory for answers to old clients.
    pub(crate) conversions: Conversions,
    /// Cancelled when the broker stops: no new requests are read, nobody waits any longer.
    pub(crate) stop: CancellationToken,
    pub(crate) metrics: Metrics,
    /// What clients push about themselves.
    pub(crate) client_metrics: telemetry::Shared,
    /// Those who are connected.
    pub(crate) connections: Arc<Connections>,
}

/// Where a partition is found.
pub(crate) enum Lookup {
    /// This broker leads it.
    Here(Arc<Partition>),
    /// Another broker leads it, or none.
    Elsewhere { leader: BrokerId, epoch: LeaderEpoch },
    /// There is none: what the client is told.
    Unknown(ErrorCode),
}

impl Node {
    /// The cluster as this broker knows it.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.quorum.image()
    }

    /// What the broker runs with now. Not to be kept, nor held while waiting: some of it changes while it runs.
    pub(crate) fn config(&self) -> Guard<Arc<BrokerConfig>> {
        self.settings.present()
    }

    /// A fresh id.
    pub(crate) fn random_id(&self) -> Uuid {
        Uuid::from_random(self.runtime.random.wide_bits())
    }

    /// Whether there are groups of the consumer protocol: as the cluster has agreed, and as this broker is set.
    pub(crate) fn has_consumer_groups(&self) -> bool {
        self.image().feature_level(GROUP_VERSION) > 0 && self.config().groups.consumer_protocol
    }

    /// Finds a partition by its topic's name or id.
    pub(crate) fn partition(&self, topic: &TopicKey<'_>, index: PartitionIndex) -> Lookup {
        let image = self.image();
        let topic = match topic {
            TopicKey::Name(name) => image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition),
            TopicKey::Id(id) => image.topic_by_id(*id).ok_or(ErrorCode::UnknownTopicId),
        };
        let topic = match topic {
            Ok(topic) => topic,
            Err(error) => return Lookup::Unknown(error),
        };
        let Some(state) = topic.partition(index) else {
            return Lookup::Unknown(ErrorCode::UnknownTopicOrPartition);
        };
        match self.partitions.get(topic.id, index) {
            Some(partition) => Lookup::Here(partition),
            // Its log could not be opened or made.
            None if state.leader == self.config().node_id => Lookup::Unknown(ErrorCode::KafkaStorageError),
            None => Lookup::Elsewhere { leader: state.leader, epoch: state.leader_epoch },
        }
    }
}
