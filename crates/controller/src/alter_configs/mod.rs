//! AlterConfigs and IncrementalAlterConfigs: which overrides topics, brokers and others carry (KIP-133, KIP-339).
//!
//! The older request replaces all overrides of a resource, the newer one amends them key by key; here they are one. The
//! checks and their order are Kafka's (`ConfigAdminManager`, then `ConfigurationControlManager`). A resource changes as a
//! whole or not at all; others of the request do not depend on it. What a key may be is left to `config_rules`. The levels
//! of a broker's loggers are not in the cluster's metadata, so they are the handler's.

mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla_metadata::{Fact, Resource, ResourceKind};
use ottla_types::{BrokerId, TopicName};

use crate::config_rules::{ConfigOverrides, ConfigRules, VALUE_LENGTH_MAX};
use crate::create_topics::within_limit;
use crate::draft::Draft;
use crate::request::Refusal;
pub use refusal::AlterConfigsRefusal;

/// Somebody wants other overrides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlterConfigs {
    /// Of what, and which.
    pub resources: Vec<AlteredResource>,
    /// The broker that was asked. The overrides of a single broker are changed through that broker, as with Kafka.
    pub asked: BrokerId,
    /// Whether to answer as if, and do nothing.
    pub validate_only: bool,
}

/// A resource whose overrides somebody wants changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlteredResource {
    /// What it is: Kafka's number (`ConfigResource.Type`), not yet checked.
    pub kind: i8,
    /// What it is called.
    pub name: String,
    /// What shall become of its overrides.
    pub change: ConfigChange,
}

/// What shall become of the overrides of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigChange {
    /// These and no others.
    Replace(Vec<(String, Option<String>)>),
    /// The same as before but for these.
    Amend(Vec<ConfigOperation>),
}

/// What shall become of one override.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigOperation {
    /// The key.
    pub key: String,
    /// Kafka's number (`AlterConfigOp.OpType`), not yet checked: 0 sets, 1 deletes, 2 appends, 3 subtracts.
    pub operation: i8,
    /// The value, or the items of a list between commas; only deleting needs none.
    pub value: Option<String>,
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Changes what can be changed; a result for each resource, in the request's order.
pub(crate) fn decide(
    request: &AlterConfigs,
    draft: &mut Draft,
    rules: &dyn ConfigRules,
) -> Result<Vec<Result<(), AlterConfigsRefusal>>, Refusal> {
    let (mut once, mut often) = (BTreeSet::new(), BTreeSet::new());
    for resource in &request.resources {
        let named = (resource.kind, resource.name.as_str());
        if !once.insert(named) {
            often.insert(named);
        }
    }
    let mut fork = draft.fork();
    let mut results = Vec::new();
    for resource in &request.resources {
        results.push(if often.contains(&(resource.kind, resource.name.as_str())) {
            Err(AlterConfigsRefusal::DuplicateResource)
        } else {
            alter(resource, request.asked, &mut fork, rules)
        });
    }
    within_limit(fork.facts().len(), "changes")?;
    if !request.validate_only {
        draft.accept(fork);
    }
    Ok(results)
}

/// Checks one resource, and writes its changes if they pass.
fn alter(
    wanted: &AlteredResource,
    asked: BrokerId,
    draft: &mut Draft,
    rules: &dyn ConfigRules,
) -> Result<(), AlterConfigsRefusal> {
    check_keys(&wanted.change)?;
    let resource = resource(wanted, asked)?;
    let old: BTreeMap<String, String> =
        draft.image().configs(&resource).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let new = match &wanted.change {
        ConfigChange::Replace(overrides) => {
            overrides.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
        }
        ConfigChange::Amend(operations) => amended(resource.kind, &old, operations, rules)?,
    };
    for (key, value) in &new {
        let length = value.encode_utf16().count();
        if length > VALUE_LENGTH_MAX {
            return Err(AlterConfigsRefusal::TooLong { key: key.clone(), length });
        }
    }
    if resource.kind == ResourceKind::Topic {
        TopicName::new(&resource.name).map_err(AlterConfigsRefusal::InvalidTopicName)?;
    }
    rules.check(&resource, &borrowed(&old), &borrowed(&new))?;
    if resource.kind == ResourceKind::Topic && draft.image().topic_by_name(&resource.name).is_none() {
        return Err(AlterConfigsRefusal::UnknownTopic(resource.name.to_string()));
    }
    write(&resource, &old, &new, draft);
    Ok(())
}

/// Whether each key is there once, with the value that its operation needs.
fn check_keys(change: &ConfigChange) -> Result<(), AlterConfigsRefusal> {
    let keys: Vec<(&str, bool)> = match change {
        ConfigChange::Replace(overrides) => {
            overrides.iter().map(|(key, value)| (key.as_str(), value.is_none())).collect()
        }
        ConfigChange::Amend(operations) => {
            let lacks = |one: &ConfigOperation| one.operation != DELETE && one.value.is_none();
            operations.iter().map(|one| (one.key.as_str(), lacks(one))).collect()
        }
    };
    let mut seen = BTreeSet::new();
    if let Some((twice, _)) = keys.iter().find(|(key, _)| !seen.insert(*key)) {
        return Err(AlterConfigsRefusal::DuplicateKey((*twice).to_owned()));
    }
    let without: Vec<_> = keys.iter().filter(|(_, lacks)| *lacks).map(|(key, _)| (*key).to_owned()).collect();
    if without.is_empty() { Ok(()) } else { Err(AlterConfigsRefusal::NoValue(without)) }
}

/// The resource that is meant, if it is one whose overrides can be changed here.
fn resource(wanted: &AlteredResource, asked: BrokerId) -> Result<Resource, AlterConfigsRefusal> {
    let kind = ResourceKind::from_raw(wanted.kind).ok_or(AlterConfigsRefusal::UnknownKind(wanted.kind))?;
    match kind {
        // The empty name is the default of all brokers.
        ResourceKind::Broker if wanted.name.is_empty() => Ok(Resource::brokers_default()),
        ResourceKind::Broker => {
            let not_an_id = |_| AlterConfigsRefusal::NotABrokerId(wanted.name.clone());
            let named = BrokerId(wanted.name.parse().map_err(not_an_id)?);
            if named == asked {
                Ok(Resource::broker(named))
            } else {
                Err(AlterConfigsRefusal::OtherBroker { here: asked, named })
            }
        }
        _ if wanted.name.is_empty() => Err(AlterConfigsRefusal::NoName(kind)),
        _ => Ok(Resource::new(kind, &wanted.name)),
    }
}

/// The overrides `old` after `operations`.
fn amended(
    kind: ResourceKind,
    old: &BTreeMap<String, String>,
    operations: &[ConfigOperation],
    rules: &dyn ConfigRules,
) -> Result<BTreeMap<String, String>, AlterConfigsRefusal> {
    let mut new = old.clone();
    for ConfigOperation { key, operation, value } in operations {
        let value = value.as_deref().unwrap_or_default();
        match *operation {
            SET => drop(new.insert(key.clone(), value.to_owned())),
            DELETE => drop(new.remove(key)),
            APPEND | SUBTRACT => {
                let default =
                    rules.list_default(kind, key).ok_or_else(|| AlterConfigsRefusal::NotAList(key.clone()))?;
                let mut items = items(old.get(key).unwrap_or(&default));
                if *operation == APPEND {
                    for item in added(value) {
                        if !items.iter().any(|there| there == item) {
                            items.push(item.to_owned());
                        }
                    }
                } else {
                    items.retain(|item| !items_of(value).any(|gone| gone == item));
                }
                new.insert(key.clone(), items.join(","));
            }
            _ => return Err(AlterConfigsRefusal::UnknownOperation { operation: *operation, key: key.clone() }),
        }
    }
    Ok(new)
}

fn items_of(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|item| !item.is_empty())
}

/// What is to be added to a list, as Kafka reads it: an empty item is one, unless it stands at the end, or behind it.
fn added(list: &str) -> impl Iterator<Item = &str> {
    let kept = if list.contains(',') { list.trim_end_matches(',') } else { list };
    let is_nothing = kept.is_empty() && !list.is_empty();
    kept.split(',').filter(move |_| !is_nothing)
}

fn items(list: &str) -> Vec<String> {
    items_of(list).map(str::to_owned).collect()
}

fn borrowed(overrides: &BTreeMap<String, String>) -> ConfigOverrides<'_> {
    overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// The facts that lead from `old` to `new`.
fn write(resource: &Resource, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, draft: &mut Draft) {
    let set = |key: &String, value: Option<&String>| Fact::ConfigSet {
        kind: resource.kind,
        resource: resource.name.to_string(),
        key: key.clone(),
        value: value.cloned(),
    };
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    let facts: Vec<_> = changed
        .map(|(key, value)| set(key, Some(value)))
        .chain(old.keys().filter(|key| !new.contains_key(*key)).map(|key| set(key, None)))
        .collect();
    facts.into_iter().for_each(|fact| draft.write(fact));
}

impl fmt::Display for AlterConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.validate_only { "alter-configs validate-only" } else { "alter-configs" })?;
        self.resources.iter().try_for_each(|resource| write!(f, " {}:{:?}", resource.kind, resource.name))
    }
}
