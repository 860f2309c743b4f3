//! Compaction of the partitions whose `cleanup.policy` holds `compact`: which is next, how fast, and what becomes of one
//! that cannot be cleaned.
//!
//! A few workers, as many as `log.cleaner.threads`, take one log after the other: the one with the largest dirty share of
//! those that are due. They run on threads of their own ([`Lane::Background`]), for compaction computes for long. One that
//! finds nothing rests for `log.cleaner.backoff.ms`. A log that cannot be cleaned is set aside until the broker starts
//! again, or the partition gets another log, so that it does not keep the others from their turn.
//!
//! What a round leaves of a log, and that no crash loses anything by it, is `storage`'s (`ottla_storage::Cleaner`).

mod pace;
mod stats;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use ottla_runtime::{Lane, Runtime};
use ottla_storage::{
    Cleanable, Cleaned, Cleaner, CleanerMemory, CleaningRound, CompactionRules, Log, LogDirectory, MapMemory, Retired,
    Stopped, StorageFault,
};
use ottla_types::TopicPartition;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::directories::Directories;
use crate::housekeeping;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::settings::Settings;
use pace::{Throttle, WorkersPace};
pub(crate) use stats::CleanerStats;

/// The broker's cleaner.
pub(crate) struct LogCleaner {
    runtime: Runtime,
    settings: Arc<Settings>,
    directories: Arc<Directories>,
    partitions: Arc<Partitions>,
    loops: TaskTracker,
    stop: CancellationToken,
    /// The partitions that workers have.
    taken: Mutex<BTreeSet<TopicPartition>>,
    /// How many workers there are.
    workers: Mutex<usize>,
    throttle: Throttle,
    stats: Arc<CleanerStats>,
}

/// What a worker takes.
struct Work {
    partition: Arc<Partition>,
    log: Arc<Log>,
    directory: Arc<LogDirectory>,
    rules: CompactionRules,
    cleanable: Cleanable,
}

/// A worker's cleaner, and the memory that it was made with.
type Made = Option<(CleanerMemory, Cleaner)>;

impl LogCleaner {
    pub(crate) fn new(
        runtime: Runtime,
        settings: Arc<Settings>,
        (directories, partitions): (Arc<Directories>, Arc<Partitions>),
        loops: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let throttle = Throttle::default();
        let (taken, workers, stats) = (Mutex::default(), Mutex::new(0), Arc::default());
        Arc::new(Self { runtime, settings, directories, partitions, loops, stop, taken, workers, throttle, stats })
    }

    /// What is told of it.
    pub(crate) fn stats(&self) -> Arc<CleanerStats> {
        self.stats.clone()
    }

    /// Whether a worker has this partition: its old segments leave when it is done.
    pub(crate) fn has(&self, name: &TopicPartition) -> bool {
        self.taken.lock().contains(name)
    }

    /// Starts workers until there are as many as the settings say.
    pub(crate) fn start_workers(self: &Arc<Self>) {
        let wanted = self.settings.present().cleaner.threads;
        let mut workers = self.workers.lock();
        while *workers < wanted {
            let work = self.clone().work(*workers);
            self.runtime.spawn(Lane::Background, self.loops.track_future(work));
            *workers += 1;
        }
        self.stats.has_workers(*workers);
    }

    /// Whether the worker of that number is one too many. The last goes first.
    fn is_surplus(&self, number: usize) -> bool {
        let wanted = self.settings.present().cleaner.threads;
        let mut workers = self.workers.lock();
        let goes = number + 1 == *workers && number >= wanted;
        *workers -= usize::from(goes);
        self.stats.has_workers(*workers);
        goes
    }

    async fn work(self: Arc<Self>, number: usize) {
        let mut made: Made = None;
        let _counted = self.stats.count_if_dead();
        loop {
            if self.is_surplus(number) {
                return;
            }
            if number == 0 {
                self.start_workers();
            }
            let cleaned = match self.take_dirtiest().await {
                Some(work) => {
                    let name = work.partition.name.clone();
                    self.stats.began();
                    let cleaned = self.clean(work, &mut made).await;
                    self.stats.ended();
                    self.taken.lock().remove(&name);
                    cleaned
                }
                None => {
                    // The memory goes back while there is nothing to do.
                    made = None;
                    false
                }
            };
            let pause = if cleaned { std::time::Duration::ZERO } else { self.settings.present().cleaner.backoff };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.runtime.clock.sleep_until(self.runtime.clock.now() + pause) => {}
            }
        }
    }

    /// The due log with the largest dirty share. Until it is given back nobody else takes it.
    async fn take_dirtiest(&self) -> Option<Work> {
        let now = self.runtime.clock.wall();
        self.stats.looked(self.runtime.clock.now());
        let (mut dirtiest, mut ratio_max, mut overdue_max): (Option<Work>, f64, i64) = (None, 0.0, 0);
        for partition in self.partitions.all() {
            let Some(rules) = partition.compaction() else { continue };
            let (name, log) = (&partition.name, partition.log());
            // Also one whose move waits, or goes on after a restart: what was copied of it would not be its own any more.
            let is_moving = self.directories.online().any(|directory| directory.is_moving_here(name));
            if is_moving || self.has(name) || self.stats.is_aside(&log) {
                continue;
            }
            let Some(directory) = self.directories.holder(name) else { continue };
            let found = match directory.cleanable(name, partition.high_watermark(), &rules, now).await {
                Ok(Some(cleanable)) if cleanable.clean_bytes + cleanable.dirty_bytes > 0 => cleanable,
                Ok(_) => continue,
                Err(fault) => {
                    self.set_aside(&partition, &log, &directory, &fault);
                    continue;
                }
            };
            ratio_max = ratio_max.max(found.ratio());
            overdue_max = overdue_max.max(found.overdue_ms);
            let is_dirtier = dirtiest.as_ref().is_none_or(|so_far| found.ratio() > so_far.cleanable.ratio());
            if found.is_due(&rules) && is_dirtier {
                dirtiest = Some(Work { partition, log, directory, rules, cleanable: found });
            }
        }
        self.stats.found(ratio_max, overdue_max);
        let work = dirtiest?;
        // Somebody else may have looked at the same time.
        let is_mine = self.taken.lock().insert(work.partition.name.clone());
        is_mine.then_some(work)
    }

    /// Cleans a log. Answers whether there may be more to do at once.
    async fn clean(self: &Arc<Self>, work: Work, made: &mut Made) -> bool {
        let Some(cleaner) = self.cleaner(made) else { return false };
        let Work { partition, log, directory, rules, cleanable } = work;
        let name = &partition.name;
        let began = self.runtime.clock.now();
        let pace = WorkersPace(self);
        let round = CleaningRound { rules: &rules, cleanable: &cleanable, now: self.runtime.clock.wall() };
        let mut cleaned = Cleaned::default();
        let answer = directory.clean(name, round, cleaner, &pace, &mut cleaned).await;
        self.remove_later(&partition, std::mem::take(&mut cleaned.retired));
        let took = self.runtime.clock.now().since(began);
        self.stats.cleaned(&cleaned, took);
        let answer = match answer {
            Ok(end) => {
                info!(
                    partition = %name, from = %cleanable.first_dirty, to = %end, ms = took.as_millis() as u64,
                    read_bytes = cleaned.read_bytes, kept_bytes = cleaned.written_bytes,
                    read_records = cleaned.read_records, kept_records = cleaned.written_records,
                    map_percent = (cleaned.map_utilization * 100.0) as u64, "compacted"
                );
                if cleaned.keyless_records > 0 {
                    warn!(partition = %name, records = cleaned.keyless_records, "records without a key were dropped");
                }
                end > cleanable.first_dirty
            }
            Err(Stopped::Changed) => false,
            Err(Stopped::Fault(fault)) if fault.is_full() => {
                warn!(partition = %name, %fault, "no room to compact; trying again later");
                false
            }
            Err(Stopped::Fault(fault)) => {
                self.set_aside(&partition, &log, &directory, &fault);
                false
            }
        };
        // Retention has left the partition alone meanwhile.
        match partition.retire(self.runtime.clock.wall()).await {
            Ok(retired) => self.remove_later(&partition, retired.into_iter().collect()),
            Err(fault) => warn!(partition = %name, %fault, "old segments could not be deleted"),
        }
        answer
    }

    /// The worker's cleaner, made anew if the settings say something else now. `None` if its memory holds no key.
    fn cleaner<'a>(&self, made: &'a mut Made) -> Option<&'a mut Cleaner> {
        let config = self.settings.present().cleaner.clone();
        let memory = CleanerMemory {
            map: MapMemory { bytes: config.map_bytes / config.threads, load_factor: config.load_factor },
            // Half to read, half to write.
            io_bytes: config.io_bytes / config.threads / 2,
        };
        if made.as_ref().is_none_or(|(made_with, _)| *made_with != memory) {
            *made = None;
            let random = &self.runtime.random;
            *made = Cleaner::new(memory, (random.bits(), random.bits())).map(|cleaner| (memory, cleaner));
            if made.is_none() {
                warn!(
                    bytes = memory.map.bytes,
                    "log.cleaner.dedupe.buffer.size has no room for a key; nothing is compacted"
                );
            }
        }
        made.as_mut().map(|(_, cleaner)| cleaner)
    }

    /// The partition is left alone from now on.
    fn set_aside(&self, partition: &Partition, log: &Arc<Log>, directory: &Arc<LogDirectory>, fault: &StorageFault) {
        if log.failed().is_some() {
            // It is offline, and has said so.
            return;
        }
        error!(
            partition = %partition.name, %fault,
            "the partition cannot be compacted; it is left alone until the next start, and grows"
        );
        self.stats.set_aside(partition.name.clone(), Arc::downgrade(log), directory.path());
    }

    /// Has the files removed that have left, once their delay is over; what waits when the broker stops is removed by the
    /// next start.
    fn remove_later(&self, partition: &Arc<Partition>, retired: Vec<Retired>) {
        let Some(delay_ms) = retired.first().map(|retired| retired.delay_ms) else { return };
        let (clock, stop) = (self.runtime.clock.clone(), self.stop.clone());
        let log: Weak<Log> = Arc::downgrade(&partition.log());
        let name = partition.name.clone();
        let due = clock.now() + housekeeping::duration(delay_ms);
        let removing = async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = clock.sleep_until(due) => {}
            }
            let Some(log) = log.upgrade() else { return };
            for retired in retired {
                if let Err(fault) = log.remove_retired(retired).await {
                    warn!(partition = %name, %fault, "files of compacted segments could not be removed");
                }
            }
        };
        self.runtime.spawn(Lane::Control, self.loops.track_future(removing));
    }
}
