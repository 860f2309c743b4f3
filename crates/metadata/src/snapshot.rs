//! An image as facts again: what a snapshot of the log holds.
//!
//! `fold(image.facts()) = image` but for the position, which the snapshot carries beside the facts.

use std::iter::once;
use std::sync::Arc;

use ottla_types::{PartitionIndex, ProducerId, TopicId};

use crate::{BrokerEpoch, FACTS_VERSION, Fact, Image, Partition, PartitionEpoch, Topic};

impl Image {
    /// The facts that lead from an empty image to this one, in an order in which each is possible.
    pub fn facts(&self) -> impl Iterator<Item = Fact> {
        self.cluster_facts().chain(self.broker_facts()).chain(self.topics().flat_map(topic_facts)).chain(
            self.configs.iter().flat_map(|(resource, overrides)| {
                overrides.iter().map(|(key, value)| Fact::ConfigSet {
                    kind: resource.kind,
                    resource: resource.name.to_string(),
                    key: key.to_string(),
                    value: Some(value.to_string()),
                })
            }),
        )
    }

    /// Features (the level that allows all other facts first), the cluster's id, the producer ids.
    fn cluster_facts(&self) -> impl Iterator<Item = Fact> {
        let feature = |(name, level): (&str, i16)| Fact::FeatureLevelSet { name: name.to_owned(), level };
        let (level, others): (Vec<_>, Vec<_>) = self.features().partition(|(name, _)| *name == FACTS_VERSION);
        let next = self.next_producer_id;
        level
            .into_iter()
            .chain(others)
            .map(feature)
            .chain(self.cluster_id().map(|id| Fact::ClusterNamed { cluster_id: id.to_owned() }))
            .chain((next > ProducerId(0)).then_some(Fact::ProducerIdsAllocated { next }))
    }

    /// The brokers in the order in which they registered, for their epochs rise in it.
    fn broker_facts(&self) -> impl Iterator<Item = Fact> {
        let mut brokers: Vec<_> = self.brokers().collect();
        brokers.sort_by_key(|broker| broker.epoch);
        // Whoever had the last epoch may be gone; it is not given out again.
        let next = self.next_broker_epoch;
        let unused = brokers.last().map_or(BrokerEpoch(1), |broker| broker.epoch.next());
        let registered = brokers.into_iter().map(|broker| Fact::BrokerRegistered {
            id: broker.id,
            incarnation: broker.incarnation,
            epoch: broker.epoch,
            rack: broker.rack.clone(),
            endpoints: broker.endpoints.clone(),
            fenced: broker.fenced,
        });
        registered.chain((next > unused).then_some(Fact::BrokerEpochsAllocated { next }))
    }
}

/// A topic and its partitions.
fn topic_facts(topic: &Arc<Topic>) -> impl Iterator<Item = Fact> {
    let created = Fact::TopicCreated { id: topic.id, name: topic.name.clone() };
    let id = topic.id;
    once(created).chain(topic.partitions().flat_map(move |(index, partition)| partition_facts(id, index, partition)))
}

/// A partition; one that is on its way to other replicas is created and then reassigned.
fn partition_facts(topic_id: TopicId, index: PartitionIndex, partition: &Partition) -> impl Iterator<Item = Fact> {
    let reassigned = partition.is_reassigning().then(|| Fact::PartitionReassigned {
        topic_id,
        index,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        adding: partition.adding.clone(),
        removing: partition.removing.clone(),
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
    });
    let created = Fact::PartitionCreated {
        topic_id,
        index,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        // A partition that was reassigned has seen an epoch before.
        partition_epoch: PartitionEpoch(partition.partition_epoch.0 - i32::from(reassigned.is_some())),
    };
    once(created).chain(reassigned)
}
