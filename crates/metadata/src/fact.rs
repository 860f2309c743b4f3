//! The closed list of what can happen to a cluster.
//!
//! How facts look as bytes is written at the fields: the numbers in `#[n(…)]` are the format, kept by golden bytes in
//! `tests/golden_facts.rs`. A number is never used again for something else. How bytes are read is in `codec` and `word`, what a
//! fact does to an image in `apply`.

use std::fmt;

use minicbor::{Decode, Encode};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicId, TopicName, Uuid};

use crate::word::{list, one, optional, optional_list};
use crate::{BrokerEpoch, Endpoint, PartitionEpoch, ResourceKind};

/// Something that has happened to the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub enum Fact {
    /// A feature is now at this level; level 0 means that it is off.
    #[n(1)]
    FeatureLevelSet {
        /// The feature's name, such as [`FACTS_VERSION`](crate::FACTS_VERSION).
        #[n(0)]
        name: String,
        /// Its level.
        #[n(1)]
        level: i16,
    },
    /// The cluster has its id; it never gets another.
    #[n(2)]
    ClusterNamed {
        /// What `cluster.id` says in every `meta.properties`.
        #[n(0)]
        cluster_id: String,
    },
    /// A broker has registered, for the first time or anew.
    #[n(3)]
    BrokerRegistered {
        /// Its `node.id`.
        #[cbor(n(0), with = "one")]
        id: BrokerId,
        /// The id of this run of its process.
        #[cbor(n(1), with = "one")]
        incarnation: Uuid,
        /// The epoch of the registration.
        #[cbor(n(2), with = "one")]
        epoch: BrokerEpoch,
        /// Its `broker.rack`.
        #[n(3)]
        rack: Option<String>,
        /// Where it listens.
        #[n(4)]
        endpoints: Vec<Endpoint>,
        /// Whether it is shut out for now.
        #[n(5)]
        fenced: bool,
    },
    /// A broker is shut out.
    #[n(4)]
    BrokerFenced {
        /// Which broker.
        #[cbor(n(0), with = "one")]
        id: BrokerId,
        /// Which of its registrations.
        #[cbor(n(1), with = "one")]
        epoch: BrokerEpoch,
    },
    /// A broker takes part again.
    #[n(5)]
    BrokerUnfenced {
        /// Which broker.
        #[cbor(n(0), with = "one")]
        id: BrokerId,
        /// Which of its registrations.
        #[cbor(n(1), with = "one")]
        epoch: BrokerEpoch,
    },
    /// A topic exists, as yet without partitions.
    #[n(6)]
    TopicCreated {
        /// Its id.
        #[cbor(n(0), with = "one")]
        id: TopicId,
        /// Its name.
        #[cbor(n(1), with = "one")]
        name: TopicName,
    },
    /// A topic has one more partition; they come in order.
    #[n(7)]
    PartitionCreated {
        /// The topic.
        #[cbor(n(0), with = "one")]
        topic_id: TopicId,
        /// The partition's number.
        #[cbor(n(1), with = "one")]
        index: PartitionIndex,
        /// Who keeps it.
        #[cbor(n(2), with = "list")]
        replicas: Vec<BrokerId>,
        /// Who of them is in sync.
        #[cbor(n(3), with = "list")]
        isr: Vec<BrokerId>,
        /// Who leads it; [`BrokerId::NONE`] if nobody does.
        #[cbor(n(4), with = "one")]
        leader: BrokerId,
        /// The epoch of its leader.
        #[cbor(n(5), with = "one")]
        leader_epoch: LeaderEpoch,
        /// The epoch of the partition.
        #[cbor(n(6), with = "one")]
        partition_epoch: PartitionEpoch,
    },
    /// A partition's in-sync replicas or leadership have changed; what is absent stays as it was.
    #[n(8)]
    PartitionChanged {
        /// The topic.
        #[cbor(n(0), with = "one")]
        topic_id: TopicId,
        /// The partition's number.
        #[cbor(n(1), with = "one")]
        index: PartitionIndex,
        /// Who is in sync now.
        #[cbor(n(2), with = "optional_list", has_nil)]
        isr: Option<Vec<BrokerId>>,
        /// Who leads now; [`BrokerId::NONE`] if nobody does.
        #[cbor(n(3), with = "optional", has_nil)]
        leader: Option<BrokerId>,
        /// The epoch of the leader; present wherever `leader` is, and also where the same leader begins anew.
        #[cbor(n(4), with = "optional", has_nil)]
        leader_epoch: Option<LeaderEpoch>,
        /// The epoch of the partition: one more than before.
        #[cbor(n(5), with = "one")]
        partition_epoch: PartitionEpoch,
    },
    /// A topic is gone, with its partitions and its overrides.
    #[n(9)]
    TopicDeleted {
        /// Which topic.
        #[cbor(n(0), with = "one")]
        id: TopicId,
    },
    /// An override is set or, without a value, taken away.
    #[n(10)]
    ConfigSet {
        /// What kind of thing carries it.
        #[n(0)]
        kind: ResourceKind,
        /// What that is called.
        #[n(1)]
        resource: String,
        /// The key.
        #[n(2)]
        key: String,
        /// The value as text; `None` takes the override away.
        #[n(3)]
        value: Option<String>,
    },
    /// Producer ids below `next` are given out.
    #[n(11)]
    ProducerIdsAllocated {
        /// The first producer id that is still free.
        #[cbor(n(0), with = "one")]
        next: ProducerId,
    },
    /// A broker is registered no longer. No partition is led by it.
    #[n(12)]
    BrokerUnregistered {
        /// Which broker.
        #[cbor(n(0), with = "one")]
        id: BrokerId,
        /// Which of its registrations.
        #[cbor(n(1), with = "one")]
        epoch: BrokerEpoch,
    },
    /// Broker epochs below `next` were given out, though perhaps no broker is left that has one: for snapshots.
    #[n(14)]
    BrokerEpochsAllocated {
        /// The epoch that the next registration gets.
        #[cbor(n(0), with = "one")]
        next: BrokerEpoch,
    },
    /// Other brokers keep a partition, or are on their way to (KIP-455): all of its state.
    #[n(13)]
    PartitionReassigned {
        /// The topic.
        #[cbor(n(0), with = "one")]
        topic_id: TopicId,
        /// The partition's number.
        #[cbor(n(1), with = "one")]
        index: PartitionIndex,
        /// Who keeps it now: those who shall, and behind them those who still do.
        #[cbor(n(2), with = "list")]
        replicas: Vec<BrokerId>,
        /// Who of them is in sync.
        #[cbor(n(3), with = "list")]
        isr: Vec<BrokerId>,
        /// Who of them is new and has yet to catch up.
        #[cbor(n(4), with = "list")]
        adding: Vec<BrokerId>,
        /// Who of them goes when the new ones have.
        #[cbor(n(5), with = "list")]
        removing: Vec<BrokerId>,
        /// Who leads it; [`BrokerId::NONE`] if nobody does.
        #[cbor(n(6), with = "one")]
        leader: BrokerId,
        /// The epoch of the leader: higher than before if the leader is another.
        #[cbor(n(7), with = "one")]
        leader_epoch: LeaderEpoch,
        /// The epoch of the partition: one more than before.
        #[cbor(n(8), with = "one")]
        partition_epoch: PartitionEpoch,
    },
}

impl Fact {
    /// The level of [`FACTS_VERSION`](crate::FACTS_VERSION) from which on this fact may be written.
    #[must_use]
    pub const fn introduced_at(&self) -> i16 {
        match self {
            // The level itself must be writable before there is one.
            Self::FeatureLevelSet { .. } => 0,
            Self::ClusterNamed { .. }
            | Self::BrokerRegistered { .. }
            | Self::BrokerFenced { .. }
            | Self::BrokerUnfenced { .. }
            | Self::TopicCreated { .. }
            | Self::PartitionCreated { .. }
            | Self::PartitionChanged { .. }
            | Self::TopicDeleted { .. }
            | Self::ConfigSet { .. }
            | Self::ProducerIdsAllocated { .. }
            | Self::BrokerUnregistered { .. }
            | Self::BrokerEpochsAllocated { .. }
            | Self::PartitionReassigned { .. } => 1,
        }
    }
}

impl fmt::Display for Fact {
    /// One line, the same words as the variant and its fields: for scripts, logs and `ottla dump`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FeatureLevelSet { name, level } => write!(f, "feature-level-set {name}={level}"),
            Self::ClusterNamed { cluster_id } => write!(f, "cluster-named {cluster_id}"),
            Self::BrokerRegistered { id, incarnation, epoch, rack, endpoints, fenced } => {
                write!(f, "broker-registered {id} incarnation={incarnation} epoch={epoch}")?;
                if let Some(rack) = rack {
                    write!(f, " rack={rack}")?;
                }
                for endpoint in endpoints {
                    write!(f, " {endpoint}")?;
                }
                f.write_str(if *fenced { " fenced" } else { "" })
            }
            Self::BrokerFenced { id, epoch } => write!(f, "broker-fenced {id} epoch={epoch}"),
            Self::BrokerUnfenced { id, epoch } => write!(f, "broker-unfenced {id} epoch={epoch}"),
            Self::TopicCreated { id, name } => write!(f, "topic-created {name} id={id}"),
            Self::PartitionCreated { topic_id, index, replicas, isr, leader, leader_epoch, partition_epoch } => {
                write!(f, "partition-created {topic_id}/{index} replicas={} isr={}", Ids(replicas), Ids(isr))?;
                write!(f, " leader={leader} leader-epoch={leader_epoch} partition-epoch={partition_epoch}")
            }
            Self::PartitionChanged { topic_id, index, isr, leader, leader_epoch, partition_epoch } => {
                write!(f, "partition-changed {topic_id}/{index}")?;
                if let Some(isr) = isr {
                    write!(f, " isr={}", Ids(isr))?;
                }
                if let Some(leader) = leader {
                    write!(f, " leader={leader}")?;
                }
                if let Some(epoch) = leader_epoch {
                    write!(f, " leader-epoch={epoch}")?;
                }
                write!(f, " partition-epoch={partition_epoch}")
            }
            Self::TopicDeleted { id } => write!(f, "topic-deleted id={id}"),
            Self::ConfigSet { kind, resource, key, value: Some(value) } => {
                write!(f, "config-set {kind}:{resource} {key}={value}")
            }
            Self::ConfigSet { kind, resource, key, value: None } => {
                write!(f, "config-set {kind}:{resource} {key} to its default")
            }
            Self::ProducerIdsAllocated { next } => write!(f, "producer-ids-allocated next={next}"),
            Self::BrokerUnregistered { id, epoch } => write!(f, "broker-unregistered {id} epoch={epoch}"),
            Self::BrokerEpochsAllocated { next } => write!(f, "broker-epochs-allocated next={next}"),
            Self::PartitionReassigned { .. } => self.fmt_reassigned(f),
        }
    }
}

impl Fact {
    fn fmt_reassigned(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::PartitionReassigned {
            topic_id,
            index,
            replicas,
            isr,
            adding,
            removing,
            leader,
            leader_epoch,
            partition_epoch,
        } = self
        else {
            return Ok(());
        };
        write!(f, "partition-reassigned {topic_id}/{index} replicas={} isr={}", Ids(replicas), Ids(isr))?;
        if !adding.is_empty() {
            write!(f, " adding={}", Ids(adding))?;
        }
        if !removing.is_empty() {
            write!(f, " removing={}", Ids(removing))?;
        }
        write!(f, " leader={leader} leader-epoch={leader_epoch} partition-epoch={partition_epoch}")
    }
}

/// Prints broker ids as `1,2,3`.
struct Ids<'a>(&'a [BrokerId]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
