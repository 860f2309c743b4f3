//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat and LeaveGroup, as steps of
//! the consumer protocol.
//!
//! Such a member's generation is its member epoch. It has no leader and assigns nothing: the coordinator does, and writes the
//! assignment in the bytes that consumers of the classic protocol read. When it shall take a step it is told that a round has
//! begun, and joins again; then it has to ask for its assignment. Both within its rebalance timeout.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::ErrorCode;

use super::ConsumerGroup;
use super::embedded::{self, Says};
use super::member::{ClassicMember, Member, MemberState, Subscription};
use super::migrate::{downgrade, millis};
use crate::group::{Group, Kind};
use crate::request::{Heartbeat, JoinGroup, Joined, Leaver, Left, Reply, RequestId, SyncGroup, Synced};
use crate::settings::MigrationPolicy;
use crate::sown::{self, Bug};
use crate::timers::Timer;
use crate::turn::Turn;

/// What the members of a group of consumers agree about.
const CONSUMER: &str = "consumer";

/// JoinGroup of a group that has members.
pub(crate) fn join(group: &mut Group, turn: &mut Turn<'_>, id: RequestId, request: &JoinGroup) {
    let Kind::Consumer(consumer) = &mut group.kind else { return };
    let is_new = request.member.is_empty();
    let member: Arc<str> = if is_new { request.fresh.to_string().into() } else { request.member.clone() };
    let says = match consumer.check_join(turn, request) {
        Ok(says) => says,
        Err(ErrorCode::MemberIdRequired) => {
            return turn.reply(id, Reply::JoinGroup(Joined::refused(ErrorCode::MemberIdRequired, member)));
        }
        Err(error) => return turn.reply(id, Reply::JoinGroup(Joined::refused(error, request.member.clone()))),
    };
    let former = request.instance.as_ref().and_then(|instance| consumer.statics.get(instance)).cloned();
    let turns_classic = former.as_ref().is_some_and(|former| {
        consumer.members[former].said.classic.is_none() && consumer.may_downgrade_with(turn, former)
    });
    if let Some(former) = former.filter(|_| is_new) {
        consumer.take_place(turn, &former, &member);
    }
    let before = consumer.members.get(&member).map(|known| known.said.clone()).unwrap_or_default();
    let said = said_now(&before, request, &says);
    let changed = consumer.update(turn, &member, &before, said);
    let is_stale = consumer.target.epoch < consumer.epoch.epoch;
    if !turns_classic {
        consumer.assign_if_due(turn);
    }
    if !turns_classic || !is_stale {
        consumer.reconcile(turn, &member, changed, Some(&says.owned));
    }
    let joined = Joined {
        error: ErrorCode::None,
        generation: consumer.members[&member].standing.epoch,
        protocol_type: Some(CONSUMER.into()),
        protocol: request.protocols.first().map(|protocol| protocol.name.clone()),
        leader: "".into(),
        skip_assignment: false,
        member: member.clone(),
        members: Vec::new(),
    };
    turn.cancel(&consumer.join_timer(&member));
    if turns_classic {
        // A classic group that is stable tells nobody what it still has for them.
        let epoch = consumer.target.epoch;
        let is_round = is_stale || !consumer.members.values().all(|member| member.standing.is_reconciled_to(epoch));
        downgrade(group, turn, &[], is_round);
    } else {
        turn.set(consumer.session(&member), request.session_timeout);
        turn.set(consumer.sync_timer(&member), request.rebalance_timeout);
    }
    turn.reply_when_committed(id, Reply::JoinGroup(joined));
}

/// LeaveGroup, by members of whatever protocol.
pub(crate) fn leave(group: &mut Group, turn: &mut Turn<'_>, id: RequestId, leavers: Vec<Leaver>) {
    let Kind::Consumer(consumer) = &group.kind else { return };
    let mut leaving = Vec::new();
    let mut members = Vec::new();
    for leaver in leavers {
        let found = consumer.find_leaver(&leaver);
        if let Ok(member) = &found
            && !leaving.contains(member)
        {
            leaving.push(member.clone());
        }
        members.push((leaver, found.err().unwrap_or(ErrorCode::None)));
    }
    if !leaving.is_empty() {
        super::leave::fence(group, turn, &leaving);
    }
    turn.reply_when_committed(id, Reply::LeaveGroup(Left { error: ErrorCode::None, members }));
}

fn said_now(before: &Subscription, request: &JoinGroup, says: &Says) -> Subscription {
    Subscription {
        instance: request.instance.clone().or_else(|| before.instance.clone()),
        rack: says.rack.clone().or_else(|| before.rack.clone()),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        topics: says.topics.clone(),
        regex: Some("".into()),
        rebalance_timeout_ms: millis(request.rebalance_timeout),
        assignor: before.assignor.clone(),
        classic: Some(ClassicMember {
            session_timeout_ms: millis(request.session_timeout),
            protocols: request.protocols.clone(),
        }),
    }
}

impl ConsumerGroup {
    pub(super) fn join_timer(&self, member: &Arc<str>) -> Timer {
        Timer::ConsumerJoin(self.id.clone(), member.clone())
    }

    pub(super) fn sync_timer(&self, member: &Arc<str>) -> Timer {
        Timer::ConsumerSync(self.id.clone(), member.clone())
    }

    /// Whether somebody may join. Nothing is changed here, and nothing is refused later.
    fn check_join(&self, turn: &Turn<'_>, request: &JoinGroup) -> Result<Says, ErrorCode> {
        if turn.settings.migration == MigrationPolicy::Disabled {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.members.len() >= turn.settings.consumer_members_max && !self.members.contains_key(&request.member) {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        let classic = || self.members.values().filter_map(|member| member.said.classic.as_ref());
        let all_know =
            |name: &Arc<str>| classic().all(|member| member.protocols.iter().any(|protocol| protocol.name == *name));
        let suits = request.protocols.iter().any(|protocol| all_know(&protocol.name));
        if &*request.protocol_type != CONSUMER || !suits {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let is_new = request.member.is_empty();
        match &request.instance {
            None if is_new && request.wants_member_id => return Err(ErrorCode::MemberIdRequired),
            Some(instance) if !is_new => {
                self.check_static(instance, &request.member).map_err(|refusal| refusal.error)?;
            }
            Some(_) | None => {}
        }
        let metadata = request.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
        embedded::says(turn.topics, &metadata).map_err(|_| ErrorCode::InconsistentGroupProtocol)
    }

    /// Whether the group is to become a classic one when `member` turns into one that speaks the classic protocol.
    fn may_downgrade_with(&self, turn: &Turn<'_>, member: &Arc<str>) -> bool {
        let mut others = self.members.iter().filter(|(id, _)| *id != member);
        others.all(|(_, member)| member.said.classic.is_some())
            && turn.settings.migration.allows_downgrade()
            && self.members.len() <= turn.settings.classic_members_max
    }

    /// A member that speaks the classic protocol, under its instance id if it names one.
    fn classic_member(
        &self,
        member: &Arc<str>,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(&Member, &ClassicMember), ErrorCode> {
        let known = match instance {
            None => self.members.get(member).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance) => self.check_static(instance, member).map_err(|refusal| refusal.error)?,
        };
        let classic = known.said.classic.as_ref().ok_or(ErrorCode::UnknownMemberId)?;
        if known.standing.epoch != generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        Ok((known, classic))
    }

    /// SyncGroup.
    pub(crate) fn sync(&self, turn: &mut Turn<'_>, id: RequestId, request: SyncGroup) {
        match self.check_sync(turn, &request) {
            Err(error) => turn.reply(id, Reply::SyncGroup(Synced::refused(error))),
            Ok((member, classic)) => {
                if !sown::is(Bug::SyncTimerNotCancelled) {
                    turn.cancel(&self.sync_timer(&request.member));
                }
                self.classic_heard_of(turn, &request.member, classic);
                let metadata = classic.protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
                let assigned = member.standing.assigned.iter();
                let assigned = assigned.map(|(topic, partitions)| (topic, partitions.keys()));
                let assignment = embedded::written(turn.topics, assigned, &metadata);
                let (protocol_type, protocol) = (request.protocol_type, request.protocol);
                let synced = Synced { error: ErrorCode::None, protocol_type, protocol, assignment };
                turn.reply_when_committed(id, Reply::SyncGroup(synced));
            }
        }
    }

    fn check_sync(&self, turn: &mut Turn<'_>, request: &SyncGroup) -> Result<(&Member, &ClassicMember), ErrorCode> {
        let (member, classic) =
            self.classic_member(&request.member, request.instance.as_deref(), request.generation)?;
        let is_other_type = request.protocol_type.as_ref().is_some_and(|kind| &**kind != CONSUMER);
        let first = classic.protocols.first().map(|protocol| &protocol.name);
        if is_other_type || request.protocol.as_ref().is_some_and(|name| Some(name) != first) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        // One that has something to give back has joined already, and is told of the next round when it has done so.
        if self.target.epoch > member.standing.epoch && member.standing.state != MemberState::Unrevoked {
            turn.set_if_absent(self.join_timer(&request.member), member.said.rebalance_timeout());
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok((member, classic))
    }

    /// Heartbeat: what its sender is to be told.
    pub(crate) fn classic_heartbeat(&mut self, turn: &mut Turn<'_>, request: &Heartbeat) -> ErrorCode {
        match self.classic_member(&request.member, request.instance.as_deref(), request.generation) {
            Ok((_, classic)) => self.classic_heard_of(turn, &request.member, classic),
            Err(error) => return error,
        }
        if self.members.values().all(|member| member.said.classic.is_some()) {
            // Nobody else's heartbeats do so, as where the policy keeps the group from becoming a classic one.
            self.look_at_topics_if_due(turn);
            self.assign_if_due(turn);
        }
        let member = &self.members[&request.member];
        let standing = &member.standing;
        let has_a_step = standing.epoch < self.target.epoch
            || match standing.state {
                MemberState::Unrevoked => true,
                MemberState::Unreleased => !self.waits_for_others(&request.member, member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if !has_a_step {
            return ErrorCode::None;
        }
        turn.set_if_absent(self.join_timer(&request.member), member.said.rebalance_timeout());
        ErrorCode::RebalanceInProgress
    }

    /// Whether others hold what a member is to have.
    fn waits_for_others(&self, id: &Arc<str>, member: &Member) -> bool {
        let target = self.targets.get(id).iter().flat_map(|target| target.iter()).collect::<Vec<_>>();
        target.into_iter().any(|(topic, partitions)| {
            let has = member.standing.assigned.get(topic);
            partitions.iter().any(|partition| {
                !has.is_some_and(|has| has.contains_key(partition)) && self.is_held(*topic, *partition)
            })
        })
    }

    pub(super) fn classic_heard_of(&self, turn: &mut Turn<'_>, member: &Arc<str>, classic: &ClassicMember) {
        let timeout = Duration::from_millis(u64::try_from(classic.session_timeout_ms).unwrap_or(0));
        turn.set(self.session(member), timeout);
    }

    fn find_leaver(&self, leaver: &Leaver) -> Result<Arc<str>, ErrorCode> {
        match &leaver.instance {
            None => self.members.get_key_value(&leaver.member).map(|(id, _)| id.clone()),
            Some(instance) => {
                let known = self.static_member(instance).map(|(id, _)| id.clone());
                // An administrator names no member.
                if known.as_ref().is_some_and(|id| !leaver.member.is_empty() && *id != leaver.member) {
                    return Err(ErrorCode::FencedInstanceId);
                }
                known
            }
        }
        .ok_or(ErrorCode::UnknownMemberId)
    }
}
