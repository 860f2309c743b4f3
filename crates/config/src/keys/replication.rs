//! How partitions are copied between brokers, and who may lead them.

use crate::key::{ACCEPTED, ANY, HONOURED, Key, at_least};

keys! {
    /// How many replicas must have a record before a producer with acks=all hears of success.
    "min.insync.replicas": Int = "1", at_least(1), High, ClusterWide, HONOURED;
    /// Whether a replica that lacks records may lead when no other is left.
    "unclean.leader.election.enable": Boolean = "false", ANY, High, ClusterWide, ACCEPTED;
    /// Whether leaderships move back to the preferred replicas by themselves.
    "auto.leader.rebalance.enable": Boolean = "true", ANY, High, ReadOnly, ACCEPTED;
    /// How often the balance of leaderships is looked at.
    "leader.imbalance.check.interval.seconds": Long = "300", at_least(1), High, ReadOnly, ACCEPTED;
    /// Connections over which a follower fetches from each leader.
    "num.replica.fetchers": Int = "1", at_least(1), High, ClusterWide, ACCEPTED;
    /// Replicas that are moved between directories of one broker at once; by default as many as there are directories.
    "num.replica.alter.log.dirs.threads": Int, ANY, High, ReadOnly, HONOURED;
    /// How long a follower rests after a fetch that failed.
    "replica.fetch.backoff.ms": Int = "1000", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// Bytes that a follower asks for per partition.
    "replica.fetch.max.bytes": Int = "1048576", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// Bytes that a leader gathers before it answers a follower.
    "replica.fetch.min.bytes": Int = "1", ANY, High, ReadOnly, ACCEPTED;
    /// Bytes that a follower asks for per fetch.
    "replica.fetch.response.max.bytes": Int = "10485760", at_least(0), Medium, ReadOnly, ACCEPTED;
    /// How long a leader may wait for those bytes.
    "replica.fetch.wait.max.ms": Int = "500", ANY, High, ReadOnly, ACCEPTED;
    /// How often the high watermarks are written to disk.
    "replica.high.watermark.checkpoint.interval.ms": Long = "5000", ANY, High, ReadOnly, ACCEPTED;
    /// A follower that has not caught up for so long leaves the in-sync replicas.
    "replica.lag.time.max.ms": Long = "30000", ANY, High, ReadOnly, ACCEPTED;
    /// A Java class that picks the replica a consumer reads from.
    "replica.selector.class": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The receive buffer of a follower's socket.
    "replica.socket.receive.buffer.bytes": Int = "65536", ANY, High, ReadOnly, ACCEPTED;
    /// How long a follower waits for an answer.
    "replica.socket.timeout.ms": Int = "30000", ANY, High, ReadOnly, ACCEPTED;
}
