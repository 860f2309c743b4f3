//! One file per API, and the table of them all.
//!
//! A handler translates the request, asks one thing of the broker, and translates the answer back. It keeps no state,
//! spawns nothing, calls no other handler. Kafka's message types are known here and nowhere deeper.
//!
//! The table is what is served and what ApiVersions advertises, so no version is advertised without its handler.

mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod find_coordinator;
mod get_telemetry_subscriptions;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod named;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod outcomes;
mod produce;
mod push_telemetry;
mod request;
mod seen;
mod sync_group;
mod unregister_broker;
mod update_features;

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_runtime::BoxFuture;

pub(crate) use request::Request;

use crate::answer::{Answer, Hangup};
use crate::connections::Peer;
use crate::node::Node;

/// An API that this broker serves.
struct Api {
    key: ApiKey,
    /// The versions that the handler understands and ApiVersions names.
    served: RangeInclusive<i16>,
    handle: fn(Arc<Node>, Request) -> BoxFuture<'static, Result<Answer, Hangup>>,
}

/// Every API served, in key order.
static APIS: &[Api] = &[
    produce::API,
    fetch::API,
    list_offsets::API,
    metadata::API,
    offset_commit::API,
    offset_fetch::API,
    find_coordinator::API,
    join_group::API,
    heartbeat::API,
    leave_group::API,
    sync_group::API,
    describe_groups::API,
    list_groups::API,
    api_versions::API,
    create_topics::API,
    delete_topics::API,
    delete_records::API,
    init_producer_id::API,
    offset_for_leader_epoch::API,
    describe_configs::API,
    alter_configs::API,
    alter_replica_log_dirs::API,
    describe_log_dirs::API,
    create_partitions::API,
    delete_groups::API,
    elect_leaders::API,
    incremental_alter_configs::API,
    alter_partition_reassignments::API,
    list_partition_reassignments::API,
    offset_delete::API,
    describe_quorum::API,
    update_features::API,
    describe_cluster::API,
    describe_producers::API,
    unregister_broker::API,
    consumer_group_heartbeat::API,
    consumer_group_describe::API,
    get_telemetry_subscriptions::API,
    push_telemetry::API,
    list_config_resources::API,
    describe_topic_partitions::API,
];

/// An API and its place in the table.
fn api_of(key: i16) -> Option<(usize, &'static Api)> {
    let place = APIS.iter().position(|api| api.key.raw() == key)?;
    Some((place, &APIS[place]))
}

/// How many APIs there are.
pub(crate) fn count() -> usize {
    APIS.len()
}

/// The name of the API at a place in the table.
pub(crate) fn name_of(place: usize) -> &'static str {
    APIS[place].key.name()
}

/// The work on a request, and which request it is.
pub(crate) struct Begun {
    /// The API's place in the table.
    pub(crate) place: usize,
    /// The request's version.
    pub(crate) version: i16,
    pub(crate) work: BoxFuture<'static, Result<Answer, Hangup>>,
}

/// Starts the work on one request frame. A request that is not served ends the connection, as Kafka does; only
/// ApiVersions of an unknown version has an answer, for that is how a newer client finds out (KIP-511).
pub(crate) fn dispatch(node: &Arc<Node>, frame: Bytes, peer: &Arc<Peer>) -> Result<Begun, Hangup> {
    let request = Request::parse(frame, peer.clone())?;
    let Some((place, api)) = api_of(request.key) else {
        return Err(Hangup::Malformed(format!("no API has key {}, or it is not served", request.key)));
    };
    if !api.served.contains(&request.version) && api.key != ApiKey::ApiVersions {
        return Err(Hangup::Malformed(format!("{} v{} is not served", api.key, request.version)));
    }
    let version = request.version;
    // Produce and Fetch are read in place, and find out themselves what they become.
    let in_place = matches!(api.key, ApiKey::Produce | ApiKey::Fetch);
    let work = if request.is_large() && !in_place {
        let (node, handle, mut request) = (node.clone(), api.handle, request);
        Box::pin(async move {
            request.make_room(&node.connections.memory).await;
            handle(node, request).await
        })
    } else {
        (api.handle)(node.clone(), request)
    };
    Ok(Begun { place, version, work })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_key_order_and_has_a_stable_schema_for_each_version() {
        assert!(APIS.windows(2).all(|pair| pair[0].key < pair[1].key));
        for api in APIS {
            assert!(api.served.end() <= api.key.versions().end(), "{}: a version without a schema", api.key);
            assert!(api.key.unstable_from().is_none_or(|unstable| *api.served.end() < unstable), "{}", api.key);
        }
    }
}
