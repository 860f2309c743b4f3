//! A topic's configuration as clients see it.

use super::broker::synonyms;
use super::{ConfigSource, Described, DescribedSynonym, source_of};
use crate::broker::BrokerConfig;
use crate::keys::{TopicKey, legacy_topic_keys, topic_keys};
use crate::topic::{Overrides, Values};
use crate::value::parse;

/// Every topic key with its value, by name, as DescribeConfigs answers.
///
/// The source is that of the strongest synonym of the same unit: a topic whose `segment.ms` comes from the file's
/// `log.roll.hours` is said to have the default, as Kafka says it.
#[must_use]
pub fn describe_topic_config(overrides: &Overrides, broker: &BrokerConfig) -> Vec<Described> {
    let values = Values { overrides, broker: &broker.settings };
    described_keys(overrides)
        .map(|topic| {
            let described = described(topic, &values);
            let mut synonyms = match topic.synonyms.first() {
                Some(first) => synonyms(first.name, described.sensitive, &broker.settings),
                None => Vec::new(),
            };
            let value = parse(&topic.key, described.value.as_deref().unwrap_or_default());
            let value = value.map_or(described.value, |value| Some(value.to_string()));
            if described.source == ConfigSource::Topic {
                let (name, value) = (described.name.clone(), value.clone());
                synonyms.insert(0, DescribedSynonym { name, value, source: ConfigSource::Topic });
            }
            Described { value, source: source_of(&synonyms), synonyms, ..described }
        })
        .collect()
}

/// The same as CreateTopics answers it: values as they were written, without what is behind them, and with their true
/// sources.
#[must_use]
pub fn describe_created_topic_config(overrides: &Overrides, broker: &BrokerConfig) -> Vec<Described> {
    let values = Values { overrides, broker: &broker.settings };
    described_keys(overrides).map(|topic| described(topic, &values)).collect()
}

/// Every key of today, and those of old that are set.
fn described_keys(overrides: &Overrides) -> impl Iterator<Item = &'static TopicKey> {
    let old: Vec<_> = legacy_topic_keys().filter(|topic| overrides.contains_key(topic.key.name)).collect();
    topic_keys().chain(old)
}

fn described(topic: &TopicKey, values: &Values<'_>) -> Described {
    let (text, source) = values.text_of(topic);
    let sensitive = topic.key.sensitive();
    Described {
        name: topic.key.name.to_owned(),
        value: (!sensitive).then_some(text),
        source,
        read_only: false,
        sensitive,
        kind: Some(topic.key.kind),
        synonyms: Vec::new(),
        documentation: Some(topic.key.doc()),
    }
}
