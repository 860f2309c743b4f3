//! The target: who is to have which partitions, dealt out to all members at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::{Timestamp, Uuid};

use super::ConsumerGroup;
use super::fact::{ConsumerFact, TargetEpoch};
use super::member::Subscription;
use super::topics::Topics;
use crate::assignors::{Assignor, GroupSpec, MemberSpec};
use crate::turn::Turn;

impl ConsumerGroup {
    /// Deals out anew if anything changed that matters, and the last time is long enough ago.
    pub(super) fn assign_if_due(&mut self, turn: &mut Turn<'_>) {
        if self.target.epoch < self.epoch.epoch && self.may_assign(turn) {
            self.assign(turn);
        }
    }

    /// Whether partitions were not dealt out just before, by the date that the fact tells.
    fn may_assign(&self, turn: &Turn<'_>) -> bool {
        let interval = turn.settings.of_consumer(&self.id).assignment_interval.as_millis();
        let since = turn.now.date.0.saturating_sub(self.target.assigned_at.0);
        self.target.assigned_at == Timestamp(0) || interval == 0 || i128::from(since) >= interval.cast_signed()
    }

    fn assign(&mut self, turn: &mut Turn<'_>) {
        let mut ids = BTreeMap::new();
        let member = |(id, member): (&Arc<str>, &super::Member)| {
            let topics = known_topics(&mut ids, turn.topics, &self.names_of(&member.said));
            let assigned = self.targets.get(id).cloned().unwrap_or_default();
            (id.clone(), MemberSpec { instance: member.said.instance.clone(), topics, assigned })
        };
        let members: BTreeMap<_, _> = self.members.iter().map(member).collect();
        let spec = GroupSpec { is_homogeneous: self.subscribed.is_homogeneous(members.len()), members };
        let targets = self.assignor(turn).assign(&spec, turn.topics).expect("members read topics that exist");
        for (id, target) in targets {
            if self.targets.get(&id) != Some(&target) {
                self.remember(turn, ConsumerFact::Target(id, Some(target)));
            }
        }
        let target = TargetEpoch { epoch: self.epoch.epoch, assigned_at: turn.now.date };
        self.remember(turn, ConsumerFact::TargetEpoch(Some(target)));
    }

    /// The way of assignment that most members want, or the first one of the settings.
    pub(super) fn assignor(&self, turn: &Turn<'_>) -> Assignor {
        let mut votes = BTreeMap::<&str, usize>::new();
        for wanted in self.members.values().filter_map(|member| member.said.assignor.as_deref()) {
            *votes.entry(wanted).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        most.and_then(|(name, _)| Assignor::named(name)).unwrap_or_else(|| turn.settings.assignor())
    }

    /// The names of the topics that a member reads: those that it names, and those that its pattern matched.
    fn names_of(&self, said: &Subscription) -> Arc<BTreeSet<Arc<str>>> {
        match said.pattern().and_then(|pattern| self.resolved.get(pattern)) {
            None => said.topics.clone(),
            Some(resolved) => Arc::new(said.topics.union(&resolved.topics).cloned().collect()),
        }
    }

    /// The topics that a member reads, as far as they exist.
    pub(super) fn topics_of(&self, turn: &Turn<'_>, member: &str) -> BTreeSet<Uuid> {
        let names = self.members.get(member).map(|member| self.names_of(&member.said)).unwrap_or_default();
        names.iter().filter_map(|name| turn.topics.id_of(name)).collect()
    }
}

/// The ids of topics. Members that read the same share one set, so that a large group stays small.
fn known_topics(
    ids: &mut BTreeMap<Arc<BTreeSet<Arc<str>>>, Arc<BTreeSet<Uuid>>>,
    topics: &Topics,
    names: &Arc<BTreeSet<Arc<str>>>,
) -> Arc<BTreeSet<Uuid>> {
    if let Some(known) = ids.get(names) {
        return known.clone();
    }
    let known: Arc<BTreeSet<Uuid>> = Arc::new(names.iter().filter_map(|name| topics.id_of(name)).collect());
    ids.insert(names.clone(), known.clone());
    known
}
