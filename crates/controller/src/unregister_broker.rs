//! UnregisterBroker: a broker that is gone for good is forgotten.
//!
//! Its replicas stay in the partitions' lists until they are reassigned, as with Kafka. A broker that is active is not
//! forgotten: Kafka would take its partitions from under it, and it would serve nothing until its next start.

use std::fmt;

use ottla_metadata::{Fact, Image, Partition};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, TopicId};

use crate::draft::Draft;
use crate::elect_leaders::{clean_leader, led_by};

/// Somebody says that a broker is gone for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnregisterBroker {
    /// Which broker.
    pub id: BrokerId,
}

/// Why a broker is not forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnregisterBrokerRefusal {
    /// It is not known.
    #[error("broker {0} is not registered")]
    NotRegistered(BrokerId),
    /// It is there.
    #[error("broker {0} is active; a broker is unregistered once it has stopped for good")]
    Active(BrokerId),
}

impl UnregisterBrokerRefusal {
    /// Kafka's code for it; what Kafka does not refuse has a code that clients do not try again for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotRegistered(_) => ErrorCode::BrokerIdNotRegistered,
            Self::Active(_) => ErrorCode::InvalidRequest,
        }
    }
}

/// Forgets the broker. Partitions that count it in sync go on without it, if they can.
pub(crate) fn decide(request: &UnregisterBroker, draft: &mut Draft) -> Result<(), UnregisterBrokerRefusal> {
    let image = draft.image();
    let broker = image.broker(request.id).ok_or(UnregisterBrokerRefusal::NotRegistered(request.id))?;
    if !broker.fenced {
        return Err(UnregisterBrokerRefusal::Active(request.id));
    }
    let epoch = broker.epoch;
    let changes: Vec<_> = image
        .topics()
        .flat_map(|topic| topic.partitions().map(|(index, partition)| (topic.id, index, partition)))
        .filter_map(|(topic_id, index, partition)| without(request.id, topic_id, index, partition, image))
        .collect();
    changes.into_iter().for_each(|fact| draft.write(fact));
    draft.write(Fact::BrokerUnregistered { id: request.id, epoch });
    Ok(())
}

/// What becomes of a partition without `gone`; `None` if nothing does. The last replica in sync stays it, without a
/// leader: it alone has what was acknowledged, should it ever come back.
fn without(
    gone: BrokerId,
    topic_id: TopicId,
    index: PartitionIndex,
    partition: &Partition,
    image: &Image,
) -> Option<Fact> {
    if !partition.isr.contains(&gone) {
        return None;
    }
    let others: Vec<_> = partition.isr.iter().copied().filter(|broker| *broker != gone).collect();
    if others.is_empty() {
        return (partition.leader == gone).then(|| led_by(topic_id, index, partition, BrokerId::NONE, None));
    }
    if partition.leader == gone {
        // Who is unregistered is fenced, so it is not chosen.
        let leader = clean_leader(partition, image).unwrap_or(BrokerId::NONE);
        return Some(led_by(topic_id, index, partition, leader, Some(others)));
    }
    let partition_epoch = partition.partition_epoch.next();
    Some(Fact::PartitionChanged {
        topic_id,
        index,
        isr: Some(others),
        leader: None,
        leader_epoch: None,
        partition_epoch,
    })
}

impl fmt::Display for UnregisterBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unregister-broker {}", self.id)
    }
}
