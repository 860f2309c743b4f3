//! Notes, from time to time, how far a directory's logs are flushed: what lies below needs no look after a crash. A
//! directory whose own files cannot be written is given up here.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::Runtime;
use ottla_storage::LogDirectory;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::directories::Directories;
use crate::partitions::Partitions;

/// What the loop of one directory works with.
pub(crate) struct Checkpoints {
    pub(crate) runtime: Runtime,
    pub(crate) directories: Arc<Directories>,
    pub(crate) directory: Arc<LogDirectory>,
    pub(crate) partitions: Arc<Partitions>,
    /// Before the first round.
    pub(crate) delay: Duration,
    /// Between two rounds.
    pub(crate) interval: Duration,
    /// One of the directory's logs failed: a round is due at once, to see whether the directory itself is whole.
    pub(crate) doubt: Arc<Notify>,
    /// The broker stops, or the directory is offline.
    pub(crate) stop: CancellationToken,
}

impl Checkpoints {
    /// Writes the directory's checkpoints every interval until the broker stops.
    pub(crate) async fn run(self) {
        let clock = &self.runtime.clock;
        let mut pause = self.delay;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.doubt.notified() => {}
                () = clock.sleep_until(clock.now() + pause) => {}
            }
            pause = self.interval;
            match self.directory.write_checkpoints(&self.partitions.high_watermarks()).await {
                Ok(()) => {}
                Err(fault) if fault.is_the_devices() => {
                    self.directories.take_offline(self.directory.path(), &fault);
                    return;
                }
                // The old ones stay: recovery reads more than it must, nothing worse.
                Err(fault) => tracing::warn!(%fault, "the checkpoints could not be written"),
            }
        }
    }
}
