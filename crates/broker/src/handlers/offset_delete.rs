//! `OffsetDelete` (key 47): forgets how far a group is in partitions that nobody of it reads (KIP-496).
//!
//! Errors: GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, NON_EMPTY_GROUP for members that are no consumers; by partition
//! UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC.

use std::collections::VecDeque;

use ottla_coordinator::{OffsetDelete, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_types::{ErrorCode, PartitionIndex};

use super::Api;
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
    let exists = |topic: &str, index: i32| {
        image.topic_by_name(topic).is_some_and(|topic| topic.partition(PartitionIndex(index)).is_some())
    };
    let known = |topic: &ottla_protocol::offset_delete::OffsetDeleteRequestTopic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.name.as_str().into(), indexes.filter(|index| exists(&topic.name, *index)).collect())
    };
    let topics: Vec<_> = body.topics.iter().map(known).collect();
    let ask = Ask::OffsetDelete(OffsetDelete { group: body.group_id.as_str().into(), topics });
    let mut errors: VecDeque<_> = match node.groups.ask(&body.group_id, ask).await {
        Ok(Reply::OffsetDelete(Ok(errors))) => errors.into(),
        Ok(Reply::OffsetDelete(Err(error))) | Err(error) => return refused(error),
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
    };
    let mut topics = Vec::new();
    for topic in body.topics {
        let mut partitions = Vec::new();
        for partition in topic.partitions {
            let is_known = exists(&topic.name, partition.partition_index);
            let error = if is_known { errors.pop_front() } else { Some(ErrorCode::UnknownTopicOrPartition) };
            partitions.push(OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: error.unwrap_or(ErrorCode::UnknownServerError).raw(),
            });
        }
        topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions });
    }
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}

fn refused(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.raw(), ..OffsetDeleteResponse::default() }
}
