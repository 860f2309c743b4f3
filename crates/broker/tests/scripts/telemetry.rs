//! Commands about clients' metrics. A session remembers the instance and the subscription that it was told last.

use ottla_protocol::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use ottla_protocol::push_telemetry::PushTelemetryRequest;
use ottla_testkit::Command;
use ottla_types::Uuid;

use super::session::{Session, error};
use crate::support::otlp_gauge;

pub(super) fn subscriptions(session: &mut Session, command: &Command<'_>) -> String {
    let known = session.telemetry.map_or(Uuid::ZERO, |(instance, _)| instance);
    let client_instance_id = if command.has("new") { Uuid::ZERO } else { known };
    session.ask(0, &GetTelemetrySubscriptionsRequest { client_instance_id }, |session, answer| {
        if answer.error_code != 0 {
            return error(answer.error_code, None);
        }
        session.telemetry = Some((answer.client_instance_id, answer.subscription_id));
        let same = answer.client_instance_id == client_instance_id;
        format!(
            "NONE {} every {} ms [{}] compressions={:?} bytes={} deltas={}",
            if same { "the same instance" } else { "a new instance" },
            answer.push_interval_ms,
            answer.requested_metrics.join(" "),
            answer.accepted_compression_types,
            answer.telemetry_max_bytes,
            answer.delta_temporality,
        )
    })
}

pub(super) fn push(session: &mut Session, command: &Command<'_>) -> String {
    let (known, subscription_id) = session.telemetry.unwrap_or((Uuid::ZERO, 0));
    let metrics = match command.argument("bytes") {
        Some(count) => vec![0xff; count.parse().expect("a number")],
        None => otlp_gauge(command.argument("name").unwrap_or("m"), 1.0),
    };
    let request = PushTelemetryRequest {
        client_instance_id: if command.has("nobody") { Uuid::ZERO } else { known },
        subscription_id: subscription_id ^ i32::from(command.has("other")),
        terminating: command.has("terminating"),
        compression_type: command.parsed("codec", 0),
        metrics: metrics.into(),
    };
    session.ask(0, &request, |_, answer| error(answer.error_code, None))
}
