//! `SyncGroup` (key 14): a member of a classic group asks for its assignment; the leader brings them all.
//!
//! - v1, v2: throttle time. v3: static members (KIP-345). v4: flexible.
//! - v5: the protocol that the member believes in, and that of the group (KIP-559).
//!
//! The answer comes when the leader has assigned and that is committed. Errors: INVALID_GROUP_ID, UNKNOWN_MEMBER_ID,
//! ILLEGAL_GENERATION, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS; from v5 on INCONSISTENT_GROUP_PROTOCOL where another
//! protocol is named, or none; UNKNOWN_SERVER_ERROR of assignments that no batch can hold; NOT_COORDINATOR,
//! COORDINATOR_LOAD_IN_PROGRESS.

use ottla_coordinator::{Reply, Request as Ask, SyncGroup, Synced};
use ottla_protocol::ApiKey;
use ottla_protocol::sync_group::{SyncGroupRequest, SyncGroupResponse};
use ottla_types::ErrorCode;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::SyncGroup,
    served: 0..=5,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            let synced = handle(&node, body, request.version).await;
            request.answer(&SyncGroupResponse {
                error_code: synced.error.raw(),
                protocol_type: synced.protocol_type.map(|kind| kind.to_string()),
                protocol_name: synced.protocol.map(|name| name.to_string()),
                assignment: synced.assignment,
                ..SyncGroupResponse::default()
            })
        })
    },
};

async fn handle(node: &Node, body: SyncGroupRequest, version: i16) -> Synced {
    if version >= 5 && (body.protocol_type.is_none() || body.protocol_name.is_none()) {
        return Synced::refused(ErrorCode::InconsistentGroupProtocol);
    }
    if body.group_id.is_empty() {
        return Synced::refused(ErrorCode::InvalidGroupId);
    }
    let ask = SyncGroup {
        group: body.group_id.as_str().into(),
        generation: body.generation_id,
        member: body.member_id.into(),
        instance: body.group_instance_id.map(Into::into),
        protocol_type: body.protocol_type.map(Into::into),
        protocol: body.protocol_name.map(Into::into),
        assignments: body
            .assignments
            .into_iter()
            .map(|assignment| (assignment.member_id.into(), assignment.assignment))
            .collect(),
    };
    match node.groups.ask(&body.group_id, Ask::SyncGroup(ask)).await {
        Ok(Reply::SyncGroup(synced)) => synced,
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        Err(error) => Synced::refused(error),
    }
}
