//! A topic and its partitions as the image holds them.

use std::sync::Arc;

use imbl::OrdMap;
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName};

use crate::PartitionEpoch;

/// A topic. Cheap to clone: the partitions are shared.
///
/// Invariant: the keys of `partitions` are 0, 1, …, `partitions.len() - 1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    pub(crate) partitions: OrdMap<PartitionIndex, Arc<Partition>>,
}

/// Who keeps one partition and who leads it.
///
/// Invariants: `isr`, `adding`, `removing` ⊆ `replicas`; none holds a broker twice; `adding` ∩ `removing` = ∅;
/// `replicas` is not empty; `leader` ∈ `isr`, or there is none. `leader_epoch` and `partition_epoch` never go back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// The brokers that keep a copy, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The replicas that have all that was acknowledged.
    pub isr: Vec<BrokerId>,
    /// The replicas that a reassignment adds and that are not all in sync yet (KIP-455); empty if there is none.
    pub adding: Vec<BrokerId>,
    /// The replicas that go once all that are added are in sync; empty if there are none.
    pub removing: Vec<BrokerId>,
    /// Who leads; [`BrokerId::NONE`] if nobody does.
    pub leader: BrokerId,
    /// How often the leadership was given or renewed.
    pub leader_epoch: LeaderEpoch,
    /// How often anything here changed.
    pub partition_epoch: PartitionEpoch,
}

impl Topic {
    /// The partition of that number.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&Arc<Partition>> {
        self.partitions.get(&index)
    }

    /// All partitions in the order of their numbers.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = (PartitionIndex, &Arc<Partition>)> {
        self.partitions.iter().map(|(index, partition)| (*index, partition))
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }
}

impl Partition {
    /// Whether it is on its way to other replicas.
    #[must_use]
    pub const fn is_reassigning(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// Whether `broker` keeps a copy.
    #[must_use]
    pub fn is_replica(&self, broker: BrokerId) -> bool {
        self.replicas.contains(&broker)
    }
}
