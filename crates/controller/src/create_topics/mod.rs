//! CreateTopics: which topics come to be, with which partitions, on which brokers.
//!
//! The checks and their order are Kafka's (`ControllerApis.createTopics`, then `ReplicationControlManager`): first what
//! the request says twice, then for each topic its name, its overrides, its assignment or its numbers. Topics that pass
//! are created even if others of the request do not. The reasons are in `refusal`.

mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla_metadata::{Fact, Image, PartitionEpoch, Resource, ResourceKind};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName};

use crate::config_rules::{ConfigOverrides, ConfigRules, VALUE_LENGTH_MAX};
use crate::draft::Draft;
use crate::placement::place;
use crate::request::Refusal;
use crate::settings::Settings;
pub use refusal::{CreateTopicRefusal, InvalidAssignment, InvalidTopicConfig};

/// How many partitions, and how many facts, one request may ask for.
pub const CHANGES_MAX: usize = 10_000;

/// Kafka's name for its metadata log. No topic has it, here neither: clients would take it for Kafka's.
const RESERVED_NAME: &str = "__cluster_metadata";

/// Somebody wants topics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreateTopics {
    /// Which.
    pub topics: Vec<NewTopic>,
    /// Whether to answer as if, and do nothing.
    pub validate_only: bool,
}

/// A topic that somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    /// Its name, not yet checked.
    pub name: String,
    /// The id that it gets if it is created, freshly drawn.
    pub id: TopicId,
    /// How many partitions; -1 for the default, or where `assignments` say it.
    pub partitions: i32,
    /// How many replicas of each; -1 for the default, or where `assignments` say it.
    pub replication_factor: i16,
    /// Which brokers keep which partition; empty if the controller shall choose.
    pub assignments: Vec<Assignment>,
    /// Overrides by key. Of two for one key the last counts, as with Kafka.
    pub configs: Vec<(String, Option<String>)>,
}

/// The replicas that somebody wants for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Which partition.
    pub partition: PartitionIndex,
    /// Which brokers, the preferred leader first.
    pub replicas: Vec<BrokerId>,
}

/// A topic that was created, or would have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    /// Its id. With `validate_only` nothing will ever have it.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many replicas each of them has.
    pub replication_factor: usize,
}

type Results = Vec<(String, Result<CreatedTopic, CreateTopicRefusal>)>;

/// Creates what can be created.
pub(crate) fn decide(
    request: &CreateTopics,
    draft: &mut Draft,
    settings: &Settings,
    rules: &dyn ConfigRules,
) -> Result<Results, Refusal> {
    let (mut once, mut often) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !once.insert(topic.name.as_str()) {
            often.insert(topic.name.as_str());
        }
    }
    let named_once = || request.topics.iter().filter(|topic| !often.contains(topic.name.as_str()));
    let partitions = named_once().map(|topic| partitions_wanted(topic, settings)).fold(0, usize::saturating_add);
    within_limit(partitions, "partitions")?;

    let mut fork = draft.fork();
    let mut results: Results =
        named_once().map(|topic| (topic.name.clone(), create(topic, &mut fork, settings, rules))).collect();
    results.extend(often.into_iter().map(|name| (name.to_owned(), Err(CreateTopicRefusal::Duplicate))));
    within_limit(fork.facts().len(), "changes")?;
    if !request.validate_only {
        draft.accept(fork);
    }
    Ok(results)
}

/// Whether one request may make `count` of `what`.
pub(crate) const fn within_limit(count: usize, what: &'static str) -> Result<(), Refusal> {
    if count > CHANGES_MAX { Err(Refusal::TooLarge { count, what, max: CHANGES_MAX }) } else { Ok(()) }
}

/// How many partitions a topic adds to the sum that is limited, whether or not it will pass the other checks.
fn partitions_wanted(topic: &NewTopic, settings: &Settings) -> usize {
    let count = match topic.partitions {
        _ if !topic.assignments.is_empty() => return topic.assignments.len(),
        -1 => settings.partitions_default,
        count => count,
    };
    usize::try_from(count).unwrap_or(0)
}

/// Checks one topic, and writes it if it passes.
fn create(
    topic: &NewTopic,
    draft: &mut Draft,
    settings: &Settings,
    rules: &dyn ConfigRules,
) -> Result<CreatedTopic, CreateTopicRefusal> {
    let image = draft.image();
    let name = check_name(&topic.name, image)?;
    let configs = check_configs(&name, &topic.configs, rules)?;
    let replicas = if topic.assignments.is_empty() { placed(topic, image, settings)? } else { assigned(topic, image)? };
    if topic.id.is_zero() || image.topic_by_id(topic.id).is_some() {
        return Err(CreateTopicRefusal::IdTaken);
    }
    let replication_factor = replicas.first().map_or(0, Vec::len);
    let created = CreatedTopic { id: topic.id, partitions: replicas.len(), replication_factor };
    write(topic.id, &name, &configs, replicas, draft);
    Ok(created)
}

/// The name, if a new topic may have it.
fn check_name(name: &str, image: &Image) -> Result<TopicName, CreateTopicRefusal> {
    if name == RESERVED_NAME {
        return Err(CreateTopicRefusal::Reserved);
    }
    let name = TopicName::new(name).map_err(CreateTopicRefusal::InvalidName)?;
    if image.topic_by_name(name.as_str()).is_some() {
        return Err(CreateTopicRefusal::Exists(name));
    }
    match image.topic_colliding_with(&name) {
        Some(other) => Err(CreateTopicRefusal::Collides(other.clone())),
        None => Ok(name),
    }
}

/// The overrides by key, if a topic may carry them.
fn check_configs<'a>(
    name: &TopicName,
    configs: &'a [(String, Option<String>)],
    rules: &dyn ConfigRules,
) -> Result<ConfigOverrides<'a>, InvalidTopicConfig> {
    let without: Vec<_> = configs.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.clone()).collect();
    if !without.is_empty() {
        return Err(InvalidTopicConfig::NoValue(without));
    }
    let configs: ConfigOverrides<'a> =
        configs.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?))).collect();
    for (key, value) in &configs {
        let length = value.encode_utf16().count();
        if length > VALUE_LENGTH_MAX {
            return Err(InvalidTopicConfig::TooLong { key: (*key).to_owned(), length });
        }
    }
    // A topic without overrides is as the broker's own settings have it, and those were checked at its start.
    if !configs.is_empty() {
        rules.check(&Resource::topic(name), &ConfigOverrides::new(), &configs)?;
    }
    Ok(configs)
}

/// The replicas that the controller chooses.
fn placed(topic: &NewTopic, image: &Image, settings: &Settings) -> Result<Vec<Vec<BrokerId>>, CreateTopicRefusal> {
    let (factor, count) = (topic.replication_factor, topic.partitions);
    if factor < -1 || factor == 0 {
        return Err(CreateTopicRefusal::InvalidReplicationFactor(factor));
    }
    if count < -1 || count == 0 {
        return Err(CreateTopicRefusal::InvalidPartitions(count));
    }
    let factor = if factor == -1 { settings.replication_factor_default } else { factor };
    let count = if count == -1 { settings.partitions_default } else { count };
    let wanted = usize::try_from(factor).map_err(|_| CreateTopicRefusal::InvalidReplicationFactor(factor))?;
    let count = usize::try_from(count).map_err(|_| CreateTopicRefusal::InvalidPartitions(count))?;
    if image.brokers().all(|broker| broker.fenced) {
        return Err(CreateTopicRefusal::AllBrokersFenced);
    }
    let registered = image.brokers().len();
    if wanted > registered {
        return Err(CreateTopicRefusal::TooFewBrokers { wanted, registered });
    }
    Ok(place(image.brokers().map(|broker| &**broker), topic.id, 0..count, wanted))
}

/// The replicas that the request assigns, in the order of the partitions.
fn assigned(topic: &NewTopic, image: &Image) -> Result<Vec<Vec<BrokerId>>, CreateTopicRefusal> {
    if topic.replication_factor != -1 {
        return Err(CreateTopicRefusal::AssignedAndCounted("the replication factor"));
    }
    if topic.partitions != -1 {
        return Err(CreateTopicRefusal::AssignedAndCounted("the number of partitions"));
    }
    let mut replicas: BTreeMap<PartitionIndex, Vec<BrokerId>> = BTreeMap::new();
    for assignment in &topic.assignments {
        let before = replicas.values().next().map(Vec::len);
        check_assignment(assignment.partition, &assignment.replicas, before, image)?;
        if replicas.insert(assignment.partition, assignment.replicas.clone()).is_some() {
            return Err(InvalidAssignment::PartitionTwice(assignment.partition).into());
        }
    }
    let count = replicas.len();
    let numbers = (0..).map(PartitionIndex);
    if let Some((missing, _)) = numbers.zip(replicas.keys()).find(|(number, key)| number != *key) {
        return Err(InvalidAssignment::Gap { count, missing }.into());
    }
    Ok(replicas.into_values().collect())
}

/// Whether a new partition may have these replicas, where those before it have `before`.
pub(crate) fn check_assignment(
    partition: PartitionIndex,
    replicas: &[BrokerId],
    before: Option<usize>,
    image: &Image,
) -> Result<(), InvalidAssignment> {
    check_replicas(partition, replicas, image)?;
    if let Some(before) = before.filter(|before| *before != replicas.len()) {
        return Err(InvalidAssignment::UnequalReplicas { partition, got: replicas.len(), before });
    }
    if replicas.iter().all(|broker| !image.is_active(*broker)) {
        return Err(InvalidAssignment::AllFenced(partition));
    }
    Ok(())
}

/// Whether these can be the replicas of a partition: known brokers, at least one, none twice.
pub(crate) fn check_replicas(
    partition: PartitionIndex,
    replicas: &[BrokerId],
    image: &Image,
) -> Result<(), InvalidAssignment> {
    if replicas.is_empty() {
        return Err(InvalidAssignment::NoReplicas(partition));
    }
    let mut seen = BTreeSet::new();
    for &broker in replicas {
        if image.broker(broker).is_none() {
            return Err(InvalidAssignment::UnknownBroker { partition, broker });
        }
        if !seen.insert(broker) {
            return Err(InvalidAssignment::BrokerTwice { partition, broker });
        }
    }
    Ok(())
}

/// The facts of a topic that passed.
fn write(
    id: TopicId,
    name: &TopicName,
    configs: &ConfigOverrides<'_>,
    replicas: Vec<Vec<BrokerId>>,
    draft: &mut Draft,
) {
    draft.write(Fact::TopicCreated { id, name: name.clone() });
    for (key, value) in configs {
        let (resource, key, value) = (name.to_string(), (*key).to_owned(), Some((*value).to_owned()));
        draft.write(Fact::ConfigSet { kind: ResourceKind::Topic, resource, key, value });
    }
    for (index, replicas) in (0..).map(PartitionIndex).zip(replicas) {
        let fact = partition_created(id, index, replicas, draft.image());
        draft.write(fact);
    }
}

/// A new partition on `replicas`, of which those that are active are in sync and the first of them leads.
pub(crate) fn partition_created(
    topic_id: TopicId,
    index: PartitionIndex,
    replicas: Vec<BrokerId>,
    image: &Image,
) -> Fact {
    let isr: Vec<_> = replicas.iter().copied().filter(|broker| image.is_active(*broker)).collect();
    let leader = *isr.first().expect("each partition has a replica that is active");
    let (leader_epoch, partition_epoch) = (LeaderEpoch(0), PartitionEpoch(0));
    Fact::PartitionCreated { topic_id, index, replicas, isr, leader, leader_epoch, partition_epoch }
}

impl fmt::Display for CreateTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.validate_only { "create-topics validate-only" } else { "create-topics" })?;
        self.topics.iter().try_for_each(|topic| write!(f, " {:?}", topic.name))
    }
}

impl fmt::Display for CreatedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id={} partitions={} replication-factor={}", self.id, self.partitions, self.replication_factor)
    }
}
