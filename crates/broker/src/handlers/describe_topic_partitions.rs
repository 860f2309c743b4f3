//! `DescribeTopicPartitions` (key 75): topics and their partitions, page by page (KIP-966).
//!
//! v0 only. Topics come in the order of their names; a page ends after as many partitions as the client or
//! `max.request.partition.size.limit` allows, and says where the next begins. Eligible leader replicas are always none.
//!
//! Errors by topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION; INVALID_REQUEST for a cursor whose topic is not
//! among those asked for or whose partition is negative.

use std::collections::BTreeSet;

use ottla_metadata::Topic;
use ottla_protocol::ApiKey;
use ottla_protocol::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use ottla_types::{ErrorCode, TopicName, Uuid};

use super::Api;
use super::seen::{OPERATIONS_NOT_ASKED, Seen, TOPIC_OPERATIONS, is_internal, raw};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeTopicPartitions,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body, &request.listener))
        })
    },
};

type Response = DescribeTopicPartitionsResponse;
type ResponseTopic = DescribeTopicPartitionsResponseTopic;

fn handle(node: &Node, body: &DescribeTopicPartitionsRequest, listener: &str) -> Response {
    let image = node.image();
    let all = body.topics.is_empty();
    let named = |name: &str| body.topics.iter().any(|topic| topic.name == name);
    if body.cursor.as_ref().is_some_and(|at| at.partition_index < 0 || !all && !named(&at.topic_name)) {
        return refused(body);
    }
    let (from, first) = body.cursor.as_ref().map_or(("", 0), |at| (at.topic_name.as_str(), at.partition_index));
    let names: BTreeSet<&str> = if all {
        image.topics().map(|topic| topic.name.as_str()).filter(|name| *name >= from).collect()
    } else {
        body.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from).collect()
    };
    let limit = body.response_partition_limit.clamp(1, node.config().partitions_described_max);
    let mut page = Page {
        seen: Seen { image: &image, listener },
        room: usize::try_from(limit).expect("at least 1"),
        answer: Response::default(),
    };
    for name in names {
        let first = if name == from { usize::try_from(first).expect("checked above") } else { 0 };
        if !page.add(name, first) {
            break;
        }
    }
    page.answer
}

/// What is answered, as it grows.
struct Page<'a> {
    seen: Seen<'a>,
    /// How many more partitions have room.
    room: usize,
    answer: Response,
}

impl Page<'_> {
    /// Adds the partitions of a topic, from `first` on. Whether another topic may follow.
    fn add(&mut self, name: &str, first: usize) -> bool {
        if self.room == 0 {
            return self.end(name, 0);
        }
        let Some(topic) = self.seen.image.topic_by_name(name) else {
            self.answer.topics.push(unknown(name));
            return true;
        };
        let partitions = self.partitions(topic, first);
        let next = first.saturating_add(self.room);
        self.room -= partitions.len();
        self.answer.topics.push(ResponseTopic {
            error_code: ErrorCode::None.raw(),
            name: Some(name.to_owned()),
            topic_id: topic.id,
            is_internal: is_internal(name),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
        if next < topic.partition_count() { self.end(name, next) } else { true }
    }

    /// Notes that the next page begins there.
    fn end(&mut self, name: &str, partition: usize) -> bool {
        let partition_index = i32::try_from(partition).expect("partitions are counted in 31 bits");
        self.answer.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index });
        false
    }

    /// As many partitions of a topic as have room, from `first` on.
    fn partitions(&self, topic: &Topic, first: usize) -> Vec<DescribeTopicPartitionsResponsePartition> {
        let partitions = topic.partitions().skip(first).take(self.room);
        partitions
            .map(|(index, partition)| {
                let seen = self.seen.partition(partition);
                DescribeTopicPartitionsResponsePartition {
                    error_code: ErrorCode::None.raw(),
                    partition_index: index.0,
                    leader_id: seen.leader.0,
                    leader_epoch: partition.leader_epoch.0,
                    replica_nodes: raw(&partition.replicas),
                    isr_nodes: raw(&partition.isr),
                    eligible_leader_replicas: Some(Vec::new()),
                    last_known_elr: Some(Vec::new()),
                    offline_replicas: raw(&seen.offline),
                }
            })
            .collect()
    }
}

fn unknown(name: &str) -> ResponseTopic {
    let error = if TopicName::new(name).is_ok() {
        ErrorCode::UnknownTopicOrPartition
    } else {
        ErrorCode::InvalidTopicException
    };
    ResponseTopic {
        error_code: error.raw(),
        name: Some(name.to_owned()),
        topic_id: Uuid::ZERO,
        is_internal: is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..ResponseTopic::default()
    }
}

/// A cursor that cannot be: the answer has no place for an error but at each topic.
fn refused(body: &DescribeTopicPartitionsRequest) -> Response {
    let topics = body.topics.iter().map(|topic| ResponseTopic {
        error_code: ErrorCode::InvalidRequest.raw(),
        name: Some(topic.name.clone()),
        is_internal: is_internal(&topic.name),
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
        ..ResponseTopic::default()
    });
    Response { topics: topics.collect(), ..Response::default() }
}
