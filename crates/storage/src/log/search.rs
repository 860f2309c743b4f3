//! Finding records by their timestamps.
use ottla_types::{LeaderEpoch, Offset, Timestamp};
/// A record found by its timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The epoch of the leader that appended it; -1 in old formats.
    pub leader_epoch: LeaderEpoch,
}
