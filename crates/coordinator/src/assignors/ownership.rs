//! Who has which partition while an assignment is made. Members are numbers in it, by their place in a list.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::Uuid;

use super::{Assignment, GroupSpec, Targets, TopicsView, UnknownTopic, count, targets};

/// Partition by partition, who has it.
pub(super) struct Ownership {
    topics: BTreeMap<Uuid, Vec<Option<usize>>>,
}

impl Ownership {
    /// What members have until now of what they subscribe to.
    pub(super) fn before(spec: &GroupSpec, members: &[Arc<str>], view: &dyn TopicsView) -> Result<Self, UnknownTopic> {
        let mut topics = BTreeMap::new();
        for member in members {
            for topic in &*spec.members[member].topics {
                if let Entry::Vacant(entry) = topics.entry(*topic) {
                    entry.insert(vec![None; count(view, *topic)?]);
                }
            }
        }
        for (index, member) in members.iter().enumerate() {
            let member = &spec.members[member];
            for (topic, partitions) in member.assigned.iter().filter(|(topic, _)| member.topics.contains(topic)) {
                let owners: &mut Vec<Option<usize>> = topics.get_mut(topic).expect("its subscriber put it in");
                for partition in partitions {
                    if let Some(owner) = usize::try_from(*partition).ok().and_then(|at| owners.get_mut(at)) {
                        *owner = Some(index);
                    }
                }
            }
        }
        Ok(Self { topics })
    }

    /// The topics, and who has each partition.
    pub(super) fn topics(&self) -> impl Iterator<Item = (Uuid, &[Option<usize>])> {
        self.topics.iter().map(|(topic, owners)| (*topic, &owners[..]))
    }

    /// Who has each partition of the topic.
    pub(super) fn owners(&self, topic: Uuid) -> &[Option<usize>] {
        &self.topics[&topic]
    }

    /// What nobody has of the topic, in order.
    pub(super) fn free(&self, topic: Uuid) -> Vec<i32> {
        (0..).zip(&self.topics[&topic]).filter(|(_, owner)| owner.is_none()).map(|(partition, _)| partition).collect()
    }

    /// Which of these partitions the member has, in order.
    pub(super) fn owned(&self, topic: Uuid, partitions: &BTreeSet<i32>, owner: usize) -> Vec<i32> {
        let Some(owners) = self.topics.get(&topic) else { return Vec::new() };
        let known = |partition: i32| usize::try_from(partition).ok().and_then(|at| owners.get(at).copied().flatten());
        partitions.iter().copied().filter(|partition| known(*partition) == Some(owner)).collect()
    }

    /// Hands a partition to a member, or takes it away.
    pub(super) fn set(&mut self, topic: Uuid, partition: i32, owner: Option<usize>) -> Option<usize> {
        let at = usize::try_from(partition).expect("it came from here");
        std::mem::replace(&mut self.topics.get_mut(&topic).expect("it came from here")[at], owner)
    }

    /// What everybody shall have, as it stands.
    pub(super) fn targets(self, spec: &GroupSpec, members: &[Arc<str>]) -> Targets {
        let mut assignments = vec![Assignment::new(); members.len()];
        for (topic, owners) in self.topics {
            for (partition, owner) in (0..).zip(owners) {
                if let Some(owner) = owner {
                    assignments[owner].entry(topic).or_default().insert(partition);
                }
            }
        }
        targets(spec, members.iter().cloned().zip(assignments))
    }
}
