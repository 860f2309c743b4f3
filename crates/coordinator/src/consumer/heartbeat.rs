//! ConsumerGroupHeartbeat: joins, says what is new, and gets the next step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_types::{ErrorCode, Uuid};

use super::fact::{ConsumerFact, GroupEpoch};
use super::member::{AWAY, Held, LEFT, Member, MemberState, Standing, Subscription};
use super::request::{ConsumerBeat, ConsumerHeartbeat};
use super::{ConsumerGroup, Refusal};
use crate::assignors::Assignor;
use crate::fact::Fact;
use crate::group::{Group, Groups, Kind};
use crate::request::{Reply, RequestId};
use crate::sown::{self, Bug};
use crate::turn::Turn;

/// How long a group believes that the topics it reads are as they were, unless it is told otherwise.
const TOPICS_LOOKED_AT_EVERY: Duration = Duration::from_secs(5 * 60);

/// A heartbeat. A group that is not there is made, if whoever asks joins.
pub(crate) fn heartbeat(groups: &mut Groups, turn: &mut Turn<'_>, id: RequestId, request: &ConsumerHeartbeat) {
    match decide(groups, turn, request) {
        Ok(beat) => turn.reply_when_committed(id, Reply::ConsumerHeartbeat(Ok(beat))),
        Err(refusal) => turn.reply(id, Reply::ConsumerHeartbeat(Err(refusal))),
    }
}

fn decide(groups: &mut Groups, turn: &mut Turn<'_>, request: &ConsumerHeartbeat) -> Result<ConsumerBeat, Refusal> {
    check_request(turn, request)?;
    let missing = || Refusal::new(ErrorCode::GroupIdNotFound, format!("no consumer group {}", request.group));
    let joins = request.epoch == 0;
    match groups.get_mut(&request.group) {
        Some(Group { kind: Kind::Consumer(group), .. }) if request.epoch >= 0 => {
            group.check_heartbeat(turn, request)?;
            Ok(group.heartbeat(turn, request))
        }
        Some(group) if request.epoch < 0 => super::leave::leave(group, turn, request),
        Some(Group { kind: Kind::Classic(classic), .. }) if joins => {
            let (mut group, facts) = if classic.is_forgotten() {
                let tombstone = Fact::ClassicGroup { group: request.group.clone(), value: None };
                (ConsumerGroup::new(request.group.clone()), vec![tombstone])
            } else {
                super::migrate::upgraded(turn, &request.group, classic)?
            };
            group.check_heartbeat(turn, request)?;
            classic.retire(turn);
            turn.facts.extend(facts);
            group.upgraded(turn);
            let takes_place = request.instance.as_ref().is_some_and(|instance| group.statics.contains_key(instance));
            let reads_by_name = request.topics.as_ref().is_some_and(|topics| !topics.is_empty());
            let is_settled = classic.is_stable() && group.has_all_partitions(turn);
            if !is_settled && (takes_place || !reads_by_name) {
                // The newcomer changes nothing yet, but not all is dealt out, or not to the members of this round.
                group.look_at_topics(turn, true);
            }
            let beat = group.heartbeat(turn, request);
            groups.get_mut(&request.group).expect("it was found").kind = Kind::Consumer(Box::new(group));
            Ok(beat)
        }
        None if joins => {
            let mut group = ConsumerGroup::new(request.group.clone());
            group.check_heartbeat(turn, request)?;
            let beat = group.heartbeat(turn, request);
            groups.insert(request.group.clone(), Group::consumer(group));
            Ok(beat)
        }
        Some(_) | None => Err(missing()),
    }
}

/// What can be told from the request alone.
fn check_request(turn: &Turn<'_>, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: &Option<Arc<str>>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    if request.member.trim().is_empty() && (request.must_have_id || request.epoch > 0 || request.epoch == LEFT) {
        return invalid("the member id is empty");
    }
    if request.group.trim().is_empty() {
        return invalid("the group id is empty");
    }
    if is_blank(&request.instance) {
        return invalid("the instance id is empty");
    }
    if is_blank(&request.rack) {
        return invalid("the rack is empty");
    }
    match request.epoch {
        0 if request.rebalance_timeout_ms == -1 => {
            return invalid("a member that joins has to say its rebalance timeout");
        }
        0 if request.owned.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            return invalid("a member that joins has to say that it holds no partitions");
        }
        0 if request.topics.is_none() && request.regex.is_none() => {
            return invalid("a member that joins has to say what it reads, by names or by a pattern");
        }
        AWAY if request.instance.is_none() => return invalid("only a member with an instance id may be away"),
        ..AWAY => return invalid("the member epoch is below -2"),
        _ => {}
    }
    if let Some(assignor) = &request.assignor {
        let known = Assignor::named(assignor).is_some_and(|known| turn.settings.assignors.contains(&known));
        if !known {
            let names: Vec<_> = turn.settings.assignors.iter().map(|assignor| assignor.name()).collect();
            let message = format!("assignor {assignor} is not offered; {} are", names.join(", "));
            return Err(Refusal::new(ErrorCode::UnsupportedAssignor, message));
        }
    }
    Ok(())
}

impl ConsumerGroup {
    /// Whether a heartbeat may be taken. Nothing is changed here, and nothing is refused later.
    pub(super) fn check_heartbeat(&self, turn: &Turn<'_>, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let joins = request.epoch == 0;
        if self.members.len() >= turn.settings.consumer_members_max && !self.members.contains_key(&request.member) {
            let message = format!("the group has its {} members already", turn.settings.consumer_members_max);
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, message));
        }
        let known = match &request.instance {
            None => {
                let known = self.members.get(&request.member);
                if known.is_none() && !joins {
                    return Err(self.unknown(&request.member));
                }
                known
            }
            Some(instance) if joins => {
                let known = self.static_member(instance);
                if let Some((id, member)) = known
                    && member.said.classic.is_none()
                    && member.standing.epoch != AWAY
                {
                    let message = format!("instance {instance} is member {id}, who did not leave");
                    return Err(Refusal::new(ErrorCode::UnreleasedInstanceId, message));
                }
                known.map(|(_, member)| member).or_else(|| self.members.get(&request.member))
            }
            Some(instance) => Some(self.check_static(instance, &request.member)?),
        };
        if let Some(known) = known {
            self.check_epoch(known, request)?;
        }
        self.check_pattern(known, request)
    }

    pub(super) fn unknown(&self, member: &str) -> Refusal {
        Refusal::new(ErrorCode::UnknownMemberId, format!("{member} is no member of group {}", self.id))
    }

    pub(super) fn static_member(&self, instance: &str) -> Option<(&Arc<str>, &Member)> {
        self.members.get_key_value(self.statics.get(instance)?)
    }

    /// The member with that instance id, if it is this one.
    pub(super) fn check_static(&self, instance: &str, member: &str) -> Result<&Member, Refusal> {
        let Some((id, known)) = self.static_member(instance) else {
            let message = format!("nobody in group {} is instance {instance}", self.id);
            return Err(Refusal::new(ErrorCode::UnknownMemberId, message));
        };
        if **id != *member {
            let message = format!("instance {instance} is member {id}, not {member}");
            return Err(Refusal::new(ErrorCode::FencedInstanceId, message));
        }
        Ok(known)
    }

    fn check_epoch(&self, known: &Member, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let fenced = |message| Err(Refusal::new(ErrorCode::FencedMemberEpoch, message));
        let standing = &known.standing;
        // The answer with the new epoch may have got lost: then the member holds nothing that is not its own.
        let lost_answer =
            || request.epoch == standing.previous_epoch && is_within(request.owned.as_deref(), &standing.assigned);
        if request.epoch != 0 && request.epoch != standing.epoch {
            let which = if request.epoch > standing.epoch { "ahead of" } else { "behind" };
            if request.epoch > standing.epoch || !lost_answer() {
                let (said, known) = (request.epoch, standing.epoch);
                return fenced(format!(
                    "epoch {said} is {which} the member's, {known}: give up all partitions, and join"
                ));
            }
        }
        let holds_nothing = request.owned.as_ref().is_some_and(Vec::is_empty);
        if standing.state == MemberState::Unknown && !holds_nothing {
            return fenced(
                "the member is in a state that is not known here: give up all partitions, and join".to_owned(),
            );
        }
        Ok(())
    }

    /// Whether a pattern that nobody had yet is one.
    fn check_pattern(&self, known: Option<&Member>, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let Some(pattern) = request.regex.as_ref().filter(|pattern| !pattern.is_empty()) else { return Ok(()) };
        let had = known.and_then(|known| known.said.pattern());
        if had == Some(pattern) || self.subscribed.count_of(pattern) > 0 {
            return Ok(());
        }
        crate::subscription::check(pattern).map_err(|invalid| {
            Refusal::new(ErrorCode::InvalidRegularExpression, format!("{pattern} is no pattern: {invalid}"))
        })
    }

    /// Takes a heartbeat that was checked.
    pub(super) fn heartbeat(&mut self, turn: &mut Turn<'_>, request: &ConsumerHeartbeat) -> ConsumerBeat {
        let id: Arc<str> =
            if request.member.is_empty() { request.fresh.to_string().into() } else { request.member.clone() };
        if request.epoch == 0
            && let Some(former) = request.instance.as_ref().and_then(|instance| self.statics.get(instance)).cloned()
        {
            self.take_place(turn, &former, &id);
        }
        let before = self.members.get(&id).cloned().unwrap_or_default();
        let changed = self.update(turn, &id, &before.said, said_now(&before.said, request));
        self.assign_if_due(turn);
        self.reconcile(turn, &id, changed, request.owned.as_deref());
        self.heard_of(turn, &id);
        let standing = &self.members[&id].standing;
        let is_full = request.rebalance_timeout_ms != -1
            && (request.topics.is_some() || request.regex.is_some())
            && request.owned.is_some();
        let tell = request.epoch == 0 || is_full || before.standing.assigned != standing.assigned;
        ConsumerBeat {
            epoch: standing.epoch,
            heartbeat_interval: turn.settings.of_consumer(&self.id).heartbeat_interval,
            assignment: tell.then(|| told(&standing.assigned)),
            member: id,
        }
    }

    /// Takes over what a member says, and lets the group's epoch rise if that may change the assignment. Whether it reads
    /// something else than before.
    pub(super) fn update(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Arc<str>,
        before: &Subscription,
        said: Subscription,
    ) -> bool {
        let names_changed = said.topics != before.topics;
        let (pattern_before, pattern) = (before.pattern().cloned(), said.pattern().cloned());
        if said != *before || !self.members.contains_key(id) {
            self.remember(turn, ConsumerFact::Member(id.clone(), Some(said)));
        }
        let pattern_change = self.patterns_changed(turn, pattern_before.as_ref(), pattern.as_ref());
        let bump = names_changed || pattern_change.is_resolved;
        if bump {
            self.look_at_topics(turn, true);
        } else {
            self.look_at_topics_if_due(turn);
        }
        names_changed || pattern_change.is_other
    }

    /// Looks at the topics that are read if they may have changed, or were not looked at for long.
    pub(super) fn look_at_topics_if_due(&mut self, turn: &mut Turn<'_>) {
        if self.look_at_topics.is_none_or(|at| turn.now.instant >= at) {
            self.look_at_topics(turn, false);
        }
    }

    /// Lets the epoch rise if it must, or if the topics that are read are not what they were.
    pub(super) fn look_at_topics(&mut self, turn: &mut Turn<'_>, must: bool) {
        let metadata_hash = turn.topics.hash(self.subscribed.topics());
        if must || metadata_hash != self.epoch.metadata_hash {
            self.bump(turn, metadata_hash);
        }
        self.look_at_topics = Some(turn.now.instant + TOPICS_LOOKED_AT_EVERY);
        if self.has_partition_metadata {
            self.remember(turn, ConsumerFact::PartitionMetadata(false));
        }
    }

    pub(super) fn bump(&mut self, turn: &mut Turn<'_>, metadata_hash: i64) {
        let epoch = GroupEpoch { epoch: self.epoch.epoch.wrapping_add(1).max(1), metadata_hash };
        turn.tally.consumer_rebalances += 1;
        if sown::is(Bug::EpochNotRemembered) {
            return self.apply(&ConsumerFact::Epoch(Some(epoch)));
        }
        self.remember(turn, ConsumerFact::Epoch(Some(epoch)));
    }

    /// A static member comes back under a new id: it gets the place and the partitions of the former one.
    pub(super) fn take_place(&mut self, turn: &mut Turn<'_>, former: &Arc<str>, id: &Arc<str>) {
        let Member { said, standing } = self.members[former].clone();
        let target = self.targets.get(former).cloned().unwrap_or_default();
        self.remove(turn, former);
        self.cancel_timers(turn, former);
        self.remember(turn, ConsumerFact::Member(id.clone(), Some(said)));
        self.remember(turn, ConsumerFact::Target(id.clone(), Some(target)));
        let standing = Standing { epoch: 0, previous_epoch: 0, ..standing };
        self.remember(turn, ConsumerFact::Standing(id.clone(), Some(standing)));
    }
}

/// What a member says: what is in its heartbeat, and else what it said before.
fn said_now(before: &Subscription, request: &ConsumerHeartbeat) -> Subscription {
    let or_before = |now: &Option<Arc<str>>, before: &Option<Arc<str>>| now.clone().or_else(|| before.clone());
    let topics = request.topics.as_ref().map(|topics| topics.iter().cloned().collect::<BTreeSet<_>>());
    Subscription {
        instance: or_before(&request.instance, &before.instance),
        rack: or_before(&request.rack, &before.rack),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        topics: topics.filter(|topics| *topics != *before.topics).map_or_else(|| before.topics.clone(), Arc::new),
        regex: or_before(&request.regex, &before.regex),
        rebalance_timeout_ms: match request.rebalance_timeout_ms {
            -1 => before.rebalance_timeout_ms,
            timeout => timeout,
        },
        assignor: or_before(&request.assignor, &before.assignor),
        classic: None,
    }
}

/// Whether a member holds nothing but what it was given. One that does not say might.
fn is_within(owned: Option<&super::reconcile::Owned>, assigned: &Held) -> bool {
    owned.is_some_and(|owned| {
        owned.iter().all(|(topic, partitions)| {
            let assigned = assigned.get(topic);
            assigned.is_some_and(|assigned| partitions.iter().all(|partition| assigned.contains_key(partition)))
        })
    })
}

fn told(held: &Held) -> Vec<(Uuid, Vec<i32>)> {
    held.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
