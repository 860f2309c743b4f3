//! `AlterConfigs` (key 33): replaces all overrides of topics, brokers, client metrics subscriptions and groups.
//!
//! - v0: KIP-133. v2: flexible.
//!
//! Superseded by IncrementalAlterConfigs. Errors by resource: INVALID_REQUEST, INVALID_CONFIG,
//! UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, POLICY_VIOLATION (too many at once), NOT_CONTROLLER,
//! REQUEST_TIMED_OUT. Broker loggers are none of its resources, as with Kafka. The answer has no room for warnings: what
//! is kept and has no effect is said in the log.

use ottla_controller::{AlterConfigs, AlteredResource, ConfigChange, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::alter_configs::{AlterConfigsRequest, AlterConfigsResourceResponse, AlterConfigsResponse};
use ottla_types::ErrorCode;

use super::Api;
use crate::config_rules::warn_of;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::AlterConfigs,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: AlterConfigsRequest) -> AlterConfigsResponse {
    let named: Vec<_> = body.resources.iter().map(|one| (one.resource_type, one.resource_name.clone())).collect();
    let resources: Vec<_> = body
        .resources
        .into_iter()
        .map(|resource| AlteredResource {
            kind: resource.resource_type,
            name: resource.resource_name,
            change: ConfigChange::Replace(resource.configs.into_iter().map(|one| (one.name, one.value)).collect()),
        })
        .collect();
    let asked = node.config().node_id;
    let ask = AlterConfigs { resources: resources.clone(), asked, validate_only: body.validate_only };
    let outcomes: Vec<_> = match node.controller.ask(Ask::AlterConfigs(ask)).await {
        Reply::AlterConfigs(results) => results
            .into_iter()
            .zip(&resources)
            .map(|(result, resource)| match result {
                Ok(()) => {
                    warn_of(resource);
                    (ErrorCode::None, None)
                }
                Err(refusal) => (refusal.code(), Some(refusal.to_string())),
            })
            .collect(),
        Reply::Refused(refusal) => vec![(refusal.code(), Some(refusal.to_string())); resources.len()],
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    let responses = named.into_iter().zip(outcomes).map(|((resource_type, resource_name), (error, error_message))| {
        AlterConfigsResourceResponse { error_code: error.raw(), error_message, resource_type, resource_name }
    });
    AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() }
}
