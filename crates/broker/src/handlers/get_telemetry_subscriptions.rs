//! `GetTelemetrySubscriptions` (key 71): which of its metrics a client is asked to push, and how often (KIP-714).
//!
//! - v0.
//!
//! Kafka names this API only if a plugin receives metrics; here `/metrics` does. Needs no permission. Errors:
//! THROTTLING_QUOTA_EXCEEDED for a client that asks again too early.

use ottla_protocol::ApiKey;
use ottla_protocol::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use ottla_record::Codec;

use super::{Api, Request};
use crate::node::Node;
use crate::telemetry;

pub(super) const API: Api = Api {
    key: ApiKey::GetTelemetrySubscriptions,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &request, &body))
        })
    },
};

/// The compressions that are taken, the most welcome first, as Kafka has them.
const COMPRESSIONS: [Codec; 4] = [Codec::Zstd, Codec::Lz4, Codec::Gzip, Codec::Snappy];

fn handle(
    node: &Node,
    request: &Request,
    body: &GetTelemetrySubscriptionsRequest,
) -> GetTelemetrySubscriptionsResponse {
    match telemetry::subscribe(node, request, body.client_instance_id) {
        Ok(told) => GetTelemetrySubscriptionsResponse {
            client_instance_id: told.instance,
            subscription_id: told.subscription_id,
            accepted_compression_types: COMPRESSIONS.map(|codec| codec as i8).to_vec(),
            push_interval_ms: told.wanted.interval_ms,
            telemetry_max_bytes: node.config().telemetry_bytes_max,
            // What clients added up is what Prometheus wants.
            delta_temporality: false,
            requested_metrics: told.wanted.metrics.into_iter().collect(),
            ..GetTelemetrySubscriptionsResponse::default()
        },
        Err(error) => GetTelemetrySubscriptionsResponse {
            error_code: error.raw(),
            ..GetTelemetrySubscriptionsResponse::default()
        },
    }
}
