//! Members that go: by themselves, for a while, or because they were silent.

use std::sync::Arc;

use ottla_types::ErrorCode;

use super::fact::{ConsumerFact, held_since};
use super::member::{AWAY, Held, MemberState, Standing};
use super::request::{ConsumerBeat, ConsumerHeartbeat};
use super::{ConsumerGroup, Refusal};
use crate::group::{Group, Kind};
use crate::sown::{self, Bug};
use crate::timers::Timer;
use crate::turn::Turn;

/// A heartbeat that says good-bye.
pub(super) fn leave(
    group: &mut Group,
    turn: &mut Turn<'_>,
    request: &ConsumerHeartbeat,
) -> Result<ConsumerBeat, Refusal> {
    let Kind::Consumer(consumer) = &mut group.kind else {
        return Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("no consumer group {}", request.group)));
    };
    match &request.instance {
        None if !consumer.members.contains_key(&request.member) => return Err(consumer.unknown(&request.member)),
        None => {}
        Some(instance) => {
            consumer.check_static(instance, &request.member)?;
        }
    }
    if request.instance.is_some() && request.epoch == AWAY {
        consumer.go_away(turn, &request.member);
    } else {
        fence(group, turn, std::slice::from_ref(&request.member));
    }
    Ok(ConsumerBeat::gone(request.member.clone(), request.epoch))
}

/// A member's time is over: its session, or the time in which it had to give back, to join again, or to sync.
pub(crate) fn time_over(group: &mut Group, turn: &mut Turn<'_>, timer: &Timer) {
    let Kind::Consumer(consumer) = &group.kind else { return };
    let member = match timer {
        Timer::ConsumerSession(_, member) | Timer::ConsumerJoin(_, member) | Timer::ConsumerSync(_, member) => member,
        // A static member that is away will give back by coming again, or by the end of its session.
        Timer::ConsumerRebalance(_, member) => {
            let is_late = |standing: &Standing| standing.state == MemberState::Unrevoked && standing.epoch != AWAY;
            if !consumer.members.get(member).is_some_and(|member| is_late(&member.standing)) {
                return;
            }
            member
        }
        _ => return,
    };
    if consumer.members.contains_key(member) {
        fence(group, turn, std::slice::from_ref(member));
    }
}

/// Removes members for good.
pub(crate) fn fence(group: &mut Group, turn: &mut Turn<'_>, members: &[Arc<str>]) {
    let Kind::Consumer(consumer) = &mut group.kind else { return };
    if consumer.may_downgrade(turn, members) {
        return super::migrate::downgrade(group, turn, members, true);
    }
    let mut patterns = Vec::new();
    for member in members {
        patterns.extend(consumer.members.get(member).and_then(|member| member.said.pattern()).cloned());
        consumer.remove(turn, member);
        consumer.cancel_timers(turn, member);
    }
    for pattern in patterns {
        if consumer.subscribed.count_of(&pattern) == 0 {
            consumer.remember(turn, ConsumerFact::Regex(pattern, None));
        }
    }
    let metadata_hash = turn.topics.hash(consumer.subscribed.topics());
    consumer.bump(turn, metadata_hash);
}

impl ConsumerGroup {
    /// A static member leaves and will be back: its place is kept until its session ends.
    fn go_away(&mut self, turn: &mut Turn<'_>, member: &Arc<str>) {
        let standing = &self.members[member].standing;
        let since_ever = |held: &Held| {
            let assignment = held.iter().map(|(topic, held)| (*topic, held.keys().copied().collect()));
            held_since(&assignment.collect(), 0)
        };
        let (assigned, revoking) = (since_ever(&standing.assigned), Held::new());
        let away = Standing { epoch: AWAY, assigned, revoking, ..standing.clone() };
        self.remember(turn, ConsumerFact::Standing(member.clone(), Some(away)));
    }

    /// Takes a member out of the group. The order is Kafka's.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, member: &Arc<str>) {
        self.remember(turn, ConsumerFact::Standing(member.clone(), None));
        if !sown::is(Bug::TargetNotTakenOut) {
            self.remember(turn, ConsumerFact::Target(member.clone(), None));
        }
        self.remember(turn, ConsumerFact::Member(member.clone(), None));
    }

    pub(super) fn cancel_timers(&self, turn: &mut Turn<'_>, member: &Arc<str>) {
        turn.cancel(&self.session(member));
        turn.cancel(&self.rebalance(member));
        turn.cancel(&self.join_timer(member));
        turn.cancel(&self.sync_timer(member));
    }
}
