//! A broker's configuration, and what is set for all brokers, as clients see it.

use super::{ConfigSource, Described, DescribedSynonym, source_of};
use crate::broker::BrokerConfig;
use crate::dynamic::listener_key;
use crate::key::{Key, UpdateMode};
use crate::keys::{broker_key, broker_keys};
use crate::settings::Settings;
use crate::value::parse;

/// Every key of the broker, and whatever else somebody has set, by name.
#[must_use]
pub fn describe_broker_config(config: &BrokerConfig) -> Vec<Described> {
    let settings = &config.settings;
    let mut names = settings.names();
    names.extend(broker_keys().map(|key| key.name));
    names.into_iter().map(|name| described(name, settings)).collect()
}

/// What is set for all brokers while the cluster runs, by name.
#[must_use]
pub fn describe_cluster_default_config(config: &BrokerConfig) -> Vec<Described> {
    let settings = &config.settings;
    let set = settings.cluster_default.iter();
    set.map(|(name, text)| {
        let described = described(name, settings);
        let mut synonyms = described.synonyms;
        synonyms.retain(|synonym| synonym.source == ConfigSource::ClusterDefault);
        let value = (!described.sensitive).then(|| text.clone());
        Described { value, source: source_of(&synonyms), synonyms, ..described }
    })
    .collect()
}

fn described(name: &str, settings: &Settings) -> Described {
    let own = broker_key(name);
    let key = own.or_else(|| listener_key(name));
    // What nobody knows may be a secret.
    let sensitive = key.is_none_or(Key::sensitive);
    let value = key.filter(|_| !sensitive).and_then(|key| effective(name, key, settings));
    let synonyms = synonyms(name, sensitive, settings);
    Described {
        name: name.to_owned(),
        value,
        source: source_of(&synonyms),
        read_only: own.is_none_or(|key| key.update == UpdateMode::ReadOnly),
        sensitive,
        kind: key.map(|key| key.kind),
        synonyms,
        documentation: own.map(Key::doc),
    }
}

/// The value that counts, as Kafka writes it.
fn effective(name: &str, key: &Key, settings: &Settings) -> Option<String> {
    let text = settings.explicit(name).or(key.default)?;
    Some(parse(key, text).map_or_else(|_| text.to_owned(), |value| value.to_string()))
}

/// Everything that could be the value of a broker's key, layer by layer.
pub(super) fn synonyms(name: &str, sensitive: bool, settings: &Settings) -> Vec<DescribedSynonym> {
    let names = names_of(name);
    let sources =
        [ConfigSource::Broker, ConfigSource::ClusterDefault, ConfigSource::StaticBroker, ConfigSource::Default];
    let found = sources.into_iter().flat_map(|source| {
        names.iter().filter_map(move |name| {
            let value = text_in(source, name, settings)?;
            Some(DescribedSynonym { name: (*name).to_owned(), value: (!sensitive).then_some(value), source })
        })
    });
    // As Kafka does it: what comes before the key itself is another key's, and where the key itself is nowhere, so is
    // everything.
    found.skip_while(|synonym| synonym.name != name).collect()
}

/// What a key says in one layer.
fn text_in(layer: ConfigSource, name: &str, settings: &Settings) -> Option<String> {
    match layer {
        ConfigSource::Broker => settings.broker.get(name).cloned(),
        ConfigSource::ClusterDefault => settings.cluster_default.get(name).cloned(),
        ConfigSource::StaticBroker => settings.at_start(name).map(str::to_owned),
        _ => default_of(name),
    }
}

fn default_of(name: &str) -> Option<String> {
    let key = broker_key(name)?;
    let default = key.default?;
    Some(parse(key, default).map_or_else(|_| default.to_owned(), |value| value.to_string()))
}

/// The broker keys that say the same in another unit or for every listener, the strongest first, with `name` among them.
fn names_of(name: &str) -> Vec<&str> {
    const ROLL: &[&str] = &["log.roll.ms", "log.roll.hours"];
    const JITTER: &[&str] = &["log.roll.jitter.ms", "log.roll.jitter.hours"];
    const RETENTION: &[&str] = &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    for group in [ROLL, JITTER, RETENTION] {
        if group.contains(&name) {
            return group.to_vec();
        }
    }
    match listener_key(name) {
        Some(base) => vec![name, base.name],
        None if name == "log.flush.interval.ms" => vec![name, "log.flush.scheduler.interval.ms"],
        None => vec![name],
    }
}
