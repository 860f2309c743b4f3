//! A group: its members, by whatever protocol, and the offsets that it has committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::{ErrorCode, Timestamp};

use crate::classic::ClassicGroup;
use crate::consumer::{ConsumerFact, ConsumerGroup};
use crate::fact::Fact;
use crate::offsets::Offsets;
use crate::request::{ListedGroup, OffsetCommit, OffsetFetch};
use crate::turn::Turn;

/// The groups of a shard by their ids.
pub(crate) type Groups = BTreeMap<Arc<str>, Group>;

/// A group. One without members and offsets is there until it is cleaned up.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    pub(crate) offsets: Offsets,
}

/// How the members of a group agree.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Among themselves; or there are none, and never were.
    Classic(Box<ClassicGroup>),
    /// The coordinator assigns (KIP-848).
    Consumer(Box<ConsumerGroup>),
}

impl Group {
    /// A group that nobody joined yet.
    pub(crate) fn new(id: Arc<str>, since: Timestamp) -> Self {
        Self { kind: Kind::Classic(Box::new(ClassicGroup::new(id, since))), offsets: Offsets::default() }
    }

    /// A group of the consumer protocol, without offsets.
    pub(crate) fn consumer(group: ConsumerGroup) -> Self {
        Self { kind: Kind::Consumer(Box::new(group)), offsets: Offsets::default() }
    }

    /// Whether a commit is legal; if it is a member's of a classic group, that shows that it is alive.
    pub(crate) fn check_commit(&self, turn: &mut Turn<'_>, request: &OffsetCommit) -> Result<(), ErrorCode> {
        match &self.kind {
            Kind::Classic(group) => {
                group.check_commit(turn, &request.member, request.instance.as_deref(), request.generation)
            }
            Kind::Consumer(group) => group.check_commit(turn, request),
        }
    }

    /// Whether whoever asks for offsets may. A classic group answers everybody.
    pub(crate) fn check_fetch(&self, request: &OffsetFetch) -> Result<(), ErrorCode> {
        match &self.kind {
            Kind::Classic(_) => Ok(()),
            Kind::Consumer(group) => group.check_fetch(request.member.as_deref(), request.epoch),
        }
    }

    /// Whether its offsets may be deleted one by one: nobody but consumers tells what they read.
    pub(crate) fn may_lose_offsets(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_empty() || group.is_of_consumers(),
            Kind::Consumer(_) => true,
        }
    }

    /// Whether a member reads the topic, or might.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.reads(topic),
            Kind::Consumer(group) => group.reads(topic),
        }
    }

    /// From when on an offset that nobody reads is old; `None` if it is not to be forgotten now.
    pub(crate) fn offsets_age_since(&self, committed_at: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Classic(group) => group.offsets_age_since(committed_at),
            Kind::Consumer(_) => Some(committed_at),
        }
    }

    /// Whether there is no more to it, if it has no offsets either.
    pub(crate) fn is_forgotten(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_forgotten(),
            Kind::Consumer(group) => group.is_empty(),
        }
    }

    /// Forgets a group without members.
    pub(crate) fn forget(&self, turn: &mut Turn<'_>, id: &Arc<str>) {
        match &self.kind {
            Kind::Classic(_) => turn.remember(Fact::ClassicGroup { group: id.clone(), value: None }),
            Kind::Consumer(group) => group.forget(turn),
        }
    }

    /// The group in a list.
    pub(crate) fn listed(&self) -> ListedGroup {
        match &self.kind {
            Kind::Classic(group) => group.listed(),
            Kind::Consumer(group) => group.listed(),
        }
    }
}

/// Folds a fact in. While the shard is at work a group is what its facts say already; but for its end.
pub(crate) fn apply(groups: &mut Groups, fact: &Fact, is_loading: bool) {
    match fact {
        Fact::ClassicGroup { group, value: Some(value) } => {
            if is_loading {
                known(groups, group, Timestamp::NONE).kind =
                    Kind::Classic(Box::new(ClassicGroup::from_fact(group.clone(), value)));
            }
        }
        Fact::ClassicGroup { group, value: None } => {
            if let Some(Group { kind: Kind::Classic(classic), .. }) = groups.get(group) {
                let since = classic.since();
                end(groups, group, since);
            }
        }
        Fact::Offset { group, topic, partition, value: Some(offset) } => {
            known(groups, group, offset.committed_at).offsets.put(topic, *partition, offset.clone());
        }
        Fact::Offset { group, topic, partition, value: None } => {
            if let Some(known) = groups.get_mut(group) {
                known.offsets.remove(topic, *partition);
            }
        }
        Fact::Consumer { group, fact: ConsumerFact::Epoch(None) } => {
            if let Some(Group { kind: Kind::Consumer(_), .. }) = groups.get(group) {
                end(groups, group, Timestamp::NONE);
            }
        }
        Fact::Consumer { group, fact } => {
            if is_loading {
                load(groups, group, fact);
            }
        }
    }
}

fn known<'a>(groups: &'a mut Groups, group: &Arc<str>, since: Timestamp) -> &'a mut Group {
    groups.entry(group.clone()).or_insert_with_key(|id| Group::new(id.clone(), since))
}

/// A group is gone. Offsets have tombstones of their own; if one outlives its group, it makes it again.
fn end(groups: &mut Groups, group: &Arc<str>, since: Timestamp) {
    if let Some(known) = groups.remove(group).filter(|known| !known.offsets.is_empty()) {
        groups.insert(group.clone(), Group { offsets: known.offsets, ..Group::new(group.clone(), since) });
    }
}

/// Folds in what the log says about a consumer group. What takes something away makes no group.
fn load(groups: &mut Groups, group: &Arc<str>, fact: &ConsumerFact) {
    if !fact.is_tombstone() {
        let known = known(groups, group, Timestamp::NONE);
        if matches!(known.kind, Kind::Classic(_)) {
            known.kind = Kind::Consumer(Box::new(ConsumerGroup::new(group.clone())));
        }
    }
    if let Some(Group { kind: Kind::Consumer(known), .. }) = groups.get_mut(group) {
        known.apply(fact);
    }
}
