//! `UpdateFeatures` (key 57): changes the levels of features that the cluster has agreed on (KIP-584).
//!
//! - v1: a downgrade is safe or unsafe; only checking (KIP-778). v2: one error for all (KIP-1022), which older versions get
//!   too, with a result for each feature where all went well.
//!
//! The request's timeout is not looked at, as by Kafka's controllers.
//!
//! Errors: INVALID_UPDATE_VERSION (an unknown feature or level, or the wrong direction), NOT_CONTROLLER, REQUEST_TIMED_OUT.

use ottla_controller::{FeatureUpdate, Reply, Request as Ask, UpdateFeatures};
use ottla_protocol::ApiKey;
use ottla_protocol::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use ottla_types::ErrorCode;

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::UpdateFeatures,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version).await)
        })
    },
};

/// The level may fall where nothing is lost by it: what v0 can say.
const SAFE_DOWNGRADE: i8 = 2;

async fn handle(node: &Node, body: UpdateFeaturesRequest, version: i16) -> UpdateFeaturesResponse {
    let names: Vec<_> = body.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let updates = body.feature_updates.into_iter().map(|update| wanted(update, version)).collect();
    let ask = Ask::UpdateFeatures(UpdateFeatures { updates, validate_only: body.validate_only });
    let (error, message) = match node.controller.ask(ask).await {
        Reply::UpdateFeatures(Ok(())) => {
            let result = |feature| UpdatableFeatureResult { feature, ..UpdatableFeatureResult::default() };
            let results = if version <= 1 { names.into_iter().map(result).collect() } else { Vec::new() };
            return UpdateFeaturesResponse { results, ..UpdateFeaturesResponse::default() };
        }
        Reply::UpdateFeatures(Err(refusal)) => (refusal.code(), refusal.to_string()),
        Reply::Refused(refusal) => (refusal.code(), refusal.to_string()),
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    refused(error, message)
}

fn wanted(update: FeatureUpdateKey, version: i16) -> FeatureUpdate {
    let upgrade_type = if version == 0 && update.allow_downgrade { SAFE_DOWNGRADE } else { update.upgrade_type };
    FeatureUpdate { name: update.feature, level: update.max_version_level, upgrade_type }
}

fn refused(error: ErrorCode, message: String) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse {
        error_code: error.raw(),
        error_message: Some(message),
        ..UpdateFeaturesResponse::default()
    }
}
