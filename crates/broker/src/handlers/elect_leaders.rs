//! `ElectLeaders` (key 43): gives partitions another leader (KIP-183).
//!
//! - v0: preferred elections only. v1: unclean ones, and an error for the whole answer (KIP-460). v2: flexible.
//!
//! On a single node the leader of every partition is its only replica, so the answer is ELECTION_NOT_NEEDED. Errors by
//! partition also: UNKNOWN_TOPIC_OR_PARTITION, PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE. For the
//! whole: INVALID_REQUEST (no such election), NOT_CONTROLLER, REQUEST_TIMED_OUT, POLICY_VIOLATION (too many at once).

use ottla_controller::{ElectLeaders, ElectedLeaders, ElectedTopic, Election, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};
use ottla_types::{ErrorCode, PartitionIndex};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ElectLeaders,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            let mut answer = handle(&node, body).await;
            if request.version == 0 {
                // It has no place for an error of the whole; each partition has it.
                answer.error_code = ErrorCode::None.raw();
            }
            request.answer(&answer)
        })
    },
};

async fn handle(node: &Node, body: ElectLeadersRequest) -> ElectLeadersResponse {
    if body.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return ElectLeadersResponse::default();
    }
    let election = match body.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        other => {
            let message = format!("the election type {other} is unknown: 0 is preferred, 1 unclean");
            return refused(body.topic_partitions, ErrorCode::InvalidRequest, &message);
        }
    };
    let topics = body.topic_partitions.as_ref().map(|topics| topics.iter().map(elected).collect());
    let ask = Ask::ElectLeaders(ElectLeaders { election, topics });
    match node.controller.ask_within(ask, body.timeout_ms).await {
        Reply::ElectLeaders(topics) => {
            let replica_election_results = topics.into_iter().map(result).collect();
            ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() }
        }
        Reply::Refused(refusal) => refused(body.topic_partitions, refusal.code(), &refusal.to_string()),
        other => unreachable!("the controller answers what it was asked, not {other}"),
    }
}

fn elected(topic: &TopicPartitions) -> ElectedTopic {
    let partitions = topic.partitions.iter().copied().map(PartitionIndex).collect();
    ElectedTopic { name: topic.topic.clone(), partitions }
}

fn result(topic: ElectedLeaders) -> ReplicaElectionResult {
    let partition = |(index, result): (PartitionIndex, Result<(), ottla_controller::ElectionRefusal>)| match result {
        Ok(()) => PartitionResult { partition_id: index.0, ..PartitionResult::default() },
        Err(refusal) => PartitionResult {
            partition_id: index.0,
            error_code: refusal.code().raw(),
            error_message: Some(refusal.to_string()),
        },
    };
    ReplicaElectionResult { topic: topic.name, partition_result: topic.partitions.into_iter().map(partition).collect() }
}

/// The same error for the whole answer and, for clients that look only there, for each partition.
fn refused(topics: Option<Vec<TopicPartitions>>, error: ErrorCode, message: &str) -> ElectLeadersResponse {
    let partition = |partition_id| PartitionResult {
        partition_id,
        error_code: error.raw(),
        error_message: Some(message.to_owned()),
    };
    let results = topics.into_iter().flatten().map(|topic| ReplicaElectionResult {
        topic: topic.topic,
        partition_result: topic.partitions.into_iter().map(partition).collect(),
    });
    ElectLeadersResponse {
        error_code: error.raw(),
        replica_election_results: results.collect(),
        ..ElectLeadersResponse::default()
    }
}
