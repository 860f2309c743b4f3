//! LeaveGroup: members that go, and static ones that an administrator removes by name.

use std::sync::Arc;

use ottla_types::ErrorCode;

use super::{ClassicGroup, State};
use crate::request::{Leaver, Left, Reply, RequestId};
use crate::turn::Turn;

impl ClassicGroup {
    /// Somebody leaves. The answer waits for the fact that the group is empty, if that follows.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, id: RequestId, leavers: Vec<Leaver>) {
        let mut members = Vec::new();
        for leaver in leavers {
            let error = self.leave_one(turn, &leaver).err().unwrap_or(ErrorCode::None);
            members.push((leaver, error));
        }
        if members.iter().any(|(_, error)| *error == ErrorCode::None) {
            match self.state {
                State::Stable | State::CompletingRebalance => self.rebalance(turn),
                State::PreparingRebalance => self.complete_if_all_joined(turn),
                State::Empty => {}
            }
        }
        let left = Reply::LeaveGroup(Left { error: ErrorCode::None, members });
        if turn.facts.is_empty() { turn.reply(id, left) } else { turn.reply_when_committed(id, left) }
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, leaver: &Leaver) -> Result<(), ErrorCode> {
        let member: Arc<str> = match &leaver.instance {
            Some(instance) if leaver.member.is_empty() => {
                self.statics.get(instance).cloned().ok_or(ErrorCode::UnknownMemberId)?
            }
            None if leaver.member.is_empty() => return Err(ErrorCode::UnknownMemberId),
            _ => leaver.member.clone(),
        };
        if self.pending.contains(&member) {
            self.remove(turn, &member);
            return Ok(());
        }
        if !leaver.member.is_empty() {
            self.check(&member, leaver.instance.as_deref())?;
        }
        self.expel(turn, &member);
        Ok(())
    }
}
