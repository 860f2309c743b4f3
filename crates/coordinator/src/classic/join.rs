//! JoinGroup: who may come, and what it changes.

use std::sync::Arc;

use ottla_types::ErrorCode;

use super::member::Member;
use super::{ClassicGroup, State};
use crate::group::{Group, Groups, Kind};
use crate::request::{JoinGroup, Joined, Reply, RequestId, Synced};
use crate::turn::Turn;

/// A request to join. A group that is not there is made, if whoever asks has no id yet.
pub(crate) fn join(groups: &mut Groups, turn: &mut Turn<'_>, id: RequestId, request: JoinGroup) {
    let refuse = |turn: &mut Turn<'_>, error, member| turn.reply(id, Reply::JoinGroup(Joined::refused(error, member)));
    let allowed = turn.settings.session_timeout_min..=turn.settings.session_timeout_max;
    if request.group.is_empty() {
        return refuse(turn, ErrorCode::InvalidGroupId, request.member);
    }
    if !allowed.contains(&request.session_timeout) {
        return refuse(turn, ErrorCode::InvalidSessionTimeout, request.member);
    }
    if !request.member.is_empty() && !groups.contains_key(&request.group) {
        return refuse(turn, ErrorCode::UnknownMemberId, request.member);
    }
    let mut is_new_group = false;
    match groups.get_mut(&request.group) {
        Some(group @ Group { kind: Kind::Consumer(_), .. }) if !group.is_forgotten() => {
            return crate::consumer::classic_join(group, turn, id, &request);
        }
        // Nobody is left of the other protocol: the group begins anew, with the offsets that it has.
        Some(group @ Group { kind: Kind::Consumer(_), .. }) if request.member.is_empty() => {
            group.forget(turn, &request.group);
            group.kind = Kind::Classic(Box::new(ClassicGroup::new(request.group.clone(), turn.now.date)));
            is_new_group = true;
        }
        Some(_) | None => {}
    }
    is_new_group |= !groups.contains_key(&request.group);
    let group = groups.entry(request.group.clone()).or_insert_with_key(|id| Group::new(id.clone(), turn.now.date));
    let Kind::Classic(group) = &mut group.kind else {
        return refuse(turn, ErrorCode::UnknownMemberId, request.member);
    };
    if is_new_group {
        // So that the group is there after a restart, even if nobody ever finishes joining.
        turn.remember(group.fact());
    }
    if !group.has_place(turn, &request.member) {
        group.remove(turn, &request.member);
        return refuse(turn, ErrorCode::GroupMaxSizeReached, "".into());
    }
    if !group.supports(&request) {
        return refuse(turn, ErrorCode::InconsistentGroupProtocol, request.member);
    }
    if request.member.is_empty() { group.join_new(turn, id, &request) } else { group.join_again(turn, id, &request) }
}

impl ClassicGroup {
    /// Whether one more, or this one again, stays within the bound. While members join, those who came count.
    fn has_place(&self, turn: &Turn<'_>, member: &str) -> bool {
        let max = turn.settings.classic_members_max;
        let known = self.members.get(member);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                known.is_some_and(|known| known.joining.is_some()) || self.waiting_to_join() < max
            }
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < max,
        }
    }

    /// Whether it has a way of assignment in common with all members.
    fn supports(&self, request: &JoinGroup) -> bool {
        if self.state == State::Empty {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        let all_know = |name: &str| self.members.values().all(|member| member.knows(name));
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|protocol| all_know(&protocol.name))
    }

    /// Somebody without an id.
    fn join_new(&mut self, turn: &mut Turn<'_>, id: RequestId, request: &JoinGroup) {
        let before = request.instance.as_ref().unwrap_or(&request.client_id);
        let member: Arc<str> = format!("{before}-{}", hyphenated(&request.fresh.0)).into();
        if let Some(instance) = &request.instance {
            if let Some(former) = self.statics.get(instance).cloned() {
                return self.take_place(turn, id, request, &former, member);
            }
        } else if request.wants_member_id {
            self.pending.insert(member.clone());
            turn.set(self.session(&member), request.session_timeout);
            return turn.reply(id, Reply::JoinGroup(Joined::refused(ErrorCode::MemberIdRequired, member)));
        }
        self.add(turn, id, request, member);
    }

    /// Somebody with an id.
    fn join_again(&mut self, turn: &mut Turn<'_>, id: RequestId, request: &JoinGroup) {
        let member = &request.member;
        if self.pending.contains(member) && request.instance.is_none() {
            return self.add(turn, id, request, member.clone());
        }
        if let Err(error) = self.check(member, request.instance.as_deref()) {
            return turn.reply(id, Reply::JoinGroup(Joined::refused(error, member.clone())));
        }
        let is_same = self.members[member].says(request);
        let is_leader = self.is_leader(member);
        match self.state {
            // An answer that got lost.
            State::CompletingRebalance if is_same => {
                let joined = self.told_generation(member, self.leader.clone(), is_leader);
                turn.reply(id, Reply::JoinGroup(joined));
            }
            // The leader may know of something that its metadata does not show, such as new partitions.
            State::Stable if is_same && !is_leader => {
                let joined = self.told_generation(member, self.leader.clone(), false);
                turn.reply(id, Reply::JoinGroup(joined));
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.wait_for_round(turn, id, request, member);
                self.rebalance_or_complete(turn);
            }
            State::Empty => {
                turn.reply(id, Reply::JoinGroup(Joined::refused(ErrorCode::UnknownMemberId, member.clone())));
            }
        }
    }

    /// Has a member wait for the end of the round, with what its request says.
    fn wait_for_round(&mut self, turn: &mut Turn<'_>, id: RequestId, request: &JoinGroup, member: &Arc<str>) {
        let known = self.members.get_mut(member).expect("who waits is a member");
        known.update(request);
        if let Some(before) = known.joining.replace(id) {
            // It asked twice; the first answer would go to nobody who waits for it.
            let refused = Joined::refused(ErrorCode::RebalanceInProgress, member.clone());
            turn.reply(before, Reply::JoinGroup(refused));
        }
    }

    fn add(&mut self, turn: &mut Turn<'_>, id: RequestId, request: &JoinGroup, member: Arc<str>) {
        if let Some(first_round) = &mut self.first_round {
            first_round.has_new_member = true;
        }
        self.pending.remove(&member);
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(instance) = &request.instance {
            self.statics.insert(instance.clone(), member.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.clone());
        }
        self.members.insert(member.clone(), Member { joining: Some(id), ..Member::new(request) });
        // It has no heartbeats to send before it is answered. If it is gone, nobody says so while the round lasts.
        turn.set(self.session(&member), turn.settings.new_member_join_timeout);
        self.rebalance_or_complete(turn);
    }

    /// A static member comes back without its id: it gets a new one, and the former is fenced.
    fn take_place(
        &mut self,
        turn: &mut Turn<'_>,
        id: RequestId,
        request: &JoinGroup,
        former: &Arc<str>,
        member: Arc<str>,
    ) {
        let leader_before = self.leader.clone();
        let was_leader = self.is_leader(former);
        let mut known = self.remove(turn, former).expect("an instance has a member");
        if let Some(request) = known.joining.take() {
            let refused = Joined::refused(ErrorCode::FencedInstanceId, former.clone());
            turn.reply(request, Reply::JoinGroup(refused));
        }
        if let Some(request) = known.syncing.take() {
            turn.reply(request, Reply::SyncGroup(Synced::refused(ErrorCode::FencedInstanceId)));
        }
        known.update(request);
        if let Some(instance) = &known.instance {
            self.statics.insert(instance.clone(), member.clone());
        }
        self.members.insert(member.clone(), known);
        if was_leader {
            self.leader = Some(member.clone());
        }
        self.heard_of(turn, &member);
        if self.state == State::Stable && self.protocol == self.vote() {
            // Nobody else need notice, but the new id has to outlive the coordinator.
            turn.remember(self.fact());
            let joined = if request.may_skip_assignment {
                let joined = self.told_generation(&member, self.leader.clone(), was_leader);
                Joined { skip_assignment: was_leader, ..joined }
            } else {
                // An old leader that does not find its id is no leader, and does not assign anew.
                self.told_generation(&member, leader_before, false)
            };
            return turn.reply_when_committed(id, Reply::JoinGroup(joined));
        }
        self.members.get_mut(&member).expect("it was put in").joining = Some(id);
        // The leader may have been told of the former id, so the round begins again.
        self.rebalance_or_complete(turn);
    }
}

/// A UUID as Java prints it.
fn hyphenated(bytes: &[u8; 16]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]].map(|part| part.concat()).join("-")
}
