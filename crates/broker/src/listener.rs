//! Accepts connections and gives each a task.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::{Lane, Listener};
use tracing::warn;

use crate::connection;
use crate::node::Node;

/// How long accepting rests after it failed, for want of descriptors as a rule.
const REST: Duration = Duration::from_millis(100);

/// Accepts on `listener`, named `name`, until the broker stops.
pub(crate) async fn accept(node: Arc<Node>, listener: Box<dyn Listener>, name: Arc<str>) {
    loop {
        tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    let serve = connection::serve(node.clone(), socket, peer.to_string(), name.clone());
                    node.runtime.spawn(Lane::Data, node.connections.track_future(serve));
                }
                Err(error) => {
                    warn!(listener = %name, %error, "cannot accept a connection");
                    node.runtime.clock.sleep_until(node.runtime.clock.now() + REST).await;
                }
            },
        }
    }
}
