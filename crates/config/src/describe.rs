//! A topic's configuration as clients see it: every key with its text and where that comes from.

use crate::broker::BrokerConfig;
use crate::key::Kind;
use crate::keys::topic_keys;
use crate::topic::{Overrides, Values};

/// One topic key with the value it has, as CreateTopics (from version 5 on) and DescribeConfigs answer it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// The key's name.
    pub name: &'static str,
    /// Its value as it was written; `None` where it must not be shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can only be changed by a restart; never so for topics.
    pub read_only: bool,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// Its type.
    pub kind: Kind,
}

/// Where a described value comes from, with the number that the wire has for it (`DescribeConfigsResponse`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigSource {
    /// The topic's own override.
    Topic = 1,
    /// The file or the command line of the broker.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
}

/// Every topic key with its value, by name, as a real Kafka lists them in the answer to CreateTopics.
#[must_use]
pub fn describe_topic_config(overrides: &Overrides, broker: &BrokerConfig) -> Vec<Described> {
    let values = Values { overrides, broker: &broker.settings };
    topic_keys()
        .map(|topic| {
            let (text, source) = values.text_of(topic);
            let sensitive = topic.key.sensitive();
            let (name, kind) = (topic.key.name, topic.key.kind);
            Described { name, value: (!sensitive).then_some(text), source, read_only: false, sensitive, kind }
        })
        .collect()
}
