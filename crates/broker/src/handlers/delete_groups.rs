//! `DeleteGroups` (key 42): forgets groups without members, and their offsets.
//!
//! - v0, v1: the same. v2: flexible.
//!
//! Errors by group: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ottla_coordinator::{Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DeleteGroups,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: DeleteGroupsRequest) -> DeleteGroupsResponse {
    // A group that is named twice is deleted, and answered for, once.
    let mut results = BTreeMap::new();
    for group_id in body.groups_names {
        if let Entry::Vacant(place) = results.entry(group_id.clone()) {
            let error = match node.groups.ask(&group_id, Ask::DeleteGroup(group_id.as_str().into())).await {
                Ok(Reply::DeleteGroup(error)) | Err(error) => error,
                Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
            };
            place.insert(error.raw());
        }
    }
    let results = results.into_iter().map(|(group_id, error_code)| DeletableGroupResult { group_id, error_code });
    DeleteGroupsResponse { results: results.collect(), ..DeleteGroupsResponse::default() }
}
