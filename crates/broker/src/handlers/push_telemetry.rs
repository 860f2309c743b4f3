//! `PushTelemetry` (key 72): a client's metrics, as its subscription asked for (KIP-714). They are told at `/metrics`.
//!
//! - v0.
//!
//! Needs no permission. Errors: INVALID_REQUEST without an instance id and after the last push, THROTTLING_QUOTA_EXCEEDED,
//! UNKNOWN_SUBSCRIPTION_ID, UNSUPPORTED_COMPRESSION_TYPE, TELEMETRY_TOO_LARGE, INVALID_RECORD for what cannot be read.

use ottla_protocol::ApiKey;
use ottla_protocol::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use ottla_record::Codec;

use super::{Api, Request};
use crate::client_metrics::Push;
use crate::node::Node;
use crate::telemetry;

pub(super) const API: Api = Api {
    key: ApiKey::PushTelemetry,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &request, &body))
        })
    },
};

fn handle(node: &Node, request: &Request, body: &PushTelemetryRequest) -> PushTelemetryResponse {
    let codec = u8::try_from(body.compression_type).ok().and_then(Codec::from_id);
    let bytes_max = usize::try_from(node.config().telemetry_bytes_max).unwrap_or_default();
    let push = Push {
        instance: body.client_instance_id,
        subscription_id: body.subscription_id,
        terminating: body.terminating,
        known_compression: codec.is_some(),
        fits: body.metrics.len() <= bytes_max,
    };
    let taken = telemetry::push(node, request, push, codec.unwrap_or_default(), &body.metrics);
    let error_code = taken.err().map_or(0, |error| error.raw());
    PushTelemetryResponse { error_code, ..PushTelemetryResponse::default() }
}
