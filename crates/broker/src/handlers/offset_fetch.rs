//! `OffsetFetch` (key 9): how far groups are.
//!
//! - v1: from the topic of groups; v0 once meant ZooKeeper, and is answered as v1. v2: null asks for all there is.
//! - v3, v4: throttle time. v5: leader epochs (KIP-320). v6: flexible. v7: stable offsets only (KIP-447).
//! - v8: several groups (KIP-709). v9: members of the new protocol (KIP-848). v10: topics by id.
//!
//! What is told is safe. A group that is not there, and a partition without an offset, have −1. Errors by group:
//! NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, of members of the new protocol UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH; by
//! partition UNKNOWN_TOPIC_ID.

use ottla_coordinator::{FetchedOffset, FetchedTopic, OffsetFetch, Reply, Request as Ask, WantedTopic};
use ottla_metadata::Image;
use ottla_protocol::ApiKey;
use ottla_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use ottla_types::{ErrorCode, Uuid};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::OffsetFetch,
    served: 0..=10,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    if version >= 8 {
        let mut groups = Vec::new();
        for group in body.groups {
            groups.push(fetch(node, group, version).await);
        }
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let topics = body.topics.map(|topics| {
        let topic = |topic: ottla_protocol::offset_fetch::OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
        topics.into_iter().map(topic).collect()
    });
    let group = OffsetFetchRequestGroup { group_id: body.group_id, topics, ..OffsetFetchRequestGroup::default() };
    let fetched = fetch(node, group, version).await;
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    };
    OffsetFetchResponse {
        topics: fetched.topics.into_iter().map(topic).collect(),
        error_code: fetched.error_code,
        ..OffsetFetchResponse::default()
    }
}

async fn fetch(node: &Node, group: OffsetFetchRequestGroup, version: i16) -> OffsetFetchResponseGroup {
    let image = node.image();
    let wanted = group.topics.as_ref().map(|topics| topics.iter().map(|topic| wanted(&image, topic)).collect());
    let ask = Ask::OffsetFetch(OffsetFetch {
        group: group.group_id.as_str().into(),
        member: group.member_id.as_deref().map(Into::into),
        epoch: group.member_epoch,
        topics: wanted,
    });
    let fetched = match node.groups.ask(&group.group_id, ask).await {
        Ok(Reply::OffsetFetch(fetched)) => fetched,
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        Err(error) => Err(error),
    };
    let OffsetFetchRequestGroup { group_id, topics: asked, .. } = group;
    match fetched {
        Ok(topics) => OffsetFetchResponseGroup {
            group_id,
            topics: topics.into_iter().map(|topic| told(&image, topic, version)).collect(),
            error_code: ErrorCode::None.raw(),
        },
        // Before version 2 there is no place for an error but at the partitions.
        Err(error) => {
            let topics = if version < 2 { asked.unwrap_or_default() } else { Vec::new() };
            OffsetFetchResponseGroup {
                group_id,
                topics: topics.into_iter().map(|topic| refused(topic, error)).collect(),
                error_code: error.raw(),
            }
        }
    }
}

fn wanted(image: &Image, topic: &OffsetFetchRequestTopics) -> WantedTopic {
    let name = if topic.topic_id.is_zero() {
        topic.name.clone()
    } else {
        image.topic_by_id(topic.topic_id).map_or_else(String::new, |found| found.name.to_string())
    };
    WantedTopic { name: name.into(), id: topic.topic_id, partitions: topic.partition_indexes.clone() }
}

fn told(image: &Image, topic: FetchedTopic, version: i16) -> OffsetFetchResponseTopics {
    // What was asked for by an id has no name unless the id is known.
    let is_unknown = if topic.id.is_zero() { topic.name.is_empty() } else { image.topic_by_id(topic.id).is_none() };
    let is_unknown = version >= 10 && is_unknown;
    let partition = |partition: FetchedOffset| OffsetFetchResponsePartitions {
        partition_index: partition.index,
        committed_offset: partition.offset,
        committed_leader_epoch: partition.leader_epoch,
        metadata: Some(partition.metadata.into()),
        error_code: if is_unknown { ErrorCode::UnknownTopicId } else { partition.error }.raw(),
    };
    let id_of = |name: &str| image.topic_by_name(name).map(|found| found.id);
    // All offsets of a group are found by name.
    let topic_id = if version >= 10 && topic.id.is_zero() { id_of(&topic.name).unwrap_or_default() } else { topic.id };
    OffsetFetchResponseTopics {
        name: topic.name.to_string(),
        topic_id,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}

fn refused(topic: OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics {
    let partition = |index| OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: error.raw(),
    };
    let partitions = topic.partition_indexes.into_iter().map(partition).collect();
    OffsetFetchResponseTopics { name: topic.name, topic_id: Uuid::default(), partitions }
}
