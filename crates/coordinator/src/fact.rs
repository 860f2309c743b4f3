//! What a shard remembers: records of `__consumer_offsets`, in Kafka's own schemas (`ottla_wire::records::group`).

use std::sync::Arc;

use ottla_wire::records::group::group_metadata::GroupMetadataValue;

/// One record. `None` as a value is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// A classic group as of its last completed rebalance.
    ClassicGroup {
        /// The group's id.
        group: Arc<str>,
        /// The group; `None` once it is gone.
        value: Option<GroupMetadataValue>,
    },
}
