//! Cutting a log: at its end, where a follower diverged; at its beginning, where records are deleted; or wholly.
//!
//! A cut is durable when it is answered, and while it is made what is on disk is always the log before or after it, or
//! something between. A recovery point beyond a cut at the end would be believed wrongly after a crash, so whoever saves
//! recovery points lowers that one first ([`LogDirectory::truncate`](crate::LogDirectory::truncate)).

use std::path::Path;
use std::sync::Arc;

use ottla_types::{Offset, Timestamp};

use super::retention::Leaving;
use super::{Log, State};
use crate::disk::{Disk, Open};
use crate::fault::{StorageFault, Trying};
use crate::leader_epochs::LeaderEpochs;
use crate::producers::{Producers, replay};
use crate::scan::{self, Scan};
use crate::segment::{Kind, Place, Segment, SegmentFiles};
use crate::sown::{self, Bug};

/// Removes a file that may be gone already.
pub(crate) async fn remove(disk: &dyn Disk, path: &Path) -> Result<(), StorageFault> {
    match disk.remove(path).await.trying("remove", path) {
        Err(fault) if fault.is_not_found() => Ok(()),
        other => other,
    }
}

/// What a cut at the end leaves, found out before anything is changed.
struct Cut {
    end: Offset,
    /// The segment that holds the cut, without what is behind.
    active: Segment,
    producers: Producers,
}

impl Log {
    /// Cuts everything from `offset` on. A batch that holds it goes as a whole, and the log ends before it, so that its
    /// leader sends the whole batch again. Appends must rest meanwhile: what is appended during the cut is cut too. Below the log's start it is [`restart_at`](Self::restart_at).
    pub async fn truncate_to(&self, offset: Offset) -> Result<(), StorageFault> {
        self.alone(|log| async move { log.cut_end(offset).await }).await
    }

    /// Drops all records and begins anew at `offset`: a follower whose log is below the leader's, a snapshot installed.
    pub async fn restart_at(&self, offset: Offset) -> Result<(), StorageFault> {
        self.alone(|log| async move { log.cut_all(offset).await }).await
    }

    /// Makes `offset` the first that readers may ask for, if it is above the one that is, and removes the segments that
    /// lie wholly below at once (the purge of the metadata's log; partitions use [`retire`](Self::retire)). The active
    /// segment stays.
    pub async fn delete_before(&self, offset: Offset) -> Result<(), StorageFault> {
        self.alone(|log| async move { log.cut_start(offset).await }).await
    }

    async fn cut_end(self: Arc<Self>, offset: Offset) -> Result<(), StorageFault> {
        self.write_rest().await?;
        let (log_start, end) = {
            let state = self.state.lock();
            (state.log_start, state.end)
        };
        if offset >= end {
            return Ok(());
        }
        if offset < log_start {
            return self.cut_all(offset).await;
        }
        let (i, base) = {
            let state = self.state.lock();
            let i = state.floor(offset);
            (i, state.segments[i].base)
        };
        self.write_indexes(base).await?;
        let Some(cut) = self.plan_cut(i, offset).await? else { return self.cut_all(log_start).await };
        let removed = self.state.lock().cut_end(i, cut);
        self.finish_cut(removed).await.map_err(|fault| self.take_offline(fault))
    }

    /// Reads what a cut at `offset`, in segment `i`, leaves. `None` if that ends below the log's start, which lies within the
    /// batch that goes: then nothing is left that anybody may read, and a start would begin the log anew.
    async fn plan_cut(&self, i: usize, offset: Offset) -> Result<Option<Cut>, StorageFault> {
        let (files, base, place, written, interval) = {
            let state = self.state.lock();
            let segment = &state.segments[i];
            let interval = state.config.index_interval_bytes;
            (segment.files.clone(), segment.base, segment.place(offset), segment.written, interval)
        };
        let file = files.log().await?;
        let path = files.path(Kind::Log);
        let near = match place {
            Place::At { position, .. } | Place::From(position) => position,
            Place::InFile { entries } => self.search_offsets(&files, base, entries, offset).await?,
        };
        let found = crate::walk::find_batch(&file, &path, near, written, offset).await?;
        let (bytes, end) = found.map_or((written, offset), |(at, header)| (at, offset.min(header.base_offset)));
        if end < self.log_start_offset() {
            return Ok(None);
        }
        let scan = Scan { bytes, trusted_below: end, check_crc: false, index_interval_bytes: interval };
        let scanned = scan.run(&*self.disk, self.segment_files(base), base, &mut LeaderEpochs::default()).await?;
        scanned.segment.files.hold(file);
        let producers = self.producers_at(i, &scanned.segment, end).await?;
        Ok(Some(Cut { end, active: scanned.segment, producers }))
    }

    /// The producers as of `offset`, which lies in segment `i`, of which `cut` is what is left.
    async fn producers_at(&self, i: usize, cut: &Segment, offset: Offset) -> Result<Producers, StorageFault> {
        let (mut segments, snapshots) = {
            let state = self.state.lock();
            let segments: Vec<Segment> = state.segments[..i].to_vec();
            (segments, state.snapshots.clone())
        };
        segments.push(cut.clone());
        let source =
            replay::Source { disk: &*self.disk, directory: &self.directory, segments: &segments, looks_back: true };
        source.producers_at(&snapshots, offset).await.map(|(producers, _)| producers)
    }

    /// Brings a cut to the disk: later segments first, the last of them first of all.
    async fn finish_cut(&self, removed: Removed) -> Result<(), StorageFault> {
        for files in removed.segments.iter().rev() {
            self.remove_segment(files).await?;
        }
        for at in removed.snapshots {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(at))).await?;
        }
        let (mut segment, epochs) = {
            let mut state = self.state.lock();
            let epochs = (!state.epochs_saved).then(|| state.epochs.encode());
            (state.active().clone(), epochs)
        };
        let path = segment.files.path(Kind::Log);
        let file = segment.files.log().await?;
        file.truncate(segment.bytes).await.trying("cut", &path)?;
        if sown::is(Bug::CutNotSynced) {
            return Ok(());
        }
        file.sync().await.trying("sync", &path)?;
        scan::replace_indexes(&*self.disk, &mut segment).await?;
        {
            let mut state = self.state.lock();
            state.active().indexes_written(segment.entries_in_files());
            state.active().indexes_synced(segment.entries_in_files());
        }
        if let Some(epochs) = epochs {
            self.save_epochs(epochs).await?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    async fn cut_all(self: Arc<Self>, offset: Offset) -> Result<(), StorageFault> {
        let fresh = Segment::planned(self.segment_files(offset), Timestamp::NONE);
        let removed = self.state.lock().cut_all(offset, fresh);
        self.restart_files(removed).await.map_err(|fault| self.take_offline(fault))
    }

    async fn restart_files(&self, removed: Removed) -> Result<(), StorageFault> {
        for files in removed.segments.iter().rev() {
            self.remove_segment(files).await?;
        }
        for at in removed.snapshots {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(at))).await?;
        }
        // A snapshot that came back beside the new segment would be believed.
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        let files = self.state.lock().active().files.clone();
        files.hold(self.make_segment(&files).await?);
        self.save_epochs(String::from("0\n0\n")).await?;
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        self.state.lock().active().created = true;
        Ok(())
    }

    async fn cut_start(self: Arc<Self>, offset: Offset) -> Result<(), StorageFault> {
        self.raise_start(offset)?;
        let by_log_start = self.state.lock().below_start();
        self.keep_producers(Leaving { by_log_start, ..Leaving::default() }).await?;
        let (segments, snapshots) = self.state.lock().take_oldest(by_log_start);
        // The oldest first, so that what a crash leaves has no hole.
        for files in &segments {
            self.remove_segment(files).await?;
        }
        for at in snapshots {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(at))).await?;
        }
        if segments.is_empty() {
            return Ok(());
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    pub(super) async fn remove_segment(&self, files: &SegmentFiles) -> Result<(), StorageFault> {
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            remove(&*self.disk, &files.path(kind)).await?;
        }
        Ok(())
    }

    /// Makes the file of an index if a segment that was found lacks it.
    pub(super) async fn open_index(&self, path: &Path) -> Result<crate::disk::FileHandle, StorageFault> {
        self.disk.open(path, Open::Create).await.trying("open", path)
    }
}

/// What a cut took out of the state and has still to go from the disk.
struct Removed {
    segments: Vec<Arc<SegmentFiles>>,
    snapshots: Vec<Offset>,
}

impl State {
    fn cut_end(&mut self, i: usize, cut: Cut) -> Removed {
        self.queue.clear();
        self.recent.clear();
        self.cuts += 1;
        let removed: Vec<_> = self.segments.split_off(i).into_iter().skip(1).collect();
        let segments = removed.into_iter().filter(|segment| segment.created).map(|segment| segment.files).collect();
        self.segments.push(cut.active);
        self.producers = cut.producers;
        (self.end, self.written) = (cut.end, cut.end);
        self.flushed = self.flushed.min(cut.end);
        if self.epochs.truncate_from_end(cut.end) {
            self.epochs_saved = false;
        }
        let snapshots = self.snapshots.extract_if(.., |at| *at > cut.end).collect();
        Removed { segments, snapshots }
    }

    fn cut_all(&mut self, offset: Offset, fresh: Segment) -> Removed {
        self.queue.clear();
        self.recent.clear();
        self.cuts += 1;
        let removed = std::mem::replace(&mut self.segments, vec![fresh]);
        let segments = removed.into_iter().filter(|segment| segment.created).map(|segment| segment.files).collect();
        self.producers = Producers::default();
        self.epochs = LeaderEpochs::default();
        self.epochs_saved = true;
        (self.log_start, self.end, self.written, self.flushed) = (offset, offset, offset, offset);
        Removed { segments, snapshots: std::mem::take(&mut self.snapshots) }
    }

    /// How many segments lie wholly below the log's start.
    fn below_start(&self) -> usize {
        self.segments.windows(2).take_while(|pair| pair[1].base <= self.log_start).count()
    }
}
