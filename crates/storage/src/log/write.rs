//! Write and flush: from the queue to the file, from the file to the device.

use std::path::Path;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use ottla_types::Offset;

use super::queue::Roll;
use super::{Log, State};
use crate::checkpoint;
use crate::disk::{FileHandle, Open, Submitted};
use crate::fault::{StorageFault, Trying};
use crate::leader_epochs;
use crate::segment::{IndexWrite, Kind, SegmentFiles};

/// The first step in which space is set aside; each next one is twice as large.
const RESERVE_MIN: u64 = 64 << 10;
/// The largest step.
const RESERVE_MAX: u64 = 64 << 20;

/// One write, taken from the queue.
struct Job {
    segment: Offset,
    files: Arc<SegmentFiles>,
    position: u64,
    parts: Vec<Bytes>,
    bytes: u64,
    roll: Option<Roll>,
    /// Space to set aside before.
    reserve: Option<u64>,
    /// The leader epochs, if their file lacks some.
    epochs: Option<String>,
}

impl Log {
    /// Writes all that is queued, unless somebody is at it: who that is writes it then. Progress is told through
    /// [`Progress`](super::Progress). Dropped in the middle, the rest is done by the next call.
    pub async fn write_queued(&self) -> Result<(), StorageFault> {
        match self.unless_busy(Self::write_all).await {
            Some(answer) => answer,
            None => self.failed().map_or(Ok(()), Err),
        }
    }

    /// Writes until the queue is empty and gives the role back in the same moment.
    pub(super) async fn write_all(self: Arc<Self>) -> Result<(), StorageFault> {
        loop {
            let Some(job) = self.next_job() else { return self.failed().map_or(Ok(()), Err) };
            if let Err(fault) = self.write_job(job).await {
                // The queue is empty from here on, so that the next round gives the role back.
                self.take_offline(fault);
            }
        }
    }

    /// Writes until the queue is empty and keeps the role.
    pub(super) async fn write_rest(&self) -> Result<(), StorageFault> {
        loop {
            let Some(job) = self.state.lock().next_job() else { return self.failed().map_or(Ok(()), Err) };
            if let Err(fault) = self.write_job(job).await {
                return Err(self.take_offline(fault));
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state.lock();
        if let Some(job) = state.next_job() {
            return Some(job);
        }
        let wakers = state.role.give_back();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        None
    }

    async fn write_job(&self, job: Job) -> Result<(), StorageFault> {
        if let Some(epochs) = job.epochs {
            self.save_epochs(epochs).await?;
        }
        if let Some(roll) = job.roll {
            self.write_roll(roll, job.segment, &job.files).await?;
        }
        let path = job.files.path(Kind::Log);
        let file = job.files.log().await?;
        if let Some(reserve) = job.reserve {
            // A hint. A full device says so at the write.
            let _ = file.reserve(reserve).await;
        }
        file.write(job.position, job.parts).await.trying("write", &path)?;
        self.was_written(job.segment, job.bytes);
        self.write_full_indexes(job.segment).await
    }

    fn was_written(&self, segment: Offset, bytes: u64) {
        let (end, newly_dirty) = {
            let mut state = self.state.lock();
            // Taken offline meanwhile, by a sync that failed.
            let Some(chunk) = state.queue.written() else { return };
            if let Some(segment) = state.segment(segment) {
                segment.written += bytes;
            }
            state.written = chunk.end;
            (chunk.end, !std::mem::replace(&mut state.is_dirty, true))
        };
        if let Some(dirty_logs) = self.dirty_logs.get() {
            dirty_logs.add(newly_dirty.then(|| self.myself.clone()), bytes);
        }
        if let Some(progress) = self.progress.get() {
            progress.written(end);
        }
    }

    /// Closes a segment's files and makes those of the next.
    async fn write_roll(&self, roll: Roll, base: Offset, files: &Arc<SegmentFiles>) -> Result<(), StorageFault> {
        self.write_indexes(roll.closes).await?;
        let closed = self.state.lock().segment(roll.closes).map(|old| (old.files.clone(), old.bytes));
        if let Some((old, bytes)) = closed {
            let path = old.path(Kind::Log);
            old.log().await?.truncate(bytes).await.trying("trim", &path)?;
        }
        let snapshot = files.path(Kind::Snapshot);
        self.make_file(&snapshot).await?.write(0, vec![roll.snapshot]).await.trying("write", &snapshot)?;
        files.hold(self.make_segment(files).await?);
        let mut state = self.state.lock();
        state.snapshots.retain(|at| *at != base);
        state.snapshots.push(base);
        state.names_changed += 1;
        state.queue.rolled();
        if let Some(segment) = state.segment(base) {
            segment.created = true;
        }
        if let Some(closed) = state.segment(roll.closes).filter(|closed| !closed.is_dirty()) {
            closed.files.release();
        }
        Ok(())
    }

    /// Makes the empty files of a segment and hands out the `.log`.
    pub(super) async fn make_segment(&self, files: &SegmentFiles) -> Result<FileHandle, StorageFault> {
        self.make_file(&files.path(Kind::OffsetIndex)).await?;
        self.make_file(&files.path(Kind::TimeIndex)).await?;
        self.make_file(&files.path(Kind::Log)).await
    }

    async fn make_file(&self, path: &Path) -> Result<FileHandle, StorageFault> {
        self.disk.open(path, Open::Truncate).await.trying("make", path)
    }

    /// Replaces the file of leader epochs: before the first batch of a new epoch is written.
    pub(super) async fn save_epochs(&self, text: String) -> Result<(), StorageFault> {
        let path = self.path(leader_epochs::FILE);
        checkpoint::replace(&*self.disk, &path, Bytes::from(text.clone())).await?;
        let mut state = self.state.lock();
        state.epochs_saved |= state.epochs.encode() == text;
        Ok(())
    }

    /// Brings index entries to the files when many wait.
    async fn write_full_indexes(&self, base: Offset) -> Result<(), StorageFault> {
        let wanted = self.state.lock().segment(base).is_some_and(|segment| segment.offsets.wants_writing());
        if wanted { self.write_indexes(base).await } else { Ok(()) }
    }

    /// Brings all index entries of a segment to the files.
    pub(super) async fn write_indexes(&self, base: Offset) -> Result<(), StorageFault> {
        let writes = self.state.lock().segment(base).map(|segment| (segment.offsets_write(), segment.times_write()));
        let Some((offsets, times)) = writes else { return Ok(()) };
        if let Some(write) = offsets {
            let entries = self.write_index(write).await?;
            if let Some(segment) = self.state.lock().segment(base) {
                segment.offsets.written(entries);
            }
        }
        if let Some(write) = times {
            let entries = self.write_index(write).await?;
            if let Some(segment) = self.state.lock().segment(base) {
                segment.times.written(entries);
            }
        }
        Ok(())
    }

    async fn write_index(&self, write: IndexWrite) -> Result<u32, StorageFault> {
        let file = self.open_index(&write.path).await?;
        file.write(write.at, vec![write.bytes]).await.trying("write", &write.path)?;
        Ok(write.entries)
    }
}

impl State {
    fn next_job(&mut self) -> Option<Job> {
        let epochs = (!self.epochs_saved).then(|| self.epochs.encode());
        let chunk = self.queue.next()?;
        let (base, end) = (chunk.segment, chunk.position + chunk.bytes as u64);
        let (position, parts, bytes) = (chunk.position, chunk.parts.clone(), chunk.bytes as u64);
        let roll = chunk.roll.clone();
        let segment_bytes = u64::from(self.config.segment_bytes);
        let segment = self.segment(base).expect("queued batches belong to a segment");
        let mut reserve = None;
        if end > segment.reserved {
            let step = segment.reserved.clamp(RESERVE_MIN, RESERVE_MAX);
            segment.reserved = (segment.reserved + step).min(segment_bytes).max(end);
            reserve = Some(segment.reserved);
        }
        let files = segment.files.clone();
        Some(Job { segment: base, files, position, parts, bytes, roll, reserve, epochs })
    }
}

/// A flush that was submitted: all its syncs are under way.
#[must_use = "a flush counts when it is finished"]
pub struct Flush {
    log: Arc<Log>,
    syncs: Vec<(FileOrDirectory, Submitted<()>)>,
    /// Each segment's bytes that are durable once the syncs are done.
    segments: Vec<(Offset, u64)>,
    target: Offset,
    cuts: u64,
    names: u64,
    finished: bool,
}

type FileOrDirectory = std::path::PathBuf;

impl Log {
    /// Makes durable what is written by now; answers the offset below which everything is. Several at a time are fine.
    pub async fn flush(&self) -> Result<Offset, StorageFault> {
        self.submit_flush()?.finish().await
    }

    /// Submits the syncs of a flush without awaiting one: of every segment with unsynced bytes, and of the directory
    /// if a file was made in it.
    pub fn submit_flush(&self) -> Result<Flush, StorageFault> {
        let mut state = self.state.lock();
        if let Some(fault) = &state.offline {
            return Err(fault.clone());
        }
        state.is_dirty = false;
        let mut files = Vec::new();
        let mut segments = Vec::new();
        for segment in state.segments.iter().rev().filter(|segment| segment.created) {
            if segment.is_dirty() {
                let file = segment.files.open_log().expect("the log of a segment with unsynced bytes is held");
                files.push((segment.files.path(Kind::Log), file));
                segments.push((segment.base, segment.written));
            } else if segment.written > 0 {
                break;
            }
        }
        let (target, cuts, names) = (state.written, state.cuts, state.names_changed);
        let sync_names = names > state.names_synced;
        let sync_parent = sync_names && state.names_synced == 0;
        drop(state);
        let mut syncs: Vec<_> = files.into_iter().map(|(path, file)| (path, file.sync())).collect();
        if sync_names {
            syncs.push((self.directory.to_path_buf(), self.disk.sync_directory(&self.directory)));
        }
        if let Some(parent) = self.directory.parent().filter(|_| sync_parent) {
            syncs.push((parent.to_path_buf(), self.disk.sync_directory(parent)));
        }
        Ok(Flush { log: self.arc(), syncs, segments, target, cuts, names, finished: false })
    }
}

impl Flush {
    /// Awaits the syncs. Answers the offset below which everything is durable.
    pub async fn finish(mut self) -> Result<Offset, StorageFault> {
        for (path, sync) in std::mem::take(&mut self.syncs) {
            if let Err(fault) = sync.await.trying("sync", &path) {
                self.finished = true;
                return Err(self.log.take_offline(fault));
            }
        }
        self.finished = true;
        let flushed = self.log.state.lock().was_flushed(&self);
        if let Some(progress) = self.log.progress.get() {
            progress.flushed(flushed);
        }
        Ok(flushed)
    }
}

impl State {
    fn was_flushed(&mut self, flush: &Flush) -> Offset {
        // Cut meanwhile: what was synced may be gone, and other bytes in its place.
        if self.cuts == flush.cuts {
            let active = self.active().base;
            for (base, bytes) in &flush.segments {
                let Some(segment) = self.segment(*base) else { continue };
                segment.flushed = segment.flushed.max(*bytes);
                if segment.base != active && segment.flushed == segment.bytes {
                    segment.files.release();
                }
            }
            self.names_synced = self.names_synced.max(flush.names);
            self.flushed = self.flushed.max(flush.target);
        }
        self.flushed
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // Nothing is known of the syncs; whoever flushes next does them again.
        let newly_dirty = !std::mem::replace(&mut self.log.state.lock().is_dirty, true);
        if let Some(dirty_logs) = self.log.dirty_logs.get().filter(|_| newly_dirty) {
            dirty_logs.add(Some(Arc::downgrade(&self.log)), 0);
        }
    }
}

impl std::fmt::Debug for Flush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flush({} up to {})", self.log.directory.display(), self.target)
    }
}
