//! OffsetFetch: how far a group is.

use std::sync::Arc;

use ottla_types::ErrorCode;

use super::{CommittedOffset, Offsets};
use crate::group::Groups;
use crate::request::{FetchedOffset, FetchedTopic, OffsetFetch, Reply, RequestId, WantedTopic};
use crate::turn::Turn;

/// Answers as soon as what is told is safe. A group that is not there has no offsets.
pub(crate) fn fetch(groups: &Groups, turn: &mut Turn<'_>, id: RequestId, request: OffsetFetch) {
    if let Some(Err(error)) = groups.get(&request.group).map(|group| group.check_fetch(&request)) {
        return turn.reply(id, Reply::OffsetFetch(Err(error)));
    }
    let nothing = Offsets::default();
    let offsets = groups.get(&request.group).map_or(&nothing, |group| &group.offsets);
    let topics = match request.topics {
        Some(wanted) => wanted.iter().map(|topic| some(offsets, topic)).collect(),
        None => offsets.topics().map(|topic| all(offsets, topic)).collect(),
    };
    turn.reply_when_committed(id, Reply::OffsetFetch(Ok(topics)));
}

fn some(offsets: &Offsets, wanted: &WantedTopic) -> FetchedTopic {
    let partition = |index: &i32| {
        let known = offsets.get(&wanted.name, *index);
        // An offset of a topic that had this name before says nothing about this one.
        let is_other =
            |known: &CommittedOffset| !known.topic_id.is_zero() && !wanted.id.is_zero() && known.topic_id != wanted.id;
        FetchedOffset::new(*index, known.filter(|known| !is_other(known)))
    };
    FetchedTopic {
        name: wanted.name.clone(),
        id: wanted.id,
        partitions: wanted.partitions.iter().map(partition).collect(),
    }
}

fn all(offsets: &Offsets, topic: &Arc<str>) -> FetchedTopic {
    let partitions = offsets.of(topic).map(|(index, known)| FetchedOffset::new(index, Some(known))).collect();
    FetchedTopic { name: topic.clone(), id: ottla_types::Uuid::default(), partitions }
}

impl FetchedOffset {
    /// What is told of a partition; without an offset, that there is none.
    fn new(index: i32, known: Option<&CommittedOffset>) -> Self {
        Self {
            index,
            error: ErrorCode::None,
            offset: known.map_or(-1, |known| known.offset.0),
            leader_epoch: known.map_or(-1, |known| known.leader_epoch.0),
            metadata: known.map(|known| known.metadata.clone()).unwrap_or_default(),
        }
    }
}
