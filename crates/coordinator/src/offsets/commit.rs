//! OffsetCommit: who may commit, and what is kept.

use ottla_types::{ErrorCode, LeaderEpoch, Offset, Timestamp};

use super::CommittedOffset;
use crate::fact::Fact;
use crate::group::Groups;
use crate::request::{OffsetCommit, Reply, RequestId};
use crate::turn::Turn;

/// Remembers offsets, and answers when they are safe.
pub(crate) fn commit(groups: &mut Groups, turn: &mut Turn<'_>, id: RequestId, request: OffsetCommit) {
    match decide(groups, turn, request) {
        Err(error) => turn.reply(id, Reply::OffsetCommit(Err(error))),
        Ok(errors) => turn.reply_when_committed(id, Reply::OffsetCommit(Ok(errors))),
    }
}

fn decide(groups: &mut Groups, turn: &mut Turn<'_>, request: OffsetCommit) -> Result<Vec<ErrorCode>, ErrorCode> {
    match groups.get_mut(&request.group) {
        Some(group) => group.check_commit(turn, &request)?,
        // A consumer that is told its partitions, or a tool.
        None if request.generation < 0 => {}
        None if request.knows_missing_groups => return Err(ErrorCode::GroupIdNotFound),
        None => return Err(ErrorCode::IllegalGeneration),
    }
    let now = turn.now.date;
    let expires_at = request.retention.map_or(Timestamp::NONE, |retention| {
        Timestamp(now.0.saturating_add(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX)))
    });
    let (mut errors, mut facts) = (Vec::new(), Vec::new());
    for topic in request.topics {
        for partition in topic.partitions {
            if partition.is_too_long(turn.settings) {
                errors.push(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
            errors.push(ErrorCode::None);
            let value = CommittedOffset {
                offset: Offset(partition.offset),
                leader_epoch: LeaderEpoch(partition.leader_epoch),
                metadata: partition.metadata,
                committed_at: now,
                expires_at,
                topic_id: topic.id,
            };
            facts.push(Fact::Offset {
                group: request.group.clone(),
                topic: topic.name.clone(),
                partition: partition.index,
                value: Some(value),
            });
        }
    }
    if facts.iter().map(Fact::size_at_most).sum::<usize>() > turn.settings.append_bytes_max {
        return Err(ErrorCode::InvalidCommitOffsetSize);
    }
    turn.tally.offsets_committed += facts.len() as u64;
    facts.into_iter().for_each(|fact| turn.remember(fact));
    Ok(errors)
}
