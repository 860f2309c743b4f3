//! ElectLeaders: partitions get another leader, by order of an operator (KIP-183, KIP-460).
//!
//! A *preferred* election gives the lead to the first replica, if it is in sync and active. An *unclean* one gives a
//! partition that nobody leads to any replica that is active, in sync or not: what only the others had is lost. The
//! checks are Kafka's (`ReplicationControlManager.electLeaders`).

use std::fmt;

use ottla_metadata::{Fact, Image, Partition};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, TopicId};

use crate::create_topics::within_limit;
use crate::draft::Draft;
use crate::request::Refusal;

/// Somebody wants other leaders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElectLeaders {
    /// By which rule.
    pub election: Election,
    /// Of which partitions; `None` for all that need an election.
    pub topics: Option<Vec<ElectedTopic>>,
}

/// The rule of an election.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Election {
    /// The first replica leads, if it can.
    Preferred,
    /// Whoever is there leads, where nobody else does.
    Unclean,
}

/// Partitions of a topic that somebody wants to have other leaders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElectedTopic {
    /// Its name.
    pub name: String,
    /// Which partitions.
    pub partitions: Vec<PartitionIndex>,
}

/// What became of the partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElectedLeaders {
    /// Its name.
    pub name: String,
    /// Each partition that was asked for; where all were, only those that needed an election.
    pub partitions: Vec<(PartitionIndex, Result<(), ElectionRefusal>)>,
}

/// Why a partition keeps its leader, or goes on without.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ElectionRefusal {
    /// There is no such topic, or it has no such partition.
    #[error("there is no such partition")]
    UnknownPartition,
    /// The leader is the one that an election would choose.
    #[error("the partition has the leader that it should have")]
    NotNeeded,
    /// The first replica is not in sync or not active.
    #[error("the preferred leader is not in sync or not active")]
    PreferredLeaderNotAvailable,
    /// No replica is active.
    #[error("no replica of the partition is active")]
    EligibleLeadersNotAvailable,
}

impl ElectionRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotNeeded => ErrorCode::ElectionNotNeeded,
            Self::PreferredLeaderNotAvailable => ErrorCode::PreferredLeaderNotAvailable,
            Self::EligibleLeadersNotAvailable => ErrorCode::EligibleLeadersNotAvailable,
        }
    }
}

/// Holds the elections that were asked for.
pub(crate) fn decide(request: &ElectLeaders, draft: &mut Draft) -> Result<Vec<ElectedLeaders>, Refusal> {
    let mut fork = draft.fork();
    let mut elect = |name: &str, index| elect(request.election, name, index, &mut fork);
    let results = if let Some(topics) = &request.topics {
        let one = |topic: &ElectedTopic| ElectedLeaders {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|index| (*index, elect(&topic.name, *index))).collect(),
        };
        topics.iter().map(one).collect()
    } else {
        let image = draft.image().clone();
        let all = image.topics().map(|topic| {
            let results = topic.partitions().map(|(index, _)| (index, elect(topic.name.as_str(), index)));
            let needed = results.filter(|(_, result)| *result != Err(ElectionRefusal::NotNeeded)).collect();
            ElectedLeaders { name: topic.name.to_string(), partitions: needed }
        });
        all.collect()
    };
    within_limit(fork.facts().len(), "changes")?;
    draft.accept(fork);
    Ok(results)
}

/// Holds one election.
fn elect(election: Election, topic: &str, index: PartitionIndex, draft: &mut Draft) -> Result<(), ElectionRefusal> {
    let image = draft.image();
    let topic = image.topic_by_name(topic).ok_or(ElectionRefusal::UnknownPartition)?;
    let partition = topic.partition(index).ok_or(ElectionRefusal::UnknownPartition)?;
    let fact = match election {
        Election::Preferred => preferred(topic.id, index, partition, image)?,
        Election::Unclean => unclean(topic.id, index, partition, image)?,
    };
    draft.write(fact);
    Ok(())
}

fn preferred(
    id: TopicId,
    index: PartitionIndex,
    partition: &Partition,
    image: &Image,
) -> Result<Fact, ElectionRefusal> {
    let first = partition.replicas.first().copied().unwrap_or(BrokerId::NONE);
    if partition.leader == first {
        return Err(ElectionRefusal::NotNeeded);
    }
    let leader = if can_lead(first, partition, image) {
        first
    } else if can_lead(partition.leader, partition, image) {
        return Err(ElectionRefusal::PreferredLeaderNotAvailable);
    } else {
        // Any leader is better than none.
        clean_leader(partition, image).ok_or(ElectionRefusal::PreferredLeaderNotAvailable)?
    };
    Ok(led_by(id, index, partition, leader, None))
}

fn unclean(id: TopicId, index: PartitionIndex, partition: &Partition, image: &Image) -> Result<Fact, ElectionRefusal> {
    if partition.leader != BrokerId::NONE {
        return Err(ElectionRefusal::NotNeeded);
    }
    if let Some(leader) = clean_leader(partition, image) {
        return Ok(led_by(id, index, partition, leader, None));
    }
    let active = partition.replicas.iter().copied().find(|broker| image.is_active(*broker));
    let leader = active.ok_or(ElectionRefusal::EligibleLeadersNotAvailable)?;
    // Whoever else was in sync is so no longer: this one's log is the partition's now.
    Ok(led_by(id, index, partition, leader, Some(vec![leader])))
}

/// The first replica that is in sync and active.
pub(crate) fn clean_leader(partition: &Partition, image: &Image) -> Option<BrokerId> {
    partition.replicas.iter().copied().find(|broker| can_lead(*broker, partition, image))
}

fn can_lead(broker: BrokerId, partition: &Partition, image: &Image) -> bool {
    partition.isr.contains(&broker) && image.is_active(broker)
}

/// `partition` with another leader; with other in-sync replicas too, where they are given.
pub(crate) fn led_by(
    topic_id: TopicId,
    index: PartitionIndex,
    partition: &Partition,
    leader: BrokerId,
    isr: Option<Vec<BrokerId>>,
) -> Fact {
    Fact::PartitionChanged {
        topic_id,
        index,
        isr,
        leader: Some(leader),
        leader_epoch: Some(partition.leader_epoch.next()),
        partition_epoch: partition.partition_epoch.next(),
    }
}

impl fmt::Display for ElectLeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.election {
            Election::Preferred => "elect-leaders preferred",
            Election::Unclean => "elect-leaders unclean",
        })?;
        let Some(topics) = &self.topics else { return f.write_str(" all") };
        topics
            .iter()
            .try_for_each(|topic| topic.partitions.iter().try_for_each(|index| write!(f, " {:?}/{index}", topic.name)))
    }
}
