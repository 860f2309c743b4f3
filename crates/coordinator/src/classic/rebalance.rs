//! The round: how it begins, waits, and ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_types::ErrorCode;

use super::{ClassicGroup, FirstRound, State};
use crate::request::{Reply, Synced};
use crate::timers::Timer;
use crate::turn::Turn;

impl ClassicGroup {
    pub(super) fn join_timer(&self) -> Timer {
        Timer::ClassicJoin(self.id.clone())
    }

    pub(super) fn sync_timer(&self) -> Timer {
        Timer::ClassicSync(self.id.clone())
    }

    /// Begins a round, or, if there is one, ends it if nobody is missing.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::PreparingRebalance { self.complete_if_all_joined(turn) } else { self.rebalance(turn) }
    }

    /// Begins a round.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::CompletingRebalance {
            self.break_off(turn, ErrorCode::RebalanceInProgress);
        }
        self.unsynced.clear();
        turn.cancel(&self.sync_timer());
        let was_empty = self.state == State::Empty;
        self.enter(turn, State::PreparingRebalance);
        if was_empty {
            let delay = turn.settings.initial_rebalance_delay;
            let left = self.rebalance_timeout().saturating_sub(delay);
            self.first_round = Some(FirstRound { delay, left, has_new_member: false });
            turn.set(self.join_timer(), delay);
        } else if self.has_all() {
            self.complete(turn);
        } else {
            turn.set(self.join_timer(), self.rebalance_timeout());
        }
    }

    /// Ends the round if nobody is missing. A first one ends by time alone.
    pub(super) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        if self.first_round.is_none() && self.has_all() {
            self.complete(turn);
        }
    }

    /// The time for joining is over.
    pub(crate) fn join_time_over(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        match self.first_round {
            Some(FirstRound { delay, left, has_new_member: true }) if left > Duration::ZERO => {
                let next = turn.settings.initial_rebalance_delay.min(left);
                let left = left.saturating_sub(delay);
                self.first_round = Some(FirstRound { delay: next, left, has_new_member: false });
                turn.set(self.join_timer(), next);
            }
            _ => self.complete(turn),
        }
    }

    /// Ends the round: a new generation of those who came.
    fn complete(&mut self, turn: &mut Turn<'_>) {
        turn.cancel(&self.join_timer());
        self.first_round = None;
        let is_missing = |member: &super::Member| member.joining.is_none() && member.instance.is_none();
        let missing = self.members.iter().filter(|(_, member)| is_missing(member));
        let missing: Vec<_> = missing.map(|(id, _)| id.clone()).collect();
        for member in &missing {
            self.remove(turn, member);
        }
        if !self.elect_leader() && !self.members.is_empty() {
            // Static members alone, and none of them came: their sessions end, or they come.
            turn.set(self.join_timer(), self.rebalance_timeout());
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        self.unsynced.clear();
        self.protocol = self.vote();
        self.subscribed = self.subscriptions();
        if self.members.is_empty() {
            self.enter(turn, State::Empty);
            turn.remember(self.fact());
            return;
        }
        self.enter(turn, State::CompletingRebalance);
        self.answer_joined(turn);
        turn.set(self.sync_timer(), self.rebalance_timeout());
    }

    fn answer_joined(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for member in ids {
            let known = self.members.get_mut(&member).expect("it is one of them");
            known.is_new = false;
            let joining = known.joining.take();
            if let Some(id) = joining {
                let joined = self.told_generation(&member, self.leader.clone(), self.is_leader(&member));
                turn.reply(id, Reply::JoinGroup(joined));
            }
            self.heard_of(turn, &member);
            self.unsynced.insert(member);
        }
    }

    /// Makes sure that the leader is somebody who came. Whether there is one.
    fn elect_leader(&mut self) -> bool {
        let has_come =
            |group: &Self, id: &Arc<str>| group.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(|leader| has_come(self, leader)) {
            return true;
        }
        let next = self.members.keys().find(|id| has_come(self, id)).cloned();
        match next {
            Some(next) => self.leader = Some(next),
            None => return false,
        }
        true
    }

    /// The way of assignment that most members want of those that all know; among equals the one that the leader wants
    /// most. `None` without members.
    pub(super) fn vote(&self) -> Option<Arc<str>> {
        let all_know = |name: &str| self.members.values().all(|member| member.knows(name));
        let mut votes = BTreeMap::<&Arc<str>, usize>::new();
        for member in self.members.values() {
            if let Some(wanted) = member.protocols.iter().find(|protocol| all_know(&protocol.name)) {
                *votes.entry(&wanted.name).or_default() += 1;
            }
        }
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        let place = |name: &Arc<str>| {
            leader.and_then(|leader| leader.protocols.iter().position(|protocol| protocol.name == *name))
        };
        let most = votes.into_iter().max_by_key(|(name, count)| (*count, std::cmp::Reverse(place(name))));
        most.map(|(name, _)| name.clone())
    }

    /// Tells everybody who waits for an assignment that there will be none.
    pub(super) fn break_off(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        let mut told = Vec::new();
        for (id, member) in &mut self.members {
            member.assignment = Bytes::new();
            if let Some(request) = member.syncing.take() {
                turn.reply(request, Reply::SyncGroup(Synced::refused(error)));
                told.push(id.clone());
            }
        }
        told.iter().for_each(|member| self.heard_of(turn, member));
    }
}
