//! What a shard counts of its own work.

/// Numbers since somebody [took them](crate::Shard::take_tally) last.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Rounds of classic groups that ended with everybody being assigned something.
    pub classic_rebalances: u64,
    /// Times that the epoch of a group of the consumer protocol rose.
    pub consumer_rebalances: u64,
    /// Offsets that were committed.
    pub offsets_committed: u64,
    /// Offsets that were forgotten because they are old.
    pub offsets_expired: u64,
    /// Offsets that were forgotten because somebody deleted them, their group or their topic.
    pub offsets_deleted: u64,
}
