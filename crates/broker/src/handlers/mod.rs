//! One file per API, and the table of them all.
//!
//! A handler translates the request, asks one thing of the broker, and translates the answer back. It keeps no state,
//! spawns nothing, calls no other handler. Kafka's message types are known here and nowhere deeper.
//!
//! The table is what is served and what ApiVersions advertises, so no version is advertised without its handler.

mod alter_configs;
mod alter_partition_reassignments;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod incremental_alter_configs;
mod init_producer_id;
mod list_config_resources;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod produce;
mod request;
mod seen;
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
    /// The versions that the handler understands.
    served: RangeInclusive<i16>,
    /// The versions that ApiVersions names. The same, but for Produce.
    advertised: RangeInclusive<i16>,
    handle: fn(Arc<Node>, Request) -> BoxFuture<'static, Result<Answer, Hangup>>,
}

/// Every API served, in key order.
static APIS: &[Api] = &[
    produce::API,
    fetch::API,
    list_offsets::API,
    metadata::API,
    api_versions::API,
    create_topics::API,
    delete_topics::API,
    init_producer_id::API,
    create_partitions::API,
    elect_leaders::API,
    alter_partition_reassignments::API,
    list_partition_reassignments::API,
    describe_quorum::API,
    update_features::API,
    describe_cluster::API,
    unregister_broker::API,
    describe_topic_partitions::API,
    describe_configs::API,
    alter_configs::API,
    incremental_alter_configs::API,
    list_config_resources::API,
];

fn api_of(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key.raw() == key)
}

/// Starts the work on one request frame. A request that is not served ends the connection, as Kafka does; only
/// ApiVersions of an unknown version has an answer, for that is how a newer client finds out (KIP-511).
pub(crate) fn dispatch(
    node: &Arc<Node>,
    frame: Bytes,
    peer: &Arc<Peer>,
) -> Result<BoxFuture<'static, Result<Answer, Hangup>>, Hangup> {
    let request = Request::parse(frame, peer.clone())?;
    let Some(api) = api_of(request.key) else {
        return Err(Hangup::Malformed(format!("no API has key {}, or it is not served", request.key)));
    };
    if !api.served.contains(&request.version) && api.key != ApiKey::ApiVersions {
        return Err(Hangup::Malformed(format!("{} v{} is not served", api.key, request.version)));
    }
    Ok((api.handle)(node.clone(), request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_key_order_and_serves_what_it_advertises() {
        assert!(APIS.windows(2).all(|pair| pair[0].key < pair[1].key));
        for api in APIS {
            assert!(api.served.end() <= api.key.versions().end(), "{}: a version without a schema", api.key);
            assert!(api.key.unstable_from().is_none_or(|unstable| *api.served.end() < unstable), "{}", api.key);
            // Produce names versions that it closes the connection for, as Kafka does: old librdkafka concludes from
            // them that the broker knows compression at all.
            if api.key != ApiKey::Produce {
                assert_eq!(api.served, api.advertised, "{}", api.key);
            }
        }
    }
}
