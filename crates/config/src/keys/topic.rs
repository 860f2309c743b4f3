//! The keys of a topic. What a topic does not set, the broker keys named behind `<-` decide: the first one that is set
//! counts. `* n` turns the broker key's unit into the topic key's.

use crate::key::{
    ACCEPTED, ANY, Allowed, HONOURED, Importance, Key, Kind, Status, UpdateMode, at_least, between, between_or,
};

/// A key of a topic, and where its value comes from when the topic does not set it.
#[derive(Clone, Copy, Debug)]
pub struct TopicKey {
    /// The key itself.
    pub key: Key,
    /// The broker keys that stand in for it, the strongest first.
    pub synonyms: &'static [Synonym],
}

/// A broker key that stands in for a topic key.
#[derive(Clone, Copy, Debug)]
pub struct Synonym {
    /// The broker key's name.
    pub name: &'static str,
    /// How many of the topic key's units one unit of the broker key is; 1 leaves the text as it is.
    pub factor: i64,
}

impl Synonym {
    /// The broker's number in the topic key's unit. A negative time means "for good", which a topic writes as -1.
    #[must_use]
    pub fn convert(&self, text: &str) -> Option<i64> {
        let number: i64 = text.trim().parse().ok()?;
        Some(if number < 0 { -1 } else { number.saturating_mul(self.factor) })
    }
}

macro_rules! topic_keys {
    ($table:ident: $(
        $(#[doc = $doc:literal])+
        $name:literal: $kind:ident = $default:literal,
            $allowed:expr, $importance:ident, $status:ident $(($reason:expr))?
            <- [$($synonym:literal $(* $factor:literal)?),*];
    )*) => {
        pub(super) const $table: &[TopicKey] = &[$(
            TopicKey {
                key: Key {
                    name: $name,
                    kind: Kind::$kind,
                    default: Some($default),
                    allowed: $allowed,
                    importance: Importance::$importance,
                    update: UpdateMode::ClusterWide,
                    status: $status $(($reason))?,
                    doc: concat!($($doc),+),
                },
                synonyms: &[$(Synonym { name: $synonym, factor: topic_keys!(@factor $($factor)?) }),*],
            },
        )*];
    };
    (@factor) => { 1 };
    (@factor $factor:literal) => { $factor };
}

use Status::{Accepted, Refused};

topic_keys! {
    KEYS:
    /// What happens to old segments: delete, compact, both, or nothing.
    "cleanup.policy": List = "delete",
        Allowed::List { of: &["compact", "delete"], empty: true }, Medium,
        HONOURED <- ["log.cleanup.policy"];
    /// The level of gzip; -1 is the library's own choice.
    "compression.gzip.level": Int = "-1", between_or(1, 9, -1), Medium, HONOURED <- ["compression.gzip.level"];
    /// The level of lz4.
    "compression.lz4.level": Int = "9", between(1, 17), Medium, Accepted("lz4 has one level here, the fast one") <- ["compression.lz4.level"];
    /// How batches are compressed on disk; `producer` keeps them as they came.
    "compression.type": String = "producer",
        Allowed::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium,
        HONOURED <- ["compression.type"];
    /// The level of zstd.
    "compression.zstd.level": Int = "3", between(-131_072, 22), Medium, HONOURED <- ["compression.zstd.level"];
    /// How long the marker of a deleted key stays readable in a compacted topic.
    "delete.retention.ms": Long = "86400000", at_least(0), Medium, HONOURED <- ["log.cleaner.delete.retention.ms"];
    /// How long a deleted segment's files stay under another name.
    "file.delete.delay.ms": Long = "60000", at_least(0), Medium, HONOURED <- ["log.segment.delete.delay.ms"];
    /// A partition is flushed when so many records are not. `ottla.acks.flush` is the safer choice.
    "flush.messages": Long = "9223372036854775807", at_least(1), Medium, HONOURED <- ["log.flush.interval.messages"];
    /// A partition is flushed when a record has waited so long.
    "flush.ms": Long = "9223372036854775807",
        at_least(0), Medium, HONOURED <- ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
    /// Replicas that are throttled as followers: `partition:broker,...`, or `*` for all.
    "follower.replication.throttled.replicas": List = "", Allowed::ThrottledReplicas, Medium, ACCEPTED <- [];
    /// How many bytes of records pass between two entries of the offset index.
    "index.interval.bytes": Int = "4096", at_least(0), Medium, HONOURED <- ["log.index.interval.bytes"];
    /// Replicas that are throttled as leaders: `partition:broker,...`, or `*` for all.
    "leader.replication.throttled.replicas": List = "", Allowed::ThrottledReplicas, Medium, ACCEPTED <- [];
    /// Bytes of a partition that stay on local disk when it is tiered; -2 means all that is kept.
    "local.retention.bytes": Long = "-2", at_least(-2), Medium, ACCEPTED <- ["log.local.retention.bytes"];
    /// How long segments stay on local disk when the topic is tiered; -2 means as long as they are kept.
    "local.retention.ms": Long = "-2", at_least(-2), Medium, ACCEPTED <- ["log.local.retention.ms"];
    /// How long a record may stay uncompacted, whatever the ratio.
    "max.compaction.lag.ms": Long = "9223372036854775807",
        at_least(1), Medium, HONOURED <- ["log.cleaner.max.compaction.lag.ms"];
    /// The largest record batch that is taken, after compression.
    "max.message.bytes": Int = "1048588", at_least(0), Medium, HONOURED <- ["message.max.bytes"];
    /// How far ahead of the broker's clock a record's timestamp may be.
    "message.timestamp.after.max.ms": Long = "3600000",
        at_least(0), Medium, HONOURED <- ["log.message.timestamp.after.max.ms"];
    /// How much older than the broker's clock a record's timestamp may be.
    "message.timestamp.before.max.ms": Long = "9223372036854775807",
        at_least(0), Medium, HONOURED <- ["log.message.timestamp.before.max.ms"];
    /// Whether a record carries the time of its creation or of its append.
    "message.timestamp.type": String = "CreateTime",
        Allowed::OneOf(&["CreateTime", "LogAppendTime"]), Medium, HONOURED <- ["log.message.timestamp.type"];
    /// The share of a log that must be uncompacted before it is compacted again.
    "min.cleanable.dirty.ratio": Double = "0.5",
        between(0, 1), Medium, HONOURED <- ["log.cleaner.min.cleanable.ratio"];
    /// How long a record is spared from compaction.
    "min.compaction.lag.ms": Long = "0", at_least(0), Medium, HONOURED <- ["log.cleaner.min.compaction.lag.ms"];
    /// How many replicas must have a record before a producer with acks=all hears of success.
    "min.insync.replicas": Int = "1", at_least(1), Medium, HONOURED <- ["min.insync.replicas"];
    /// Whether an acknowledgement means that the records are on disk, not only in memory. Ottla's own key.
    "ottla.acks.flush": Boolean = "true", ANY, High, HONOURED <- ["ottla.acks.flush"];
    /// Whether a new segment's file gets its full size at once.
    "preallocate": Boolean = "false", ANY, Medium, HONOURED <- ["log.preallocate"];
    /// Whether copying to remote storage stops while what is there stays readable.
    "remote.log.copy.disable": Boolean = "false", ANY, Medium, ACCEPTED <- [];
    /// Whether remote segments are deleted when tiering is switched off.
    "remote.log.delete.on.disable": Boolean = "false", ANY, Medium, ACCEPTED <- [];
    /// Whether closed segments of the topic go to remote storage.
    "remote.storage.enable": Boolean = "false", ANY, Medium, Refused("there is no tiered storage yet") <- [];
    /// The size of a partition beyond which its oldest segments go; -1 does not limit it.
    "retention.bytes": Long = "-1", ANY, Medium, HONOURED <- ["log.retention.bytes"];
    /// How long records are kept; -1 keeps them for good.
    "retention.ms": Long = "604800000",
        at_least(-1), Medium,
        HONOURED <- ["log.retention.ms", "log.retention.minutes" * 60_000, "log.retention.hours" * 3_600_000];
    /// The size at which a segment is closed and the next begun.
    "segment.bytes": Int = "1073741824", at_least(1_048_576), Medium, HONOURED <- ["log.segment.bytes"];
    /// The size at which an index is full, so that its segment rolls.
    "segment.index.bytes": Int = "10485760", at_least(4), Medium, HONOURED <- ["log.index.size.max.bytes"];
    /// The most that is taken off the rolling age by chance, so that segments do not all roll at once.
    "segment.jitter.ms": Long = "0",
        at_least(0), Medium, HONOURED <- ["log.roll.jitter.ms", "log.roll.jitter.hours" * 3_600_000];
    /// The age at which a segment is closed.
    "segment.ms": Long = "604800000", at_least(1), Medium, HONOURED <- ["log.roll.ms", "log.roll.hours" * 3_600_000];
    /// Whether a replica that lacks records may lead when no other is left.
    "unclean.leader.election.enable": Boolean = "false", ANY, Medium, ACCEPTED <- ["unclean.leader.election.enable"];
}

const REMOVED: &str = "Kafka has removed it, it has no effect here";

// Keys that topics had before 4.0. Kafka refuses them since; here whoever still creates topics with them may.
topic_keys! {
    LEGACY:
    /// Whether batches are converted for old consumers. They always are.
    "message.downconversion.enable": Boolean = "true", ANY, Low, Accepted(REMOVED) <- [];
    /// The version of the record format on disk.
    "message.format.version": String = "3.0-IV1", ANY, Medium, Accepted(REMOVED) <- [];
    /// How far a record's timestamp may be from the clock, on either side.
    "message.timestamp.difference.max.ms": Long = "9223372036854775807", at_least(0), Medium,
        Accepted("set message.timestamp.before.max.ms and message.timestamp.after.max.ms instead") <- [];
}
