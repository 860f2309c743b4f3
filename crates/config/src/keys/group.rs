//! The keys of a group (KIP-848, KIP-932, KIP-1071), and the broker keys that stand in for them and bound them.

use crate::key::{ANY, Allowed, HONOURED, Key, Status, at_least};

/// Which broker keys have to do with a key of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSynonyms {
    /// The key of the group.
    pub name: &'static str,
    /// What a group has that does not say.
    pub broker: Option<&'static str>,
    /// The least that a group may have.
    pub min: Option<&'static str>,
    /// The most that a group may have.
    pub max: Option<&'static str>,
}

const NO_GROUPS: Status = Status::Accepted("share and streams groups are not served");

keys! {
    /// How long a group's assignment stays before the next is computed.
    "consumer.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, HONOURED;
    /// How often members of a consumer group send heartbeats.
    "consumer.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ClusterWide, HONOURED;
    /// How long a silent member stays in a consumer group.
    "consumer.session.timeout.ms": Int = "45000", at_least(1), Medium, ClusterWide, HONOURED;
    /// How long a share group's assignment stays before the next is computed.
    "share.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, NO_GROUPS;
    /// Where a share group begins: `earliest`, `latest`, or `by_duration:` and an ISO 8601 duration before now.
    "share.auto.offset.reset": String = "latest", ANY, Medium, ClusterWide, NO_GROUPS;
    /// How often a record is delivered to a share group before it is given up.
    "share.delivery.count.limit": Int = "5", at_least(2), Medium, ClusterWide, NO_GROUPS;
    /// How often members of a share group send heartbeats.
    "share.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ClusterWide, NO_GROUPS;
    /// Whether a share group gets records of transactions that are not committed.
    "share.isolation.level": String = "read_uncommitted", Allowed::OneOf(&["read_committed", "read_uncommitted"]), Medium, ClusterWide, NO_GROUPS;
    /// How many records of a partition a share group may hold at once.
    "share.partition.max.record.locks": Int = "2000", at_least(100), Medium, ClusterWide, NO_GROUPS;
    /// How long a record is held for the member of a share group that got it.
    "share.record.lock.duration.ms": Int = "30000", at_least(1000), Medium, ClusterWide, NO_GROUPS;
    /// Whether members of a share group may hold a record for longer.
    "share.renew.acknowledge.enable": Boolean = "true", ANY, Medium, ClusterWide, NO_GROUPS;
    /// How long a silent member stays in a share group.
    "share.session.timeout.ms": Int = "45000", at_least(1), Medium, ClusterWide, NO_GROUPS;
    /// How long a streams group's assignment stays before the next is computed.
    "streams.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, NO_GROUPS;
    /// How often members of a streams group send heartbeats.
    "streams.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ClusterWide, NO_GROUPS;
    /// How long a new streams group waits for more members.
    "streams.initial.rebalance.delay.ms": Int = "3000", at_least(0), Medium, ClusterWide, NO_GROUPS;
    /// How many copies of its state a streams group keeps in reserve.
    "streams.num.standby.replicas": Int = "0", at_least(0), Medium, ClusterWide, NO_GROUPS;
    /// How long a silent member stays in a streams group.
    "streams.session.timeout.ms": Int = "45000", at_least(1), Medium, ClusterWide, NO_GROUPS;
}

/// One row for each of the keys, in their order.
pub(super) const SYNONYMS: &[GroupSynonyms] = &[
    GroupSynonyms {
        name: "consumer.assignment.interval.ms",
        broker: Some("group.consumer.assignment.interval.ms"),
        min: Some("group.consumer.min.assignment.interval.ms"),
        max: Some("group.consumer.max.assignment.interval.ms"),
    },
    GroupSynonyms {
        name: "consumer.heartbeat.interval.ms",
        broker: Some("group.consumer.heartbeat.interval.ms"),
        min: Some("group.consumer.min.heartbeat.interval.ms"),
        max: Some("group.consumer.max.heartbeat.interval.ms"),
    },
    GroupSynonyms {
        name: "consumer.session.timeout.ms",
        broker: Some("group.consumer.session.timeout.ms"),
        min: Some("group.consumer.min.session.timeout.ms"),
        max: Some("group.consumer.max.session.timeout.ms"),
    },
    GroupSynonyms {
        name: "share.assignment.interval.ms",
        broker: Some("group.share.assignment.interval.ms"),
        min: Some("group.share.min.assignment.interval.ms"),
        max: Some("group.share.max.assignment.interval.ms"),
    },
    GroupSynonyms { name: "share.auto.offset.reset", broker: None, min: None, max: None },
    GroupSynonyms {
        name: "share.delivery.count.limit",
        broker: Some("group.share.delivery.count.limit"),
        min: Some("group.share.min.delivery.count.limit"),
        max: Some("group.share.max.delivery.count.limit"),
    },
    GroupSynonyms {
        name: "share.heartbeat.interval.ms",
        broker: Some("group.share.heartbeat.interval.ms"),
        min: Some("group.share.min.heartbeat.interval.ms"),
        max: Some("group.share.max.heartbeat.interval.ms"),
    },
    GroupSynonyms { name: "share.isolation.level", broker: None, min: None, max: None },
    GroupSynonyms {
        name: "share.partition.max.record.locks",
        broker: Some("group.share.partition.max.record.locks"),
        min: Some("group.share.min.partition.max.record.locks"),
        max: Some("group.share.max.partition.max.record.locks"),
    },
    GroupSynonyms {
        name: "share.record.lock.duration.ms",
        broker: Some("group.share.record.lock.duration.ms"),
        min: Some("group.share.min.record.lock.duration.ms"),
        max: Some("group.share.max.record.lock.duration.ms"),
    },
    GroupSynonyms { name: "share.renew.acknowledge.enable", broker: None, min: None, max: None },
    GroupSynonyms {
        name: "share.session.timeout.ms",
        broker: Some("group.share.session.timeout.ms"),
        min: Some("group.share.min.session.timeout.ms"),
        max: Some("group.share.max.session.timeout.ms"),
    },
    GroupSynonyms {
        name: "streams.assignment.interval.ms",
        broker: Some("group.streams.assignment.interval.ms"),
        min: Some("group.streams.min.assignment.interval.ms"),
        max: Some("group.streams.max.assignment.interval.ms"),
    },
    GroupSynonyms {
        name: "streams.heartbeat.interval.ms",
        broker: Some("group.streams.heartbeat.interval.ms"),
        min: Some("group.streams.min.heartbeat.interval.ms"),
        max: Some("group.streams.max.heartbeat.interval.ms"),
    },
    GroupSynonyms {
        name: "streams.initial.rebalance.delay.ms",
        broker: Some("group.streams.initial.rebalance.delay.ms"),
        min: None,
        max: None,
    },
    GroupSynonyms {
        name: "streams.num.standby.replicas",
        broker: Some("group.streams.num.standby.replicas"),
        min: None,
        max: Some("group.streams.max.standby.replicas"),
    },
    GroupSynonyms {
        name: "streams.session.timeout.ms",
        broker: Some("group.streams.session.timeout.ms"),
        min: Some("group.streams.min.session.timeout.ms"),
        max: Some("group.streams.max.session.timeout.ms"),
    },
];
