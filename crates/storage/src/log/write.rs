//! Write: from the queue to the file, with what a new segment needs before its first write.
//!
//! How bytes become durable is in `flush`.

use std::path::Path;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use ottla_types::Offset;

use super::queue::Roll;
use super::{Log, State};
use crate::checkpoint;
use crate::disk::{FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::leader_epochs;
use crate::segment::{IndexEntries, IndexWrite, Kind, Segment, SegmentFiles};

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
        let mut answer = Ok(());
        loop {
            let Some(job) = self.next_job() else { return self.failed().map_or(answer, Err) };
            if let Err(fault) = self.write_job(job).await {
                // What was queued is gone from here on; the next round writes what came meanwhile, or gives the role back.
                answer = Err(self.could_not_write(fault).await);
            }
        }
    }

    /// Writes until the queue is empty and keeps the role.
    pub(super) async fn write_rest(&self) -> Result<(), StorageFault> {
        loop {
            let Some(job) = self.state.lock().next_job() else { return self.failed().map_or(Ok(()), Err) };
            if let Err(fault) = self.write_job(job).await {
                return Err(self.could_not_write(fault).await);
            }
        }
    }

    /// Takes back what is queued if the disk is full, else takes the log offline. Answers the fault for the caller to
    /// return.
    async fn could_not_write(&self, fault: StorageFault) -> StorageFault {
        if !fault.is_full() {
            return self.take_offline(fault);
        }
        match self.take_back_queued(&fault).await {
            Ok(()) => fault,
            Err(worse) => self.take_offline(worse),
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
        let file = job.files.log().await?;
        if let Some(reserve) = job.reserve {
            // A hint. A full device says so at the write.
            let _ = file.reserve(reserve).await;
        }
        file.write(job.position, job.parts).await.trying_at("write", || job.files.path(Kind::Log))?;
        self.was_written(job.segment, job.bytes);
        match self.write_full_indexes(job.segment).await {
            // The batches are written. The entries wait in memory and are tried again with the next write.
            Err(fault) if fault.is_full() => Ok(()),
            other => other,
        }
    }

    fn was_written(&self, segment: Offset, bytes: u64) {
        let (end, newly_dirty, was_full) = {
            let mut state = self.state.lock();
            // Taken offline meanwhile, by a sync that failed.
            let Some(chunk) = state.queue.written() else { return };
            if let Some(segment) = state.segment(segment) {
                segment.written += bytes;
            }
            state.written = chunk.end;
            let newly_dirty = state.wants_flush().then(|| !std::mem::replace(&mut state.is_dirty, true));
            (chunk.end, newly_dirty, state.room.written())
        };
        if was_full {
            tracing::info!(directory = %self.directory.display(), "the disk has room again");
        }
        if let Some(newly_dirty) = newly_dirty {
            self.report_dirt(newly_dirty, bytes);
        }
        if let Some(progress) = self.progress.get() {
            progress.written(end);
        }
    }

    /// Tells the directory's flush that `bytes` more wait for it, and that this log does if it did not.
    pub(super) fn report_dirt(&self, newly_dirty: bool, bytes: u64) {
        if let Some(dirty_logs) = self.dirty_logs.get() {
            dirty_logs.add(newly_dirty.then(|| self.myself.clone()), bytes);
        }
    }

    /// Closes a segment's files and makes those of the next.
    async fn write_roll(&self, roll: Roll, base: Offset, files: &Arc<SegmentFiles>) -> Result<(), StorageFault> {
        self.close_and_make(roll.closes, base, files, roll.snapshot).await?;
        let mut state = self.state.lock();
        state.queue.rolled();
        if let Some(segment) = state.segment(base) {
            segment.created = true;
        }
        state.rolled(roll.closes, base);
        Ok(())
    }

    /// Completes the files of a segment that is closed, and makes those of the one that begins at `base`.
    pub(super) async fn close_and_make(
        &self,
        closes: Offset,
        base: Offset,
        files: &Arc<SegmentFiles>,
        producers: Bytes,
    ) -> Result<(), StorageFault> {
        self.write_indexes(closes).await?;
        let closed = self.state.lock().segment(closes).map(|old| (old.files.clone(), old.written));
        if let Some((old, bytes)) = closed {
            let path = old.path(Kind::Log);
            old.log().await?.truncate(bytes).await.trying("trim", &path)?;
        }
        if !self.state.lock().snapshots.contains(&base) {
            let snapshot = files.path(Kind::Snapshot);
            self.make_file(&snapshot).await?.write(0, vec![producers]).await.trying("write", &snapshot)?;
        }
        files.hold(self.make_segment(files).await?);
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
        self.state.lock().epochs_are_in_the_file(&text);
        Ok(())
    }

    /// Brings index entries to the files when many wait.
    async fn write_full_indexes(&self, base: Offset) -> Result<(), StorageFault> {
        let wanted = self.state.lock().segment(base).is_some_and(|segment| segment.wants_index_writing());
        if wanted { self.write_indexes(base).await } else { Ok(()) }
    }

    /// Brings all index entries of a segment to the files.
    pub(super) async fn write_indexes(&self, base: Offset) -> Result<(), StorageFault> {
        let writes = self.state.lock().segment(base).map(|segment| segment.index_writes());
        for write in writes.into_iter().flatten().flatten() {
            let written = IndexEntries::of(write.kind, write.entries);
            self.write_index(write).await?;
            if let Some(segment) = self.state.lock().segment(base) {
                segment.indexes_written(written);
            }
        }
        Ok(())
    }

    async fn write_index(&self, write: IndexWrite) -> Result<(), StorageFault> {
        let file = self.open_index(&write.path).await?;
        if write.kind == Kind::TransactionIndex && write.at == 0 {
            // The first entries make the file.
            self.state.lock().names_changed += 1;
        }
        file.write(write.at, vec![write.bytes]).await.trying("write", &write.path)
    }
}

impl State {
    /// The file of epochs has this text now.
    pub(super) fn epochs_are_in_the_file(&mut self, text: &str) {
        self.epochs_replaced += 1;
        self.epochs_saved |= self.epochs.encode() == text;
    }

    /// The files of the segment at `base` are there, behind those of the one that is closed.
    fn rolled(&mut self, closes: Offset, base: Offset) {
        self.snapshots.retain(|at| *at != base);
        self.snapshots.push(base);
        self.names_changed += 1;
        if let Some(closed) = self.segment(closes).filter(|closed| !closed.is_dirty()) {
            closed.files.release();
        }
    }

    /// Takes in a segment whose files have been made behind the active one, `closes`. Answers whether: not if something
    /// was appended to that one meanwhile.
    pub(super) fn adopt(&mut self, closes: Offset, next: Segment) -> bool {
        let base = next.base;
        if !self.queue.is_empty() || self.end != base {
            return false;
        }
        self.recent.clear();
        self.segments.push(next);
        self.rolled(closes, base);
        true
    }

    fn next_job(&mut self) -> Option<Job> {
        let epochs = (!self.epochs_saved).then(|| self.epochs.encode());
        let chunk = self.queue.next()?;
        let (base, end) = (chunk.segment, chunk.position + chunk.bytes as u64);
        let (position, parts, bytes) = (chunk.position, chunk.parts.clone(), chunk.bytes as u64);
        let roll = chunk.roll.clone();
        let (segment_bytes, at_once) = (u64::from(self.config.segment_bytes), self.config.preallocate);
        let segment = self.segment(base).expect("queued batches belong to a segment");
        let mut reserve = None;
        if end > segment.reserved {
            let step = if at_once { segment_bytes } else { segment.reserved.clamp(RESERVE_MIN, RESERVE_MAX) };
            segment.reserved = (segment.reserved + step).min(segment_bytes).max(end);
            reserve = Some(segment.reserved);
        }
        let files = segment.files.clone();
        Some(Job { segment: base, files, position, parts, bytes, roll, reserve, epochs })
    }
}
