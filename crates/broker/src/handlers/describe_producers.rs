//! `DescribeProducers` (key 61): what the leader of a partition remembers of its producers (KIP-664).
//!
//! - v0: flexible.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR.

use ottla_protocol::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_storage::ProducerEntry;
use ottla_types::{ErrorCode, ProducerId, Sequence, TopicName};

use super::Api;
use crate::node::{Lookup, Node};

pub(super) const API: Api = Api {
    key: ApiKey::DescribeProducers,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body))
        })
    },
};

fn handle(node: &Node, body: &DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| match producers(node, &topic.name, *index) {
            Ok(producers) => PartitionResponse {
                partition_index: *index,
                active_producers: producers.iter().map(state).collect(),
                ..PartitionResponse::default()
            },
            Err((error, message)) => PartitionResponse {
                partition_index: *index,
                error_code: error.raw(),
                error_message: message,
                ..PartitionResponse::default()
            },
        });
        TopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }
}

type Refused = (ErrorCode, Option<String>);

fn producers(node: &Node, topic: &str, index: i32) -> Result<Vec<(ProducerId, ProducerEntry)>, Refused> {
    TopicName::new(topic).map_err(|reason| (ErrorCode::InvalidTopicException, Some(reason.to_string())))?;
    match node.partition(&TopicKey::Name(topic), index.into()) {
        Lookup::Here(partition) => Ok(partition.log().producers()),
        Lookup::Elsewhere { .. } => Err((ErrorCode::NotLeaderOrFollower, None)),
        Lookup::Unknown(error) => {
            let is_topic = node.image().topic_by_name(topic).is_some();
            Err((error, (!is_topic).then(|| format!("there is no topic {topic}"))))
        }
    }
}

fn state((id, entry): &(ProducerId, ProducerEntry)) -> ProducerState {
    ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(entry.epoch.0),
        last_sequence: entry.batches.last().map_or(Sequence::NONE, |batch| batch.last_sequence).0,
        last_timestamp: entry.last_timestamp.0,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.transaction_start.map_or(-1, |start| start.0),
    }
}
