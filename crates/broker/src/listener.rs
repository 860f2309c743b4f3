//! Accepts connections and gives each a task, once there is room for it.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::{Lane, Listener};
use tracing::warn;

use crate::connection;
use crate::node::Node;
use crate::seldom::Seldom;

/// How long accepting rests after it failed, for want of descriptors as a rule.
const REST: Duration = Duration::from_millis(100);
/// How often it is told that accepting fails.
const TELL_FAILED: Duration = Duration::from_secs(10);

/// Accepts on `listener`, named `name`, until the broker stops. While a connection waits to be let in, those behind it
/// wait in the system.
pub(crate) async fn accept(node: Arc<Node>, listener: Box<dyn Listener>, name: Arc<str>) {
    let failed = Seldom::every(TELL_FAILED);
    loop {
        let accepted = tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let now = node.runtime.clock.now();
                if let Some(untold) = failed.ask(now) {
                    warn!(listener = %name, %error, untold, "cannot accept a connection");
                }
                node.runtime.clock.sleep_until(now + REST).await;
                continue;
            }
        };
        let place = tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            place = node.connections.admit(&name, address) => place,
        };
        if let Some(place) = place {
            let serve = connection::serve(node.clone(), socket, place);
            node.runtime.spawn(Lane::Data, node.connections.tasks.track_future(serve));
        }
    }
}
