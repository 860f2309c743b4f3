//! Segments leave a log: for their age or number, or since they lie below the log's start.
//!
//! What leaves is decided in `retention`. Here the log's start is raised first, so that no reader begins there any more;
//! then the files get the ending `.deleted`, the oldest segment's first, its `.log` before its indexes, so that what a
//! crash leaves has no hole; then the names are made durable. Readers that are at it go on. After
//! `file.delete.delay.ms` the files are removed; a start that finds some removes them.
//!
//! Where a log begins after a crash is what its first segment says, or the saved start if that is higher
//! ([`LogDirectory::save_log_starts`](crate::LogDirectory)). So leaving needs no room on the disk, and works on a full one.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_types::{Offset, Timestamp};

use super::retention::{Bounds, Leaving, SegmentSummary, decide};
use super::truncate::remove;
use super::{Log, State};
use crate::checkpoint;
use crate::disk::Open;
use crate::fault::{StorageFault, Trying};
use crate::producers::{replay, snapshot};
use crate::segment::{Kind, Segment, SegmentFiles};
use crate::sown::{self, Bug};

/// The ending of files that are to be removed.
pub(super) const ENDING: &str = ".deleted";

/// Files of segments that have left, still to be removed.
#[must_use = "the files take room until they are removed"]
#[derive(Debug)]
pub struct Retired {
    /// How many segments they were.
    pub segments: usize,
    /// After how many milliseconds to remove them (`file.delete.delay.ms`).
    pub delay_ms: i64,
    pub(super) paths: Vec<PathBuf>,
}

impl Log {
    /// Makes `offset` the first that readers may ask for, if it is above the one that is (DeleteRecords). Its segments
    /// leave with the next [`retire`](Self::retire).
    pub fn raise_start(&self, offset: Offset) -> Result<(), StorageFault> {
        let mut state = self.state.lock();
        if let Some(closed @ StorageFault::Closed { .. }) = &state.offline {
            // Where it starts was saved.
            return Err(closed.clone());
        }
        let (start, end) = (state.log_start, state.written);
        if offset > end {
            return Err(StorageFault::OutOfRange { path: self.directory.to_path_buf(), offset, start, end });
        }
        state.log_start = start.max(offset);
        Ok(())
    }

    /// The log starts at `offset` or later for good: no crash brings the start back. So the epochs before it are not asked
    /// for any more.
    pub(crate) fn start_saved(&self, offset: Offset) {
        let mut state = self.state.lock();
        if state.epochs.truncate_from_start(offset) {
            state.epochs_saved = false;
        }
    }

    /// Lets the segments leave that the configuration does not keep at the time `now`. `None` if all stay.
    pub async fn retire(&self, high_watermark: Offset, now: Timestamp) -> Result<Option<Retired>, StorageFault> {
        // Only where the records do not say it.
        self.date(|segment| segment.max_timestamp.is_none()).await?;
        let leaving = |log: &Self| {
            let state = log.state.lock();
            let segments: Vec<SegmentSummary> = state.segments.iter().map(Segment::summary).collect();
            let bounds = Bounds { log_start: state.log_start, high_watermark, log_end: state.end };
            (decide(&segments, &state.config.retention, &bounds, now), segments.len())
        };
        let (decided, all) = leaving(self);
        if decided.count() == 0 {
            return Ok(None);
        }
        if decided.count() == all {
            match self.alone(move |log| async move { log.begin_segment(now).await }).await {
                // The others make room.
                Err(fault) if fault.is_full() => {}
                begun => begun?,
            }
        }
        // What was appended meanwhile may keep some.
        let decided = leaving(self).0;
        self.alone(move |log| async move { log.retire_oldest(decided).await }).await
    }

    /// Removes the files of segments that have left.
    pub async fn remove_retired(&self, retired: Retired) -> Result<(), StorageFault> {
        for path in retired.paths {
            remove(&*self.disk, &path).await?;
        }
        Ok(())
    }

    /// Finds out when segments were last written of which that is not known, so that [`segments`](Self::segments) says it.
    pub async fn date_segments(&self) -> Result<(), StorageFault> {
        self.date(|_| true).await
    }

    async fn date(&self, which: fn(&SegmentSummary) -> bool) -> Result<(), StorageFault> {
        let undated: Vec<Arc<SegmentFiles>> = {
            let state = self.state.lock();
            let is_undated = |segment: &&Segment| {
                let summary = segment.summary();
                segment.created && summary.modified.is_none() && which(&summary)
            };
            state.segments.iter().filter(is_undated).map(|segment| segment.files.clone()).collect()
        };
        for files in undated {
            let path = files.path(Kind::Log);
            let modified = files.log().await?.modified().await.trying("look at", &path)?;
            if let (Some(modified), Some(segment)) = (modified, self.state.lock().segment(files.base())) {
                segment.modified_at = modified;
            }
        }
        Ok(())
    }

    /// Begins a new segment at the end of a log that nobody appends to right now.
    pub(super) async fn begin_segment(&self, now: Timestamp) -> Result<(), StorageFault> {
        self.write_rest().await?;
        let (base, closes, snapshot) = {
            let mut state = self.state.lock();
            state.active().close_times();
            let (end, closes) = (state.end, state.active().base);
            if !state.queue.is_empty() || end == closes {
                return Ok(());
            }
            (end, closes, snapshot::encode(&state.producers))
        };
        let mut next = Segment::planned(self.segment_files(base), now);
        next.created = true;
        let files = next.files.clone();
        let made = self.close_and_make(closes, base, &files, snapshot).await;
        let is_adopted = made.is_ok() && self.state.lock().adopt(closes, next);
        if !is_adopted {
            // With the next flush the names are gone for good, before anything is durable beyond its base.
            self.state.lock().names_changed += 1;
            self.remove_segment(&files).await?;
        }
        made
    }

    /// Makes the producers durable as of the first segment that stays. As long as the segments before it are there, the
    /// snapshot is only a shortcut; where a power loss took it, or its bytes, it is made anew from them.
    pub(super) async fn keep_producers(&self, leaving: Leaving) -> Result<(), StorageFault> {
        let (first, leaving, snapshots) = {
            let state = self.state.lock();
            let leaving = &state.segments[..state.can_leave(leaving.count())];
            (state.segments[leaving.len()].base, leaving.to_vec(), state.snapshots.clone())
        };
        let (disk, directory) = (&*self.disk, &*self.directory);
        let path = self.path(Kind::Snapshot.name(first));
        let source = replay::Source { disk, directory, segments: &leaving, looks_back: false };
        if snapshots.contains(&first) && source.has_snapshot(first).await? {
            let file = disk.open(&path, Open::Read).await.trying("open", &path)?;
            return file.sync().await.trying("sync", &path);
        }
        if leaving.is_empty() {
            return Ok(());
        }
        let (producers, _) = source.producers_at(&snapshots, first).await?;
        match checkpoint::replace(disk, &path, snapshot::encode(&producers)).await {
            // Those who leave make room; until then the producers are only in memory.
            Err(fault) if fault.is_full() => Ok(()),
            made => made.map(|()| self.state.lock().has_snapshot(first)),
        }
    }

    async fn retire_oldest(&self, leaving: Leaving) -> Result<Option<Retired>, StorageFault> {
        self.keep_producers(leaving).await?;
        let (gone, snapshots, delay_ms) = {
            let mut state = self.state.lock();
            if matches!(state.offline, Some(StorageFault::Closed { .. })) {
                // Whoever has its files by now retires them.
                return Ok(None);
            }
            let delay_ms = state.config.file_delete_delay_ms;
            let (gone, snapshots) = state.take_oldest(leaving.count());
            (gone, snapshots, delay_ms)
        };
        let gone = if sown::is(Bug::RetiredFromWrongEnd) { gone.into_iter().rev().collect() } else { gone };
        let (Some(first), Some(last)) = (gone.first(), gone.last()) else { return Ok(None) };
        tracing::info!(
            directory = %self.directory.display(),
            segments = gone.len(),
            from = %first.base(),
            last = %last.base(),
            by_log_start = leaving.by_log_start,
            by_size = leaving.by_size,
            by_time = leaving.by_time,
            "segments leave"
        );
        let mut paths = Vec::new();
        for files in &gone {
            for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
                paths.extend(self.set_deleted(files.path(kind)).await?);
            }
        }
        for at in snapshots {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(at))).await?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        Ok(Some(Retired { segments: gone.len(), delay_ms, paths }))
    }

    /// Gives a file the ending of those that are to be removed; `None` if it is not there.
    pub(super) async fn set_deleted(&self, path: PathBuf) -> Result<Option<PathBuf>, StorageFault> {
        let mut deleted = path.clone().into_os_string();
        deleted.push(ENDING);
        let deleted = PathBuf::from(deleted);
        match self.disk.rename(&path, &deleted).await.trying("rename", &path) {
            Ok(()) => Ok(Some(deleted)),
            Err(fault) if fault.is_not_found() => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

impl State {
    /// There is a snapshot at this offset.
    pub(super) fn has_snapshot(&mut self, at: Offset) {
        if let Err(place) = self.snapshots.binary_search(&at) {
            self.snapshots.insert(place, at);
        }
    }

    /// How many of `count` segments can go: the last one stays, as does one behind which nothing is on the disk yet.
    fn can_leave(&self, count: usize) -> usize {
        self.segments.windows(2).take(count).take_while(|pair| pair[1].created).count()
    }

    /// Takes up to `count` of the oldest segments away, and the snapshots that belong to them. The log starts behind them
    /// from here on.
    pub(super) fn take_oldest(&mut self, count: usize) -> (Vec<Arc<SegmentFiles>>, Vec<Offset>) {
        let count = self.can_leave(count);
        let gone = self.segments.drain(..count).map(|segment| segment.files).collect();
        let first = self.segments[0].base;
        self.log_start = self.log_start.max(first);
        // Epochs of what is on disk stay known, for a crash may bring the log's start back to there.
        if self.epochs.truncate_from_start(first) {
            self.epochs_saved = false;
        }
        let snapshots = self.snapshots.extract_if(.., |at| *at < first).collect();
        (gone, snapshots)
    }
}
