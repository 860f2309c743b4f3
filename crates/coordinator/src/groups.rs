//! ListGroups, DescribeGroups and DeleteGroups: the groups of a shard as tools see them.

use std::sync::Arc;

use ottla_types::ErrorCode;

use crate::consumer::Refusal;
use crate::fact::Fact;
use crate::group::{Group, Groups, Kind};
use crate::request::{ListGroups, Reply, RequestId};
use crate::turn::Turn;

/// The groups that match, by their ids.
pub(crate) fn list(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, request: &ListGroups) {
    let is_one_of = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
    };
    let listed = groups.values().map(Group::listed);
    let listed =
        listed.filter(|group| is_one_of(&request.states, group.state) && is_one_of(&request.types, group.kind));
    turn.reply_when_committed(id, Reply::ListGroups(Ok(listed.collect())));
}

/// What a group is.
pub(crate) fn describe(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, group: &Arc<str>) {
    let described = match groups.get(group).map(|group| &group.kind) {
        Some(Kind::Classic(group)) => Ok(group.described()),
        // Of the other kind there is another request.
        Some(Kind::Consumer(_)) | None => Err(ErrorCode::GroupIdNotFound),
    };
    turn.reply_when_committed(id, Reply::DescribeGroup(described));
}

/// What a group of the consumer protocol is.
pub(crate) fn describe_consumer(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, group: &Arc<str>) {
    // Kafka's words: its tools print them.
    let described = match groups.get(group).map(|group| &group.kind) {
        Some(Kind::Consumer(group)) => Ok(group.described(turn)),
        Some(Kind::Classic(_)) => Err(format!("Group {group} is not a consumer group.")),
        None => Err(format!("Group {group} not found.")),
    };
    let described = described.map_err(|message| Refusal { error: ErrorCode::GroupIdNotFound, message });
    turn.reply_when_committed(id, Reply::DescribeConsumerGroup(described));
}

/// Forgets a group without members, with its offsets.
pub(crate) fn delete(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, group: &Arc<str>) {
    let Some(known) = groups.get(group) else {
        return turn.reply(id, Reply::DeleteGroup(ErrorCode::GroupIdNotFound));
    };
    if !known.is_forgotten() {
        return turn.reply(id, Reply::DeleteGroup(ErrorCode::NonEmptyGroup));
    }
    for (topic, partition, _) in known.offsets.iter() {
        turn.tally.offsets_deleted += 1;
        turn.remember(Fact::Offset { group: group.clone(), topic: topic.clone(), partition, value: None });
    }
    known.forget(turn, group);
    turn.reply_when_committed(id, Reply::DeleteGroup(ErrorCode::None));
}
