//! CreatePartitions: topics get more partitions (KIP-195).
//!
//! The checks and their order are Kafka's (`ControllerApis.createPartitions`, then `ReplicationControlManager`). Records
//! are not moved: a key may go to another partition from now on.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use ottla_metadata::{Image, Topic};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex};

use crate::create_topics::{InvalidAssignment, check_assignment, partition_created, within_limit};
use crate::draft::Draft;
use crate::placement::place;
use crate::request::Refusal;

/// Somebody wants more partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatePartitions {
    /// Of which topics.
    pub topics: Vec<GrownTopic>,
    /// Whether to answer as if, and do nothing.
    pub validate_only: bool,
}

/// A topic that shall have more partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrownTopic {
    /// Its name.
    pub name: String,
    /// How many partitions it shall have in the end.
    pub count: i32,
    /// Which brokers keep each new partition, in the order of their numbers; `None` if the controller shall choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// Why one topic of a request does not grow. The checks are made in about this order; the first that fails answers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CreatePartitionsRefusal {
    /// The request names the topic more than once.
    #[error("the request names this topic more than once")]
    Duplicate,
    /// No topic has the name.
    #[error("there is no topic of this name")]
    UnknownTopic,
    /// The topic would not grow.
    #[error("the topic has {there} partitions, and {wanted} would not be more")]
    NotMore {
        /// How many partitions it has.
        there: usize,
        /// How many it should have.
        wanted: i32,
    },
    /// Replicas are assigned to more or fewer partitions than come to be.
    #[error("replicas are assigned to {assigned} partitions, and {added} are added")]
    OtherCount {
        /// How many partitions are added.
        added: usize,
        /// To how many replicas are assigned.
        assigned: usize,
    },
    /// The replicas that are assigned cannot be.
    #[error(transparent)]
    InvalidAssignment(#[from] InvalidAssignment),
    /// There are not as many brokers as each partition has replicas.
    #[error("each partition has {wanted} replicas, and {registered} brokers are registered")]
    TooFewBrokers {
        /// How many replicas the other partitions have.
        wanted: usize,
        /// How many brokers there are.
        registered: usize,
    },
    /// There is no broker that could lead.
    #[error("no registered broker is active: all are fenced")]
    AllBrokersFenced,
}

impl CreatePartitionsRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate => ErrorCode::InvalidRequest,
            Self::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
            Self::NotMore { .. } => ErrorCode::InvalidPartitions,
            Self::OtherCount { .. } | Self::InvalidAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::TooFewBrokers { .. } | Self::AllBrokersFenced => ErrorCode::InvalidReplicationFactor,
        }
    }
}

type Results = Vec<(String, Result<(), CreatePartitionsRefusal>)>;

/// Lets grow what can grow: topics that are named once in the request's order, then those named more often.
pub(crate) fn decide(request: &CreatePartitions, draft: &mut Draft) -> Result<Results, Refusal> {
    let (mut once, mut often) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !once.insert(topic.name.as_str()) {
            often.insert(topic.name.as_str());
        }
    }
    let named_once = || request.topics.iter().filter(|topic| !often.contains(topic.name.as_str()));
    let added = named_once().map(|topic| added_to(topic, draft.image())).fold(0, usize::saturating_add);
    within_limit(added, "partitions")?;

    let mut fork = draft.fork();
    let mut results: Results = named_once().map(|topic| (topic.name.clone(), grow(topic, &mut fork))).collect();
    results.extend(often.into_iter().map(|name| (name.to_owned(), Err(CreatePartitionsRefusal::Duplicate))));
    if !request.validate_only {
        draft.accept(fork);
    }
    Ok(results)
}

/// How many partitions a topic gets, if it passes all checks.
fn added_to(topic: &GrownTopic, image: &Image) -> usize {
    let there = image.topic_by_name(&topic.name).map_or(usize::MAX, |topic| topic.partition_count());
    usize::try_from(topic.count).unwrap_or(0).saturating_sub(there)
}

/// Checks one topic, and writes its partitions if it passes.
fn grow(wanted: &GrownTopic, draft: &mut Draft) -> Result<(), CreatePartitionsRefusal> {
    let image = draft.image();
    let topic = Arc::clone(image.topic_by_name(&wanted.name).ok_or(CreatePartitionsRefusal::UnknownTopic)?);
    let there = topic.partition_count();
    let added = added_to(wanted, image);
    if added == 0 {
        return Err(CreatePartitionsRefusal::NotMore { there, wanted: wanted.count });
    }
    let replicas = match &wanted.assignments {
        Some(assignments) => assigned(assignments, &topic, added, image)?,
        None => placed(&topic, added, image)?,
    };
    for (index, replicas) in numbers_from(there).zip(replicas) {
        let fact = partition_created(topic.id, index, replicas, draft.image());
        draft.write(fact);
    }
    Ok(())
}

/// How many replicas each partition of a topic has: as many as its first.
fn replication_factor(topic: &Topic) -> usize {
    topic.partition(PartitionIndex(0)).map_or(1, |partition| partition.replicas.len())
}

/// The replicas that the request assigns.
fn assigned(
    assignments: &[Vec<BrokerId>],
    topic: &Topic,
    added: usize,
    image: &Image,
) -> Result<Vec<Vec<BrokerId>>, CreatePartitionsRefusal> {
    if assignments.len() != added {
        return Err(CreatePartitionsRefusal::OtherCount { added, assigned: assignments.len() });
    }
    for (index, replicas) in numbers_from(topic.partition_count()).zip(assignments) {
        check_assignment(index, replicas, Some(replication_factor(topic)), image)?;
    }
    Ok(assignments.to_vec())
}

/// The replicas that the controller chooses.
fn placed(topic: &Topic, added: usize, image: &Image) -> Result<Vec<Vec<BrokerId>>, CreatePartitionsRefusal> {
    if image.brokers().all(|broker| broker.fenced) {
        return Err(CreatePartitionsRefusal::AllBrokersFenced);
    }
    let (wanted, registered) = (replication_factor(topic), image.brokers().len());
    if wanted > registered {
        return Err(CreatePartitionsRefusal::TooFewBrokers { wanted, registered });
    }
    let there = topic.partition_count();
    Ok(place(image.brokers().map(|broker| &**broker), topic.id, there..there + added, wanted))
}

fn numbers_from(first: usize) -> impl Iterator<Item = PartitionIndex> {
    let first = i32::try_from(first).expect("partitions are counted in 31 bits");
    (first..).map(PartitionIndex)
}

impl fmt::Display for CreatePartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.validate_only { "create-partitions validate-only" } else { "create-partitions" })?;
        self.topics.iter().try_for_each(|topic| write!(f, " {:?}={}", topic.name, topic.count))
    }
}
