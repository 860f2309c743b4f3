//! ListGroups, DescribeGroups and DeleteGroups: the groups of a shard as tools see them.

use std::sync::Arc;

use ottla_types::ErrorCode;

use crate::fact::Fact;
use crate::group::Groups;
use crate::request::{ListGroups, Reply, RequestId};
use crate::turn::Turn;

/// The groups that match, by their ids.
pub(crate) fn list(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, request: &ListGroups) {
    let is_one_of = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
    };
    let listed = groups.values().map(|group| group.classic.listed());
    let listed =
        listed.filter(|group| is_one_of(&request.states, group.state) && is_one_of(&request.types, group.kind));
    turn.reply_when_committed(id, Reply::ListGroups(Ok(listed.collect())));
}

/// What a group is.
pub(crate) fn describe(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, group: &Arc<str>) {
    let described = groups.get(group).map(|group| group.classic.described());
    turn.reply_when_committed(id, Reply::DescribeGroup(described.ok_or(ErrorCode::GroupIdNotFound)));
}

/// Forgets a group without members, with its offsets.
pub(crate) fn delete(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, group: &Arc<str>) {
    let Some(known) = groups.get(group) else {
        return turn.reply(id, Reply::DeleteGroup(ErrorCode::GroupIdNotFound));
    };
    if !known.classic.is_forgotten() {
        return turn.reply(id, Reply::DeleteGroup(ErrorCode::NonEmptyGroup));
    }
    for (topic, partition, _) in known.offsets.iter() {
        turn.remember(Fact::Offset { group: group.clone(), topic: topic.clone(), partition, value: None });
    }
    turn.remember(Fact::ClassicGroup { group: group.clone(), value: None });
    turn.reply_when_committed(id, Reply::DeleteGroup(ErrorCode::None));
}
