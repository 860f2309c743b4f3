//! RegisterBroker: a broker joins, or comes back (KIP-631).
//!
//! A new run of a broker's process is known by its incarnation id. It gets a new broker epoch, and every partition that
//! it leads a new leader epoch: it may have lost a tail that it had sent to clients, and an epoch that is used again for
//! other records hides that from them (KIP-320). Partitions that nobody leads and whose in-sync replicas count the broker
//! are led by it from now on.
//!
//! The same run may register again, to say more about itself; that keeps its epochs.
//!
//! One look at every partition of the cluster is taken; brokers do not register often enough for an index.

use std::fmt;
use std::sync::Arc;

use ottla_metadata::{BrokerEpoch, Endpoint, Fact, Image, Partition};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, TopicId, Uuid};

use crate::draft::Draft;

/// A broker says who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterBroker {
    /// The id of the cluster that it belongs to.
    pub cluster_id: String,
    /// Its `node.id`.
    pub id: BrokerId,
    /// The id of this run of its process, drawn at its start.
    pub incarnation: Uuid,
    /// Its `broker.rack`.
    pub rack: Option<String>,
    /// Where clients and other brokers reach it.
    pub endpoints: Vec<Endpoint>,
}

/// Why a broker may not register.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegisterBrokerRefusal {
    /// It belongs to another cluster.
    #[error("this is cluster {here}, the broker belongs to cluster {there}")]
    InconsistentClusterId {
        /// The id of this cluster.
        here: String,
        /// The id that the broker names.
        there: String,
    },
}

impl RegisterBrokerRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::InconsistentClusterId { .. } => ErrorCode::InconsistentClusterId,
        }
    }
}

/// Registers the broker, and renews what it leads.
pub(crate) fn decide(request: &RegisterBroker, draft: &mut Draft) -> Result<BrokerEpoch, RegisterBrokerRefusal> {
    let image = draft.image();
    let here = image.cluster_id().unwrap_or_default();
    if request.cluster_id != here {
        let (here, there) = (here.to_owned(), request.cluster_id.clone());
        return Err(RegisterBrokerRefusal::InconsistentClusterId { here, there });
    }
    let known = image.broker(request.id).filter(|known| known.incarnation == request.incarnation);
    if let Some(known) = known {
        let (epoch, fenced) = (known.epoch, known.fenced);
        if known.rack != request.rack || known.endpoints != request.endpoints {
            draft.write(registered(request, epoch, fenced));
        }
        return Ok(epoch);
    }
    let epoch = image.next_broker_epoch();
    let renewals = renewals(image, request.id);
    draft.write(registered(request, epoch, false));
    renewals.into_iter().for_each(|fact| draft.write(fact));
    Ok(epoch)
}

fn registered(request: &RegisterBroker, epoch: BrokerEpoch, fenced: bool) -> Fact {
    Fact::BrokerRegistered {
        id: request.id,
        incarnation: request.incarnation,
        epoch,
        rack: request.rack.clone(),
        endpoints: request.endpoints.clone(),
        fenced,
    }
}

/// What becomes of the partitions that `broker` leads or now can lead, in the order of names and numbers.
fn renewals(image: &Image, broker: BrokerId) -> Vec<Fact> {
    image
        .topics()
        .flat_map(|topic| topic.partitions().map(|(index, partition)| (topic.id, index, partition)))
        .filter(|(_, _, partition)| {
            let orphan = partition.leader == BrokerId::NONE && partition.isr.contains(&broker);
            partition.leader == broker || orphan
        })
        .map(|(topic_id, index, partition)| led_anew(topic_id, index, partition, broker))
        .collect()
}

fn led_anew(topic_id: TopicId, index: PartitionIndex, partition: &Arc<Partition>, broker: BrokerId) -> Fact {
    Fact::PartitionChanged {
        topic_id,
        index,
        isr: None,
        leader: (partition.leader != broker).then_some(broker),
        leader_epoch: Some(partition.leader_epoch.next()),
        partition_epoch: partition.partition_epoch.next(),
    }
}

impl fmt::Display for RegisterBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "register-broker {} cluster={} incarnation={}", self.id, self.cluster_id, self.incarnation)?;
        if let Some(rack) = &self.rack {
            write!(f, " rack={rack}")?;
        }
        self.endpoints.iter().try_for_each(|endpoint| write!(f, " {endpoint}"))
    }
}
