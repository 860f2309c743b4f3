//! Groups that turn from one protocol into the other while they have members (KIP-848).
//!
//! A classic group of consumers becomes a consumer group when the first member of the new kind joins: its members stay,
//! each with what it was assigned, and are led on from there. A consumer group becomes a classic one when its last member of
//! the new kind goes, or comes back as one of the old kind. `group.consumer.migration.policy` says which of both may happen.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::{ErrorCode, Timestamp};

use super::fact::{ConsumerFact, GroupEpoch, TargetEpoch, held_since};
use super::member::{ClassicMember, Member, MemberState, Standing, Subscription};
use super::{ConsumerGroup, Refusal, embedded};
use crate::assignors::TopicsView as _;
use crate::classic::{ClassicConsumer, ClassicGroup};
use crate::fact::Fact;
use crate::group::{Group, Kind};
use crate::sown::{self, Bug};
use crate::turn::Turn;

/// The consumer group that a classic one becomes, and the facts that make it so. Nothing is changed yet.
pub(super) fn upgraded(
    turn: &Turn<'_>,
    id: &Arc<str>,
    classic: &ClassicGroup,
) -> Result<(ConsumerGroup, Vec<Fact>), Refusal> {
    let refuse = |why: String| {
        let message = format!("group {id} speaks the classic protocol and cannot become a consumer group: {why}");
        Refusal::new(ErrorCode::GroupIdNotFound, message)
    };
    if !turn.settings.migration.allows_upgrade() {
        return Err(refuse("group.consumer.migration.policy does not allow it".to_owned()));
    }
    if !classic.is_of_consumers() {
        return Err(refuse("its members are no consumers".to_owned()));
    }
    if classic.count() > turn.settings.consumer_members_max {
        let max = turn.settings.consumer_members_max;
        return Err(refuse(format!("it has {} members, and {max} are allowed", classic.count())));
    }
    let epoch = classic.generation();
    let (mut said, mut targets, mut standings) = (Vec::new(), Vec::new(), Vec::new());
    for (consumer, metadata, assignment) in classic.consumers().skip(usize::from(sown::is(Bug::MemberForgotten))) {
        let says = embedded::says(turn.topics, &metadata);
        let says = says.map_err(|error| refuse(format!("what a member says cannot be read: {error}")))?;
        let assigned = embedded::assigned(turn.topics, &assignment).map_err(|strange| match strange {
            embedded::Strange::Malformed(error) => refuse(format!("what a member is assigned cannot be read: {error}")),
            embedded::Strange::UserData => refuse("an assignor of its own is at work".to_owned()),
        })?;
        let standing = Standing {
            epoch,
            previous_epoch: epoch,
            state: MemberState::Stable,
            assigned: held_since(&assigned, epoch),
            ..Standing::default()
        };
        let id = consumer.id.clone();
        said.push(ConsumerFact::Member(id.clone(), Some(subscription(consumer, says))));
        targets.push(ConsumerFact::Target(id.clone(), Some(Arc::new(assigned))));
        standings.push(ConsumerFact::Standing(id, Some(standing)));
    }
    let mut group = ConsumerGroup::new(id.clone());
    said.iter().for_each(|fact| group.apply(fact));
    let metadata_hash = turn.topics.hash(group.subscribed.topics());
    let mut facts = said;
    facts.push(ConsumerFact::Epoch(Some(GroupEpoch { epoch, metadata_hash })));
    facts.extend(targets);
    facts.push(ConsumerFact::TargetEpoch(Some(TargetEpoch { epoch, assigned_at: Timestamp(0) })));
    facts.extend(standings);
    // Those of what the members said were folded in for the topics; once more changes nothing.
    facts.iter().for_each(|fact| group.apply(fact));
    let tombstone = Fact::ClassicGroup { group: id.clone(), value: None };
    let facts = facts.into_iter().map(|fact| Fact::Consumer { group: id.clone(), fact });
    Ok((group, std::iter::once(tombstone).chain(facts).collect()))
}

/// What a consumer of the classic protocol says, as a member of a consumer group.
fn subscription(consumer: ClassicConsumer, says: embedded::Says) -> Subscription {
    Subscription {
        instance: consumer.instance,
        rack: says.rack,
        client_id: consumer.client_id,
        client_host: consumer.client_host,
        topics: says.topics,
        rebalance_timeout_ms: millis(consumer.rebalance_timeout),
        classic: Some(ClassicMember {
            session_timeout_ms: millis(consumer.session_timeout),
            protocols: consumer.protocols,
        }),
        ..Subscription::default()
    }
}

pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

impl ConsumerGroup {
    /// The group was a classic one: its members have their own sessions.
    pub(super) fn upgraded(&self, turn: &mut Turn<'_>) {
        for (id, member) in &self.members {
            if let Some(classic) = &member.said.classic {
                self.classic_heard_of(turn, id, classic);
            }
        }
    }

    /// Whether every partition that is read is somebody's: the leader may not have seen that a topic grew.
    pub(super) fn has_all_partitions(&self, turn: &Turn<'_>) -> bool {
        let mut topics = self.subscribed.topics().filter_map(|name| turn.topics.id_of(name));
        topics.all(|topic| {
            let owned = self.owners.get(&topic).map_or(0, |owners| owners.len());
            turn.topics.partitions(topic).is_none_or(|count| i32::try_from(owned) == Ok(count))
        })
    }

    /// Whether the group is to become a classic one once `leaving` are gone: others remain, and all speak the classic
    /// protocol.
    pub(super) fn may_downgrade(&self, turn: &Turn<'_>, leaving: &[Arc<str>]) -> bool {
        let remaining = self.members.iter().filter(|(id, _)| !leaving.contains(id));
        let (mut count, mut is_classic) = (0, true);
        for (_, member) in remaining {
            count += 1;
            is_classic &= member.said.classic.is_some();
        }
        is_classic
            && count > 0
            && turn.settings.migration.allows_downgrade()
            && count <= turn.settings.classic_members_max
    }
}

/// Turns a consumer group into a classic one of those members that are not `leaving`, all of whom speak the classic
/// protocol. With `is_round` they have to join anew.
pub(super) fn downgrade(group: &mut Group, turn: &mut Turn<'_>, leaving: &[Arc<str>], is_round: bool) {
    let Kind::Consumer(consumer) = &mut group.kind else { return };
    consumer.forget(turn);
    for id in consumer.members.keys() {
        consumer.cancel_timers(turn, id);
    }
    let classic = |(id, member): (&Arc<str>, &Member)| {
        let classic = member.said.classic.as_ref().filter(|_| !leaving.contains(id))?;
        let timeout = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        Some(ClassicConsumer {
            id: id.clone(),
            instance: member.said.instance.clone(),
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            session_timeout: timeout(classic.session_timeout_ms),
            rebalance_timeout: timeout(member.said.rebalance_timeout_ms),
            protocols: classic.protocols.clone(),
        })
    };
    let members = consumer.members.iter().filter_map(classic).collect();
    let (targets, topics, epoch) = (&consumer.targets, turn.topics, consumer.epoch.epoch);
    let mut classic = ClassicGroup::from_consumers(consumer.id.clone(), turn, epoch, members, |id, metadata| {
        embedded::written(topics, targets.get(id).iter().flat_map(|target| target.iter()), metadata)
    });
    if is_round {
        classic.begin_remembered_round(turn);
    } else {
        turn.remember(classic.picture());
    }
    group.kind = Kind::Classic(Box::new(classic));
}
