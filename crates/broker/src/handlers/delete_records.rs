//! `DeleteRecords` (key 21): moves where a partition's log starts; what lies below is deleted (KIP-107).
//!
//! - v0, v1: the same. v2: flexible.
//!
//! Offset -1 stands for the high watermark. The answer says where the log starts now, and comes when a power loss cannot
//! bring back what lies below; with one replica there is nobody else to wait for. Whole segments go with the next look of
//! retention.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, OFFSET_OUT_OF_RANGE beyond the high watermark,
//! POLICY_VIOLATION where the topic is only compacted, INVALID_TOPIC_EXCEPTION for Kafka's own topics,
//! KAFKA_STORAGE_ERROR.

use std::time::Duration;

use ottla_protocol::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_types::{ErrorCode, Instant, Offset, TopicPartition};

use super::Api;
use super::named::by_topic;
use crate::node::{Lookup, Node};

pub(super) const API: Api = Api {
    key: ApiKey::DeleteRecords,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body).await)
        })
    },
};

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;
/// What those who keep the cluster's own state in topics call them.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

async fn handle(node: &Node, body: &DeleteRecordsRequest) -> DeleteRecordsResponse {
    let patience = Duration::from_millis(u64::try_from(body.timeout_ms).unwrap_or_default());
    let deadline = node.runtime.clock.now() + patience;
    let named = body.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |asked| (topic, asked)));
    let topics = by_topic(named.map(|(topic, asked)| (topic.name.as_str(), asked.partition_index, asked)));
    let (mut moved, mut answers) = (Vec::new(), Vec::new());
    for (name, partitions) in &topics {
        for partition in partitions {
            let answer = delete(node, name, partition.asked, deadline).await;
            moved.extend(answer.as_ref().ok().map(|(name, _)| name.clone()));
            answers.push(answer);
        }
    }
    let unsaved = if moved.is_empty() { Vec::new() } else { node.directories.save_log_starts(&moved).await };
    let mut answers = answers.into_iter();
    let mut results = Vec::with_capacity(topics.len());
    for (name, partitions) in topics {
        let partitions = partitions.iter().zip(&mut answers).map(|(partition, answer)| {
            let saved = answer.and_then(|(name, start)| match unsaved.contains(&name) {
                true => Err(ErrorCode::KafkaStorageError),
                false => Ok(start),
            });
            let (error, low_watermark) = saved.map_or_else(|error| (error, Offset(-1)), |at| (ErrorCode::None, at));
            DeleteRecordsPartitionResult {
                partition_index: partition.asked.partition_index,
                low_watermark: low_watermark.0,
                error_code: error.raw(),
            }
        });
        results.push(DeleteRecordsTopicResult { name: name.to_owned(), partitions: partitions.collect() });
    }
    DeleteRecordsResponse { topics: results, ..DeleteRecordsResponse::default() }
}

async fn delete(
    node: &Node,
    topic: &str,
    asked: &DeleteRecordsPartition,
    deadline: Instant,
) -> Result<(TopicPartition, Offset), ErrorCode> {
    let partition = match node.partition(&TopicKey::Name(topic), asked.partition_index.into()) {
        Lookup::Here(partition) => partition,
        Lookup::Elsewhere { .. } => return Err(ErrorCode::NotLeaderOrFollower),
        Lookup::Unknown(error) => return Err(error),
    };
    if INTERNAL.contains(&topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let offset = (asked.offset != HIGH_WATERMARK).then_some(Offset(asked.offset));
    let start = match partition.delete_records(offset) {
        // Perhaps only because it is on its way to another directory.
        Err(ErrorCode::KafkaStorageError) if partition.exchanged(&node.runtime, deadline).await => {
            partition.delete_records(offset)?
        }
        outcome => outcome?,
    };
    Ok((partition.name.clone(), start))
}
