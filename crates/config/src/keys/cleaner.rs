//! Compaction: how eagerly old values of a key are dropped.

use crate::key::{ANY, HONOURED, Key, at_least, between};

keys! {
    /// Whether compaction runs at all.
    "log.cleaner.enable": Boolean = "true", ANY, Medium, ReadOnly, HONOURED;
    /// Threads that compact.
    "log.cleaner.threads": Int = "1", at_least(0), Medium, ClusterWide, HONOURED;
    /// How long a compacting thread rests when there is nothing to compact.
    "log.cleaner.backoff.ms": Long = "15000", at_least(0), Medium, ClusterWide, HONOURED;
    /// Memory in bytes for the maps of keys, over all compacting threads.
    "log.cleaner.dedupe.buffer.size": Long = "134217728", ANY, Medium, ClusterWide, HONOURED;
    /// Memory in bytes for reading and writing, over all compacting threads.
    "log.cleaner.io.buffer.size": Int = "524288", at_least(0), Medium, ClusterWide, HONOURED;
    /// How full a map of keys may get.
    "log.cleaner.io.buffer.load.factor": Double = "0.9", ANY, Medium, ClusterWide, HONOURED;
    /// The most bytes that compaction reads and writes per second.
    "log.cleaner.io.max.bytes.per.second": Double = "1.7976931348623157E308", ANY, Medium, ClusterWide, HONOURED;
    /// The share of a log that must be uncompacted before it is compacted again.
    "log.cleaner.min.cleanable.ratio": Double = "0.5", between(0, 1), Medium, ClusterWide, HONOURED;
    /// How long a record is spared from compaction.
    "log.cleaner.min.compaction.lag.ms": Long = "0", at_least(0), Medium, ClusterWide, HONOURED;
    /// How long a record may stay uncompacted, whatever the ratio.
    "log.cleaner.max.compaction.lag.ms": Long = "9223372036854775807", at_least(1), Medium, ClusterWide, HONOURED;
    /// How long the marker of a deleted key stays readable.
    "log.cleaner.delete.retention.ms": Long = "86400000", at_least(0), Medium, ClusterWide, HONOURED;
}
