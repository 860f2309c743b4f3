//! `ListConfigResources` (key 74): the names of everything that has a configuration.
//!
//! - v0: client metrics subscriptions only (KIP-714; it was ListClientMetricsResources then).
//! - v1: the types that are asked for, or all of them (KIP-1142).
//!
//! Errors: UNSUPPORTED_VERSION for a type that is not known.

use ottla_metadata::ResourceKind;
use ottla_protocol::ApiKey;
use ottla_protocol::list_config_resources::{ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_types::ErrorCode;

use super::Api;
use crate::log_levels::BROKER_LOGGER;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ListConfigResources,
    served: 0..=1,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body, request.version, &request.listener))
        })
    },
};

/// The types in the order in which Kafka lists them.
const TYPES: [i8; 5] = [
    ResourceKind::Group.raw(),
    ResourceKind::ClientMetrics.raw(),
    BROKER_LOGGER,
    ResourceKind::Broker.raw(),
    ResourceKind::Topic.raw(),
];

fn handle(node: &Node, body: &ListConfigResourcesRequest, version: i16, listener: &str) -> ListConfigResourcesResponse {
    let wanted = if version == 0 { &[ResourceKind::ClientMetrics.raw()][..] } else { &body.resource_types };
    if wanted.iter().any(|wanted| !TYPES.contains(wanted)) {
        let error_code = ErrorCode::UnsupportedVersion.raw();
        return ListConfigResourcesResponse { error_code, ..ListConfigResourcesResponse::default() };
    }
    let types = TYPES.into_iter().filter(|one| wanted.is_empty() || wanted.contains(one));
    let resources = types.flat_map(|resource_type| {
        let named = move |resource_name| ConfigResource { resource_name, resource_type };
        names(node, resource_type, listener).into_iter().map(named)
    });
    ListConfigResourcesResponse { config_resources: resources.collect(), ..ListConfigResourcesResponse::default() }
}

fn names(node: &Node, resource_type: i8, listener: &str) -> Vec<String> {
    let image = node.image();
    match ResourceKind::from_raw(resource_type) {
        Some(ResourceKind::Topic) => image.topics().map(|topic| topic.name.to_string()).collect(),
        Some(ResourceKind::Broker) | None => {
            image.brokers_at(listener).map(|(broker, _)| broker.id.to_string()).collect()
        }
        Some(kind) => image.configured(kind).map(|resource| resource.name.to_string()).collect(),
    }
}
