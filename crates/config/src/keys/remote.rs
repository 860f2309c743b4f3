//! Tiered storage (KIP-405): closed segments in an object store.

use crate::key::{ACCEPTED, ANY, Allowed, Key, Status, at_least};

keys! {
    /// Whether this broker can keep closed segments in remote storage.
    "remote.log.storage.system.enable": Boolean = "false",
        ANY, Medium, ReadOnly, Status::Refused("there is no tiered storage yet");
    /// A Java class that copies segments to remote storage.
    "remote.log.storage.manager.class.name": String, Allowed::NotEmpty, Medium, ReadOnly, ACCEPTED;
    /// Where that class is found.
    "remote.log.storage.manager.class.path": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The prefix of the keys that are handed to that class.
    "remote.log.storage.manager.impl.prefix": String = "rsm.config.", Allowed::NotEmpty, Medium, ReadOnly, ACCEPTED;
    /// A Java class that remembers which segments are remote.
    "remote.log.metadata.manager.class.name": String =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        Allowed::NotEmpty, Medium, ReadOnly,
        ACCEPTED;
    /// Where that class is found.
    "remote.log.metadata.manager.class.path": String, ANY, Medium, ReadOnly, ACCEPTED;
    /// The prefix of the keys that are handed to that class.
    "remote.log.metadata.manager.impl.prefix": String = "rlmm.config.", Allowed::NotEmpty, Medium, ReadOnly, ACCEPTED;
    /// The listener over which that class reaches the brokers.
    "remote.log.metadata.manager.listener.name": String, Allowed::NotEmpty, Medium, ReadOnly, ACCEPTED;
    /// The most bytes that a storage class may attach to a segment.
    "remote.log.metadata.custom.metadata.max.bytes": Int = "128", at_least(0), Low, ReadOnly, ACCEPTED;
    /// Room on disk for indexes of remote segments.
    "remote.log.index.file.cache.total.size.bytes": Long = "1073741824", at_least(1), Low, ClusterWide, ACCEPTED;
    /// Threads that schedule remote work.
    "remote.log.manager.thread.pool.size": Int = "2", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// Threads that copy segments.
    "remote.log.manager.copier.thread.pool.size": Int = "10", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Threads that delete old remote segments.
    "remote.log.manager.expiration.thread.pool.size": Int = "10", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Threads that follow what leaders copied.
    "remote.log.manager.follower.thread.pool.size": Int = "2", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// How often it is looked for segments to copy or delete.
    "remote.log.manager.task.interval.ms": Long = "30000", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The most bytes that are copied per second.
    "remote.log.manager.copy.max.bytes.per.second": Long = "9223372036854775807",
        at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Windows over which that rate is measured.
    "remote.log.manager.copy.quota.window.num": Int = "11", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "remote.log.manager.copy.quota.window.size.seconds": Int = "1", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The most bytes that are fetched back per second.
    "remote.log.manager.fetch.max.bytes.per.second": Long = "9223372036854775807",
        at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Windows over which that rate is measured.
    "remote.log.manager.fetch.quota.window.num": Int = "11", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "remote.log.manager.fetch.quota.window.size.seconds": Int = "1", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// Threads that read remote segments.
    "remote.log.reader.threads": Int = "10", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Reads that may wait for such a thread.
    "remote.log.reader.max.pending.tasks": Int = "100", at_least(1), Medium, ReadOnly, ACCEPTED;
    /// How long a fetch waits for remote storage.
    "remote.fetch.max.wait.ms": Int = "500", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// How long a lookup of offsets waits for remote storage.
    "remote.list.offsets.request.timeout.ms": Long = "30000", at_least(1), Medium, ClusterWide, ACCEPTED;
    /// Whether a new follower begins behind what is already remote.
    "follower.fetch.last.tiered.offset.enable": Boolean = "false", ANY, Medium, ClusterWide, ACCEPTED;
    /// Bytes of a partition that stay on local disk; -2 means all that is kept.
    "log.local.retention.bytes": Long = "-2", at_least(-2), Medium, ClusterWide, ACCEPTED;
    /// How long segments stay on local disk; -2 means as long as they are kept.
    "log.local.retention.ms": Long = "-2", at_least(-2), Medium, ClusterWide, ACCEPTED;
}
