//! One partition's log.
//!
//! An append decides everything under one short lock and does no I/O: sequence, offsets, segment, position in the file,
//! index entries. It leaves bytes in a queue. Whoever calls [`Log::write_queued`] and finds no writer at work becomes
//! the writer and brings the whole queue to the disk. A [`Log::flush`] makes durable what was written when it was
//! submitted. So three offsets rise one behind the other:
//!
//! ```text
//! log_start <= flushed <= written <= end       (end: assigned to appends; readers never go beyond written)
//! ```
//!
//! A write that finds the disk full is taken back, and the log goes on: `room`. Any other write that fails, and any sync,
//! takes the log offline until it is opened anew: which bytes the device has is unknown then. Appends are refused, what
//! was written before is still read.
//!
//! `append` → `write` → `flush` → `read` is the way of a record, `aborted` what readers of committed ones are told besides;
//! `recover` and `trusted` are how a log is opened, `retention`
//! and `retire` how its oldest segments leave, `compact` how cleaned ones take the place of others and `interrupted` what a
//! crash leaves of that, `truncate` how it is cut, `close` how it is left. `role` says who may write.

mod aborted;
mod append;
mod close;
mod compact;
mod config;
mod copy;
mod flush;
mod interrupted;
mod queue;
mod read;
mod recent;
mod recover;
mod retention;
mod retire;
mod role;
mod room;
mod search;
#[cfg(test)]
mod tests;
mod together;
mod truncate;
mod trusted;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use ottla_types::{LeaderEpoch, Offset, ProducerId, Timestamp};
use parking_lot::Mutex;

pub use append::{AppendRefusal, Appended, Batch};
pub use close::SavedPoint;
pub(crate) use compact::{CLEANED, CleanedSegment, View};
pub use config::LogConfig;
pub(crate) use copy::LogCopy;
pub use flush::Flush;
pub use read::{ReadRefusal, Slice};
pub use recover::Recovery;
pub use retention::{Retention, SegmentSummary};
pub use retire::Retired;
pub use search::TimestampedOffset;
pub(crate) use together::Saving;
pub(crate) use truncate::remove;

use crate::disk::Disk;
use crate::fault::StorageFault;
use crate::flush::DirtyLogs;
use crate::leader_epochs::{EpochEnd, LeaderEpochs};
use crate::producers::{ProducerEntry, Producers};
use crate::segment::{Segment, SegmentFiles};
use queue::Queue;
use recent::Recent;
use role::RoleState;
use room::Room;

/// How far a log has come. `flushed <= written <= log_end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The first offset that readers may ask for.
    pub log_start: Offset,
    /// The offset that the next record gets.
    pub log_end: Offset,
    /// Everything below is in the file and can be read.
    pub written: Offset,
    /// Everything below survives a power loss.
    pub flushed: Offset,
}

/// What a log tells the one who waits on it. Called without any lock of the log held, from whichever thread did the
/// work. Calls can overtake each other, so the largest offset counts; after a cut at the end ask [`Log::ends`].
pub trait Progress: Send + Sync + 'static {
    /// Everything below `end` can be read.
    fn written(&self, end: Offset);
    /// Everything below `end` survives a power loss.
    fn flushed(&self, end: Offset);
    /// There was no room for what was appended from `from` on: it is not in the log, and later appends get its offsets
    /// ([`Log::was_taken_back`]).
    fn taken_back(&self, from: Offset, fault: &StorageFault);
    /// The log is offline: what was not written or flushed by now never will be.
    fn failed(&self, fault: &StorageFault);
    /// A future that did the writing was dropped with work left: somebody must call [`Log::write_queued`].
    fn writer_wanted(&self);
}

/// One partition's log on disk. Shared; all methods take `&self`.
pub struct Log {
    disk: Arc<dyn Disk>,
    directory: Arc<Path>,
    state: Mutex<State>,
    progress: OnceLock<Arc<dyn Progress>>,
    /// Where the log says that it has something to flush.
    dirty_logs: OnceLock<Arc<DirtyLogs>>,
    myself: Weak<Self>,
}

/// Everything that changes, under one lock that is never held across I/O.
struct State {
    config: LogConfig,
    log_start: Offset,
    end: Offset,
    written: Offset,
    flushed: Offset,
    /// Rises with every cut at the end, so that a flush that was under way does not count.
    cuts: u64,
    /// By rising base, never empty. The last is the active one.
    segments: Vec<Segment>,
    recent: Recent,
    producers: Producers,
    /// Where snapshots of the producers stand, rising.
    snapshots: Vec<Offset>,
    epochs: LeaderEpochs,
    epochs_saved: bool,
    /// How often the file of epochs has been replaced.
    epochs_replaced: u64,
    queue: Queue,
    room: Room,
    role: RoleState,
    /// Changes of names in the directory so far, and how many of them are durable.
    names_changed: u64,
    names_synced: u64,
    is_dirty: bool,
    /// When the first record was appended that is not flushed.
    unflushed_since: Timestamp,
    /// Nothing is appended: the log is being closed.
    sealed: bool,
    /// Why nothing is appended any more.
    offline: Option<StorageFault>,
}

impl Log {
    fn with_state(disk: Arc<dyn Disk>, directory: Arc<Path>, state: State) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            disk,
            directory,
            state: Mutex::new(state),
            progress: OnceLock::new(),
            dirty_logs: OnceLock::new(),
            myself: myself.clone(),
        })
    }

    /// Names the one who is told of progress. The first call counts.
    pub fn attach(&self, progress: Arc<dyn Progress>) {
        let _ = self.progress.set(progress);
    }

    pub(crate) fn report_dirt_to(&self, dirty_logs: Arc<DirtyLogs>) {
        let _ = self.dirty_logs.set(dirty_logs);
    }

    /// The partition's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How far the log has come.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.state.lock().ends()
    }

    /// The first offset that readers may ask for.
    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.state.lock().log_start
    }

    /// Why the log is offline, if it is.
    #[must_use]
    pub fn failed(&self) -> Option<StorageFault> {
        self.state.lock().offline.clone()
    }

    /// Bytes of batches in all segments, those still queued included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state.lock().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that were appended and are not written yet. Whoever takes requests bounds them by this.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.state.lock().queue.bytes()
    }

    /// The segments, oldest first; the last is the active one.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentSummary> {
        self.state.lock().segments.iter().map(Segment::summary).collect()
    }

    /// The base offsets of the segments, oldest first.
    #[must_use]
    pub fn segment_bases(&self) -> Vec<Offset> {
        self.state.lock().segments.iter().map(|segment| segment.base).collect()
    }

    /// The configuration that the log follows.
    #[must_use]
    pub fn config(&self) -> LogConfig {
        self.state.lock().config
    }

    /// Follows another configuration from the next append on.
    pub fn configure(&self, config: LogConfig) {
        let newly_dirty = {
            let mut state = self.state.lock();
            state.config = config;
            let waits = state.wants_flush();
            waits && !std::mem::replace(&mut state.is_dirty, true)
        };
        if newly_dirty {
            self.report_dirt(true, 0);
        }
    }

    /// Notes that `epoch` leads from the log's end on, before its first record (a leader does so when it takes over).
    pub fn assign_leader_epoch(&self, epoch: LeaderEpoch) {
        let mut state = self.state.lock();
        let end = state.end;
        state.assign_epoch(epoch, end);
    }

    /// The newest leader epoch that the log knows.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.state.lock().epochs.latest()
    }

    /// The epoch of the leader that wrote `offset`.
    #[must_use]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.state.lock().epochs.epoch_of(offset)
    }

    /// Where `epoch` ended (OffsetForLeaderEpoch, KIP-101, KIP-279); `None` if the log cannot know.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let state = self.state.lock();
        let end = state.epochs.end_of(epoch, state.end)?;
        Some(EpochEnd { end_offset: end.end_offset.max(state.log_start), ..end })
    }

    /// Forgets the producers that have been idle for `expiration_ms` (`producer.id.expiration.ms`); answers how many.
    pub fn expire_producers(&self, now: Timestamp, expiration_ms: i64) -> usize {
        self.state.lock().producers.expire(now, expiration_ms)
    }

    /// The last stable offset: below it every transaction is decided, and safely so (KIP-98). Readers of committed
    /// records go no further. At most the high watermark.
    #[must_use]
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        self.state.lock().last_stable_offset(high_watermark)
    }

    /// How far the log has come, and its last stable offset below this high watermark, both of one moment.
    #[must_use]
    pub fn bounds(&self, high_watermark: Offset) -> (Ends, Offset) {
        let mut state = self.state.lock();
        (state.ends(), state.last_stable_offset(high_watermark))
    }

    /// What the log remembers of its producers, by id (DescribeProducers, KIP-664).
    #[must_use]
    pub fn producers(&self) -> Vec<(ProducerId, ProducerEntry)> {
        let state = self.state.lock();
        state.producers.sorted().into_iter().map(|(id, entry)| (id, entry.clone())).collect()
    }

    /// Takes over what a log with the same records remembers of its producers: more than its files say.
    pub(crate) fn remember_producers_of(&self, other: &Self) {
        let producers = other.state.lock().producers.clone();
        self.state.lock().producers = producers;
    }

    fn segment_files(&self, base: Offset) -> SegmentFiles {
        SegmentFiles::new(self.disk.clone(), self.directory.clone(), base)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(name)
    }

    /// Takes the log offline for a reason that lies outside of it: its directory's device is gone.
    pub(crate) fn fail(&self, fault: StorageFault) {
        self.take_offline(fault);
    }

    /// Takes the log offline; the first fault stays. Hands it back for the caller to return.
    fn take_offline(&self, fault: StorageFault) -> StorageFault {
        let first = {
            let mut state = self.state.lock();
            let first = state.offline.is_none();
            if first {
                state.offline = Some(fault.clone());
                state.queue.clear();
            }
            first
        };
        if first {
            tracing::error!(directory = %self.directory.display(), %fault, "the log takes no records until the next start, and is still read");
            if let Some(progress) = self.progress.get() {
                progress.failed(&fault);
            }
            if let Some(dirty_logs) = self.dirty_logs.get() {
                dirty_logs.log_failed(&fault);
            }
        }
        fault
    }
}

impl State {
    fn ends(&self) -> Ends {
        Ends { log_start: self.log_start, log_end: self.end, written: self.written, flushed: self.flushed }
    }

    fn last_stable_offset(&mut self, high_watermark: Offset) -> Offset {
        let undecided = self.producers.first_undecided(high_watermark);
        // What was deleted of an open transaction nobody waits for.
        undecided.map_or(high_watermark, |first| first.max(self.log_start).min(high_watermark))
    }

    fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has a segment")
    }

    /// The segment whose batches may hold `offset`: the last with a base at or below it.
    fn floor(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1)
    }

    fn segment(&mut self, base: Offset) -> Option<&mut Segment> {
        let i = self.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        self.segments.get_mut(i)
    }

    /// Whether what is written should be flushed now.
    fn wants_flush(&self) -> bool {
        let config = &self.config;
        let is_due = || {
            self.written.0 - self.flushed.0 >= config.flush_messages
                || self.room.last_append().0 - self.unflushed_since.0 >= config.flush_ms
        };
        self.flushed < self.written && (config.flush || is_due())
    }

    fn assign_epoch(&mut self, epoch: LeaderEpoch, start: Offset) {
        if self.epochs.assign(epoch, start) {
            self.epochs_saved = false;
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({}, {:?})", self.directory.display(), self.ends())
    }
}
