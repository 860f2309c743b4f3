//! One replica on this node: its log, its leadership, and those who wait on it.
//!
//! The log says how far it is written and flushed; the replication machine says what of that is safe; waiting requests
//! are woken. Lock order: the log's own lock is never held when this one's is taken.
//!
//! A partition that is moved between directories gets another log while it is served: `partition/exchange.rs`.

mod exchange;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use arc_swap::ArcSwap;
use ottla_config::{CompressionType, TimestampType, TopicConfig};
use ottla_record::{Codec, Limits, Packing, Rules, TimestampRule};
use ottla_replication::{BecomeLeader, Input, Leader, Output};
use ottla_runtime::{Lane, Runtime};
use ottla_storage::sown::{self, Bug};
use ottla_storage::{
    AbortedTransaction, AppendRefusal, Appended, Batch, CompactionRules, Log, LogConfig, ReadRefusal, Retention,
    Retired, Slice, StorageFault,
};
use ottla_types::{BrokerId, ErrorCode, Instant, LeaderEpoch, Offset, Timestamp, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::metrics::Traffic;
use crate::wait::{Registration, Waits};

/// Bytes that may wait for one log's writer before the connections that feed it are held back.
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Who must have records before their producer is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acks {
    /// Nobody; there is no answer.
    None,
    /// The leader's log.
    Leader,
    /// All in sync, as safely as the topic asks for.
    All,
}

impl Acks {
    /// The meaning of the wire's number; `None` if it has none.
    pub(crate) const fn from_raw(raw: i16) -> Option<Self> {
        match raw {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// A partition that this broker leads.
pub(crate) struct Partition {
    pub(crate) name: TopicPartition,
    pub(crate) traffic: Traffic,
    /// Another one once the partition was moved.
    log: ArcSwap<Log>,
    /// The log is being closed so that another one may take its place: appends wait.
    exchanging: AtomicBool,
    leader: Mutex<Leader>,
    config: ArcSwap<TopicConfig>,
    /// `leader.high_watermark()`, to be read without the lock. Sequentially consistent: who waits registers, then looks
    /// here; who moves it stores here, then looks who is registered. One of the two must see the other.
    high_watermark: AtomicI64,
    /// This broker leads it no more; it is in the hands of requests that waited.
    closed: AtomicBool,
    /// Wait for the high watermark.
    safe: Waits,
    /// Wait for the log to be written.
    written: Waits,
}

/// Where records were put: a partition may have another log by the time somebody asks for them.
#[derive(Clone)]
pub(crate) struct Place {
    log: Arc<Log>,
    pub(crate) appended: Appended,
}

impl Place {
    /// Whether they are gone again, since the disk had no room for them.
    pub(crate) fn was_taken_back(&self) -> bool {
        self.log.was_taken_back(&self.appended)
    }
}

/// What a reader learns of a partition besides records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    pub(crate) log_start: Offset,
    pub(crate) high_watermark: Offset,
    /// Below it every transaction is decided. At most the high watermark.
    pub(crate) last_stable_offset: Offset,
    pub(crate) log_end: Offset,
}

impl Partition {
    /// Takes the lead of an open log.
    pub(crate) fn lead(
        name: TopicPartition,
        log: Arc<Log>,
        config: TopicConfig,
        local: BrokerId,
        state: &ottla_metadata::Partition,
    ) -> Arc<Self> {
        log.configure(log_config(&config));
        log.assign_leader_epoch(state.leader_epoch);
        let leader = Leader::new(local, waits_for_flush(&config), begin(&log, state));
        let high_watermark = AtomicI64::new(leader.high_watermark().0);
        let partition = Arc::new(Self {
            name,
            traffic: Traffic::default(),
            leader: Mutex::new(leader),
            config: ArcSwap::from_pointee(config),
            high_watermark,
            closed: AtomicBool::new(false),
            safe: Waits::default(),
            written: Waits::default(),
            log: ArcSwap::new(log.clone()),
            exchanging: AtomicBool::new(false),
        });
        log.attach(Arc::new(Watcher(Arc::downgrade(&partition))));
        partition
    }

    /// Takes over what the cluster's image now says of the partition.
    pub(crate) fn follow_image(&self, state: &ottla_metadata::Partition) {
        let renewed = {
            let mut leader = self.leader.lock();
            let input = if state.leader_epoch > leader.epoch() {
                let log = self.log();
                log.assign_leader_epoch(state.leader_epoch);
                Input::BecomeLeader(begin(&log, state))
            } else {
                Input::IsrChanged(state.isr.clone())
            };
            leader.handle(input)
        };
        debug_assert!(renewed.is_ok(), "the epoch was compared under the lock");
        self.publish();
    }

    /// Follows another configuration from now on.
    pub(crate) fn configure(&self, config: TopicConfig) {
        let waits_for_flush = waits_for_flush(&config);
        {
            // A log that takes this one's place meanwhile gets it too.
            let _leader = self.leader.lock();
            self.log().configure(log_config(&config));
            self.config.store(Arc::new(config));
        }
        self.tell(Input::FlushChanged(waits_for_flush));
    }

    /// What a batch must keep to.
    pub(crate) fn batch_rules(&self, now: Timestamp) -> (Limits, Rules) {
        let config = self.config.load();
        let batch_bytes_max = usize::try_from(config.batch_bytes_max).unwrap_or_default();
        let timestamps = match config.timestamp_type {
            TimestampType::LogAppendTime => TimestampRule::LogAppendTime { now },
            TimestampType::CreateTime => TimestampRule::CreateTime {
                now,
                before_max_ms: config.timestamp_before_max_ms,
                after_max_ms: config.timestamp_after_max_ms,
            },
        };
        (Limits { batch_bytes_max, ..Limits::default() }, Rules { timestamps, compacted: config.compact })
    }

    /// How a batch is kept that came in `sent` (`compression.type`).
    pub(crate) fn packing(&self, sent: Codec) -> Packing {
        let config = self.config.load();
        let (codec, level) = match config.compression {
            CompressionType::Producer => (sent, None),
            CompressionType::Uncompressed => (Codec::None, None),
            CompressionType::Gzip => (Codec::Gzip, config.compression_gzip_level),
            CompressionType::Snappy => (Codec::Snappy, None),
            CompressionType::Lz4 => (Codec::Lz4, None),
            CompressionType::Zstd => (Codec::Zstd, Some(config.compression_zstd_level)),
        };
        Packing { codec, level }
    }

    /// Whether acks=all may be asked for: `min.insync.replicas` of them are in sync, or all if there are fewer.
    pub(crate) fn has_enough_replicas(&self) -> bool {
        let wanted = usize::try_from(self.config.load().min_insync_replicas).unwrap_or_default();
        let leader = self.leader.lock();
        leader.isr().len() >= wanted.min(leader.replicas().len())
    }

    /// Puts a checked batch into the log's queue.
    pub(crate) fn append(&self, batch: Batch, now: Timestamp) -> Result<Place, AppendRefusal> {
        // The lead cannot be taken from a lone node between these two.
        let epoch = self.leader.lock().epoch();
        let log = self.log();
        let appended = log.append(batch, epoch, now)?;
        Ok(Place { log, appended })
    }

    /// Whether so much waits to be written that no more should be read from who sends it.
    pub(crate) fn is_congested(&self) -> bool {
        self.log.load().queued_bytes() > QUEUED_BYTES_MAX
    }

    /// Has what is queued written: by this thread if that does not block it, else by a task.
    pub(crate) fn start_writing(&self, runtime: &Runtime) {
        // What was put into another log was written before that one was closed.
        let log = self.log();
        let mut writing = Box::pin(async move {
            // Who waits is told of a failure by the log; there is nobody else to tell.
            let _ = log.write_queued().await;
        });
        let polled = writing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled == Poll::Pending {
            runtime.spawn(Lane::Data, writing);
        }
    }

    /// Waits until an append is as safe as `acks` asks.
    pub(crate) async fn acknowledged(
        &self,
        place: &Place,
        acks: Acks,
        runtime: &Runtime,
        deadline: Instant,
    ) -> Result<(), ErrorCode> {
        let Place { log, appended } = place;
        let wanted = appended.last_offset.plus(1);
        let (waits, reached): (_, &(dyn Fn() -> Offset + Sync)) = match acks {
            Acks::All => (&self.safe, &|| self.high_watermark()),
            Acks::Leader | Acks::None => (&self.written, &|| log.ends().written),
        };
        // In this order: what is reached may be another append's, if this one was taken back.
        let outcome = || match (reached() >= wanted, log.was_taken_back(appended)) {
            (_, true) => Some(Err(ErrorCode::KafkaStorageError)),
            (true, false) => Some(Ok(())),
            (false, false) => None,
        };
        if let Some(outcome) = outcome() {
            return outcome;
        }
        let wake = Arc::new(Notify::new());
        loop {
            let _registered = waits.register(wanted, &wake);
            if let Some(outcome) = outcome() {
                return outcome;
            }
            if self.is_closed() {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
            if self.is_offline(log) {
                return Err(ErrorCode::KafkaStorageError);
            }
            tokio::select! {
                biased;
                () = wake.notified() => {}
                () = runtime.clock.patience_until(deadline) => return Err(ErrorCode::RequestTimedOut),
            }
        }
    }

    /// Wakes `wake` once the high watermark is at least `offset`, or the log fails.
    pub(crate) fn watch(&self, offset: Offset, wake: &Arc<Notify>) -> Registration<'_> {
        self.safe.register(offset, wake)
    }

    /// Whether who read up to the high watermark `offset` has more to learn. A log that failed has nothing to add to that:
    /// what was safe is still read.
    pub(crate) fn has_moved(&self, offset: Offset) -> bool {
        self.high_watermark() > offset || self.is_closed()
    }

    /// Below it all is safe, and readable by consumers.
    pub(crate) fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::SeqCst))
    }

    /// Readers of committed records go no further.
    pub(crate) fn last_stable_offset(&self) -> Offset {
        self.log.load().last_stable_offset(self.high_watermark())
    }

    /// Makes `offset`, or the high watermark, the first that readers may ask for, if it is above the one that is; answers
    /// the one that is then. It is durable once it was saved ([`LogDirectory::save_log_starts`](ottla_storage::LogDirectory)).
    pub(crate) fn delete_records(&self, offset: Option<Offset>) -> Result<Offset, ErrorCode> {
        let config = self.config.load();
        if config.compact && !config.delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let log = self.log();
        if log.failed().is_some() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let high_watermark = self.high_watermark();
        let offset = offset.unwrap_or(high_watermark);
        if offset < Offset::ZERO || offset > high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        log.raise_start(offset).map_err(|fault| fault.error_code())?;
        let start = log.log_start_offset();
        self.tell(Input::LocalStartAdvanced(start));
        Ok(start)
    }

    /// The offsets that bound what can be read.
    pub(crate) fn bounds(&self) -> Bounds {
        let high_watermark = self.high_watermark();
        let (ends, last_stable_offset) = self.log.load().bounds(high_watermark);
        Bounds { log_start: ends.log_start, high_watermark, last_stable_offset, log_end: ends.log_end }
    }

    /// The epoch of this leadership.
    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        self.leader.lock().epoch()
    }

    /// Refuses a client that knows another epoch than this leader's (KIP-320). One that knows none is fine.
    pub(crate) fn check_epoch(&self, known: LeaderEpoch) -> Result<(), ErrorCode> {
        let current = self.leader_epoch();
        if known == LeaderEpoch::UNKNOWN || known == current {
            Ok(())
        } else if known < current {
            Err(ErrorCode::FencedLeaderEpoch)
        } else {
            Err(ErrorCode::UnknownLeaderEpoch)
        }
    }

    /// Up to `bytes_max` bytes of safe records from `from` on; with `at_least_one`, the first batch whatever its size.
    pub(crate) async fn read(
        &self,
        from: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ReadRefusal> {
        let up_to = self.high_watermark();
        self.ask_log(|log| async move { log.read(from, bytes_max, up_to, at_least_one).await }).await
    }

    /// The same of records whose transactions are decided, as `bounds` say, and the transactions among them that were
    /// aborted: their records are to be left out.
    pub(crate) async fn read_committed(
        &self,
        from: Offset,
        bytes_max: usize,
        bounds: &Bounds,
        at_least_one: bool,
    ) -> Result<(Option<Slice>, Vec<AbortedTransaction>), ReadRefusal> {
        let up_to = bounds.last_stable_offset;
        self.ask_log(|log| async move { log.read_committed(from, bytes_max, up_to, at_least_one).await }).await
    }

    /// How the topic wants to be compacted, if it does.
    pub(crate) fn compaction(&self) -> Option<CompactionRules> {
        let config = self.config.load();
        config.compact.then(|| CompactionRules {
            min_cleanable_ratio: config.min_cleanable_ratio,
            min_lag_ms: config.min_compaction_lag_ms,
            max_lag_ms: config.max_compaction_lag_ms,
            delete_retention_ms: config.delete_retention_ms,
        })
    }

    /// Lets the segments leave that the topic does not keep. Their files are still to be removed.
    pub(crate) async fn retire(&self, now: Timestamp) -> Result<Option<Retired>, StorageFault> {
        let log = self.log();
        let retired = log.retire(self.high_watermark(), now).await?;
        if retired.is_some() {
            self.tell(Input::LocalStartAdvanced(log.log_start_offset()));
        }
        Ok(retired)
    }

    /// The log that serves at this moment.
    pub(crate) fn log(&self) -> Arc<Log> {
        self.log.load_full()
    }

    /// The partition is going away: whoever waits on it is told.
    pub(crate) fn close(&self) {
        // Before they are woken, so that each of them sees it.
        self.closed.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whether the partition has gone away.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whoever waits on it looks again.
    pub(crate) fn wake_all(&self) {
        self.safe.wake_all();
        self.written.wake_all();
    }

    fn tell(&self, input: Input) {
        let told = self.leader.lock().handle(input);
        debug_assert!(told.is_ok(), "only inputs with an epoch can be refused");
        self.publish();
    }

    /// Hands on what the machine says.
    fn publish(&self) {
        let advanced = {
            let mut leader = self.leader.lock();
            let mut advanced = None;
            while let Some(Output::HighWatermarkAdvanced(offset)) = leader.poll() {
                advanced = Some(offset);
            }
            if let Some(offset) = advanced {
                self.high_watermark.fetch_max(offset.0, Ordering::SeqCst);
            }
            advanced
        };
        if let Some(offset) = advanced {
            self.safe.reached(offset);
        }
    }
}

/// What the log tells the partition. Weak, since the partition holds the log.
struct Watcher(Weak<Partition>);

impl ottla_storage::Progress for Watcher {
    fn written(&self, end: Offset) {
        if let Some(partition) = self.0.upgrade() {
            partition.tell(Input::LocalEndAdvanced(end));
            partition.written.reached(end);
        }
    }

    fn flushed(&self, end: Offset) {
        if let Some(partition) = self.0.upgrade() {
            partition.tell(Input::LocalFlushed(end));
        }
    }

    fn taken_back(&self, _from: Offset, _fault: &StorageFault) {
        if let Some(partition) = self.0.upgrade() {
            partition.wake_all();
        }
    }

    fn failed(&self, _fault: &StorageFault) {
        if let Some(partition) = self.0.upgrade() {
            partition.wake_all();
        }
    }

    /// Writing is polled here and then by a task that nobody cancels, so this happens only when the executor itself goes
    /// away; a task that was spawned now would be dropped at once. The next append finishes what was left.
    fn writer_wanted(&self) {}
}

fn begin(log: &Log, state: &ottla_metadata::Partition) -> BecomeLeader {
    let ends = log.ends();
    BecomeLeader {
        epoch: state.leader_epoch,
        replicas: state.replicas.clone(),
        isr: state.isr.clone(),
        start_offset: ends.log_start,
        local: ottla_replication::Progress { end: ends.written, flushed: ends.flushed },
        high_watermark: ends.log_start,
    }
}

/// Whether a record is safe only once it is flushed: as the topic asks, or since each one is to be flushed.
fn waits_for_flush(config: &TopicConfig) -> bool {
    (config.acks_flush || config.flush_messages <= 1) && !sown::is(Bug::NoFlushBeforeAcknowledgement)
}

/// What a log is told of its topic's settings.
pub(crate) fn log_config(config: &TopicConfig) -> LogConfig {
    let bytes = |number: i32| u32::try_from(number).unwrap_or_default();
    LogConfig {
        segment_bytes: bytes(config.segment_bytes),
        segment_ms: config.segment_ms,
        segment_jitter_ms: config.segment_jitter_ms,
        segment_index_bytes: bytes(config.index_bytes_max),
        index_interval_bytes: bytes(config.index_interval_bytes),
        preallocate: config.preallocate,
        retention: Retention {
            delete: config.delete,
            ms: config.retention_ms,
            bytes: config.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        },
        file_delete_delay_ms: config.file_delete_delay_ms,
        flush: waits_for_flush(config),
        flush_messages: config.flush_messages,
        flush_ms: config.flush_ms,
    }
}
