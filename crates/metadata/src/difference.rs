//! What a broker must react to when one image follows another.
//!
//! What both images share is not looked at, so the work is in proportion to what changed (and to the logarithm of the
//! rest). Nothing is done here: opening, closing, leading and following are the broker's.

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use ottla_types::{BrokerId, PartitionIndex, TopicId, TopicName};

use crate::{Image, Partition, Resource, Topic};

/// What is different in a later image, as one broker sees it.
///
/// A topic that was deleted and made anew under its old name is both in `topics_deleted` and in `topics_created`, with
/// different ids; so what is removed is to be removed before what is created is created. Lists are in the order of ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// Topics that are new, whoever keeps their partitions.
    pub topics_created: Vec<Arc<Topic>>,
    /// Topics that are gone, as they were.
    pub topics_deleted: Vec<Arc<Topic>>,
    /// Partitions that this broker keeps now and did not before.
    pub partitions_created: Vec<PartitionChange>,
    /// Partitions that this broker keeps as before, whose leadership, replicas or in-sync replicas changed.
    pub partitions_changed: Vec<PartitionChange>,
    /// Partitions that this broker no longer keeps, as they were.
    pub partitions_removed: Vec<PartitionChange>,
    /// Resources whose overrides changed; the new ones are in the new image. Deleted topics are here too if they had any.
    pub configs_changed: Vec<Resource>,
    /// Brokers that registered, went, were fenced or unfenced.
    pub brokers_changed: Vec<BrokerId>,
}

/// One partition in a [`Difference`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionChange {
    /// The id of its topic.
    pub topic_id: TopicId,
    /// The name of its topic.
    pub topic: TopicName,
    /// Its number.
    pub index: PartitionIndex,
    /// What it is like: now, or where it is removed, before.
    pub partition: Arc<Partition>,
}

impl Difference {
    /// What `broker` must react to when `new` follows `old`.
    #[must_use]
    pub fn between(old: &Image, new: &Image, broker: BrokerId) -> Self {
        let mut difference = Self::default();
        let empty = OrdMap::new();
        for item in old.topics.diff(&new.topics) {
            match item {
                DiffItem::Add(_, topic) => {
                    difference.partitions(topic, &empty, &topic.partitions, broker);
                    difference.topics_created.push(Arc::clone(topic));
                }
                DiffItem::Update { old: (_, before), new: (_, after) } => {
                    difference.partitions(after, &before.partitions, &after.partitions, broker);
                }
                DiffItem::Remove(_, topic) => {
                    difference.partitions(topic, &topic.partitions, &empty, broker);
                    difference.topics_deleted.push(Arc::clone(topic));
                }
            }
        }
        difference.configs_changed = old.configs.diff(&new.configs).map(|item| key(&item).clone()).collect();
        difference.brokers_changed = old.brokers.diff(&new.brokers).map(|item| *key(&item)).collect();
        difference
    }

    /// Whether there is nothing to react to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sorts the partitions of `topic` that differ and concern `broker` into the lists.
    fn partitions(&mut self, topic: &Topic, old: &Partitions, new: &Partitions, broker: BrokerId) {
        for item in old.diff(new) {
            let index = *key(&item);
            let (before, after) = match item {
                DiffItem::Add(_, after) => (None, Some(after)),
                DiffItem::Update { old: (_, before), new: (_, after) } => (Some(before), Some(after)),
                DiffItem::Remove(_, before) => (Some(before), None),
            };
            let kept = |partition: &&Arc<Partition>| partition.is_replica(broker);
            let (list, partition) = match (before.filter(kept), after.filter(kept)) {
                (None, None) => continue,
                (None, Some(after)) => (&mut self.partitions_created, after),
                (Some(_), Some(after)) => (&mut self.partitions_changed, after),
                (Some(before), None) => (&mut self.partitions_removed, before),
            };
            let partition = Arc::clone(partition);
            list.push(PartitionChange { topic_id: topic.id, topic: topic.name.clone(), index, partition });
        }
    }
}

type Partitions = OrdMap<PartitionIndex, Arc<Partition>>;

/// What an item of a difference between maps is about.
fn key<'a, K, V>(item: &DiffItem<'a, 'a, K, V>) -> &'a K {
    match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) | DiffItem::Update { new: (key, _), .. } => key,
    }
}
