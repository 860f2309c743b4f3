//! What is remembered of a consumer group, one fact for each thing that changes by itself; and how it makes the group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::{Timestamp, Uuid};

use super::ConsumerGroup;
use super::member::{Held, LEFT, Member, MemberState, Standing, Subscription};
use crate::assignors::Assignment;

/// One thing about a consumer group. `None` as a value is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum ConsumerFact {
    /// The group's epoch; without it there is no group.
    Epoch(Option<GroupEpoch>),
    /// Whether there is a record of the topics that were read, as Kafka wrote them before 4.1. Only ever taken away.
    PartitionMetadata(bool),
    /// What a member said about itself.
    Member(Arc<str>, Option<Subscription>),
    /// For which group epoch partitions were dealt out.
    TargetEpoch(Option<TargetEpoch>),
    /// What a member is to have.
    Target(Arc<str>, Option<Arc<Assignment>>),
    /// Where a member stands.
    Standing(Arc<str>, Option<Standing>),
    /// What a pattern matched.
    Regex(Arc<str>, Option<Resolved>),
}

/// The group's epoch, and the topics for which it rose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupEpoch {
    /// How often anything changed that matters for the assignment.
    pub epoch: i32,
    /// All topics that are read, as one number (KIP-1101).
    pub metadata_hash: i64,
}

/// When partitions were dealt out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetEpoch {
    /// For which group epoch; −1 for no epoch at all.
    pub epoch: i32,
    /// When; 0 if nobody knows.
    pub assigned_at: Timestamp,
}

/// What a pattern matched.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Resolved {
    /// Names of topics.
    pub topics: BTreeSet<Arc<str>>,
    /// The place in the metadata log of the image that was looked at.
    pub version: i64,
    /// When it was looked at.
    pub resolved_at: Timestamp,
}

impl ConsumerGroup {
    /// Folds a fact in, live and from the log alike.
    pub(crate) fn apply(&mut self, fact: &ConsumerFact) {
        match fact {
            ConsumerFact::Epoch(Some(epoch)) => self.epoch = *epoch,
            // The group goes as a whole; whoever holds it sees to that.
            ConsumerFact::Epoch(None) => {}
            ConsumerFact::PartitionMetadata(is_there) => self.has_partition_metadata = *is_there,
            ConsumerFact::Member(id, Some(said)) => self.put_member(id, said),
            ConsumerFact::Member(id, None) => self.remove_member(id),
            ConsumerFact::TargetEpoch(target) => {
                self.target = target.unwrap_or(TargetEpoch { epoch: -1, assigned_at: Timestamp(0) });
            }
            ConsumerFact::Target(id, Some(target)) => {
                self.targets.insert(id.clone(), target.clone());
            }
            ConsumerFact::Target(id, None) => {
                self.targets.remove(id);
            }
            ConsumerFact::Standing(id, Some(standing)) => self.put_standing(id, standing),
            ConsumerFact::Standing(id, None) => {
                if let Some(member) = self.members.get(id) {
                    let state = member.standing.state;
                    let gone = Standing { epoch: LEFT, previous_epoch: LEFT, state, ..Standing::default() };
                    self.put_standing(id, &gone);
                }
            }
            ConsumerFact::Regex(regex, resolved) => {
                let before = match resolved {
                    Some(resolved) => self.resolved.insert(regex.clone(), resolved.clone()),
                    None => self.resolved.remove(regex),
                };
                self.subscribed.resolve(before.as_ref(), resolved.as_ref());
            }
        }
    }

    fn put_member(&mut self, id: &Arc<str>, said: &Subscription) {
        let member = self.members.entry(id.clone()).or_default();
        let before = std::mem::replace(&mut member.said, said.clone());
        self.subscribed.replace(Some(&before), Some(said));
        if let Some(instance) = &said.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
    }

    fn remove_member(&mut self, id: &Arc<str>) {
        let Some(member) = self.members.remove(id) else { return };
        self.subscribed.replace(Some(&member.said), None);
        self.release(&member.standing);
        if let Some(instance) = &member.said.instance
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
    }

    fn put_standing(&mut self, id: &Arc<str>, standing: &Standing) {
        let Member { standing: now, .. } = self.members.entry(id.clone()).or_default();
        let before = std::mem::replace(now, standing.clone());
        self.release(&before);
        for held in [&standing.assigned, &standing.revoking] {
            for (topic, partitions) in held {
                let owners = self.owners.entry(*topic).or_default();
                for partition in partitions.keys() {
                    let owner = owners.entry(*partition).or_insert(standing.epoch);
                    *owner = standing.epoch.max(*owner);
                }
            }
        }
    }

    /// Nobody holds these any more, but for those who took them over since: their epoch is another one. A log that was
    /// compacted may tell of the new holder first.
    fn release(&mut self, before: &Standing) {
        for (topic, partitions) in before.assigned.iter().chain(&before.revoking) {
            let Some(owners) = self.owners.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                if owners.get(partition) == Some(&before.epoch) {
                    owners.remove(partition);
                }
            }
            if owners.is_empty() {
                self.owners.remove(topic);
            }
        }
    }

    /// Whether anybody has the partition, or has to give it back.
    pub(super) fn is_held(&self, topic: Uuid, partition: i32) -> bool {
        self.owners.get(&topic).is_some_and(|owners| owners.contains_key(&partition))
    }
}

impl ConsumerFact {
    /// Whether it takes something away.
    pub(crate) const fn is_tombstone(&self) -> bool {
        matches!(
            self,
            Self::Epoch(None)
                | Self::PartitionMetadata(false)
                | Self::Member(_, None)
                | Self::TargetEpoch(None)
                | Self::Target(_, None)
                | Self::Standing(_, None)
                | Self::Regex(_, None)
        )
    }

    /// How many bytes it takes in a batch beside its group's id, or a little less.
    pub(crate) fn size_at_most(&self) -> usize {
        /// Numbers, lengths, and the record's own.
        const OTHERS: usize = 96;
        /// A topic's id, and lengths.
        const TOPIC: usize = 20;
        let texts = |topics: &BTreeSet<Arc<str>>| topics.iter().map(|topic| topic.len() + 3).sum::<usize>();
        let held = |held: &Held| held.values().map(|partitions| TOPIC + 8 * partitions.len()).sum::<usize>();
        let varies = match self {
            Self::Member(id, said) => {
                let said = said.as_ref().map_or(0, |said| {
                    let classic = said.classic.iter().flat_map(|classic| &classic.protocols);
                    let classic = classic.map(|protocol| protocol.name.len() + protocol.metadata.len() + 8);
                    let optional = [&said.instance, &said.rack, &said.regex, &said.assignor].into_iter().flatten();
                    let optional: usize = optional.map(|text| text.len()).sum();
                    let client = said.client_id.len() + said.client_host.len();
                    texts(&said.topics) + classic.sum::<usize>() + optional + client
                });
                id.len() + said
            }
            Self::Target(id, target) => {
                let topics = target.iter().flat_map(|target| target.values());
                id.len() + topics.map(|partitions| TOPIC + 4 * partitions.len()).sum::<usize>()
            }
            Self::Standing(id, standing) => {
                id.len() + standing.as_ref().map_or(0, |standing| held(&standing.assigned) + held(&standing.revoking))
            }
            Self::Regex(regex, resolved) => regex.len() + resolved.as_ref().map_or(0, |known| texts(&known.topics)),
            Self::Epoch(_) | Self::PartitionMetadata(_) | Self::TargetEpoch(_) => 0,
        };
        varies + OTHERS
    }
}

/// Partitions that are held, all since the same epoch.
pub(super) fn held_since(assignment: &Assignment, epoch: i32) -> Held {
    let since = |partitions: &BTreeSet<i32>| partitions.iter().map(|partition| (*partition, epoch)).collect();
    assignment.iter().map(|(topic, partitions)| (*topic, since(partitions))).collect::<BTreeMap<_, _>>()
}

/// The state of a member that holds nothing it has to give back, with something still missing or not.
pub(super) const fn waiting(is_missing: bool) -> MemberState {
    if is_missing { MemberState::Unreleased } else { MemberState::Stable }
}
