//! `ListGroups` (key 16): the groups that this broker coordinates.
//!
//! - v1, v2: throttle time. v3: flexible. v4: states (KIP-518). v5: types (KIP-848).
//!
//! Errors: COORDINATOR_LOAD_IN_PROGRESS while any of them is read.

use ottla_coordinator::{ListGroups, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use ottla_types::ErrorCode;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ListGroups,
    served: 0..=5,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: ListGroupsRequest) -> ListGroupsResponse {
    let ask = Ask::ListGroups(ListGroups { states: body.states_filter, types: body.types_filter });
    let mut groups = Vec::new();
    for reply in node.groups.ask_all(&ask).await {
        match reply {
            Ok(Reply::ListGroups(Ok(listed))) => groups.extend(listed.into_iter().map(|group| ListedGroup {
                group_id: group.group.to_string(),
                protocol_type: group.protocol_type.to_string(),
                group_state: group.state.to_owned(),
                group_type: group.kind.to_owned(),
            })),
            // A shard that is not led here any longer has nothing to add.
            Ok(Reply::ListGroups(Err(ErrorCode::NotCoordinator))) | Err(ErrorCode::NotCoordinator) => {}
            Ok(Reply::ListGroups(Err(error))) | Err(error) => {
                return ListGroupsResponse { error_code: error.raw(), ..ListGroupsResponse::default() };
            }
            Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
        }
    }
    ListGroupsResponse { groups, ..ListGroupsResponse::default() }
}
