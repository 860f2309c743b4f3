//! What a coordinator may be told: Kafka's `group.*` and `offsets.*` settings, by Kafka's defaults.

use std::time::Duration;

/// The settings of all groups of a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The shortest session timeout that a classic member may ask for: `group.min.session.timeout.ms`.
    pub session_timeout_min: Duration,
    /// The longest one: `group.max.session.timeout.ms`.
    pub session_timeout_max: Duration,
    /// How many members a classic group may have: `group.max.size`.
    pub classic_members_max: usize,
    /// How long an empty group waits for more members before its first rebalance: `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// How long a new member's first JoinGroup may wait: five minutes, which Kafka lets nobody change.
    pub new_member_join_timeout: Duration,
    /// The most characters of text beside an offset: `offset.metadata.max.bytes`.
    pub offset_metadata_max: usize,
    /// How long offsets are kept that nobody uses: `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// How often it is looked for them: `offsets.retention.check.interval.ms`.
    pub offsets_check_interval: Duration,
    /// The most bytes of facts that are appended at once; what needs more is refused.
    pub append_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            classic_members_max: usize::MAX,
            initial_rebalance_delay: Duration::from_secs(3),
            new_member_join_timeout: Duration::from_secs(5 * 60),
            offset_metadata_max: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_check_interval: Duration::from_secs(10 * 60),
            append_bytes_max: 1 << 20,
        }
    }
}
