//! `OffsetDelete` (key 47): forgets how far a group is in partitions that nobody of it reads (KIP-496).
//!
//! Errors: GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, NON_EMPTY_GROUP for members that are no consumers; by partition
//! UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC; NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.

use ottla_coordinator::{OffsetDelete, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_types::{ErrorCode, PartitionIndex};

use super::Api;
use super::outcomes::Outcomes;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::OffsetDelete,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: OffsetDeleteRequest) -> OffsetDeleteResponse {
    if body.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    let image = node.image();
    let mut outcomes = Outcomes::new();
    let mut asked = Vec::new();
    for topic in body.topics {
        let found = image.topic_by_name(&topic.name);
        let exists = |index| found.is_some_and(|topic| topic.partition(PartitionIndex(index)).is_some());
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let (known, missing): (Vec<_>, Vec<_>) = indexes.partition(|index| exists(*index));
        if found.is_none() || !missing.is_empty() {
            let missing = missing.into_iter().map(|index| (index, ErrorCode::UnknownTopicOrPartition));
            outcomes.topic(&topic.name).extend(missing);
        }
        if !known.is_empty() {
            asked.push((topic.name, known));
        }
    }
    let topics = asked.iter().map(|(name, indexes)| (name.as_str().into(), indexes.clone())).collect();
    let ask = Ask::OffsetDelete(OffsetDelete { group: body.group_id.as_str().into(), topics });
    let mut errors = match node.groups.ask(&body.group_id, ask).await {
        Ok(Reply::OffsetDelete(Ok(errors))) => errors.into_iter(),
        Ok(Reply::OffsetDelete(Err(error))) | Err(error) => return refused(error),
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
    };
    let mut next = || errors.next().expect("the coordinator answers for each partition");
    let decided = asked.into_iter().map(|(name, indexes)| (name, indexes.into_iter().map(|at| (at, next())).collect()));
    let partition = |(partition_index, error): (i32, ErrorCode)| OffsetDeleteResponsePartition {
        partition_index,
        error_code: error.raw(),
    };
    let topics = outcomes.with(decided.collect()).into_iter().map(|(name, partitions)| OffsetDeleteResponseTopic {
        name,
        partitions: partitions.into_iter().map(partition).collect(),
    });
    OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
}

fn refused(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.raw(), ..OffsetDeleteResponse::default() }
}
