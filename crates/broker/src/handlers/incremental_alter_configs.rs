//! `IncrementalAlterConfigs` (key 44): changes single overrides of topics, brokers, client metrics subscriptions and groups,
//! and the levels of this broker's loggers (KIP-339, KIP-412).
//!
//! - v1: flexible.
//!
//! Errors by resource: INVALID_REQUEST, INVALID_CONFIG, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION,
//! POLICY_VIOLATION (too many at once), NOT_CONTROLLER, REQUEST_TIMED_OUT. Overrides are the controller's to decide, in
//! one change; levels of loggers are this process's own, and are changed here.

use ottla_controller::{AlterConfigs, AlteredResource, ConfigChange, ConfigOperation, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use ottla_types::ErrorCode;

use super::Api;
use crate::config_rules::warn_of;
use crate::log_levels::{self, BROKER_LOGGER};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::IncrementalAlterConfigs,
    served: 0..=1,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

type Outcome = (ErrorCode, Option<String>);

async fn handle(node: &Node, body: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let named: Vec<_> = body.resources.iter().map(|one| (one.resource_type, one.resource_name.clone())).collect();
    let kept = body.resources.iter().filter(|one| one.resource_type != BROKER_LOGGER).map(altered).collect();
    let mut kept = alter_kept(node, kept, body.validate_only).await.into_iter();
    let responses = body.resources.iter().map(|resource| {
        let (error, error_message) = if resource.resource_type == BROKER_LOGGER {
            let once = named.iter().filter(|(kind, name)| *kind == BROKER_LOGGER && *name == resource.resource_name);
            alter_loggers(node, resource, once.count() == 1, body.validate_only)
        } else {
            kept.next().expect("the controller answers for every resource")
        };
        AlterConfigsResourceResponse {
            error_code: error.raw(),
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
        }
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..IncrementalAlterConfigsResponse::default() }
}

fn altered(resource: &AlterConfigsResource) -> AlteredResource {
    AlteredResource {
        kind: resource.resource_type,
        name: resource.resource_name.clone(),
        change: ConfigChange::Amend(operations(resource)),
    }
}

fn operations(resource: &AlterConfigsResource) -> Vec<ConfigOperation> {
    let operation = |config: &ottla_protocol::incremental_alter_configs::AlterableConfig| ConfigOperation {
        key: config.name.clone(),
        operation: config.config_operation,
        value: config.value.clone(),
    };
    resource.configs.iter().map(operation).collect()
}

/// Changes what the cluster keeps.
async fn alter_kept(node: &Node, resources: Vec<AlteredResource>, validate_only: bool) -> Vec<Outcome> {
    if resources.is_empty() {
        return Vec::new();
    }
    let ask = AlterConfigs { resources: resources.clone(), asked: node.config().node_id, validate_only };
    match node.controller.ask(Ask::AlterConfigs(ask)).await {
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
    }
}

/// Changes the levels of this process's loggers.
fn alter_loggers(node: &Node, resource: &AlterConfigsResource, once: bool, validate_only: bool) -> Outcome {
    let here = node.config().node_id;
    let outcome =
        log_levels::alter(&*node.log_levels, here, &resource.resource_name, once, &operations(resource), validate_only);
    match outcome {
        Ok(()) => (ErrorCode::None, None),
        Err(refusal) => (refusal.code, Some(refusal.message)),
    }
}
