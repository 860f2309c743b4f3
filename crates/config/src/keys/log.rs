//! The logs on disk: where they are, when a segment rolls, what is kept, when it is flushed.

use crate::key::{ACCEPTED, ANY, Allowed, FILLED_LIST, HONOURED, Key, LIST, Status, at_least, between, between_or};

keys! {
    /// The directory of the logs, where `log.dirs` does not name any.
    "log.dir": List = "ottla-data", FILLED_LIST, High, ReadOnly, HONOURED;
    /// The directories of the logs. A new partition goes to the one with the fewest.
    "log.dirs": List, FILLED_LIST, High, ReadOnly, HONOURED;
    /// Log directories that take no new partitions.
    "cordoned.log.dirs": List = "", LIST, Medium, PerBroker, HONOURED;
    /// How long a broker with a failed directory tries to tell the controller before it stops.
    "log.dir.failure.timeout.ms": Long = "30000", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The size at which a segment is closed and the next begun.
    "log.segment.bytes": Int = "1073741824", at_least(1_048_576), High, ClusterWide, HONOURED;
    /// The age at which a segment is closed. Without it `log.roll.hours` counts.
    "log.roll.ms": Long, ANY, High, ClusterWide, HONOURED;
    /// The age in hours at which a segment is closed.
    "log.roll.hours": Int = "168", at_least(1), High, ReadOnly, HONOURED;
    /// The most that is taken off the rolling age by chance, so that segments do not all roll at once.
    "log.roll.jitter.ms": Long, ANY, High, ClusterWide, HONOURED;
    /// The same in hours, where `log.roll.jitter.ms` is not set.
    "log.roll.jitter.hours": Int = "0", at_least(0), High, ReadOnly, HONOURED;
    /// How long records are kept; -1 keeps them for good. Without it `log.retention.minutes` counts.
    "log.retention.ms": Long, ANY, High, ClusterWide, HONOURED;
    /// How many minutes records are kept. Without it `log.retention.hours` counts.
    "log.retention.minutes": Int, ANY, High, ReadOnly, HONOURED;
    /// How many hours records are kept.
    "log.retention.hours": Int = "168", ANY, High, ReadOnly, HONOURED;
    /// The size of a partition beyond which its oldest segments go; -1 does not limit it.
    "log.retention.bytes": Long = "-1", ANY, High, ClusterWide, HONOURED;
    /// How often it is looked for segments to delete.
    "log.retention.check.interval.ms": Long = "300000", at_least(1), Medium, ReadOnly, HONOURED;
    /// How long a deleted segment's files stay under another name.
    "log.segment.delete.delay.ms": Long = "60000", at_least(0), High, ClusterWide, HONOURED;
    /// What happens to old segments: delete, compact, both, or nothing.
    "log.cleanup.policy": List = "delete",
        Allowed::List { of: &["compact", "delete"], empty: true }, Medium, ClusterWide, HONOURED;
    /// How many bytes of records pass between two entries of the offset index.
    "log.index.interval.bytes": Int = "4096", at_least(0), Medium, ClusterWide, HONOURED;
    /// The size at which an index is full, so that its segment rolls.
    "log.index.size.max.bytes": Int = "10485760", at_least(4), Medium, ClusterWide, HONOURED;
    /// Whether a new segment's file gets its full size at once.
    "log.preallocate": Boolean = "false", ANY, Medium, ClusterWide, HONOURED;
    /// A partition is flushed when so many records are not. `ottla.acks.flush` is the safer choice.
    "log.flush.interval.messages": Long = "9223372036854775807", at_least(1), High, ClusterWide, HONOURED;
    /// A partition is flushed when a record has waited so long. Without it the scheduler's interval counts.
    "log.flush.interval.ms": Long, ANY, High, ClusterWide, HONOURED;
    /// How often it is looked for partitions to flush.
    "log.flush.scheduler.interval.ms": Long = "9223372036854775807", ANY, High, ReadOnly, HONOURED;
    /// How often the recovery points are written, from which logs are scanned after a crash.
    "log.flush.offset.checkpoint.interval.ms": Int = "60000", at_least(0), High, ReadOnly, HONOURED;
    /// How often the logs' start offsets are written.
    "log.flush.start.offset.checkpoint.interval.ms": Int = "60000", at_least(0), High, ReadOnly, ACCEPTED;
    /// Whether a record carries the time of its creation or of its append.
    "log.message.timestamp.type": String = "CreateTime",
        Allowed::OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, HONOURED;
    /// How much older than the broker's clock a record's timestamp may be.
    "log.message.timestamp.before.max.ms": Long = "9223372036854775807", at_least(0), Medium, ClusterWide, HONOURED;
    /// How far ahead of the broker's clock a record's timestamp may be.
    "log.message.timestamp.after.max.ms": Long = "3600000", at_least(0), Medium, ClusterWide, HONOURED;
    /// The largest record batch that is taken, after compression.
    "message.max.bytes": Int = "1048588", at_least(0), High, ClusterWide, HONOURED;
    /// How batches are compressed on disk; `producer` keeps them as they came.
    "compression.type": String = "producer",
        Allowed::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High, ClusterWide, HONOURED;
    /// The level of gzip; -1 is the library's own choice.
    "compression.gzip.level": Int = "-1", between_or(1, 9, -1), Medium, ClusterWide, HONOURED;
    /// The level of lz4.
    "compression.lz4.level": Int = "9", between(1, 17), Medium, ClusterWide,
        Status::Accepted("lz4 has one level here, the fast one");
    /// The level of zstd.
    "compression.zstd.level": Int = "3", between(-131_072, 22), Medium, ClusterWide, HONOURED;
    /// How many logs of a directory are opened or recovered at once. Unless it is set, one for each CPU if there are more.
    "num.recovery.threads.per.data.dir": Int = "2", at_least(1), High, ClusterWide, HONOURED;
    /// Whether an acknowledgement means that the records are on disk, not only in memory. Ottla's own key.
    "ottla.acks.flush": Boolean = "true", ANY, High, ClusterWide, HONOURED;
}
