//! `FindCoordinator` (key 10): which broker coordinates a group.
//!
//! - v1: kinds of keys, and a message. v2: the same. v3: flexible. v4: several keys at once (KIP-699).
//! - v5: an error of transactions may be answered (KIP-890). v6: share groups (KIP-932).
//!
//! The first question makes `__consumer_offsets`. The answer waits a little until the coordinator has read its log, if it is
//! this broker: clients ask it at once, and some take a refusal for the end (segmentio's kafka-go). Errors: COORDINATOR_NOT_AVAILABLE where that is impossible, or its
//! partition has no leader that this listener reaches; INVALID_REQUEST for keys of other kinds than groups, which are not
//! served yet.

use std::time::Duration;

use ottla_protocol::ApiKey;
use ottla_protocol::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_types::{ErrorCode, PartitionIndex};

use super::Api;
use crate::groups::{OFFSETS_TOPIC, offsets_topic, partition_of};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::FindCoordinator,
    served: 0..=6,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, &request.listener, request.version).await)
        })
    },
};

/// How long an answer waits for the coordinator to read its log.
const PATIENCE: Duration = Duration::from_secs(1);

/// The kind of key that is a group's id.
const GROUP: i8 = 0;

async fn handle(node: &Node, body: FindCoordinatorRequest, listener: &str, version: i16) -> FindCoordinatorResponse {
    if version >= 4 {
        let mut coordinators = Vec::new();
        for key in body.coordinator_keys {
            coordinators.push(find(node, key, body.key_type, listener).await);
        }
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let found = find(node, body.key, body.key_type, listener).await;
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..FindCoordinatorResponse::default()
    }
}

async fn find(node: &Node, key: String, kind: i8, listener: &str) -> Coordinator {
    match coordinator(node, &key, kind, listener).await {
        Ok((node_id, host, port)) => Coordinator { key, node_id, host, port, ..Coordinator::default() },
        Err((error, message)) => Coordinator {
            key,
            node_id: -1,
            host: String::new(),
            port: -1,
            error_code: error.raw(),
            error_message: Some(message),
        },
    }
}

async fn coordinator(
    node: &Node,
    key: &str,
    kind: i8,
    listener: &str,
) -> Result<(i32, String, i32), (ErrorCode, String)> {
    if kind != GROUP {
        return Err((ErrorCode::InvalidRequest, format!("keys of kind {kind} are not served, only 0, groups")));
    }
    let not_available = |what: &str| (ErrorCode::CoordinatorNotAvailable, what.to_owned());
    offsets_topic::make(node).await.map_err(|error| (error, format!("{OFFSETS_TOPIC} could not be made")))?;
    let image = node.image();
    let topic = image.topic_by_name(OFFSETS_TOPIC).ok_or_else(|| not_available("there is no topic of groups"))?;
    let index = PartitionIndex(partition_of(key, topic.partitions().count()));
    let partition = topic.partition(index).ok_or_else(|| not_available("the group's partition is not there"))?;
    let leader = image.broker(partition.leader).filter(|broker| image.is_active(broker.id));
    let endpoint = leader.and_then(|leader| leader.endpoint(listener));
    let endpoint = endpoint.ok_or_else(|| not_available("the group's partition has no leader here"))?;
    if partition.leader == node.settings.present().node_id {
        let clock = &node.runtime.clock;
        tokio::select! {
            () = node.groups.loaded(index) => {}
            () = clock.sleep_until(clock.now() + PATIENCE) => {}
        }
    }
    Ok((partition.leader.0, endpoint.host.clone(), i32::from(endpoint.port)))
}
