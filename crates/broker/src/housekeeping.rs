//! What is looked after from time to time: old segments, checkpoints, idle producers; and how often, as configured. And
//! the workers that move partitions between directories, or compact them.
//!
//! Not here: what the loops do about segments (`retention`), checkpoints (`checkpoints`) and moves (`moves`).

use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_runtime::{Lane, Runtime};
use ottla_storage::LogDirectory;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::checkpoints::{Checkpoints, Grown};
use crate::cleaner::{CleanerStats, LogCleaner};
use crate::directories::Directories;
use crate::flusher::Flusher;
use crate::metrics::Flushes;
use crate::moves::Moves;
use crate::partitions::Partitions;
use crate::retention;
use crate::settings::Settings;

/// The first rounds come sooner, as Kafka's: a broker that was down for long has much that is old.
const FIRST_ROUND_AFTER: Duration = Duration::from_secs(30);

/// Longer is as good as never, and timers count no further.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A configured time, that a timer can count.
pub(crate) fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default()).min(NEVER)
}

/// What the loops work with.
pub(crate) struct Housekeeping<'a> {
    pub(crate) config: &'a BrokerConfig,
    pub(crate) settings: &'a Arc<Settings>,
    pub(crate) runtime: &'a Runtime,
    pub(crate) directories: &'a Arc<Directories>,
    pub(crate) partitions: &'a Arc<Partitions>,
    pub(crate) moves: &'a Arc<Moves>,
    pub(crate) loops: &'a TaskTracker,
}

impl Housekeeping<'_> {
    /// Starts all of the loops. They end with `stop`, or with their directory. Answers where flushes are counted, and what
    /// is told of compaction.
    pub(crate) fn start(&self, stop: &CancellationToken) -> (Arc<Flushes>, Arc<CleanerStats>) {
        let flushes = Arc::default();
        for slot in self.directories.slots() {
            if let Some(directory) = slot.online() {
                self.keep_durable(directory, &flushes, &slot.stop);
            }
        }
        let retention_interval = duration(self.config.retention_check_interval_ms);
        let times = (self.delay(retention_interval), retention_interval);
        let served = (self.directories.clone(), self.partitions.clone());
        let (runtime, settings, loops) = (self.runtime.clone(), self.settings.clone(), self.loops.clone());
        let cleaner = LogCleaner::new(runtime.clone(), settings, served, loops, stop.clone());
        let retention = retention::run(runtime, self.partitions.clone(), cleaner.clone(), times, stop.clone());
        self.spawn(Lane::Control, retention);
        if self.config.cleaner.enable {
            cleaner.start_workers();
        }
        let forget =
            forget_idle_producers(self.runtime.clone(), self.partitions.clone(), self.settings.clone(), stop.clone());
        self.spawn(Lane::Control, forget);
        // With one directory there is nowhere to go.
        let movers = if self.config.log_dirs.len() > 1 { self.config.moves_at_once_max } else { 0 };
        for _ in 0..movers {
            self.spawn(Lane::Data, self.moves.clone().work(stop.clone()));
        }
        (flushes, cleaner.stats())
    }

    /// The loops of one directory: one flushes, one writes checkpoints.
    fn keep_durable(&self, directory: Arc<LogDirectory>, flushes: &Arc<Flushes>, stop: &CancellationToken) {
        let (doubt, grown) = (Arc::new(Notify::new()), Arc::new(Grown::default()));
        let flusher = Flusher {
            runtime: self.runtime.clone(),
            dirty: directory.dirty().clone(),
            doubt: doubt.clone(),
            flushes: flushes.clone(),
            grown: grown.clone(),
            stop: stop.clone(),
        };
        self.spawn(Lane::Data, flusher.run());
        let interval = duration(self.config.recovery_point_interval_ms.into());
        let checkpoints = Checkpoints {
            runtime: self.runtime.clone(),
            directories: self.directories.clone(),
            directory,
            partitions: self.partitions.clone(),
            delay: self.delay(interval),
            interval,
            doubt,
            grown,
            stop: stop.clone(),
        };
        self.spawn(Lane::Control, checkpoints.run());
    }

    /// How long the first of rounds with this interval waits (`log.initial.task.delay.ms`).
    fn delay(&self, interval: Duration) -> Duration {
        self.config.housekeeping_delay_ms.map_or(FIRST_ROUND_AFTER.min(interval), duration)
    }

    fn spawn(&self, lane: Lane, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(lane, self.loops.track_future(work));
    }
}

/// Forgets idle producers until the broker stops. How long they may be idle can change meanwhile.
async fn forget_idle_producers(
    runtime: Runtime,
    partitions: Arc<Partitions>,
    settings: Arc<Settings>,
    stop: CancellationToken,
) {
    let interval = duration(settings.present().producer_id_check_interval_ms);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = runtime.clock.sleep_until(runtime.clock.now() + interval) => {}
        }
        let (now, idle_ms) = (runtime.clock.wall(), i64::from(settings.present().producer_id_expiration_ms));
        for partition in partitions.all() {
            let forgotten = partition.log().expire_producers(now, idle_ms);
            if forgotten > 0 {
                debug!(partition = %partition.name, forgotten, "idle producers are forgotten");
            }
        }
    }
}
