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
mod client_metrics;
mod group;
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

pub use group::GroupSynonyms;
pub use topic::{Synonym, TopicKey};

/// The broker's keys, one table per theme.
const BROKER: &[(&str, &[Key])] = &[
    ("The node", node::KEYS),
    ("Listeners, connections, threads", network::KEYS),
    ("Logs", log::KEYS),
    ("Compaction", cleaner::KEYS),
    ("Replication", replication::KEYS),
    ("The metadata quorum", quorum::KEYS),
    ("Consumer groups, streams groups", groups::KEYS),
    ("Share groups", share::KEYS),
    ("Transactions", transactions::KEYS),
    ("Authentication and authorisation", security::KEYS),
    ("OAuth", oauth::KEYS),
    ("TLS", tls::KEYS),
    ("Tiered storage", remote::KEYS),
    ("Quotas", quotas::KEYS),
    ("Metrics", metrics::KEYS),
];

/// The broker's tables, each with the theme that it is about, for documentation.
pub fn broker_themes() -> impl Iterator<Item = (&'static str, &'static [Key])> {
    BROKER.iter().copied()
}

/// Every key of a broker that Kafka 4.3.1 has, and Ottla's own; by theme.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    BROKER.iter().flat_map(|(_, table)| *table)
}

/// Keys of Kafka 0.8 to 3.9 that are gone by 4.3.1 but still stand in users' files.
pub fn legacy_keys() -> impl Iterator<Item = &'static Key> {
    legacy::KEYS.iter()
}

/// Keys of a broker that are set while the cluster runs only.
pub fn later_keys() -> impl Iterator<Item = &'static Key> {
    quotas::LATER.iter()
}

/// Every key of a topic, by name.
pub fn topic_keys() -> impl Iterator<Item = &'static TopicKey> {
    topic::KEYS.iter()
}

/// Keys that topics had in Kafka up to 3.9.
pub fn legacy_topic_keys() -> impl Iterator<Item = &'static TopicKey> {
    topic::LEGACY.iter()
}

/// Every key of a subscription to clients' metrics, by name.
pub fn client_metrics_keys() -> impl Iterator<Item = &'static Key> {
    client_metrics::KEYS.iter()
}

/// Every key of a group with its synonyms, by name.
pub fn group_keys() -> impl Iterator<Item = (&'static Key, &'static GroupSynonyms)> {
    group::KEYS.iter().zip(group::SYNONYMS)
}

/// The broker's key of this name, legacy ones and those that only a running cluster has included.
#[must_use]
pub fn broker_key(name: &str) -> Option<&'static Key> {
    broker_keys().chain(legacy_keys()).chain(later_keys()).find(|key| key.name == name)
}

/// The topic's key of this name, legacy ones included.
#[must_use]
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    topic_keys().chain(legacy_topic_keys()).find(|topic| topic.key.name == name)
}

/// The key of this name of a subscription to clients' metrics.
#[must_use]
pub fn client_metrics_key(name: &str) -> Option<&'static Key> {
    client_metrics_keys().find(|key| key.name == name)
}

/// The group's key of this name.
#[must_use]
pub fn group_key(name: &str) -> Option<&'static Key> {
    group::KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::parse;
    use std::collections::BTreeSet;

    fn every_key() -> impl Iterator<Item = &'static Key> {
        let topic = topic_keys().chain(legacy_topic_keys()).map(|topic| &topic.key);
        let group = group_keys().map(|(key, _)| key);
        broker_keys().chain(legacy_keys()).chain(later_keys()).chain(topic).chain(client_metrics_keys()).chain(group)
    }

    #[test]
    fn no_name_stands_in_the_tables_twice() {
        let mut names = BTreeSet::new();
        for key in broker_keys().chain(legacy_keys()).chain(later_keys()) {
            assert!(names.insert(key.name), "{}", key.name);
        }
        let mut names = BTreeSet::new();
        for topic in topic_keys().chain(legacy_topic_keys()) {
            assert!(names.insert(topic.key.name), "{}", topic.key.name);
        }
    }

    #[test]
    fn the_keys_of_groups_and_subscriptions_are_sorted_and_their_synonyms_exist() {
        assert!(client_metrics_keys().is_sorted_by_key(|key| key.name));
        assert!(group_keys().is_sorted_by_key(|(key, _)| key.name));
        for (key, synonyms) in group_keys() {
            assert_eq!(key.name, synonyms.name);
            for name in [synonyms.broker, synonyms.min, synonyms.max].into_iter().flatten() {
                assert!(broker_key(name).is_some(), "{name}");
            }
            let default = synonyms.broker.and_then(|name| broker_key(name)?.default);
            assert!(default.is_none() || default == key.default, "{}", key.name);
        }
    }

    #[test]
    fn every_default_is_allowed_by_its_own_key() {
        for key in every_key() {
            if let Some(default) = key.default {
                assert_eq!(parse(key, default).err(), None, "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_is_described_in_whole_sentences() {
        for key in every_key() {
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
