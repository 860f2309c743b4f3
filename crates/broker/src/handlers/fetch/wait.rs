//! Until when a fetch waits: for enough bytes, for anything that the client must not be kept waiting for, or for the end
//! of its patience.
//!
//! It reads first; only when that is not enough does it register with its partitions, and looks once more whether one of
//! them moved in between. Who waits is woken by records that became safe, and by partitions that fail or go away.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::Instant;
use tokio::sync::Notify;

use super::lookup::Asked;
use super::read::{Harvest, Reader};
use super::session::Partitions;

/// What is worth an answer.
pub(super) struct Patience {
    pub(super) bytes_min: usize,
    pub(super) deadline: Instant,
}

impl Patience {
    /// Until `max_wait_ms` from `now` on.
    pub(super) fn new(now: Instant, max_wait_ms: i32, bytes_min: usize) -> Self {
        let max_wait = Duration::from_millis(u64::try_from(max_wait_ms).unwrap_or_default());
        Self { bytes_min, deadline: now + max_wait }
    }
}

/// Reads until there is enough.
pub(super) async fn read_enough(
    reader: &Reader<'_>,
    patience: &Patience,
    partitions: &Partitions,
    asked: &mut [Asked],
) -> Harvest {
    let node = reader.node;
    let clock = &node.runtime.clock;
    // Nothing that could ever be read is nothing to wait for.
    let hopeless = asked.iter().all(|asked| asked.partition().is_none());
    loop {
        let harvest = reader.read_all(partitions, asked).await;
        let enough = harvest.bytes >= patience.bytes_min || harvest.urgent || hopeless;
        if enough || clock.now() >= patience.deadline || node.stop.is_cancelled() {
            return harvest;
        }
        // What is not answered now is read again then.
        drop(harvest);
        let wake = Arc::new(Notify::new());
        let watched = || asked.iter().filter_map(|asked| Some((asked.partition()?, asked.read_to)));
        let _registered: Vec<_> = watched().map(|(partition, read)| partition.watch(read.plus(1), &wake)).collect();
        if watched().any(|(partition, read)| partition.has_moved(read)) {
            continue;
        }
        tokio::select! {
            biased;
            () = wake.notified() => {}
            () = clock.sleep_until(patience.deadline) => {}
            () = node.stop.cancelled() => {}
        }
    }
}
