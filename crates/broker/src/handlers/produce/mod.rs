//! `Produce` (key 0): appends record batches to the partitions that this broker leads.
//!
//! - v0, v1: message sets of magic 0, in v1 with the throttle time in the answer; v2: of magic 1, and the time of the
//!   append (KIP-32). Both become batches of magic 2. Kafka 4 serves neither.
//! - v3: one batch of magic 2 for each partition (KIP-98).
//! - v7: zstd (KIP-110). v8: which records were refused, and why (KIP-467). v9: flexible.
//! - v10: the present leader in errors (KIP-951). v12 joins transactions (KIP-890), of which there are none yet.
//! - v13: topics by id (KIP-516).
//!
//! Checked and appended before the connection's next request is read; answered when acks asks for it is so. With acks=0 an
//! error closes the connection.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUIRED_ACKS, INVALID_TOPIC_EXCEPTION for the
//! brokers' own topics, NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS; those of a bad batch (CORRUPT_MESSAGE, INVALID_RECORD,
//! INVALID_TIMESTAMP, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE); those of a bad sequence
//! (OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH); TRANSACTIONAL_ID_AUTHORIZATION_FAILED for transactional batches
//! without a transactional id, INVALID_TXN_STATE for others; KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT.

mod append;
mod batch;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use ottla_protocol::{ApiKey, ProduceRequestView, TopicKey};
use ottla_record::BatchHeader;
use ottla_types::{ErrorCode, Instant, Uuid};

use super::{Api, Request};
use crate::answer::{Answer, Hangup, Response};
use crate::node::Node;
use crate::partition::{Acks, Partition, Place};
use append::{Asked, Refused, append_one};

pub(super) const API: Api = Api {
    key: ApiKey::Produce,
    served: 0..=13,
    handle: |node, request| Box::pin(async move { handle(&node, request).await }),
};

/// How long this broker's own disk may take, whatever the client's timeout: that one is meant for other replicas, and a
/// client with a short one would send again what is being written.
const OWN_DISK: Duration = Duration::from_secs(1);

/// One topic of the request and what came of its partitions.
struct Appended {
    name: String,
    topic_id: Uuid,
    /// `None` of one whose message set was empty.
    partitions: Vec<(i32, Result<Option<Placed>, Refused>)>,
}

/// Records that are in the log, if not yet as safe as asked for.
struct Placed {
    partition: Arc<Partition>,
    place: Place,
}

async fn handle(node: &Arc<Node>, mut request: Request) -> Result<Answer, Hangup> {
    let body = request.body();
    let view = ProduceRequestView::parse(&body, request.version).map_err(|error| request.malformed(&error))?;
    if request.is_large() {
        let elements = view.topics().map(|topic| 1 + topic.partitions().len()).sum();
        request.make_room_for_elements(&node.connections.memory, elements).await;
    }
    let acks = Acks::from_raw(view.acks);
    let patience = Duration::from_millis(u64::try_from(view.timeout_ms).unwrap_or_default()).max(OWN_DISK);
    let deadline = node.runtime.clock.now() + patience;
    let topics = append_all(node, &request, &view, &body, acks, deadline).await;
    let placed =
        topics.iter().flat_map(|topic| &topic.partitions).filter_map(|(_, placed)| placed.as_ref().ok()?.as_ref());
    // Here and now if it is quick, else on a task of its own.
    placed.clone().for_each(|placed| placed.partition.start_writing(&node.runtime));
    for placed in placed.filter(|placed| placed.partition.is_congested()) {
        // Until then this connection's next request is not read. Whether it is written is asked again below.
        let _ = placed.partition.acknowledged(&placed.place, Acks::Leader, &node.runtime, deadline).await;
    }
    match acks {
        Some(Acks::None) => unacknowledged(&topics),
        _ => {
            let node = node.clone();
            let acks = acks.unwrap_or(Acks::Leader);
            Ok(Answer::Later(Box::pin(async move { acknowledge(&node, &request, topics, acks, deadline).await })))
        }
    }
}

/// Appends what can be appended; nothing is written yet. It waits only for partitions that get another log at this moment.
async fn append_all(
    node: &Node,
    request: &Request,
    view: &ProduceRequestView<'_>,
    body: &Bytes,
    acks: Option<Acks>,
    deadline: Instant,
) -> Vec<Appended> {
    let is_nameless = view.transactional_id.is_none() && has_transactional(view, body);
    let mut topics = Vec::new();
    for topic in view.topics() {
        let mut appended = Appended { name: String::new(), topic_id: Uuid::ZERO, partitions: Vec::new() };
        match topic.topic {
            TopicKey::Name(name) => appended.name = name.to_owned(),
            TopicKey::Id(id) => appended.topic_id = id,
        }
        for partition in topic.partitions() {
            let records = partition.records.map(|range| body.slice(range));
            let asked = Asked { topic: topic.topic, index: partition.index, acks, request };
            let placed = match is_nameless {
                true => Err(Refused::because(ErrorCode::TransactionalIdAuthorizationFailed)),
                false => append_one(node, asked, records, deadline).await,
            };
            if placed.is_err() {
                node.metrics.traffic.refused_produce();
            }
            appended.partitions.push((partition.index, placed));
        }
        // Who asks for nothing is told nothing.
        if !appended.partitions.is_empty() {
            topics.push(appended);
        }
    }
    topics
}

/// Whether a partition's records begin with a batch of a transaction. Without a transactional id nobody may send one, and
/// then nothing of the request is taken.
fn has_transactional(view: &ProduceRequestView<'_>, body: &Bytes) -> bool {
    let mut records = view.topics().flat_map(|topic| topic.partitions()).filter_map(|partition| partition.records);
    records.any(|range| BatchHeader::parse(&body[range]).is_ok_and(|header| header.attributes.is_transactional()))
}

fn unacknowledged(topics: &[Appended]) -> Result<Answer, Hangup> {
    let refused = topics.iter().flat_map(|topic| &topic.partitions).find_map(|(_, placed)| placed.as_ref().err());
    match refused {
        Some(refused) => Err(Hangup::RefusedUnacknowledged(refused.to_string())),
        None => Ok(Answer::None),
    }
}

/// Waits until all that was placed is as safe as `acks` asks, and answers.
async fn acknowledge(
    node: &Node,
    request: &Request,
    topics: Vec<Appended>,
    acks: Acks,
    deadline: Instant,
) -> Result<Response, Hangup> {
    let mut responses = Vec::with_capacity(topics.len());
    for topic in topics {
        let mut partition_responses = Vec::with_capacity(topic.partitions.len());
        for (index, placed) in topic.partitions {
            let outcome = match placed {
                Ok(None) => Ok(None),
                Ok(Some(placed)) => {
                    let safe = placed.partition.acknowledged(&placed.place, acks, &node.runtime, deadline).await;
                    safe.map(|()| Some(placed)).map_err(Refused::because)
                }
                Err(refused) => Err(refused),
            };
            partition_responses.push(match outcome {
                Ok(Some(placed)) => placed_response(index, &placed),
                Ok(None) => PartitionProduceResponse { index, base_offset: -1, ..PartitionProduceResponse::default() },
                Err(refused) => refused_response(index, refused),
            });
        }
        responses.push(TopicProduceResponse { name: topic.name, topic_id: topic.topic_id, partition_responses });
    }
    request.response(&ProduceResponse { responses, ..ProduceResponse::default() })
}

fn placed_response(index: i32, placed: &Placed) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: placed.place.appended.base_offset.0,
        log_append_time_ms: placed.place.appended.append_time.0,
        log_start_offset: placed.place.appended.log_start_offset.0,
        ..PartitionProduceResponse::default()
    }
}

fn refused_response(index: i32, refused: Refused) -> PartitionProduceResponse {
    let record_errors = refused.record_errors.into_iter().map(|(batch_index, message)| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(message),
    });
    let (leader, epoch) = refused.current_leader;
    PartitionProduceResponse {
        index,
        error_code: refused.error.raw(),
        base_offset: -1,
        record_errors: record_errors.collect(),
        error_message: refused.message,
        log_start_offset: refused.log_start.0,
        current_leader: LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0 },
        ..PartitionProduceResponse::default()
    }
}
