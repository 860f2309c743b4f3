//! OffsetDelete, and offsets whose topics are gone.

use std::sync::Arc;

use ottla_types::{ErrorCode, Uuid};

use crate::fact::Fact;
use crate::group::Groups;
use crate::request::{OffsetDelete, Reply, RequestId};
use crate::turn::Turn;

/// Forgets offsets of topics that no member reads.
pub(crate) fn delete(groups: &mut Groups, turn: &mut Turn<'_>, id: RequestId, request: &OffsetDelete) {
    let Some(group) = groups.get(&request.group) else {
        return turn.reply(id, Reply::OffsetDelete(Err(ErrorCode::GroupIdNotFound)));
    };
    if !group.may_lose_offsets() {
        return turn.reply(id, Reply::OffsetDelete(Err(ErrorCode::NonEmptyGroup)));
    }
    let mut errors = Vec::new();
    for (topic, partitions) in &request.topics {
        let is_read = group.reads(topic);
        for &partition in partitions {
            errors.push(if is_read { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None });
            if !is_read && group.offsets.get(topic, partition).is_some() {
                let (group, topic) = (request.group.clone(), topic.clone());
                turn.tally.offsets_deleted += 1;
                turn.remember(Fact::Offset { group, topic, partition, value: None });
            }
        }
    }
    turn.reply_when_committed(id, Reply::OffsetDelete(Ok(errors)));
}

/// Forgets what was committed for topics that are gone; of one that is there again only what is of the former.
pub(crate) fn topics_deleted(groups: &Groups, turn: &mut Turn<'_>, topics: &[(Arc<str>, Uuid)]) {
    for (id, group) in groups {
        for (topic, topic_id) in topics {
            for (partition, known) in group.offsets.of(topic) {
                if known.topic_id.is_zero() || known.topic_id == *topic_id {
                    let (group, topic) = (id.clone(), topic.clone());
                    turn.tally.offsets_deleted += 1;
                    turn.remember(Fact::Offset { group, topic, partition, value: None });
                }
            }
        }
    }
}
