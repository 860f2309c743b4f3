//! The tables of keys, by theme, and the lookup of a name in them.
//!
//! A row reads: description, name, type and default, what is allowed, importance, update mode, status. A row of the
//! topic table has no update mode (every topic key can be changed at any time) and ends with its synonyms.

macro_rules! keys {
    ($(
        $(#[doc = $doc:literal])+
        $name:literal: $kind:ident $(= $default:literal)?,
            $allowed:expr, $importance:ident, $update:ident, $status:expr;
    )*) => {
        pub(super) const KEYS: &[Key] = &[$(
            Key {
                name: $name,
                kind: crate::key::Kind::$kind,
                default: keys!(@default $($default)?),
                allowed: $allowed,
                importance: crate::key::Importance::$importance,
                update: crate::key::UpdateMode::$update,
                status: $status,
                doc: concat!($($doc),+),
            },
        )*];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

mod cleaner;
mod groups;
mod legacy;
mod log;
mod metrics;
mod network;
mod node;
mod oauth;
mod quorum;
mod quotas;
mod remote;
mod replication;
mod security;
mod share;
mod tls;
mod topic;
mod transactions;

use crate::key::Key;

pub use topic::{Synonym, TopicKey};

/// The broker's keys, one table per theme.
const BROKER: &[&[Key]] = &[
    node::KEYS,
    network::KEYS,
    log::KEYS,
    cleaner::KEYS,
    replication::KEYS,
    quorum::KEYS,
    groups::KEYS,
    share::KEYS,
    transactions::KEYS,
    security::KEYS,
    oauth::KEYS,
    tls::KEYS,
    remote::KEYS,
    quotas::KEYS,
    metrics::KEYS,
];

/// Every key of a broker that Kafka 4.3.1 has, and Ottla's own; by theme.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    BROKER.iter().copied().flatten()
}

/// Keys of Kafka 0.8 to 3.9 that are gone by 4.3.1 but still stand in users' files.
pub fn legacy_keys() -> impl Iterator<Item = &'static Key> {
    legacy::KEYS.iter()
}

/// Every key of a topic, by name.
pub fn topic_keys() -> impl Iterator<Item = &'static TopicKey> {
    topic::KEYS.iter()
}

/// The broker's key of this name, legacy ones included.
#[must_use]
pub fn broker_key(name: &str) -> Option<&'static Key> {
    broker_keys().chain(legacy_keys()).find(|key| key.name == name)
}

/// The topic's key of this name.
#[must_use]
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    topic_keys().find(|topic| topic.key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::parse;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_stands_in_the_tables_twice() {
        let mut names = BTreeSet::new();
        for key in broker_keys().chain(legacy_keys()) {
            assert!(names.insert(key.name), "{}", key.name);
        }
    }

    #[test]
    fn every_default_is_allowed_by_its_own_key() {
        for key in broker_keys().chain(legacy_keys()).chain(topic_keys().map(|topic| &topic.key)) {
            if let Some(default) = key.default {
                assert_eq!(parse(key, default).err(), None, "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_is_described_in_whole_sentences() {
        for key in broker_keys().chain(legacy_keys()).chain(topic_keys().map(|topic| &topic.key)) {
            let doc = key.doc();
            assert!(doc.ends_with('.') && doc.chars().next().is_some_and(char::is_uppercase), "{}: {doc}", key.name);
        }
    }

    #[test]
    fn topic_keys_are_sorted_and_their_synonyms_exist_with_the_same_default() {
        assert!(topic_keys().is_sorted_by_key(|topic| topic.key.name));
        for topic in topic_keys() {
            for synonym in topic.synonyms {
                assert!(broker_key(synonym.name).is_some(), "{}", synonym.name);
            }
            let default = topic.synonyms.iter().find_map(|synonym| {
                let text = broker_key(synonym.name)?.default?;
                if synonym.factor == 1 { Some(text.to_owned()) } else { Some(synonym.convert(text)?.to_string()) }
            });
            if let Some(default) = default {
                assert_eq!(Some(default.as_str()), topic.key.default, "{}", topic.key.name);
            }
        }
    }
}
