//! Consumer groups, and the internal topic that keeps their offsets.

use crate::key::{ACCEPTED, ANY, Allowed, FILLED_LIST, HONOURED, Key, at_least};

keys! {
    /// Partitions of the topic of committed offsets.
    "offsets.topic.num.partitions": Int = "50", at_least(1), High, ReadOnly, HONOURED;
    /// Replicas of the topic of committed offsets.
    "offsets.topic.replication.factor": Short = "3", at_least(1), High, ReadOnly, HONOURED;
    /// The size of that topic's segments.
    "offsets.topic.segment.bytes": Int = "104857600", at_least(1), High, ReadOnly, HONOURED;
    /// The codec in which that topic is written: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    "offsets.topic.compression.codec": Int = "0", ANY, High, ReadOnly, HONOURED;
    /// How long offsets are kept once their group is empty.
    "offsets.retention.minutes": Int = "10080", at_least(1), High, ReadOnly, HONOURED;
    /// How often it is looked for offsets to drop.
    "offsets.retention.check.interval.ms": Long = "600000", at_least(1), High, ReadOnly, HONOURED;
    /// How long a commit waits for the replicas.
    "offsets.commit.timeout.ms": Int = "5000", at_least(1), High, ReadOnly, ACCEPTED;
    /// Bytes that are read at once when a coordinator loads.
    "offsets.load.buffer.size": Int = "5242880", at_least(1), High, ReadOnly, HONOURED;
    /// The longest text that a client may store beside an offset.
    "offset.metadata.max.bytes": Int = "4096", ANY, High, ReadOnly, HONOURED;
    /// How long an empty classic group waits for more members before its first assignment.
    "group.initial.rebalance.delay.ms": Int = "3000", ANY, Medium, ReadOnly, HONOURED;
    /// The shortest session that a classic member may ask for.
    "group.min.session.timeout.ms": Int = "6000", ANY, Medium, ReadOnly, HONOURED;
    /// The longest session that a classic member may ask for.
    "group.max.session.timeout.ms": Int = "1800000", ANY, Medium, ReadOnly, HONOURED;
    /// The most members of a classic group.
    "group.max.size": Int = "2147483647", at_least(1), Medium, ReadOnly, HONOURED;
    /// The kinds of group that are served; `classic` is always among them.
    "group.coordinator.rebalance.protocols": List = "classic,consumer,streams",
        Allowed::List { of: &["consumer", "classic", "share", "streams"], empty: false }, Medium, ReadOnly, HONOURED;
    /// Threads on which groups are decided.
    "group.coordinator.threads": Int = "4", at_least(1), High, ReadOnly, ACCEPTED;
    /// Threads for the coordinator's long computations.
    "group.coordinator.background.threads": Int = "2", at_least(1), High, ReadOnly, ACCEPTED;
    /// How long the coordinator gathers changes before it writes them; -1 lets it choose.
    "group.coordinator.append.linger.ms": Int = "-1", at_least(-1), Medium, ReadOnly, ACCEPTED;
    /// The largest write buffer that the coordinator keeps for the next write.
    "group.coordinator.cached.buffer.max.bytes": Int = "1048588", at_least(524_288), Medium, ClusterWide, ACCEPTED;
    /// The server's assignors for consumer groups; the first is the default.
    "group.consumer.assignors": List = "uniform,range", FILLED_LIST, Medium, ReadOnly, HONOURED;
    /// Whether classic groups may become consumer groups while in use, and back.
    "group.consumer.migration.policy": String = "bidirectional",
        Allowed::OneOfAnyCase(&["BIDIRECTIONAL", "DISABLED", "DOWNGRADE", "UPGRADE"]), Medium, ReadOnly, HONOURED;
    /// The most members of a consumer group.
    "group.consumer.max.size": Int = "2147483647", at_least(1), Medium, ReadOnly, HONOURED;
    /// How long a consumer group member may be silent.
    "group.consumer.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, HONOURED;
    /// The shortest session that a group may be given.
    "group.consumer.min.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, HONOURED;
    /// The longest session that a group may be given.
    "group.consumer.max.session.timeout.ms": Int = "60000", at_least(1), Medium, ReadOnly, HONOURED;
    /// How often a consumer group member is told to report.
    "group.consumer.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, HONOURED;
    /// The shortest report interval that a group may be given.
    "group.consumer.min.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, HONOURED;
    /// The longest report interval that a group may be given.
    "group.consumer.max.heartbeat.interval.ms": Int = "15000", at_least(1), Medium, ReadOnly, HONOURED;
    /// The least time between two assignments of a consumer group.
    "group.consumer.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, HONOURED;
    /// The shortest such time that a group may be given.
    "group.consumer.min.assignment.interval.ms": Int = "0", at_least(0), Medium, ReadOnly, HONOURED;
    /// The longest such time that a group may be given.
    "group.consumer.max.assignment.interval.ms": Int = "15000", at_least(0), Medium, ReadOnly, HONOURED;
    /// The most members of a streams group.
    "group.streams.max.size": Int = "2147483647", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How long a streams group member may be silent.
    "group.streams.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The shortest session that a streams group may be given.
    "group.streams.min.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The longest session that a streams group may be given.
    "group.streams.max.session.timeout.ms": Int = "60000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How often a streams group member is told to report.
    "group.streams.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The shortest report interval that a streams group may be given.
    "group.streams.min.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The longest report interval that a streams group may be given.
    "group.streams.max.heartbeat.interval.ms": Int = "15000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The least time between two assignments of a streams group.
    "group.streams.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, ACCEPTED;
    /// The shortest such time that a streams group may be given.
    "group.streams.min.assignment.interval.ms": Int = "0", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// The longest such time that a streams group may be given.
    "group.streams.max.assignment.interval.ms": Int = "15000", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// How long an empty streams group waits for more members.
    "group.streams.initial.rebalance.delay.ms": Int = "3000", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// Standby copies of each task of a streams group.
    "group.streams.num.standby.replicas": Int = "0", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// The most standby copies that a streams group may be given.
    "group.streams.max.standby.replicas": Int = "2", at_least(0), Medium, ReadOnly, ACCEPTED;
}
