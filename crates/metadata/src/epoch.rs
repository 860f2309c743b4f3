//! The numbers that order changes: epochs of brokers and partitions, and places in the log of facts.
//!
//! The epoch of a partition's leader is not here: clients see it, so it is `ottla_types::LeaderEpoch`.

use std::fmt;

/// Tells registrations of brokers apart: every registration in the cluster gets a higher one. A broker that speaks with
/// an older epoch than its registration has is a leftover of an earlier run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BrokerEpoch(pub i64);

/// Rises by one with every change of a partition's replicas, in-sync replicas or leader (KIP-497).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PartitionEpoch(pub i32);

/// A place in the replicated log of facts: an entry, and the term of the leader that wrote it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The index of the entry; 0 stands before the first.
    pub index: u64,
}

impl BrokerEpoch {
    /// The epoch that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl PartitionEpoch {
    /// The epoch that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for BrokerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for PartitionEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Position {
    /// `<term>.<index>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}
