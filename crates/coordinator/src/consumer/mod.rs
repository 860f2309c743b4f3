//! A group of the consumer protocol (KIP-848): the coordinator assigns, and leads each member to its share by itself.
//!
//! # The protocol
//!
//! Three epochs say how far the group is:
//!
//! - the *group epoch* rises whenever what is to be assigned may have changed: who is a member, what they read, which
//!   topics and partitions there are;
//! - the *target epoch* is the group epoch for which partitions were last dealt out, to all members at once; it follows at
//!   the next heartbeat of anybody, but not sooner than `group.consumer.assignment.interval.ms` after the time before;
//! - a *member epoch* is the target epoch that this member has reached.
//!
//! Members only send heartbeats. Each one takes its member a step towards its target:
//!
//! ```text
//!                  has to give something back              gave it back: its epoch rises
//!     Stable ────────────────────────────────► Unrevoked ─────────────────┐
//!       ▲ ▲                                        │                      │
//!       │ │      all that was missing is free      │ its target is held   │
//!       │ └──────────────────────────── Unreleased ◄──── by others        │
//!       └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A member keeps what it has of its target, and is asked to give back the rest before its epoch rises; nobody is given a
//! partition that another member still holds. So nobody waits for everybody, and what does not move is read all the time.
//!
//! - A member joins with epoch 0 and leaves with −1. A *static* one may leave with −2: its place and its partitions are
//!   kept until its session ends, for whoever comes next with its instance id.
//! - The member says in its heartbeats what it holds. That is how what it gives back is known; a member whose epoch is not
//!   the current one is fenced, unless it is the one before and it holds nothing else: then an answer got lost.
//! - Who is silent for the session timeout, or does not give back within its rebalance timeout, is fenced.
//! - A pattern is matched against all topics right behind the heartbeat that brings it, and again when topics came.
//!
//! Every decision is remembered by facts of its own: group epoch, target epoch, and for each member what it said, its
//! target, and where it stands. What is not a fact is only time: sessions, and when the topics are looked at again.
//!
//! Members that speak the classic protocol may be in such a group, as long as they are consumers (`classic_member`), and
//! groups turn from one protocol into the other (`migrate`), as `group.consumer.migration.policy` says.
//!
//! Read on: `member`, `fact`, `heartbeat`, `reconcile`, `target`, `subscribed`, `patterns`, `leave`.

mod classic_member;
mod describe;
mod embedded;
mod fact;
mod heartbeat;
mod leave;
mod member;
mod migrate;
mod offsets;
mod patterns;
mod printed;
mod reconcile;
mod record;
mod refusal;
mod request;
mod subscribed;
mod target;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::{Instant, Timestamp, Uuid};

use crate::assignors::Assignment;
use crate::fact::Fact;
use crate::sown::{self, Bug};
use crate::timers::Timer;
use crate::turn::Turn;

pub(crate) use classic_member::{join as classic_join, leave as classic_leave};
pub use fact::{ConsumerFact, GroupEpoch, Resolved, TargetEpoch};
pub(crate) use heartbeat::heartbeat;
pub(crate) use leave::time_over;
pub use member::{ClassicMember, Held, MemberState, Standing, Subscription};
pub use refusal::Refusal;
pub use request::{ConsumerBeat, ConsumerHeartbeat, DescribedAssignment, DescribedConsumer, DescribedConsumerGroup};
pub(crate) use topics::Topics;

pub(crate) use record::consumer_fact;

use member::Member;
use subscribed::Subscribed;

/// A group of the consumer protocol.
///
/// Invariants: `targets` has nobody but members; `owners[t][p]` is the epoch of a member that has partition p of t in its
/// `assigned` or `revoking`; `target.epoch` ≤ `epoch.epoch`.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    id: Arc<str>,
    epoch: GroupEpoch,
    target: TargetEpoch,
    members: BTreeMap<Arc<str>, Member>,
    targets: BTreeMap<Arc<str>, Arc<Assignment>>,
    /// Member ids of static members by their instance ids.
    statics: BTreeMap<Arc<str>, Arc<str>>,
    /// What all members read, and by how many.
    subscribed: Subscribed,
    /// What the patterns of members matched last.
    resolved: BTreeMap<Arc<str>, Resolved>,
    /// The epochs of those who hold a partition.
    owners: BTreeMap<Uuid, BTreeMap<i32, i32>>,
    /// Whether there is a record of a kind that is not written any more.
    has_partition_metadata: bool,
    /// When the topics are to be looked at again; `None` for the next heartbeat. Soft.
    look_at_topics: Option<Instant>,
}

/// Where a group is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GroupState {
    /// Without members. Offsets may still be kept.
    Empty,
    /// Its partitions are to be dealt out anew.
    Assigning,
    /// Members are on their way to their targets.
    Reconciling,
    /// Everybody has their share.
    Stable,
}

impl GroupState {
    /// As Kafka's tools print it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl ConsumerGroup {
    /// A group that nobody joined yet. Kafka counts its epochs from 1.
    pub(crate) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: GroupEpoch { epoch: 1, metadata_hash: 0 },
            target: TargetEpoch { epoch: 1, assigned_at: Timestamp(0) },
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            statics: BTreeMap::new(),
            subscribed: Subscribed::default(),
            resolved: BTreeMap::new(),
            owners: BTreeMap::new(),
            has_partition_metadata: false,
            look_at_topics: None,
        }
    }

    pub(crate) fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch.epoch > self.target.epoch {
            GroupState::Assigning
        } else if self.members.values().all(|member| member.standing.is_reconciled_to(self.target.epoch)) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Makes a fact true, and has it remembered.
    fn remember(&mut self, turn: &mut Turn<'_>, fact: ConsumerFact) {
        self.apply(&fact);
        turn.remember(Fact::Consumer { group: self.id.clone(), fact });
    }

    fn session(&self, member: &Arc<str>) -> Timer {
        Timer::ConsumerSession(self.id.clone(), member.clone())
    }

    fn rebalance(&self, member: &Arc<str>) -> Timer {
        Timer::ConsumerRebalance(self.id.clone(), member.clone())
    }

    /// Begins a member's session anew.
    fn heard_of(&self, turn: &mut Turn<'_>, member: &Arc<str>) {
        turn.set(self.session(member), turn.settings.of_consumer(&self.id).session_timeout);
    }

    /// Topics came, went or grew: the group looks at them when it is next heard of, if it reads one of them.
    pub(crate) fn topics_changed<'a>(&mut self, mut changed: impl Iterator<Item = &'a Arc<str>>) {
        if changed.any(|topic| self.subscribed.has(topic)) && !sown::is(Bug::TopicsNotLookedAt) {
            self.look_at_topics = None;
        }
    }

    /// The coordinator has read the group from its log: members have to show that they are alive.
    pub(crate) fn loaded(&mut self, turn: &mut Turn<'_>) {
        for (id, member) in &self.members {
            self.heard_of(turn, id);
            if member.standing.state == MemberState::Unrevoked {
                turn.set(self.rebalance(id), member.said.rebalance_timeout());
            }
        }
    }

    /// Forgets a group without members.
    pub(crate) fn forget(&self, turn: &mut Turn<'_>) {
        for fact in self.tombstones() {
            turn.remember(Fact::Consumer { group: self.id.clone(), fact });
        }
    }

    /// What takes all of it out of the log, in Kafka's order.
    fn tombstones(&self) -> Vec<ConsumerFact> {
        let members = || self.members.keys().cloned();
        let mut facts: Vec<_> = members().map(|member| ConsumerFact::Standing(member, None)).collect();
        facts.extend(members().map(|member| ConsumerFact::Target(member, None)));
        facts.push(ConsumerFact::TargetEpoch(None));
        facts.extend(members().map(|member| ConsumerFact::Member(member, None)));
        facts.extend(self.resolved.keys().map(|regex| ConsumerFact::Regex(regex.clone(), None)));
        facts.push(ConsumerFact::PartitionMetadata(false));
        facts.push(ConsumerFact::Epoch(None));
        facts
    }
}
