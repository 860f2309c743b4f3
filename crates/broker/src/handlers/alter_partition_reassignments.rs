//! `AlterPartitionReassignments` (key 45): has other brokers keep partitions, or ends that (KIP-455).
//!
//! - v1: the client says whether the number of replicas may change (KIP-860); below, it may.
//!
//! On a single node the only replicas that a partition can have are the ones that it has, so what is asked for is done or
//! refused at once. Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT,
//! INVALID_REPLICATION_FACTOR, NO_REASSIGNMENT_IN_PROGRESS. For the whole: NOT_CONTROLLER, REQUEST_TIMED_OUT,
//! POLICY_VIOLATION (too many at once).

use ottla_controller::{AlterPartitionReassignments, Reassignment, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartitionResponse,
    ReassignableTopicResponse,
};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::AlterPartitionReassignments,
    served: 0..=1,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: AlterPartitionReassignmentsRequest) -> AlterPartitionReassignmentsResponse {
    let allowed = body.allow_replication_factor_change;
    let ask = Ask::AlterPartitionReassignments(AlterPartitionReassignments {
        partitions: reassignments(&body),
        allow_replication_factor_change: allowed,
    });
    let (error, error_message, results) = match node.controller.ask_within(ask, body.timeout_ms).await {
        Reply::AlterPartitionReassignments(results) => (ErrorCode::None, None, Some(results)),
        Reply::Refused(refusal) => (refusal.code(), Some(refusal.to_string()), None),
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    let mut results = results.map(IntoIterator::into_iter);
    let mut outcome = || match results.as_mut().map(|results| results.next().expect("a result for each partition")) {
        Some(Ok(())) => (ErrorCode::None, None),
        Some(Err(refusal)) => (refusal.code(), Some(refusal.to_string())),
        None => (error, error_message.clone()),
    };
    let responses = body.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            let (error, error_message) = outcome();
            let partition_index = partition.partition_index;
            ReassignablePartitionResponse { partition_index, error_code: error.raw(), error_message }
        });
        ReassignableTopicResponse { name: topic.name, partitions: partitions.collect() }
    });
    let responses = responses.collect();
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: allowed,
        error_code: error.raw(),
        error_message,
        responses,
        ..AlterPartitionReassignmentsResponse::default()
    }
}

/// What is asked for, partition by partition, in the request's order.
fn reassignments(body: &AlterPartitionReassignmentsRequest) -> Vec<Reassignment> {
    let partitions = body.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)));
    let reassignment = |(topic, one): (
        &ottla_protocol::alter_partition_reassignments::ReassignableTopic,
        &ottla_protocol::alter_partition_reassignments::ReassignablePartition,
    )| Reassignment {
        topic: topic.name.clone(),
        partition: PartitionIndex(one.partition_index),
        replicas: one.replicas.as_ref().map(|ids| ids.iter().copied().map(BrokerId).collect()),
    };
    partitions.map(reassignment).collect()
}
