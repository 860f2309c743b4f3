//! What is told of compaction: the numbers of Kafka's `LogCleaner` and `LogCleanerManager`, and who was set aside.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_storage::{Cleaned, Log};
use ottla_types::{Instant, TopicPartition};
use parking_lot::Mutex;

/// The numbers, and the partitions that cannot be cleaned.
#[derive(Debug, Default)]
pub(crate) struct CleanerStats(Mutex<Numbers>);

/// What is told, as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// When a worker last looked for something to clean.
    pub(crate) looked: Option<Instant>,
    /// The dirty share of the dirtiest log, of 1.
    pub(crate) dirty_ratio_max: f64,
    /// For how many milliseconds the most overdue log was.
    pub(crate) overdue_ms_max: i64,
    /// How long the last round took.
    pub(crate) last_round: Duration,
    /// How full its map was, of 1.
    pub(crate) last_utilization: f64,
    /// The share of what it read that it wrote again, of 1.
    pub(crate) last_kept_ratio: f64,
    /// Rounds that were begun.
    pub(crate) rounds: u64,
    /// Bytes that rounds have read, and written.
    pub(crate) moved_bytes: (u64, u64),
    /// Threads that compact, and rounds under way.
    pub(crate) workers: usize,
    pub(crate) rounds_under_way: usize,
    /// Workers that a panic has ended.
    pub(crate) dead: usize,
    aside: Vec<Aside>,
}

/// Counts the worker that holds it as dead, if a panic drops it.
pub(super) struct CountedIfDead(Arc<CleanerStats>);

impl Drop for CountedIfDead {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.lock().dead += 1;
        }
    }
}

#[derive(Clone, Debug)]
struct Aside {
    name: TopicPartition,
    log: Weak<Log>,
    directory: PathBuf,
}

impl CleanerStats {
    pub(super) fn looked(&self, now: Instant) {
        self.0.lock().looked = Some(now);
    }

    pub(super) fn count_if_dead(self: &Arc<Self>) -> CountedIfDead {
        CountedIfDead(self.clone())
    }

    pub(super) fn has_workers(&self, workers: usize) {
        self.0.lock().workers = workers;
    }

    pub(super) fn began(&self) {
        self.0.lock().rounds_under_way += 1;
    }

    pub(super) fn ended(&self) {
        self.0.lock().rounds_under_way -= 1;
    }

    pub(super) fn found(&self, dirty_ratio_max: f64, overdue_ms_max: i64) {
        let mut numbers = self.0.lock();
        (numbers.dirty_ratio_max, numbers.overdue_ms_max) = (dirty_ratio_max, overdue_ms_max);
        // Partitions that are gone, or have another log by now.
        numbers.aside.retain(|aside| aside.log.strong_count() > 0);
    }

    pub(super) fn cleaned(&self, cleaned: &Cleaned, took: Duration) {
        let mut numbers = self.0.lock();
        numbers.rounds += 1;
        numbers.moved_bytes.0 += cleaned.mapped_bytes + cleaned.read_bytes;
        numbers.moved_bytes.1 += cleaned.written_bytes;
        numbers.last_round = took;
        numbers.last_utilization = cleaned.map_utilization;
        numbers.last_kept_ratio = cleaned.written_bytes as f64 / cleaned.read_bytes.max(1) as f64;
    }

    pub(super) fn set_aside(&self, name: TopicPartition, log: Weak<Log>, directory: &Path) {
        self.0.lock().aside.push(Aside { name, log, directory: directory.to_owned() });
    }

    pub(super) fn is_aside(&self, log: &Arc<Log>) -> bool {
        self.0.lock().aside.iter().any(|aside| std::ptr::eq(aside.log.as_ptr(), Arc::as_ptr(log)))
    }

    /// All of them.
    pub(crate) fn numbers(&self) -> Numbers {
        self.0.lock().clone()
    }
}

impl Numbers {
    /// How many partitions of a directory were set aside, and the bytes of their logs.
    pub(crate) fn uncleanable(&self, directory: &Path) -> (u64, u64) {
        let here = self.aside.iter().filter(|aside| aside.directory == directory);
        let logs = here.filter_map(|aside| Some((&aside.name, aside.log.upgrade()?)));
        logs.fold((0, 0), |(count, bytes), (_, log)| (count + 1, bytes + log.size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_panics_is_told_as_dead_and_one_that_leaves_is_not() {
        let stats = Arc::new(CleanerStats::default());
        drop(stats.count_if_dead());
        assert_eq!(stats.numbers().dead, 0);
        let counted = stats.count_if_dead();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _counted = counted;
            panic!("on purpose");
        }));
        assert_eq!((ended.is_err(), stats.numbers().dead), (true, 1));
    }
}
