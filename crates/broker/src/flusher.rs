//! Flushes what was written, for all logs of a directory together: one loop for each, paced by `storage`'s arithmetic.

use std::sync::Arc;

use ottla_runtime::Runtime;
use ottla_storage::{DirtObserver, DirtyLogs, Pacing, StorageFault};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::checkpoints::Grown;
use crate::metrics::Flushes;

/// Wakes the loop; or the one that looks whether the directory is whole.
struct Wake {
    flusher: Arc<Notify>,
    doubt: Arc<Notify>,
}

impl DirtObserver for Wake {
    fn dirty(&self) {
        self.flusher.notify_one();
    }

    fn failed(&self, fault: &StorageFault) {
        if fault.is_the_devices() {
            self.doubt.notify_one();
        }
    }
}

/// What the loop of one directory works with.
pub(crate) struct Flusher {
    pub(crate) runtime: Runtime,
    pub(crate) dirty: Arc<DirtyLogs>,
    /// Notified when a log failed for a reason that may be the device's.
    pub(crate) doubt: Arc<Notify>,
    /// Where flushes are counted.
    pub(crate) flushes: Arc<Flushes>,
    /// Where their bytes are.
    pub(crate) grown: Arc<Grown>,
    /// The broker stops, or the directory is offline.
    pub(crate) stop: CancellationToken,
}

impl Flusher {
    /// Flushes until the broker stops. What is dirty then is flushed as the directory closes.
    pub(crate) async fn run(self) {
        let Self { runtime, dirty, doubt, flushes, grown, stop } = self;
        let wake = Arc::new(Notify::new());
        dirty.attach(Arc::new(Wake { flusher: wake.clone(), doubt }));
        let mut pacing = Pacing::default();
        loop {
            if dirty.is_empty() {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = wake.notified() => {}
                }
                continue;
            }
            let start = pacing.next_start(dirty.bytes());
            if runtime.clock.now() < start {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    // Perhaps enough has gathered by now to begin earlier.
                    () = wake.notified() => {}
                    () = runtime.clock.sleep_until(start) => {}
                }
                continue;
            }
            let began = runtime.clock.now();
            pacing.started(began);
            // A log that cannot be flushed is offline, has said so, and has told those who wait on it.
            let round = dirty.round();
            let bytes = round.bytes;
            let _ = round.finish().await;
            flushes.add(began, runtime.clock.now());
            grown.add(bytes);
        }
    }
}
