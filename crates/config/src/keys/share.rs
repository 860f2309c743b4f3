//! Share groups (KIP-932), and the internal topic that keeps their state.

use crate::key::{ACCEPTED, ANY, FILLED_LIST, Key, at_least, between};

keys! {
    /// The server's assignors for share groups.
    "group.share.assignors": List = "simple", FILLED_LIST, Medium, ReadOnly, ACCEPTED;
    /// The most members of a share group.
    "group.share.max.size": Int = "200", between(1, 1000), Medium, ReadOnly, ACCEPTED;
    /// Share sessions that a broker remembers at once.
    "group.share.max.share.sessions": Int = "2000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How long a share group member may be silent.
    "group.share.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The shortest session that a share group may be given.
    "group.share.min.session.timeout.ms": Int = "45000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The longest session that a share group may be given.
    "group.share.max.session.timeout.ms": Int = "60000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How often a share group member is told to report.
    "group.share.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The shortest report interval that a share group may be given.
    "group.share.min.heartbeat.interval.ms": Int = "5000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The longest report interval that a share group may be given.
    "group.share.max.heartbeat.interval.ms": Int = "15000", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The least time between two assignments of a share group.
    "group.share.assignment.interval.ms": Int = "1000", at_least(0), Medium, ClusterWide, ACCEPTED;
    /// The shortest such time that a share group may be given.
    "group.share.min.assignment.interval.ms": Int = "0", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// The longest such time that a share group may be given.
    "group.share.max.assignment.interval.ms": Int = "15000", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// How often a record is delivered before it is given up.
    "group.share.delivery.count.limit": Int = "5", between(2, 10), Medium, ReadOnly, ACCEPTED;
    /// The smallest such number that a share group may be given.
    "group.share.min.delivery.count.limit": Int = "2", between(2, 5), Medium, ReadOnly, ACCEPTED;
    /// The largest such number that a share group may be given.
    "group.share.max.delivery.count.limit": Int = "10", between(5, 25), Medium, ReadOnly, ACCEPTED;
    /// How long a member may work on a record before others get it.
    "group.share.record.lock.duration.ms": Int = "30000", between(1000, 3_600_000), Medium, ReadOnly, ACCEPTED;
    /// The shortest such time that a share group may be given.
    "group.share.min.record.lock.duration.ms": Int = "15000", between(1000, 30_000), Medium, ReadOnly, ACCEPTED;
    /// The longest such time that a share group may be given.
    "group.share.max.record.lock.duration.ms": Int = "60000", between(30_000, 3_600_000), Medium, ReadOnly, ACCEPTED;
    /// Records of one partition that members may hold at once.
    "group.share.partition.max.record.locks": Int = "2000", between(100, 10_000), Medium, ReadOnly, ACCEPTED;
    /// The smallest such number that a share group may be given.
    "group.share.min.partition.max.record.locks": Int = "100", between(100, 2000), Medium, ReadOnly, ACCEPTED;
    /// The largest such number that a share group may be given.
    "group.share.max.partition.max.record.locks": Int = "4000", between(2000, 10_000), Medium, ReadOnly, ACCEPTED;
    /// How long the coordinator gathers changes before it writes them; -1 lets it choose.
    "share.coordinator.append.linger.ms": Int = "-1", at_least(-1), Medium, ReadOnly, ACCEPTED;
    /// The largest write buffer that the coordinator keeps for the next write.
    "share.coordinator.cached.buffer.max.bytes": Int = "1048588", at_least(524_288), Medium, ClusterWide, ACCEPTED;
    /// Bytes that are read at once when a coordinator loads.
    "share.coordinator.load.buffer.size": Int = "5242880", at_least(1), High, ReadOnly, ACCEPTED;
    /// Changes that are written between two snapshots of a share partition.
    "share.coordinator.snapshot.update.records.per.snapshot": Int = "500",
        between(0, 500), Medium, ReadOnly, ACCEPTED;
    /// The number of the codec in which the state topic is written.
    "share.coordinator.state.topic.compression.codec": Int = "0", ANY, High, ReadOnly, ACCEPTED;
    /// In-sync replicas that the state topic asks for.
    "share.coordinator.state.topic.min.isr": Short = "2", at_least(1), High, ReadOnly, ACCEPTED;
    /// Partitions of the state topic.
    "share.coordinator.state.topic.num.partitions": Int = "50", at_least(1), High, ReadOnly, ACCEPTED;
    /// Replicas of the state topic.
    "share.coordinator.state.topic.replication.factor": Short = "3", at_least(1), High, ReadOnly, ACCEPTED;
    /// The size of the state topic's segments.
    "share.coordinator.state.topic.segment.bytes": Int = "104857600", at_least(1), High, ReadOnly, ACCEPTED;
    /// Threads on which share state is decided.
    "share.coordinator.threads": Int = "1", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How long a write of share state waits for the replicas.
    "share.coordinator.write.timeout.ms": Int = "5000", at_least(1), High, ReadOnly, ACCEPTED;
}
