//! `ConsumerGroupHeartbeat` (key 68): a member of a group of the consumer protocol joins, goes on, leaves (KIP-848).
//!
//! - v1: patterns of topics; members bring an id from the start (KIP-1082).
//!
//! Errors: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, INVALID_REGULAR_EXPRESSION, GROUP_ID_NOT_FOUND, GROUP_MAX_SIZE_REACHED,
//! UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID; NOT_COORDINATOR,
//! COORDINATOR_LOAD_IN_PROGRESS; UNSUPPORTED_VERSION where there are no such groups (`group.version` 0). What is decided is told in [`ottla_coordinator`]'s module `consumer`.

use std::sync::Arc;
use std::time::Duration;

use ottla_coordinator::{ConsumerHeartbeat, Refusal, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use ottla_types::ErrorCode;

use super::{Api, Request};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ConsumerGroupHeartbeat,
    served: 0..=1,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, &request).await)
        })
    },
};

async fn handle(node: &Node, body: ConsumerGroupHeartbeatRequest, request: &Request) -> ConsumerGroupHeartbeatResponse {
    if !node.has_consumer_groups() {
        return refused(ErrorCode::UnsupportedVersion);
    }
    let text = |text: Option<String>| text.map(Arc::<str>::from);
    let topics = |topics: Vec<TopicPartitions>| topics.into_iter().map(|topic| (topic.topic_id, topic.partitions));
    let ask = ConsumerHeartbeat {
        group: body.group_id.as_str().into(),
        member: body.member_id.into(),
        epoch: body.member_epoch,
        instance: text(body.instance_id),
        rack: text(body.rack_id),
        rebalance_timeout_ms: body.rebalance_timeout_ms,
        topics: body.subscribed_topic_names.map(|names| names.into_iter().map(Into::into).collect()),
        regex: text(body.subscribed_topic_regex),
        assignor: text(body.server_assignor),
        owned: body.topic_partitions.map(|owned| topics(owned).collect()),
        client_id: request.client_id().unwrap_or_default().into(),
        client_host: format!("/{}", request.peer.address.ip()).into(),
        must_have_id: request.version >= 1,
        fresh: node.random_id(),
    };
    match node.groups.ask(&body.group_id, Ask::ConsumerHeartbeat(ask)).await {
        Ok(Reply::ConsumerHeartbeat(Ok(beat))) => {
            let topic = |(topic_id, partitions)| TopicPartitions { topic_id, partitions };
            let assignment = |topics: Vec<_>| Assignment { topic_partitions: topics.into_iter().map(topic).collect() };
            ConsumerGroupHeartbeatResponse {
                member_id: Some(beat.member.to_string()),
                member_epoch: beat.epoch,
                heartbeat_interval_ms: millis(beat.heartbeat_interval),
                assignment: beat.assignment.map(assignment),
                ..ConsumerGroupHeartbeatResponse::default()
            }
        }
        Ok(Reply::ConsumerHeartbeat(Err(Refusal { error, message }))) => ConsumerGroupHeartbeatResponse {
            error_code: error.raw(),
            error_message: Some(message),
            ..ConsumerGroupHeartbeatResponse::default()
        },
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        Err(error) => refused(error),
    }
}

fn refused(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code: error.raw(), ..ConsumerGroupHeartbeatResponse::default() }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
