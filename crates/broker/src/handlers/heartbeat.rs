//! `Heartbeat` (key 12): a member of a classic group is alive, and asks whether the group is as it was.
//!
//! - v1, v2: throttle time. v3: static members (KIP-345). v4: flexible.
//!
//! Errors: REBALANCE_IN_PROGRESS where a new round has begun; UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID;
//! INVALID_GROUP_ID; NOT_COORDINATOR. A coordinator that is still loading answers nothing but that all is well, as Kafka's: the member has
//! no reason to do anything.

use ottla_coordinator::{Heartbeat, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_types::ErrorCode;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::Heartbeat,
    served: 0..=4,
    handle: |node, request| {
        Box::pin(async move {
            let error = handle(&node, request.decode()?).await;
            request.answer(&HeartbeatResponse { error_code: error.raw(), ..HeartbeatResponse::default() })
        })
    },
};

async fn handle(node: &Node, body: HeartbeatRequest) -> ErrorCode {
    if body.group_id.is_empty() {
        return ErrorCode::InvalidGroupId;
    }
    let ask = Heartbeat {
        group: body.group_id.as_str().into(),
        generation: body.generation_id,
        member: body.member_id.into(),
        instance: body.group_instance_id.map(Into::into),
    };
    match node.groups.ask(&body.group_id, Ask::Heartbeat(ask)).await {
        Ok(Reply::Heartbeat(error)) => error,
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
        Err(error) => error,
    }
}
