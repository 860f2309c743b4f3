//! A subscription to clients' metrics as clients see it.

use super::{ConfigSource, Described, DescribedSynonym, source_of};
use crate::key::Key;
use crate::keys::client_metrics_keys;
use crate::topic::Overrides;
use crate::value::parse;

/// Every key of a subscription with its value, by name. One that is not there has the defaults, as with Kafka.
#[must_use]
pub fn describe_client_metrics_config(overrides: &Overrides) -> Vec<Described> {
    client_metrics_keys().map(|key| described(key, overrides)).collect()
}

fn described(key: &'static Key, overrides: &Overrides) -> Described {
    let set = overrides.get(key.name).and_then(|text| parse(key, text).ok()).map(|value| value.to_string());
    let source = ConfigSource::ClientMetrics;
    let synonym = |value| DescribedSynonym { name: key.name.to_owned(), value: Some(value), source };
    let synonyms: Vec<_> = set.clone().map(synonym).into_iter().collect();
    Described {
        name: key.name.to_owned(),
        value: set.or_else(|| key.default.map(str::to_owned)),
        source: source_of(&synonyms),
        read_only: false,
        sensitive: false,
        kind: Some(key.kind),
        synonyms,
        documentation: Some(key.doc()),
    }
}
