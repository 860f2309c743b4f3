//! `OffsetCommit` (key 8): remembers how far a group is.
//!
//! - v0: without membership. v1: generation, member, and the time of each commit. v2 to v4: a retention in place of it.
//! - v3, v4: throttle time. v5: the broker's retention rules. v6: leader epochs (KIP-320). v7: static members (KIP-345).
//! - v8: flexible. v9: members of the new protocol (KIP-848), and GROUP_ID_NOT_FOUND. v10: topics by id.
//!
//! Version 0 once meant ZooKeeper; here it is kept as all others are. Errors by partition: UNKNOWN_TOPIC_OR_PARTITION,
//! UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE; for all that exist: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, and of
//! who commits UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS, GROUP_ID_NOT_FOUND, in a
//! group of the new protocol STALE_MEMBER_EPOCH, and UNSUPPORTED_VERSION below v9; INVALID_COMMIT_OFFSET_SIZE of more than
//! a batch can hold.

use std::collections::VecDeque;
use std::time::Duration;

use ottla_coordinator::{CommitPartition, CommitTopic, OffsetCommit, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_types::{ErrorCode, PartitionIndex, Uuid};

use super::Api;
use super::outcomes::{Outcomes, Partitions};
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
    let image = node.image();
    let mut outcomes = Outcomes::new();
    // What the coordinator is asked, beside what the request calls the topic.
    let (mut named, mut topics) = (Vec::new(), Vec::new());
    for topic in body.topics {
        let key = (topic.topic_id, topic.name);
        let found = if version >= 10 { image.topic_by_id(key.0) } else { image.topic_by_name(&key.1) };
        let Some(found) = found else {
            let missing = if version >= 10 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
            let indexes = topic.partitions.iter().map(|partition| (partition.partition_index, missing));
            outcomes.topic(&key).extend(indexes);
            continue;
        };
        let mut partitions = Vec::new();
        for partition in topic.partitions {
            let index = partition.partition_index;
            if found.partition(PartitionIndex(index)).is_none() {
                outcomes.topic(&key).push((index, ErrorCode::UnknownTopicOrPartition));
                continue;
            }
            partitions.push(CommitPartition {
                index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.unwrap_or_default().into(),
            });
        }
        if !partitions.is_empty() {
            named.push((key, partitions.iter().map(|partition| partition.index).collect::<Vec<_>>()));
            topics.push(CommitTopic { name: found.name.to_string().into(), id: found.id, partitions });
        }
    }
    let mut errors = Ok(VecDeque::new());
    if !topics.is_empty() {
        let retention = u64::try_from(body.retention_time_ms).ok().map(Duration::from_millis);
        let ask = OffsetCommit {
            group: body.group_id.as_str().into(),
            generation: body.generation_id_or_member_epoch,
            member: body.member_id.into(),
            instance: body.group_instance_id.map(Into::into),
            knows_missing_groups: version >= 9,
            retention,
            topics,
        };
        errors = match node.groups.ask(&body.group_id, Ask::OffsetCommit(ask)).await {
            Ok(Reply::OffsetCommit(errors)) => errors.map(VecDeque::from),
            Err(error) => Err(error),
            Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        };
    }
    let mut next = || match &mut errors {
        Ok(errors) => errors.pop_front().expect("the coordinator answers for each partition"),
        Err(error) => *error,
    };
    let decided = named.into_iter().map(|(key, indexes)| (key, indexes.into_iter().map(|at| (at, next())).collect()));
    answer(outcomes.with(decided.collect()))
}

fn answer(topics: Vec<((Uuid, String), Partitions)>) -> OffsetCommitResponse {
    let partition = |(partition_index, error): (i32, ErrorCode)| OffsetCommitResponsePartition {
        partition_index,
        error_code: error.raw(),
    };
    let topics = topics.into_iter().map(|((topic_id, name), partitions)| OffsetCommitResponseTopic {
        name,
        topic_id,
        partitions: partitions.into_iter().map(partition).collect(),
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}
