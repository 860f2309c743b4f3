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
            append_bytes_max: 1 << 20,
        }
    }
}
