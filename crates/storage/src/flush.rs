//! Flushes shared by the logs of a directory, and when the next may begin.
//!
//! A log that wrote something enters the list of dirty logs. A [`FlushRound`] takes the whole list, submits the syncs of
//! all of them before it awaits the first, and completes each. [`Pacing`] decides when a round may begin; whoever drives
//! the rounds owns the clock:
//!
//! ```text
//! loop { wait until a log is dirty and pacing.next_start(..) has come; dirty_logs.round().finish().await }
//! ```

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_types::Instant;
use parking_lot::Mutex;

use crate::fault::StorageFault;
use crate::log::{Flush, Log};

/// Once so many bytes are dirty a round begins at once. One fdatasync per 1 MB costs 0.6 to 0.7 CPU seconds per GB, one
/// per 8 MB 0.14 to 0.18.
pub const DIRTY_BYTES_ENOUGH: u64 = 8 << 20;
/// As long as no more than this is dirty, rounds follow one another at once: a few small requests wait for their answers,
/// and their producers send no more until they have them. What a sync costs is little beside what so many small requests
/// cost.
pub const DIRTY_BYTES_LITTLE: u64 = 128 << 10;
/// Rounds under load begin no sooner one after the other. A sync of a little takes 0.2 ms, so that a waiting producer
/// loses at most ten times that.
pub const ROUND_INTERVAL: Duration = Duration::from_millis(2);

/// Who is told that there is something to flush where there was nothing, and of logs that fail.
pub trait DirtObserver: Send + Sync + 'static {
    /// A log has become dirty, or the dirty bytes have passed [`DIRTY_BYTES_ENOUGH`].
    fn dirty(&self);
    /// A log of the directory went offline, with this fault. The directory itself may be gone, too.
    fn failed(&self, fault: &StorageFault);
}

/// The logs of a directory that have written something since their last flush.
#[derive(Default)]
pub struct DirtyLogs {
    state: Mutex<Dirt>,
    observer: std::sync::OnceLock<Arc<dyn DirtObserver>>,
}

#[derive(Default)]
struct Dirt {
    logs: Vec<Weak<Log>>,
    bytes: u64,
}

impl DirtyLogs {
    /// Names the one who is told. The first call counts.
    pub fn attach(&self, observer: Arc<dyn DirtObserver>) {
        let _ = self.observer.set(observer);
    }

    /// Bytes written since the last round began.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    /// Whether there is nothing to flush.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.lock().logs.is_empty()
    }

    /// `bytes` more are dirty, and this log, if it was clean.
    pub(crate) fn add(&self, log: Option<Weak<Log>>, bytes: u64) {
        let tell = {
            let mut state = self.state.lock();
            let before = state.bytes;
            state.bytes += bytes;
            let is_new = log.is_some();
            state.logs.extend(log);
            is_new || (before < DIRTY_BYTES_ENOUGH && state.bytes >= DIRTY_BYTES_ENOUGH)
        };
        if let Some(observer) = self.observer.get().filter(|_| tell) {
            observer.dirty();
        }
    }

    /// A log went offline.
    pub(crate) fn log_failed(&self, fault: &StorageFault) {
        if let Some(observer) = self.observer.get() {
            observer.failed(fault);
        }
    }

    /// Begins a round: takes all dirty logs and submits their syncs.
    pub fn round(&self) -> FlushRound {
        let dirt = std::mem::take(&mut *self.state.lock());
        let logs = dirt.logs.iter().filter_map(Weak::upgrade);
        FlushRound { bytes: dirt.bytes, flushes: logs.map(|log| log.submit_flush()).collect() }
    }
}

impl fmt::Debug for DirtyLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        write!(f, "DirtyLogs({} logs, {} bytes)", state.logs.len(), state.bytes)
    }
}

/// Flushes of several logs under way together.
#[must_use = "a round counts when it is finished"]
#[derive(Debug)]
pub struct FlushRound {
    /// Bytes that were dirty when it began.
    pub bytes: u64,
    flushes: Vec<Result<Flush, StorageFault>>,
}

impl FlushRound {
    /// Awaits all flushes. A log whose flush fails is offline and has told so itself; the last such fault is answered,
    /// after the others were completed.
    pub async fn finish(self) -> Result<(), StorageFault> {
        let mut answer = Ok(());
        for flush in self.flushes {
            let finished = match flush {
                Ok(flush) => flush.finish().await.map(|_| ()),
                Err(fault) => Err(fault),
            };
            if finished.is_err() {
                answer = finished;
            }
        }
        answer
    }
}

/// When rounds may begin. Pure.
#[derive(Clone, Copy, Default, Debug)]
pub struct Pacing {
    last_start: Option<Instant>,
}

impl Pacing {
    /// Notes that a round began.
    pub fn started(&mut self, now: Instant) {
        self.last_start = Some(now);
    }

    /// When the next round may begin, `dirty_bytes` being dirty: at once while that is little and once it is enough, else
    /// [`ROUND_INTERVAL`] after the last began, which after a pause is at once too. Rounds follow one another, so a
    /// device that takes longer than that for one paces them itself.
    #[must_use]
    pub fn next_start(&self, dirty_bytes: u64) -> Instant {
        match self.last_start {
            Some(start) if (DIRTY_BYTES_LITTLE + 1..DIRTY_BYTES_ENOUGH).contains(&dirty_bytes) => {
                start + ROUND_INTERVAL
            }
            _ => Instant::START,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_directory_flushes_at_once_and_a_busy_one_in_its_pace() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut pacing = Pacing::default();
        assert_eq!(pacing.next_start(1), Instant::START);
        pacing.started(at(100));
        assert_eq!(pacing.next_start(DIRTY_BYTES_LITTLE), Instant::START);
        assert_eq!(pacing.next_start(DIRTY_BYTES_LITTLE + 1), at(102));
        assert_eq!(pacing.next_start(DIRTY_BYTES_ENOUGH - 1), at(102));
        assert_eq!(pacing.next_start(DIRTY_BYTES_ENOUGH), Instant::START);
    }
}
