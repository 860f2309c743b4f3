//! `LeaveGroup` (key 13): members leave a classic group, or are removed from it.
//!
//! - v1, v2: throttle time. v3: several at once, by member id or by instance id (KIP-345). v4: flexible. v5: a reason.
//!
//! Errors: INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS; by member, which in v0 to v2 is for the whole answer: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.

use ottla_coordinator::{LeaveGroup, Leaver, Left, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};
use ottla_types::ErrorCode;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::LeaveGroup,
    served: 0..=5,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let members = if version < 3 {
        vec![Leaver { member: body.member_id.into(), instance: None }]
    } else {
        let leaver = |member: ottla_protocol::leave_group::MemberIdentity| Leaver {
            member: member.member_id.into(),
            instance: member.group_instance_id.map(Into::into),
        };
        body.members.into_iter().map(leaver).collect()
    };
    let left = if body.group_id.is_empty() {
        Left { error: ErrorCode::InvalidGroupId, members: Vec::new() }
    } else {
        let ask = Ask::LeaveGroup(LeaveGroup { group: body.group_id.as_str().into(), members });
        match node.groups.ask(&body.group_id, ask).await {
            Ok(Reply::LeaveGroup(left)) => left,
            Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
            Err(error) => Left { error, members: Vec::new() },
        }
    };
    answer(left, version)
}

fn answer(left: Left, version: i16) -> LeaveGroupResponse {
    let first = left.members.first().map_or(ErrorCode::None, |(_, error)| *error);
    let error = if version < 3 && left.error == ErrorCode::None { first } else { left.error };
    let member = |(leaver, error): (Leaver, ErrorCode)| MemberResponse {
        member_id: leaver.member.to_string(),
        group_instance_id: leaver.instance.map(|instance| instance.to_string()),
        error_code: error.raw(),
    };
    // An answer that is an error as a whole names nobody.
    let members = if version < 3 || error != ErrorCode::None { Vec::new() } else { left.members };
    LeaveGroupResponse {
        error_code: error.raw(),
        members: members.into_iter().map(member).collect(),
        ..LeaveGroupResponse::default()
    }
}
