//! What a topic runs with: its overrides over the broker's keys, typed and checked.
//!
//! `describe.rs` lists the same values for clients.

use std::collections::BTreeMap;

use crate::broker::BrokerConfig;
use crate::describe::ConfigSource;
use crate::key::Status;
use crate::keys::{TopicKey, topic_key};
use crate::report::Origin;
use crate::settings::Settings;
use crate::value::{Value, parse};

/// The overrides of one topic: its own settings, as text, by key.
pub type Overrides = BTreeMap<String, String>;

/// The configuration of one topic. Fields name the topic key that they come from; the key's broker synonyms stand in
/// for what the topic does not set.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    /// `segment.bytes`: a segment is closed before it grows beyond it.
    pub segment_bytes: i32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub index_bytes_max: i32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `preallocate`.
    pub preallocate: bool,
    /// `max.message.bytes`: the largest batch, after compression.
    pub batch_bytes_max: i32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `compression.type`.
    pub compression: CompressionType,
    /// `compression.gzip.level`; `None` is the library's own choice.
    pub compression_gzip_level: Option<i32>,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// Whether `cleanup.policy` holds `compact`: records must have keys.
    pub compact: bool,
    /// Whether `cleanup.policy` holds `delete`: retention applies.
    pub delete: bool,
    /// `retention.ms`; `None` keeps records for good.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; `None` does not limit the size.
    pub retention_bytes: Option<i64>,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long tombstones stay.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `ottla.acks.flush`: whether an acknowledgement means that the records are on disk.
    pub acks_flush: bool,
    /// `flush.messages`.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
}

/// Whose time a record carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's at the append.
    LogAppendTime,
}

/// How batches are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// With gzip.
    Gzip,
    /// With snappy.
    Snappy,
    /// With lz4.
    Lz4,
    /// With zstd.
    Zstd,
}

impl TopicConfig {
    /// Overrides that are not allowed (they were checked when they were made, but perhaps by another version) count as
    /// not set.
    #[must_use]
    pub(crate) fn resolve(overrides: &Overrides, broker: &Settings) -> Self {
        let values = Values { overrides, broker };
        let policy = values.list("cleanup.policy");
        let limit = |number: i64| (number >= 0).then_some(number);
        Self {
            segment_bytes: values.int("segment.bytes"),
            segment_ms: values.long("segment.ms"),
            segment_jitter_ms: values.long("segment.jitter.ms"),
            index_bytes_max: values.int("segment.index.bytes"),
            index_interval_bytes: values.int("index.interval.bytes"),
            preallocate: values.boolean("preallocate"),
            batch_bytes_max: values.int("max.message.bytes"),
            timestamp_type: match values.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
            compression: compression(&values.text("compression.type")),
            compression_gzip_level: Some(values.int("compression.gzip.level")).filter(|level| *level > 0),
            compression_zstd_level: values.int("compression.zstd.level"),
            compact: policy.iter().any(|policy| policy == "compact"),
            delete: policy.iter().any(|policy| policy == "delete"),
            retention_ms: limit(values.long("retention.ms")),
            retention_bytes: limit(values.long("retention.bytes")),
            min_cleanable_ratio: values.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
            delete_retention_ms: values.long("delete.retention.ms"),
            file_delete_delay_ms: values.long("file.delete.delay.ms"),
            min_insync_replicas: values.int("min.insync.replicas"),
            unclean_leader_election: values.boolean("unclean.leader.election.enable"),
            acks_flush: values.boolean("ottla.acks.flush"),
            flush_messages: values.long("flush.messages"),
            flush_ms: values.long("flush.ms"),
        }
    }
}

fn compression(text: &str) -> CompressionType {
    match text {
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

/// Checks one override. The error is worded for the user who sent it, behind INVALID_CONFIG.
pub fn validate_topic_config(key: &str, value: &str) -> Result<(), String> {
    let Some(topic) = topic_key(key) else {
        return Err(format!("{key} is not a key of a topic"));
    };
    let parsed = parse(&topic.key, value).map_err(|reason| format!("{key}={value}: {reason}"))?;
    match topic.key.status {
        Status::Refused(reason) if parsed == Value::Boolean(true) => Err(format!("{key}={value}: refused: {reason}")),
        _ => Ok(()),
    }
}

/// Checks all overrides of a topic, each one and with one another.
pub fn validate_topic_configs(overrides: &Overrides, broker: &BrokerConfig) -> Result<(), String> {
    for (key, value) in overrides {
        validate_topic_config(key, value)?;
    }
    let values = Values { overrides, broker: &broker.settings };
    let (min, max) = (values.long("min.compaction.lag.ms"), values.long("max.compaction.lag.ms"));
    if min > max {
        return Err(format!("min.compaction.lag.ms={min}: must not be above max.compaction.lag.ms={max}"));
    }
    Ok(())
}

/// A topic's values: its overrides, else the broker's synonyms, else the defaults.
pub(crate) struct Values<'a> {
    pub(crate) overrides: &'a Overrides,
    pub(crate) broker: &'a Settings,
}

impl Values<'_> {
    /// The text of the key and where it was found.
    pub(crate) fn text_of(&self, topic: &TopicKey) -> (String, ConfigSource) {
        if let Some(text) = self.overrides.get(topic.key.name)
            && parse(&topic.key, text).is_ok()
        {
            return (text.clone(), ConfigSource::Topic);
        }
        for synonym in topic.synonyms {
            let Some(text) = self.broker.explicit(synonym.name) else { continue };
            // A time below -1 is Kafka's "for good" on a broker, but not on a topic.
            let as_is = synonym.factor == 1 && parse(&topic.key, text).is_ok();
            let converted = || synonym.convert(text).map(|number| number.to_string()).unwrap_or_default();
            let source = match self.broker.origin(synonym.name) {
                Origin::Broker => ConfigSource::Broker,
                Origin::ClusterDefault => ConfigSource::ClusterDefault,
                Origin::Line(_) | Origin::CommandLine | Origin::Default => ConfigSource::StaticBroker,
            };
            return (if as_is { text.to_owned() } else { converted() }, source);
        }
        (topic.key.default.expect("every topic key has a default").to_owned(), ConfigSource::Default)
    }

    /// The value; the key's default where the broker's text does not fit a topic.
    fn value(&self, name: &str) -> Value {
        let topic = topic_key(name).expect("only names of the topic table are asked for");
        let default = topic.key.default.expect("every topic key has a default");
        parse(&topic.key, &self.text_of(topic).0)
            .or_else(|_| parse(&topic.key, default))
            .expect("a test checks every default")
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Number(number) => number,
            other => unreachable!("{name} is a number in the table, not {other:?}"),
        }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).expect("the key is an Int in the table")
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(number) => number,
            other => unreachable!("{name} is a fraction in the table, not {other:?}"),
        }
    }

    fn boolean(&self, name: &str) -> bool {
        self.value(name) == Value::Boolean(true)
    }

    fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Text(text) => text,
            other => unreachable!("{name} is a text in the table, not {other:?}"),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(elements) => elements,
            other => unreachable!("{name} is a list in the table, not {other:?}"),
        }
    }
}
