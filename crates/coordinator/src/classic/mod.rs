//! A group of the classic protocol: its members assign, the coordinator only sees to it that they all agree.
//!
//! # The protocol
//!
//! ```text
//!               first member joins                    everybody joined, or time is over
//!     Empty ───────────────────────► PreparingRebalance ─────────────────────────────► CompletingRebalance
//!       ▲                               ▲        ▲   │                                    │        │
//!       │  nobody is left               │        │   │ nobody is left                     │        │ the leader brings
//!       └───────────────────────────────│────────│───┘                                    │        ▼ the assignments
//!                                       │        └────────────────────────────────────────┘      Stable
//!                                       │            somebody joins, leaves or falls silent        │
//!                                       └──────────────────────────────────────────────────────────┘
//! ```
//!
//! A *generation* is one round of it. Members ask to join and wait; the last one to come, or the end of the time that the
//! slowest member claims for itself, closes the round: whoever did not come is removed (a static member is not, before its
//! session ends), the coordinator picks a *protocol* that all know, by vote, and answers everybody. One member is the
//! *leader*, by default the first that ever joined: its answer names all members with what they said about the protocol.
//! It assigns, and brings the assignments with its SyncGroup; all others ask with theirs and wait for it. What was
//! assigned is remembered as a fact, and handed out when that is committed. Then everybody works and sends heartbeats,
//! until one is told there that a new round has begun.
//!
//! - An empty group waits a little for more members before its first round ends, and longer while they keep coming, up to
//!   the longest rebalance timeout (`group.initial.rebalance.delay.ms`).
//! - A member without an id gets one. From JoinGroup v4 on it has to come again with it (KIP-394), so that a client whose
//!   answer got lost does not leave a second member behind; older clients never hear of that.
//! - A *static* member (KIP-345) has a name of its own beside the id. When it comes back without an id, it takes the place
//!   of its former self, whose id is fenced from then on; in a stable group nobody else notices.
//! - A member that is silent for its session timeout is removed. While it waits for an answer it need not speak. One that
//!   does not ask for its assignment within the rebalance timeout is removed, too.
//! - Who joins again in a stable group with nothing new is told the current generation; the leader starts a new one.
//!
//! A fact is a picture of the group at the end of a round. What happens within a round is nowhere but here, and is lost
//! with the coordinator: the members of the last picture are then waited for, and join again.
//!
//! Read on: `member`, `join`, `rebalance`, `sync`, `leave`; `fact` for what is remembered.

mod convert;
mod describe;
mod fact;
mod join;
mod leave;
mod member;
mod offsets;
mod rebalance;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_types::{ErrorCode, Timestamp};

use crate::request::{Heartbeat, Joined, JoinedMember, Reply, RequestId, Synced};
use crate::timers::Timer;
use crate::turn::Turn;

pub(crate) use convert::ClassicConsumer;
pub(crate) use join::join;
use member::Member;

/// Where a group is in its round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Without members. Offsets may still be kept.
    Empty,
    /// Members join.
    PreparingRebalance,
    /// The leader assigns.
    CompletingRebalance,
    /// Members have their assignments.
    Stable,
}

/// How long an empty group still waits for members.
#[derive(Clone, Copy, Debug)]
struct FirstRound {
    /// The delay that is running.
    delay: Duration,
    /// What may be added to it, if members keep coming.
    left: Duration,
    /// Whether one came since it was set.
    has_new_member: bool,
}

/// A group of the classic protocol.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    id: Arc<str>,
    state: State,
    /// When it entered the state; [`Timestamp::NONE`] in what is remembered of a group whose members were not told what
    /// they have there, because a round had begun.
    since: Timestamp,
    generation: i32,
    /// What the members agree about; `None` if there never were any.
    protocol_type: Option<Arc<str>>,
    /// The way of assignment of this generation.
    protocol: Option<Arc<str>>,
    leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// Member ids of static members by their instance ids.
    statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Ids that were given out and have not joined yet.
    pending: BTreeSet<Arc<str>>,
    /// Members that have not asked for their assignments of this generation.
    unsynced: BTreeSet<Arc<str>>,
    first_round: Option<FirstRound>,
    /// What the members read; `None` if that is not known, as of members that are no consumers.
    subscribed: Option<BTreeSet<String>>,
}

impl ClassicGroup {
    pub(crate) fn new(id: Arc<str>, since: Timestamp) -> Self {
        Self {
            id,
            state: State::Empty,
            since,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            first_round: None,
            subscribed: None,
        }
    }

    /// Whether nobody is a member.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// When it entered its state.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    fn enter(&mut self, turn: &Turn<'_>, state: State) {
        self.state = state;
        self.since = turn.now.date;
    }

    fn session(&self, member: &Arc<str>) -> Timer {
        Timer::ClassicSession(self.id.clone(), member.clone())
    }

    /// Begins a member's session anew.
    fn heard_of(&self, turn: &mut Turn<'_>, member: &Arc<str>) {
        if let Some(known) = self.members.get(member) {
            turn.set(self.session(member), known.session_timeout);
        }
    }

    /// How many members wait for the end of the round.
    fn waiting_to_join(&self) -> usize {
        self.members.values().filter(|member| member.joining.is_some()).count()
    }

    /// Whether nobody is missing.
    fn has_all(&self) -> bool {
        self.pending.is_empty() && self.waiting_to_join() == self.members.len()
    }

    /// The time that the slowest member claims for joining again.
    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Whether `member` belongs to the group, under that instance id if it names one.
    fn check(&self, member: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            let known = self.statics.get(instance).ok_or(ErrorCode::UnknownMemberId)?;
            if &**known != member {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Takes a member, or an id that was given out, away. Nobody is answered.
    fn remove(&mut self, turn: &mut Turn<'_>, member: &Arc<str>) -> Option<Member> {
        self.pending.remove(member);
        self.unsynced.remove(member);
        turn.cancel(&self.session(member));
        let removed = self.members.remove(member)?;
        if let Some(instance) = &removed.instance {
            self.statics.remove(instance);
        }
        if self.is_leader(member) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(removed)
    }

    /// All members, as the leader needs to see them.
    fn told_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let tell = |(id, member): (&Arc<str>, &Member)| JoinedMember {
            member: id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.iter().map(tell).collect()
    }

    /// The current generation, for one of its members.
    fn told_generation(&self, member: &Arc<str>, leader: Option<Arc<str>>, with_members: bool) -> Joined {
        Joined {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: leader.unwrap_or_else(|| "".into()),
            skip_assignment: false,
            member: member.clone(),
            members: if with_members { self.told_members() } else { Vec::new() },
        }
    }

    /// A heartbeat: what its sender is to be told.
    pub(crate) fn heartbeat(&mut self, turn: &mut Turn<'_>, request: &Heartbeat) -> ErrorCode {
        if let Err(error) = self.check(&request.member, request.instance.as_deref()) {
            return error;
        }
        if request.generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.heard_of(turn, &request.member);
        if self.state == State::PreparingRebalance { ErrorCode::RebalanceInProgress } else { ErrorCode::None }
    }

    /// A member, or an id that was given out, was silent for too long.
    pub(crate) fn session_over(&mut self, turn: &mut Turn<'_>, member: &Arc<str>) {
        let Some(known) = self.members.get(member) else {
            if self.pending.remove(member) && self.state == State::PreparingRebalance {
                self.complete_if_all_joined(turn);
            }
            return;
        };
        // Who waits for an answer cannot speak; but for a new member, whose first wait has an end.
        if known.is_new || (known.joining.is_none() && known.syncing.is_none()) {
            self.expel(turn, member);
            match self.state {
                State::Stable | State::CompletingRebalance => self.rebalance(turn),
                State::PreparingRebalance => self.complete_if_all_joined(turn),
                State::Empty => {}
            }
        }
    }

    /// Removes a member. If it still waits for a round to end, it is told that it is unknown, so that it begins again.
    fn expel(&mut self, turn: &mut Turn<'_>, member: &Arc<str>) {
        let removed = self.remove(turn, member);
        if let Some(id) = removed.as_ref().and_then(|removed| removed.joining) {
            turn.reply(id, Reply::JoinGroup(Joined::refused(ErrorCode::UnknownMemberId, "".into())));
        }
        if let Some(id) = removed.and_then(|removed| removed.syncing) {
            turn.reply(id, Reply::SyncGroup(Synced::refused(ErrorCode::UnknownMemberId)));
        }
    }

    /// The coordinator has read the group from its log.
    pub(crate) fn loaded(&mut self, turn: &mut Turn<'_>) {
        let members: Vec<_> = self.members.keys().cloned().collect();
        members.iter().for_each(|member| self.heard_of(turn, member));
        // The bound may be another one since. A new round lets members commit before some find no place.
        let has_too_many = self.members.len() > turn.settings.classic_members_max;
        if has_too_many || (self.since == Timestamp::NONE && !self.members.is_empty()) {
            self.rebalance(turn);
        }
    }

    /// The coordinator is gone: everybody who waits is told.
    pub(crate) fn give_up(&mut self, error: ErrorCode, replies: &mut Vec<(RequestId, Reply)>) {
        for (id, member) in &mut self.members {
            if let Some(request) = member.joining.take() {
                replies.push((request, Reply::JoinGroup(Joined::refused(error, id.clone()))));
            }
            if let Some(request) = member.syncing.take() {
                replies.push((request, Reply::SyncGroup(Synced::refused(error))));
            }
        }
    }
}
