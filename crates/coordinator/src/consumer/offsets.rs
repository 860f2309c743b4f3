//! What a consumer group has to say about its offsets: who may commit and fetch them, which are in use.

use ottla_types::ErrorCode;

use super::ConsumerGroup;
use super::member::Member;
use crate::request::OffsetCommit;
use crate::turn::Turn;

impl ConsumerGroup {
    /// Whether a commit is legal: the member's epoch is the current one, or it has every partition since that epoch or
    /// before, so that nobody else has read there since (KIP-1251).
    pub(crate) fn check_commit(&self, turn: &Turn<'_>, request: &OffsetCommit) -> Result<(), ErrorCode> {
        if request.generation < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.members.get(&request.member).ok_or(ErrorCode::UnknownMemberId)?;
        // Older clients do not know the errors that they might have to be told.
        if member.said.classic.is_none() && !request.knows_missing_groups {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let epoch = member.standing.epoch;
        if request.generation == epoch {
            return Ok(());
        }
        if request.generation > epoch {
            return Err(stale(member));
        }
        for topic in &request.topics {
            let id = if topic.id.is_zero() { turn.topics.id_of(&topic.name).unwrap_or_default() } else { topic.id };
            // What is too long is refused by itself.
            let sound = topic.partitions.iter().filter(|partition| !partition.is_too_long(turn.settings));
            for partition in sound {
                let since = member.standing.holds_since(id, partition.index);
                if since.is_none_or(|since| request.generation < since) {
                    return Err(stale(member));
                }
            }
        }
        Ok(())
    }

    /// Whether a member may ask for offsets. Whoever says nothing about itself may.
    pub(crate) fn check_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let known = member.and_then(|member| self.members.get(member)).ok_or(ErrorCode::UnknownMemberId)?;
        if known.standing.epoch == epoch { Ok(()) } else { Err(stale(known)) }
    }

    /// Whether a member reads the topic.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.subscribed.has(topic)
    }
}

const fn stale(member: &Member) -> ErrorCode {
    match member.said.classic {
        None => ErrorCode::StaleMemberEpoch,
        Some(_) => ErrorCode::IllegalGeneration,
    }
}
