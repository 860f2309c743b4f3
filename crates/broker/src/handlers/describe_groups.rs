//! `DescribeGroups` (key 15): classic groups with their members.
//!
//! - v1, v2: throttle time. v3: authorized operations (KIP-430). v4: static members. v5: flexible.
//! - v6: GROUP_ID_NOT_FOUND, which older clients are told as a dead group without an error.
//!
//! Errors by group: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.

use ottla_coordinator::{DescribedGroup as Told, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use ottla_types::ErrorCode;

use super::Api;
use super::seen::{GROUP_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeGroups,
    served: 0..=6,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
    let operations = if body.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let mut groups = Vec::new();
    for group_id in body.groups {
        let told = match node.groups.ask(&group_id, Ask::DescribeGroup(group_id.as_str().into())).await {
            Ok(Reply::DescribeGroup(told)) => told,
            Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
            Err(error) => Err(error),
        };
        let mut group = match told {
            Ok(told) => described(group_id, told),
            Err(error) => refused(group_id, error, version),
        };
        if group.error_code == ErrorCode::None.raw() {
            group.authorized_operations = operations;
        }
        groups.push(group);
    }
    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
}

fn described(group_id: String, told: Told) -> DescribedGroup {
    let member = |member: ottla_coordinator::DescribedMember| DescribedGroupMember {
        member_id: member.member.to_string(),
        group_instance_id: member.instance.map(|instance| instance.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    };
    DescribedGroup {
        group_id,
        group_state: told.state.to_owned(),
        protocol_type: told.protocol_type.to_string(),
        protocol_data: told.protocol.to_string(),
        members: told.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn refused(group_id: String, error: ErrorCode, version: i16) -> DescribedGroup {
    let refused = DescribedGroup { group_id, ..DescribedGroup::default() };
    if error != ErrorCode::GroupIdNotFound {
        return DescribedGroup { error_code: error.raw(), ..refused };
    }
    let dead = DescribedGroup { group_state: "Dead".to_owned(), ..refused };
    if version < 6 {
        return dead;
    }
    let message = format!("group {} is not there", dead.group_id);
    DescribedGroup { error_code: error.raw(), error_message: Some(message), ..dead }
}
