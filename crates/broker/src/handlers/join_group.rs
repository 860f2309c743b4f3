//! `JoinGroup` (key 11): enters a classic group, or enters it again.
//!
//! - v1: a rebalance timeout of its own; before, the session timeout serves as both. v2, v3: throttle time.
//! - v4: who has no id is given one with MEMBER_ID_REQUIRED and comes again (KIP-394).
//! - v5: static members (KIP-345). v6: flexible. v7: the protocol's type in the answer (KIP-559).
//! - v8: a reason (KIP-800). v9: a leader that came back may be told not to assign anew (KIP-814).
//!
//! The answer comes at the end of the round. What is decided is told in [`ottla_coordinator`]'s module `classic`. Errors:
//! INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL, GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID,
//! FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS; NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.

use std::time::Duration;

use ottla_coordinator::{JoinGroup, Joined, Protocol, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use ottla_types::ErrorCode;

use super::{Api, Request};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::JoinGroup,
    served: 0..=9,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            let joined = handle(&node, body, &request).await;
            request.answer(&answer(joined, request.version))
        })
    },
};

async fn handle(node: &Node, body: JoinGroupRequest, request: &Request) -> Joined {
    let version = request.version;
    // Whoever coordinates the group would say the same.
    let limits = &node.config().groups;
    let session = u64::try_from(body.session_timeout_ms).map(Duration::from_millis);
    if body.group_id.is_empty() {
        return Joined::refused(ErrorCode::InvalidGroupId, body.member_id.into());
    }
    if !session.is_ok_and(|session| (limits.session_timeout_min..=limits.session_timeout_max).contains(&session)) {
        return Joined::refused(ErrorCode::InvalidSessionTimeout, body.member_id.into());
    }
    let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    let protocol = |protocol: ottla_protocol::join_group::JoinGroupRequestProtocol| Protocol {
        name: protocol.name.into(),
        metadata: protocol.metadata,
    };
    let member = body.member_id.clone();
    let ask = JoinGroup {
        group: body.group_id.as_str().into(),
        member: body.member_id.into(),
        instance: body.group_instance_id.map(Into::into),
        client_id: request.client_id().unwrap_or_default().into(),
        client_host: format!("/{}", request.peer.address.ip()).into(),
        session_timeout: millis(body.session_timeout_ms),
        rebalance_timeout: millis(if version == 0 { body.session_timeout_ms } else { body.rebalance_timeout_ms }),
        protocol_type: body.protocol_type.into(),
        protocols: body.protocols.into_iter().map(protocol).collect(),
        wants_member_id: version >= 4,
        may_skip_assignment: version >= 9,
        fresh: node.random_id(),
    };
    match node.groups.ask(&body.group_id, Ask::JoinGroup(ask)).await {
        Ok(Reply::JoinGroup(joined)) => joined,
        Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        Err(error) => Joined::refused(error, member.into()),
    }
}

fn answer(joined: Joined, version: i16) -> JoinGroupResponse {
    let member = |member: ottla_coordinator::JoinedMember| JoinGroupResponseMember {
        member_id: member.member.to_string(),
        group_instance_id: member.instance.map(|instance| instance.to_string()),
        metadata: member.metadata,
    };
    // Before version 7 there was always a name, if only an empty one.
    let no_name = (version < 7).then(String::new);
    let is_refused = joined.error != ErrorCode::None;
    JoinGroupResponse {
        error_code: joined.error.raw(),
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.filter(|_| !is_refused).map(|kind| kind.to_string()),
        protocol_name: joined.protocol.map(|name| name.to_string()).or(no_name),
        leader: joined.leader.to_string(),
        skip_assignment: joined.skip_assignment,
        member_id: joined.member.to_string(),
        members: joined.members.into_iter().map(member).collect(),
        ..JoinGroupResponse::default()
    }
}
