//! Until when a fetch waits: for enough bytes, for anything that the client must not be kept waiting for, or for the end
//! of its patience.
//!
//! It reads first; only when that is not enough does it register with its partitions, and looks once more whether one of
//! them moved in between. Who waits is woken by records that became safe, and by partitions that fail or go away. Until
//! there seems to be enough only the partitions that moved are looked into again; then all are read for the answer.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::{Instant, Offset};
use tokio::sync::Notify;

use super::lookup::Asked;
use super::read::{Harvest, Reader};
use super::session::Partitions;
use crate::partition::Partition;
use crate::wait::Registration;

/// What is worth an answer.
pub(super) struct Patience {
    pub(super) bytes_min: usize,
    pub(super) deadline: Instant,
}

impl Patience {
    /// Until `max_wait_ms` from `now` on, but for no longer than `idle_max`, for which a connection may be idle: while it
    /// waits nobody notices that its client is gone, and Kafka closes it then.
    pub(super) fn new(now: Instant, max_wait_ms: i32, idle_max: Option<Duration>, bytes_min: usize) -> Self {
        let max_wait = Duration::from_millis(u64::try_from(max_wait_ms).unwrap_or_default());
        Self { bytes_min, deadline: now + idle_max.map_or(max_wait, |idle_max| max_wait.min(idle_max)) }
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
    // Nothing that could ever be read is nothing to wait for.
    let hopeless = asked.iter().all(|asked| asked.partition().is_none());
    loop {
        let harvest = reader.read_all(partitions, asked).await;
        let enough = harvest.bytes >= patience.bytes_min || harvest.urgent || hopeless;
        if enough || node.runtime.clock.now() >= patience.deadline || node.stop.is_cancelled() {
            return harvest;
        }
        // What is not answered now is read again then.
        drop(harvest);
        wait(reader, patience, partitions, asked).await;
    }
}

/// Waits until it is worth to read everything again: because there seems to be enough, or the time is over. Of all
/// partitions only those that moved are looked into.
async fn wait(reader: &Reader<'_>, patience: &Patience, partitions: &Partitions, asked: &mut [Asked]) {
    let node = reader.node;
    let wake = Arc::new(Notify::new());
    let held: Vec<_> = asked.iter().map(|asked| asked.partition().cloned()).collect();
    let mut watches: Vec<_> =
        held.iter().map(|partition| Watch { partition: partition.as_ref(), place: None }).collect();
    for (watch, asked) in watches.iter_mut().zip(&*asked) {
        watch.renew(asked.read_to, &wake);
    }
    let mut woken = false;
    loop {
        let mut has_moved = false;
        for (watch, asked) in watches.iter_mut().zip(&mut *asked) {
            if !watch.has_moved(asked.read_to) {
                continue;
            }
            has_moved = true;
            if reader.look_again(partitions, asked).await {
                return;
            }
            watch.renew(asked.read_to, &wake);
        }
        if asked.iter().map(|asked| asked.bytes).sum::<usize>() >= patience.bytes_min {
            return;
        }
        if woken && !has_moved {
            // Somebody called who had no news; whoever it was has crossed the waiter off.
            watches.iter_mut().zip(&*asked).for_each(|(watch, asked)| watch.renew(asked.read_to, &wake));
        }
        if woken || has_moved {
            // Something may have moved before it was watched again.
            woken = false;
            continue;
        }
        // A broker that stops says so first, then wakes everybody: to wait for that as well would take a lock that all
        // connections share.
        if node.stop.is_cancelled() {
            return;
        }
        tokio::select! {
            biased;
            () = wake.notified() => woken = true,
            () = node.runtime.clock.patience_until(patience.deadline) => return,
        }
    }
}

/// One partition that is waited for, if there is one.
struct Watch<'a> {
    partition: Option<&'a Arc<Partition>>,
    place: Option<Registration<'a>>,
}

impl Watch<'_> {
    fn has_moved(&self, read_to: Offset) -> bool {
        self.partition.is_some_and(|partition| partition.has_moved(read_to))
    }

    /// Waits for what lies above `read_to`.
    fn renew(&mut self, read_to: Offset, wake: &Arc<Notify>) {
        // The old place is given up first: dropped later it would take the new one along.
        self.place = None;
        self.place = self.partition.map(|partition| partition.watch(read_to.plus(1), wake));
    }
}
