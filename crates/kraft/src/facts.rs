//! What Kafka's metadata says, as facts of a cluster whose one broker takes over.

use ottla_metadata::{Fact, PartitionEpoch, ResourceKind};
use ottla_types::{BrokerId, InvalidTopicName, LeaderEpoch, PartitionIndex, ProducerId, TopicName};
use thiserror::Error;

use crate::cluster::{Cluster, Topic};

/// Why a cluster cannot be taken over by one node.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NotAlone {
    /// Other nodes keep partitions, and their data is not here.
    #[error(
        "partition {partition} of topic {topic} is kept by nodes {replicas:?}; node {node} alone cannot take it over"
    )]
    OtherReplicas {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Who keeps it.
        replicas: Vec<i32>,
        /// Who would take over.
        node: BrokerId,
    },
    /// The partitions of a topic are not 0, 1, … without a gap.
    #[error("topic {topic} lacks partition {partition}")]
    MissingPartition {
        /// The topic.
        topic: String,
        /// What is missing.
        partition: i32,
    },
    /// A topic has a name that Kafka allows nobody.
    #[error("topic {topic}: {error}")]
    Name {
        /// The topic.
        topic: String,
        /// What is wrong.
        error: InvalidTopicName,
    },
}

impl Cluster {
    /// The facts of a new cluster with these topics, settings and producer ids, kept and led by `node`. The features and
    /// the cluster's id are its own. Each leader epoch is above every one that Kafka gave.
    pub fn facts(&self, node: BrokerId) -> Result<Vec<Fact>, NotAlone> {
        let mut facts = Vec::new();
        if self.next_producer_id > 0 {
            facts.push(Fact::ProducerIdsAllocated { next: ProducerId(self.next_producer_id) });
        }
        for (id, topic) in &self.topics {
            let name =
                TopicName::new(&topic.name).map_err(|error| NotAlone::Name { topic: topic.name.clone(), error })?;
            facts.push(Fact::TopicCreated { id: *id, name });
            for (expected, (index, _)) in (0..).zip(&topic.partitions) {
                if *index != expected {
                    return Err(NotAlone::MissingPartition { topic: topic.name.clone(), partition: expected });
                }
                facts.push(partition(*id, topic, *index, node)?);
            }
        }
        facts.extend(self.settings());
        Ok(facts)
    }

    fn settings(&self) -> impl Iterator<Item = Fact> {
        let known = self.configs.iter().filter_map(|((kind, name), overrides)| {
            let kind = ResourceKind::from_raw(*kind)?;
            // What is left of a topic that was deleted is nobody's.
            let is_there = kind != ResourceKind::Topic || self.topics.values().any(|topic| topic.name == *name);
            is_there.then_some((kind, name, overrides))
        });
        known.flat_map(|(kind, name, overrides)| {
            overrides.iter().map(move |(key, value)| Fact::ConfigSet {
                kind,
                resource: name.clone(),
                key: key.clone(),
                value: Some(value.clone()),
            })
        })
    }
}

fn partition(topic_id: ottla_types::Uuid, topic: &Topic, index: i32, node: BrokerId) -> Result<Fact, NotAlone> {
    let partition = &topic.partitions[&index];
    if partition.replicas != [node.0] {
        let replicas = partition.replicas.clone();
        return Err(NotAlone::OtherReplicas { topic: topic.name.clone(), partition: index, replicas, node });
    }
    Ok(Fact::PartitionCreated {
        topic_id,
        index: PartitionIndex(index),
        replicas: vec![node],
        isr: vec![node],
        leader: node,
        leader_epoch: LeaderEpoch(partition.leader_epoch.saturating_add(1)),
        partition_epoch: PartitionEpoch(partition.partition_epoch.saturating_add(1)),
    })
}
