//! A group's configuration as clients see it.

use super::broker::synonyms;
use super::{ConfigSource, Described, DescribedSynonym, source_of};
use crate::broker::BrokerConfig;
use crate::group::group_value;
use crate::keys::group_keys;
use crate::topic::Overrides;

/// Every key of a group with its value, by name. A group that is not there has the broker's, as with Kafka.
#[must_use]
pub fn describe_group_config(overrides: &Overrides, broker: &BrokerConfig) -> Vec<Described> {
    let settings = &broker.settings;
    let described = group_keys().map(|(key, names)| {
        let value = group_value(key.name, overrides, settings).to_string();
        let own = |source| DescribedSynonym { name: key.name.to_owned(), value: Some(value.clone()), source };
        let mut synonyms = match names.broker {
            Some(broker) => synonyms(broker, key.sensitive(), settings),
            None => {
                let default = key.default.map(str::to_owned);
                vec![DescribedSynonym { name: key.name.to_owned(), value: default, source: ConfigSource::Default }]
            }
        };
        if overrides.contains_key(key.name) {
            synonyms.insert(0, own(ConfigSource::Group));
        }
        Described {
            name: key.name.to_owned(),
            value: Some(value),
            source: source_of(&synonyms),
            read_only: false,
            sensitive: false,
            kind: Some(key.kind),
            synonyms,
            documentation: Some(key.doc()),
        }
    });
    described.collect()
}
