//! The features whose levels a cluster agrees on, and the levels that this code knows (KIP-584).
//!
//! A feature that Kafka has and Ottla does not (`transaction.version`, `share.version`, …) is not here, so clients are told
//! that it is not supported. A node stops at a level outside these bounds, wherever it comes from.

/// The feature whose level says which kinds of facts may be written. It is Ottla's own: what stands in the log of facts
/// has nothing to do with the records that Kafka keeps there.
pub const FACTS_VERSION: &str = "ottla.facts.version";

/// The highest level of [`FACTS_VERSION`] that this code knows.
pub const LEVEL_NEWEST: i16 = 1;

/// Kafka's name for what a cluster's metadata can express. Clients and tools conclude from its level what the cluster can
/// do, and operators' tools set it. Here it says which Kafka the cluster looks like, and steers nothing.
pub const METADATA_VERSION: &str = "metadata.version";

/// The one level of [`METADATA_VERSION`]: Kafka's 4.3-IV0, the newest of 4.3.
pub const METADATA_VERSION_LEVEL: i16 = 30;

/// Whether there are groups of the consumer protocol (KIP-848): level 1. At 0, which is as good as not there, consumers of
/// that protocol are refused and those of the classic one go on.
pub const GROUP_VERSION: &str = "group.version";

/// A feature and the levels of it that this code knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The lowest level; 0 if it can be off.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

/// All features that this code knows: first the one that allows all other facts. Each gets its highest level in a new
/// cluster.
pub const FEATURES: &[Feature] = &[
    Feature { name: FACTS_VERSION, min: 1, max: LEVEL_NEWEST },
    Feature { name: METADATA_VERSION, min: METADATA_VERSION_LEVEL, max: METADATA_VERSION_LEVEL },
    Feature { name: GROUP_VERSION, min: 0, max: 1 },
];

impl Feature {
    /// The feature called `name`.
    #[must_use]
    pub fn called(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// Whether this code knows that level.
    #[must_use]
    pub const fn supports(&self, level: i16) -> bool {
        self.min <= level && level <= self.max
    }
}
