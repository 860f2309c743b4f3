//! The disk's time: an operation completes when the simulated clock has come to it.

use std::time::Duration;

use ottla_storage::disk::simulated::Delay;

/// Completes operations on the host that submitted them. If that host crashes first they never complete, as it is with
/// a computer whose power is gone.
#[derive(Debug)]
pub(crate) struct SimulatedDelay;

impl Delay for SimulatedDelay {
    fn schedule(&self, after: Duration, run: Box<dyn FnOnce() + Send>) {
        drop(tokio::spawn(async move {
            tokio::time::sleep(after).await;
            run();
        }));
    }
}
