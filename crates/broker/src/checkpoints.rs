//! Notes, from time to time, how far the logs are flushed: what lies below needs no look after a crash.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::Runtime;
use ottla_storage::LogDirectory;
use tokio_util::sync::CancellationToken;

use crate::partitions::Partitions;

/// Writes the directory's checkpoints every `interval` until the broker stops, and forgets idle producers.
pub(crate) async fn run(
    runtime: Runtime,
    directory: Arc<LogDirectory>,
    partitions: Arc<Partitions>,
    interval: Duration,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = runtime.clock.sleep_until(runtime.clock.now() + interval) => {}
        }
        let now = runtime.clock.wall();
        for (_, partition) in directory.partitions() {
            partition.log.expire_producers(now);
        }
        if let Err(fault) = directory.write_checkpoints(&partitions.high_watermarks()).await {
            // The old ones stay: recovery reads more than it must, nothing worse.
            tracing::warn!(%fault, "the checkpoints could not be written");
        }
    }
}
