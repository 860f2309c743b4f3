//! AlterPartitionReassignments: other brokers shall keep partitions, or shall not after all (KIP-455).
//!
//! A partition whose new replicas are all in sync already moves at once: an order of replicas, fewer of them. Otherwise
//! those who are new have to catch up first; until then the partition names whom it adds and whom it will remove. The
//! checks are Kafka's (`ReplicationControlManager.alterPartitionReassignments`), the arithmetic is in `plan`.

mod plan;

use std::fmt;

use ottla_metadata::{Fact, Image, Partition};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, TopicId};

use self::plan::Plan;
use crate::create_topics::{InvalidAssignment, check_replicas, within_limit};
use crate::draft::Draft;
use crate::request::Refusal;

/// Somebody wants other brokers to keep partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlterPartitionReassignments {
    /// Which.
    pub partitions: Vec<Reassignment>,
    /// Whether a partition may get more or fewer replicas by it (KIP-860).
    pub allow_replication_factor_change: bool,
}

/// A partition that shall be kept by others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reassignment {
    /// The name of its topic.
    pub topic: String,
    /// Its number.
    pub partition: PartitionIndex,
    /// By whom, the preferred leader first; `None` to end the way that it is on, and go back.
    pub replicas: Option<Vec<BrokerId>>,
}

/// Why a partition is not reassigned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReassignmentRefusal {
    /// There is no such topic, or it has no such partition.
    #[error("there is no such partition")]
    UnknownPartition,
    /// There is nothing to cancel.
    #[error("no reassignment of this partition is in progress")]
    NotInProgress,
    /// Nobody who kept it before is in sync.
    #[error("no replica from before the reassignment is in sync: going back would lose records")]
    WayBackUnclean,
    /// The replicas cannot be.
    #[error(transparent)]
    InvalidAssignment(#[from] InvalidAssignment),
    /// The number of replicas would be another.
    #[error("the number of replicas would change from {from} to {to}, which the request does not allow")]
    ReplicationFactorChanged {
        /// How many there are.
        from: usize,
        /// How many there would be.
        to: usize,
    },
}

impl ReassignmentRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotInProgress => ErrorCode::NoReassignmentInProgress,
            Self::WayBackUnclean | Self::InvalidAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::ReplicationFactorChanged { .. } => ErrorCode::InvalidReplicationFactor,
        }
    }
}

/// Reassigns what can be; a result for each partition, in the request's order.
pub(crate) fn decide(
    request: &AlterPartitionReassignments,
    draft: &mut Draft,
) -> Result<Vec<Result<(), ReassignmentRefusal>>, Refusal> {
    let mut fork = draft.fork();
    let factor_may_change = request.allow_replication_factor_change;
    let results = request.partitions.iter().map(|wanted| reassign(wanted, factor_may_change, &mut fork)).collect();
    within_limit(fork.facts().len(), "changes")?;
    draft.accept(fork);
    Ok(results)
}

/// Checks one partition, and writes what becomes of it.
fn reassign(wanted: &Reassignment, factor_may_change: bool, draft: &mut Draft) -> Result<(), ReassignmentRefusal> {
    let image = draft.image();
    let topic = image.topic_by_name(&wanted.topic).ok_or(ReassignmentRefusal::UnknownPartition)?;
    let partition = topic.partition(wanted.partition).ok_or(ReassignmentRefusal::UnknownPartition)?;
    let plan = match &wanted.replicas {
        None if !partition.is_reassigning() => return Err(ReassignmentRefusal::NotInProgress),
        None => plan::reverted(partition).ok_or(ReassignmentRefusal::WayBackUnclean)?,
        Some(target) => {
            check_replicas(wanted.partition, target, image)?;
            let (from, to) = (plan::replication_factor(partition), target.len());
            if from != to && !factor_may_change {
                return Err(ReassignmentRefusal::ReplicationFactorChanged { from, to });
            }
            plan::towards(partition, target)
        }
    };
    if let Some(fact) = fact(topic.id, wanted.partition, partition, plan, image) {
        draft.write(fact);
    }
    Ok(())
}

/// The fact that leads from `before` to `plan`; `None` if they are the same.
fn fact(topic_id: TopicId, index: PartitionIndex, before: &Partition, plan: Plan, image: &Image) -> Option<Fact> {
    let Plan { replicas, isr, adding, removing } = plan;
    let same = before.replicas == replicas && before.adding == adding && before.removing == removing;
    if same {
        return None;
    }
    let can_lead = |broker: &BrokerId| isr.contains(broker) && image.is_active(*broker);
    let leader = Some(before.leader)
        .filter(can_lead)
        .or_else(|| replicas.iter().copied().find(can_lead))
        .unwrap_or(BrokerId::NONE);
    // Those who keep it no longer must not take what they hear of it for the partition's.
    let renewed = leader != before.leader || before.replicas.iter().any(|broker| !replicas.contains(broker));
    let leader_epoch = if renewed { before.leader_epoch.next() } else { before.leader_epoch };
    let partition_epoch = before.partition_epoch.next();
    Some(Fact::PartitionReassigned {
        topic_id,
        index,
        replicas,
        isr,
        adding,
        removing,
        leader,
        leader_epoch,
        partition_epoch,
    })
}

impl fmt::Display for AlterPartitionReassignments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("alter-partition-reassignments")?;
        self.partitions.iter().try_for_each(|wanted| write!(f, " {:?}/{}", wanted.topic, wanted.partition))
    }
}
