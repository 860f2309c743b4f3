//! `OffsetCommit` (key 8): remembers how far a group is.
//!
//! - v0: without membership. v1: generation, member, and the time of each commit. v2 to v4: a retention in place of it.
//! - v3, v4: throttle time. v5: the broker's retention rules. v6: leader epochs (KIP-320). v7: static members (KIP-345).
//! - v8: flexible. v9: members of the new protocol (KIP-848), and GROUP_ID_NOT_FOUND. v10: topics by id.
//!
//! Version 0 once meant ZooKeeper; here it is kept as all others are. Errors by partition: UNKNOWN_TOPIC_OR_PARTITION,
//! UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE, and what [`ottla_coordinator`]'s module `offsets` tells; of the
//! coordinator's: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.

use std::collections::VecDeque;
use std::time::Duration;

use ottla_coordinator::{CommitPartition, CommitTopic, OffsetCommit, Reply, Request as Ask};
use ottla_metadata::Image;
use ottla_protocol::ApiKey;
use ottla_protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use ottla_types::{ErrorCode, PartitionIndex};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::OffsetCommit,
    served: 0..=10,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: OffsetCommitRequest, version: i16) -> OffsetCommitResponse {
    if body.group_id.is_empty() && version >= 1 && body.generation_id_or_member_epoch >= 0 {
        return answer(body, &mut |_| ErrorCode::InvalidGroupId);
    }
    let image = node.image();
    // What is wrong with each partition before anybody is asked, in the request's order.
    let mut known = Vec::new();
    let mut topics = Vec::new();
    for topic in &body.topics {
        let (name, faults) = look_up(&image, topic, version);
        let partitions = topic.partitions.iter().zip(&faults).filter(|(_, fault)| **fault == ErrorCode::None);
        let partitions: Vec<_> = partitions
            .map(|(partition, _)| CommitPartition {
                index: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.clone().unwrap_or_default().into(),
            })
            .collect();
        if !partitions.is_empty() {
            topics.push(CommitTopic { name: name.into(), id: topic.topic_id, partitions });
        }
        known.extend(faults);
    }
    let mut decided: VecDeque<ErrorCode> = VecDeque::new();
    let mut refused = None;
    if !topics.is_empty() {
        let retention = u64::try_from(body.retention_time_ms).ok().map(Duration::from_millis);
        let ask = OffsetCommit {
            group: body.group_id.as_str().into(),
            generation: body.generation_id_or_member_epoch,
            member: body.member_id.as_str().into(),
            instance: body.group_instance_id.as_deref().map(Into::into),
            knows_missing_groups: version >= 9,
            retention,
            topics,
        };
        match node.groups.ask(&body.group_id, Ask::OffsetCommit(ask)).await {
            Ok(Reply::OffsetCommit(Ok(errors))) => decided.extend(errors),
            Ok(Reply::OffsetCommit(Err(error))) | Err(error) => refused = Some(error),
            Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        }
    }
    answer(body, &mut |place| match known[place] {
        ErrorCode::None => refused.or_else(|| decided.pop_front()).unwrap_or(ErrorCode::UnknownServerError),
        fault => fault,
    })
}

/// The topic's name, and what is wrong with each of its partitions.
fn look_up(image: &Image, topic: &OffsetCommitRequestTopic, version: i16) -> (String, Vec<ErrorCode>) {
    let found = if version >= 10 { image.topic_by_id(topic.topic_id) } else { image.topic_by_name(&topic.name) };
    let missing = if version >= 10 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let name = found.map_or_else(String::new, |found| found.name.to_string());
    let fault = |index: i32| match found {
        None => missing,
        Some(found) if found.partition(PartitionIndex(index)).is_none() => ErrorCode::UnknownTopicOrPartition,
        Some(_) => ErrorCode::None,
    };
    (name, topic.partitions.iter().map(|partition| fault(partition.partition_index)).collect())
}

/// The request's topics and partitions with what `error` says of each, by its place among all.
fn answer(body: OffsetCommitRequest, error: &mut dyn FnMut(usize) -> ErrorCode) -> OffsetCommitResponse {
    let mut places = 0..;
    let mut next = || error(places.next().expect("there is no last one"));
    let topics = body.topics.into_iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: next().raw(),
            })
            .collect(),
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}
