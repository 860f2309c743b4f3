//! What a coordinator may be told: Kafka's `group.*` and `offsets.*` settings, by Kafka's defaults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::assignors::Assignor;

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
    /// What holds for groups of the consumer protocol that have nothing of their own.
    pub consumer: ConsumerSettings,
    /// What holds for those that have something of their own, by their ids (KIP-848, `kafka-configs --entity-type groups`).
    pub consumer_groups: Arc<BTreeMap<Arc<str>, ConsumerSettings>>,
    /// How many members such a group may have: `group.consumer.max.size`.
    pub consumer_members_max: usize,
    /// How long it is believed which topics a pattern matches; ten minutes, as in Kafka.
    pub consumer_regex_refresh: Duration,
    /// The ways of assignment that members may want, the default first: `group.consumer.assignors`.
    pub assignors: Vec<Assignor>,
    /// Which groups may turn from one protocol into the other: `group.consumer.migration.policy`.
    pub migration: MigrationPolicy,
}

/// The settings of a group of the consumer protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerSettings {
    /// How long a member may be silent: `group.consumer.session.timeout.ms`.
    pub session_timeout: Duration,
    /// How often members shall be heard of: `group.consumer.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// How long partitions are not dealt out again: `group.consumer.assignment.interval.ms`.
    pub assignment_interval: Duration,
}

/// Which groups may turn from one protocol into the other while they have members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MigrationPolicy {
    /// None.
    Disabled,
    /// Classic ones.
    Upgrade,
    /// Those of the consumer protocol.
    Downgrade,
    /// All.
    Bidirectional,
}

impl MigrationPolicy {
    /// The policy of that name, whatever the case of its letters.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Disabled, Self::Upgrade, Self::Downgrade, Self::Bidirectional];
        all.into_iter().find(|policy| policy.name().eq_ignore_ascii_case(name))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Bidirectional => "bidirectional",
        }
    }

    /// Whether a classic group may become one of the consumer protocol.
    pub(crate) const fn allows_upgrade(self) -> bool {
        matches!(self, Self::Upgrade | Self::Bidirectional)
    }

    /// Whether a group of the consumer protocol may become a classic one.
    pub(crate) const fn allows_downgrade(self) -> bool {
        matches!(self, Self::Downgrade | Self::Bidirectional)
    }
}

impl Settings {
    /// What holds for a group of the consumer protocol.
    pub(crate) fn of_consumer(&self, group: &str) -> &ConsumerSettings {
        self.consumer_groups.get(group).unwrap_or(&self.consumer)
    }

    /// The way of assignment of groups that want none.
    pub(crate) fn assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
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
            consumer: ConsumerSettings {
                session_timeout: Duration::from_secs(45),
                heartbeat_interval: Duration::from_secs(5),
                assignment_interval: Duration::from_secs(1),
            },
            consumer_groups: Arc::default(),
            consumer_members_max: usize::MAX,
            consumer_regex_refresh: Duration::from_secs(10 * 60),
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration: MigrationPolicy::Bidirectional,
        }
    }
}
