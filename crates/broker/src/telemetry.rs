//! Clients' metrics between their requests and the machine that decides: who is asking, which subscriptions there are,
//! and what was pushed, unpacked. The decisions are in `client_metrics/`.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::ClientMetricsConfig;
use ottla_metadata::ResourceKind;
use ottla_record::{Codec, decompress};
use ottla_runtime::Clock;
use ottla_types::{ErrorCode, Uuid};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::client_metrics::{Client, ClientMetrics, Push, Subscribed, Subscription, read};
use crate::connections::Software;
use crate::handlers::Request;
use crate::node::Node;
use crate::settings::overrides;

/// How often silent clients are looked for.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of clients' metrics, shared.
pub(crate) type Shared = Arc<Mutex<ClientMetrics>>;

/// Forgets silent clients until `stop`.
pub(crate) async fn forget_silent(known: Shared, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.now() + PAUSE) => {}
        }
        known.lock().expire(clock.now());
    }
}

/// A client asks what to push.
pub(crate) fn subscribe(node: &Node, request: &Request, instance: Uuid) -> Result<Subscribed, ErrorCode> {
    let (client, subscriptions) = (client(request), subscriptions(node));
    let (now, fresh) = (node.runtime.clock.now(), node.random_id());
    node.client_metrics.lock().subscribe(now, instance, fresh, &client, &subscriptions)
}

/// A client pushes.
pub(crate) fn push(node: &Node, request: &Request, push: Push, codec: Codec, metrics: &[u8]) -> Result<(), ErrorCode> {
    let (client, subscriptions) = (client(request), subscriptions(node));
    let now = node.runtime.clock.now();
    node.client_metrics.lock().push(now, push, &client, &subscriptions)?;
    if metrics.is_empty() {
        return Ok(());
    }
    // Unpacked and read without the lock: that may take a while. Unpacked it may not be larger than packed.
    let bytes_max = usize::try_from(node.config().telemetry_bytes_max).unwrap_or_default();
    let reading = decompress(codec, metrics, bytes_max).ok().and_then(|bytes| read(&bytes));
    node.client_metrics.lock().keep(push.instance, reading)
}

fn client(request: &Request) -> Client {
    let unknown = || Software { name: "unknown".to_owned(), version: "unknown".to_owned() };
    Client {
        connection: request.peer.id,
        id: request.client_id().unwrap_or_default(),
        software: request.peer.software.get().cloned().unwrap_or_else(unknown),
        address: request.peer.address,
    }
}

fn subscriptions(node: &Node) -> Vec<Subscription> {
    let image = node.image();
    let configs = image.configured(ResourceKind::ClientMetrics).map(|resource| overrides(&image, resource));
    configs.map(|overrides| Subscription::new(&ClientMetricsConfig::resolve(&overrides))).collect()
}
