//! Notes, from time to time, how far a directory's logs are flushed: what lies below needs no look after a crash. A
//! directory whose own files cannot be written is given up here.
//!
//! A round is due when the interval is over, and sooner when much was flushed: a start after a crash reads everything behind
//! the last round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla_runtime::Runtime;
use ottla_storage::LogDirectory;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::directories::Directories;
use crate::partitions::Partitions;

/// Bytes that are flushed before a round is due whatever the time. A start checks so much in a tenth of a second or two.
const FLUSHED_ENOUGH: u64 = 512 << 20;
/// And for each log that changed so many: saving one costs about what appending 1 MiB does, and should be little beside it.
const FLUSHED_ENOUGH_PER_LOG: u64 = 16 << 20;

/// How much of a directory was flushed since its last round.
#[derive(Default)]
pub(crate) struct Grown {
    bytes: AtomicU64,
    /// Notified at each multiple of [`FLUSHED_ENOUGH`].
    enough: Notify,
}

impl Grown {
    /// `bytes` more were flushed.
    pub(crate) fn add(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before / FLUSHED_ENOUGH != before.saturating_add(bytes) / FLUSHED_ENOUGH {
            self.enough.notify_one();
        }
    }

    /// Completes when a round may be due, with `changed` logs.
    async fn is_enough(&self, changed: impl Fn() -> usize) {
        loop {
            self.enough.notified().await;
            if self.bytes.load(Ordering::Relaxed) >= FLUSHED_ENOUGH_PER_LOG * changed() as u64 {
                return;
            }
        }
    }
}

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
    /// Where the flusher counts.
    pub(crate) grown: Arc<Grown>,
    /// The broker stops, or the directory is offline.
    pub(crate) stop: CancellationToken,
}

impl Checkpoints {
    /// Writes the directory's checkpoints every interval, and sooner after much, until the broker stops.
    pub(crate) async fn run(self) {
        let clock = &self.runtime.clock;
        let mut pause = self.delay;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.doubt.notified() => {}
                () = self.grown.is_enough(|| self.directory.unsaved()) => {}
                () = clock.sleep_until(clock.now() + pause) => {}
            }
            pause = self.interval;
            self.grown.bytes.store(0, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_round_is_due_after_many_bytes_and_the_more_the_more_logs_changed() {
        let grown = Grown::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut few = pin!(grown.is_enough(|| 6));
        assert_eq!(few.as_mut().poll(&mut context), Poll::Pending);
        grown.add(FLUSHED_ENOUGH - 1);
        assert_eq!(few.as_mut().poll(&mut context), Poll::Pending);
        grown.add(1);
        assert_eq!(few.as_mut().poll(&mut context), Poll::Ready(()));
        let mut many = pin!(grown.is_enough(|| 64));
        for _ in 0..2 {
            assert_eq!(many.as_mut().poll(&mut context), Poll::Pending);
            grown.add(FLUSHED_ENOUGH / 2);
        }
        assert_eq!(many.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
