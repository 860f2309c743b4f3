//! What a broker grants groups, and how the topic of their offsets is made.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::settings::Settings;

/// Which kinds of groups there are.
pub(crate) const PROTOCOLS: &str = "group.coordinator.rebalance.protocols";

/// The settings of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupsConfig {
    /// `offsets.topic.num.partitions`.
    pub offsets_partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub offsets_replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub offsets_segment_bytes: i32,
    /// `offsets.topic.compression.codec`: the number that a batch's attributes have for it, 0 to 4.
    pub offsets_codec: u8,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval: Duration,
    /// `offsets.load.buffer.size`.
    pub load_bytes: usize,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max: Duration,
    /// `group.max.size`.
    pub classic_members_max: usize,
    /// Whether `group.coordinator.rebalance.protocols` names `consumer`.
    pub consumer_protocol: bool,
    /// `group.consumer.session.timeout.ms`.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.assignment.interval.ms`.
    pub consumer_assignment_interval: Duration,
    /// What a group may have of its own: `group.consumer.min.session.timeout.ms` to `…max…`.
    pub consumer_session_timeouts: RangeInclusive<Duration>,
    /// Likewise `group.consumer.min.heartbeat.interval.ms` to `…max…`.
    pub consumer_heartbeat_intervals: RangeInclusive<Duration>,
    /// Likewise `group.consumer.min.assignment.interval.ms` to `…max…`.
    pub consumer_assignment_intervals: RangeInclusive<Duration>,
    /// `group.consumer.max.size`.
    pub consumer_members_max: usize,
    /// `group.consumer.assignors`: names, the default first.
    pub consumer_assignors: Vec<String>,
    /// `group.consumer.migration.policy`.
    pub consumer_migration_policy: String,
}

impl GroupsConfig {
    pub(crate) fn resolve(settings: &Settings) -> Self {
        let int = |name| i32::try_from(settings.number(name)).expect("the key is an Int and was checked");
        // Whatever is negative is as good as nothing.
        let count = |name| usize::try_from(settings.number(name)).unwrap_or_default();
        let millis = |name: &str| Duration::from_millis(u64::try_from(settings.number(name)).unwrap_or_default());
        let bounds =
            |name: &str| millis(&format!("group.consumer.min.{name}"))..=millis(&format!("group.consumer.max.{name}"));
        Self {
            offsets_partitions: int("offsets.topic.num.partitions"),
            offsets_replication_factor: i16::try_from(settings.number("offsets.topic.replication.factor"))
                .expect("the key is a Short and was checked"),
            offsets_segment_bytes: int("offsets.topic.segment.bytes"),
            offsets_codec: u8::try_from(settings.number("offsets.topic.compression.codec"))
                .expect("the key has bounds and was checked"),
            offset_metadata_max: count("offset.metadata.max.bytes"),
            offsets_retention: Duration::from_secs(60 * u64::from(int("offsets.retention.minutes").unsigned_abs())),
            offsets_check_interval: millis("offsets.retention.check.interval.ms"),
            load_bytes: count("offsets.load.buffer.size"),
            initial_rebalance_delay: millis("group.initial.rebalance.delay.ms"),
            session_timeout_min: millis("group.min.session.timeout.ms"),
            session_timeout_max: millis("group.max.session.timeout.ms"),
            classic_members_max: count("group.max.size"),
            consumer_protocol: settings.list(PROTOCOLS).iter().any(|protocol| protocol == "consumer"),
            consumer_session_timeout: millis("group.consumer.session.timeout.ms"),
            consumer_heartbeat_interval: millis("group.consumer.heartbeat.interval.ms"),
            consumer_assignment_interval: millis("group.consumer.assignment.interval.ms"),
            consumer_session_timeouts: bounds("session.timeout.ms"),
            consumer_heartbeat_intervals: bounds("heartbeat.interval.ms"),
            consumer_assignment_intervals: bounds("assignment.interval.ms"),
            consumer_members_max: count("group.consumer.max.size"),
            consumer_assignors: settings.list("group.consumer.assignors"),
            consumer_migration_policy: settings.text("group.consumer.migration.policy").unwrap_or_default(),
        }
    }
}
