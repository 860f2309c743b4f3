//! `CreatePartitions` (key 37): gives topics more partitions (KIP-195).
//!
//! - v1: throttle time is the client's to keep (KIP-219). v2: flexible. v3: THROTTLING_QUOTA_EXCEEDED may be answered
//!   (KIP-599), which this broker does not.
//!
//! Errors by topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS (not more than there are),
//! INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR, INVALID_REQUEST (named twice), POLICY_VIOLATION (too many at
//! once), NOT_CONTROLLER, REQUEST_TIMED_OUT. The answer comes when this broker serves the partitions.

use ottla_controller::{CreatePartitions, GrownTopic, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};
use ottla_types::{BrokerId, ErrorCode};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::CreatePartitions,
    served: 0..=3,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let names: Vec<_> = body.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = body.topics.into_iter().map(grown).collect();
    let ask = Ask::CreatePartitions(CreatePartitions { topics, validate_only: body.validate_only });
    let results = match node.controller.ask_within(ask, body.timeout_ms).await {
        Reply::CreatePartitions(results) => results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(()) => outcome(name, ErrorCode::None, None),
                Err(refusal) => outcome(name, refusal.code(), Some(refusal.to_string())),
            })
            .collect(),
        Reply::Refused(refusal) => {
            names.into_iter().map(|name| outcome(name, refusal.code(), Some(refusal.to_string()))).collect()
        }
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
}

fn grown(topic: CreatePartitionsTopic) -> GrownTopic {
    let replicas = |one: CreatePartitionsAssignment| one.broker_ids.into_iter().map(BrokerId).collect();
    let assignments = topic.assignments.map(|assignments| assignments.into_iter().map(replicas).collect());
    GrownTopic { name: topic.name, count: topic.count, assignments }
}

fn outcome(name: String, error: ErrorCode, error_message: Option<String>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult { name, error_code: error.raw(), error_message }
}
