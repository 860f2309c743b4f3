//! SyncGroup: the leader brings the assignments, everybody gets their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::ErrorCode;

use super::{ClassicGroup, State};
use crate::request::{Reply, RequestId, SyncGroup, Synced};
use crate::sown::{self, Bug};
use crate::turn::Turn;

impl ClassicGroup {
    /// A member asks for its assignment.
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>, id: RequestId, request: SyncGroup) {
        if let Err(error) = self.check_sync(&request) {
            return turn.reply(id, Reply::SyncGroup(Synced::refused(error)));
        }
        let member = request.member.clone();
        self.unsynced.remove(&member);
        if self.unsynced.is_empty() {
            turn.cancel(&self.sync_timer());
        }
        if self.state == State::Stable {
            // What it is told may rest on a fact that is not committed yet.
            return turn.reply_when_committed(id, Reply::SyncGroup(self.told_assignment(&member)));
        }
        let known = self.members.get_mut(&member).expect("it was checked");
        if let Some(before) = known.syncing.replace(id) {
            // It asked twice; the first answer would go to nobody who waits for it.
            turn.reply(before, Reply::SyncGroup(Synced::refused(ErrorCode::RebalanceInProgress)));
        }
        if self.is_leader(&member) {
            self.assign(turn, request.assignments);
        }
    }

    fn check_sync(&self, request: &SyncGroup) -> Result<(), ErrorCode> {
        let differs = |said: &Option<Arc<str>>, is: &Option<Arc<str>>| said.is_some() && is.is_some() && said != is;
        self.check(&request.member, request.instance.as_deref())?;
        if request.generation != self.generation && !sown::is(Bug::OldGenerationSynced) {
            return Err(ErrorCode::IllegalGeneration);
        }
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol, &self.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.state == State::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// The leader has assigned: everybody who waits is told as soon as that is committed.
    fn assign(&mut self, turn: &mut Turn<'_>, assignments: Vec<(Arc<str>, Bytes)>) {
        let mut assignments: BTreeMap<_, _> = assignments.into_iter().collect();
        for (id, member) in &mut self.members {
            // Whom the leader forgot gets nothing.
            member.assignment = assignments.remove(id).unwrap_or_default();
        }
        let fact = self.fact();
        if fact.size_at_most() > turn.settings.append_bytes_max {
            self.break_off(turn, ErrorCode::UnknownServerError);
            return self.rebalance(turn);
        }
        self.enter(turn, State::Stable);
        turn.tally.classic_rebalances += 1;
        turn.remember(self.fact());
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for member in ids {
            let known = self.members.get_mut(&member).expect("it is one of them");
            if let Some(id) = known.syncing.take() {
                turn.reply_when_committed(id, Reply::SyncGroup(self.told_assignment(&member)));
                self.heard_of(turn, &member);
            }
        }
    }

    fn told_assignment(&self, member: &str) -> Synced {
        Synced {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(member).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// The time for asking is over: who did not ask is gone.
    pub(crate) fn sync_time_over(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.state, State::CompletingRebalance | State::Stable) || self.unsynced.is_empty() {
            return;
        }
        for member in std::mem::take(&mut self.unsynced) {
            self.expel(turn, &member);
        }
        self.rebalance(turn);
    }
}
