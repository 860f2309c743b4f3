//! The log's side of compaction: what the cleaner sees, and the exchange of segments for cleaned ones.
//!
//! Copying needs nothing of the log but its files, so appends and reads go on. The exchange is a job for whoever holds the
//! writer's role, so that no cut, close or retirement comes between, and is safe wherever it is interrupted:
//!
//! ```text
//! base.log.cleaned base.index.cleaned …    written, synced, their names too
//! base.index.swap … base.log.swap          synced: from here on the cleaned segment is the log's
//! old files become .deleted                synced, or else old and new segments could meet after a power loss
//! base.index … base.log                    synced
//! ```
//!
//! A start that finds a `.swap` goes on from there ([`interrupted`](super::interrupted)). The names and their order are
//! Kafka's, but that the `.log` comes last.
//!
//! What to clean and which records stay is decided in `cleaner`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_types::{Offset, ProducerId};

use super::retire::Retired;
use super::truncate::remove;
use super::{Log, LogConfig, State};
use crate::cleaner::LastRecord;
use crate::disk::{Disk, FileHandle};
use crate::fault::{StorageFault, Trying};
use crate::segment::{Kind, Place, Segment, SegmentFiles};
use crate::sown::{self, Bug};

/// The ending of files that are being written.
pub(crate) const CLEANED: &str = ".cleaned";
/// The ending of files that take the place of others.
pub(super) const SWAP: &str = ".swap";

/// A segment's files that are exchanged, in the order in which they get their names.
pub(super) const FILES: [Kind; 4] = [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex, Kind::Log];

/// A log as it is at one moment.
#[derive(Debug)]
pub(crate) struct View {
    /// The last is the active one.
    pub(crate) segments: Vec<Segment>,
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) config: LogConfig,
    /// What must stay of each producer.
    pub(crate) last_records: HashMap<ProducerId, LastRecord>,
    cuts: u64,
}

/// A segment that was written to take the place of others. Its files end in `.cleaned` and are durable, those that it has.
#[derive(Debug)]
pub(crate) struct CleanedSegment {
    pub(crate) segment: Segment,
    /// The files that there are.
    pub(crate) kinds: Vec<Kind>,
}

impl Log {
    /// The log as the cleaner sees it.
    pub(crate) fn view(&self) -> View {
        let state = self.state.lock();
        View {
            log_start: state.log_start,
            log_end: state.end,
            config: state.config,
            last_records: state.producers.last_records(),
            cuts: state.cuts,
            segments: state.segments.clone(),
        }
    }

    /// The log as the cleaner sees it, all of it durable: what is kept of a producer is its last batch, and if the power
    /// took that one, the one before would be gone for its sake.
    pub(crate) async fn durable_view(&self) -> Result<View, StorageFault> {
        let view = self.view();
        if !sown::is(Bug::CleanedBeforeLastBatch) {
            self.alone(|log| async move { log.write_rest().await }).await?;
            self.flush().await?;
        }
        Ok(view)
    }

    /// Whether the log still has every closed segment of `view`, and was neither cut nor closed.
    pub(crate) fn is_as(&self, view: &View) -> bool {
        let state = self.state.lock();
        let has = |segment: &Segment| {
            let found = state.segments.binary_search_by_key(&segment.base, |present| present.base);
            // One that was exchanged is no reason: only rounds do that.
            segment.files.is_replaced() || found.is_ok_and(|i| Arc::ptr_eq(&state.segments[i].files, &segment.files))
        };
        state.offline.is_none() && state.cuts == view.cuts && view.segments.iter().all(has)
    }

    /// The device that holds it.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The files of a segment that is to be written.
    pub(crate) fn files_of_cleaned(&self, base: Offset) -> SegmentFiles {
        self.segment_files(base)
    }

    /// Where in a closed segment to begin to look for `offset`.
    pub(crate) async fn place_in_closed(
        &self,
        segment: &Segment,
        file: &FileHandle,
        offset: Offset,
    ) -> Result<u64, StorageFault> {
        let near = match segment.place(offset) {
            Place::At { position, .. } | Place::From(position) => position,
            Place::InFile { entries } => self.search_offsets(&segment.files, segment.base, entries, offset).await?,
        };
        crate::walk::sound_start(file, &segment.files.path(Kind::Log), near, segment.written, offset).await
    }

    /// Puts `cleaned` in the place of `old`, segments of `view`. `None`, with nothing changed, if the log has not these any
    /// more, or was cut or closed since. The old files are still to be removed.
    pub(crate) async fn exchange(
        &self,
        view: &View,
        old: &[Segment],
        cleaned: CleanedSegment,
    ) -> Result<Option<Retired>, StorageFault> {
        let (cuts, old) = (view.cuts, old.to_vec());
        self.alone(move |log| async move { log.exchange_alone(cuts, old, cleaned).await }).await
    }

    async fn exchange_alone(
        &self,
        cuts: u64,
        old: Vec<Segment>,
        cleaned: CleanedSegment,
    ) -> Result<Option<Retired>, StorageFault> {
        let CleanedSegment { segment, kinds } = cleaned;
        let base = segment.base;
        // A reader that has found an old segment and not opened it yet still finds it.
        for old in &old {
            old.files.hold(old.files.log().await?);
        }
        if !self.state.lock().has(&old, cuts) {
            return Ok(None);
        }
        self.forget_others_cleaned(base).await?;
        if let Err(fault) = self.name_swap(base, &kinds).await {
            // Nothing counts yet. Whatever cannot be undone now would be taken up by a start.
            self.undo_swap(base).await.map_err(|worse| self.take_offline(worse))?;
            return Err(fault);
        }
        let (snapshots, delay_ms) = self.state.lock().exchange(&old, segment);
        let finished = self.finish_exchange(base, &old, &kinds, snapshots).await;
        let paths = finished.map_err(|fault| self.take_offline(fault))?;
        let mut state = self.state.lock();
        if let Some(segment) = state.segment(base) {
            let entries = segment.entries();
            segment.indexes_written(entries);
            segment.indexes_synced(entries);
            segment.files.release();
        }
        Ok(Some(Retired { segments: old.len(), delay_ms, paths }))
    }

    /// What an earlier round may have left at another base would speak against the exchange after a crash, as half of an
    /// exchange that Kafka began.
    async fn forget_others_cleaned(&self, base: Offset) -> Result<(), StorageFault> {
        for entry in self.disk.list(&self.directory).await.trying("list", &self.directory)? {
            let parsed = entry.name.strip_suffix(CLEANED).and_then(Kind::parse);
            if parsed.is_some_and(|(_, at)| at != base) {
                remove(&*self.disk, &self.path(&entry.name)).await?;
            }
        }
        Ok(())
    }

    async fn name_swap(&self, base: Offset, kinds: &[Kind]) -> Result<(), StorageFault> {
        for kind in FILES.into_iter().filter(|kind| kinds.contains(kind)) {
            let from = self.path(kind.name_with(base, CLEANED));
            let to = self.path(kind.name_with(base, SWAP));
            self.disk.rename(&from, &to).await.trying("rename", &from)?;
        }
        self.sync_exchange().await
    }

    async fn undo_swap(&self, base: Offset) -> Result<(), StorageFault> {
        for kind in FILES {
            remove(&*self.disk, &self.path(kind.name_with(base, SWAP))).await?;
            remove(&*self.disk, &self.path(kind.name_with(base, CLEANED))).await?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    async fn sync_exchange(&self) -> Result<(), StorageFault> {
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    async fn finish_exchange(
        &self,
        base: Offset,
        old: &[Segment],
        kinds: &[Kind],
        snapshots: Vec<Offset>,
    ) -> Result<Vec<PathBuf>, StorageFault> {
        let mut paths = Vec::new();
        for segment in old {
            for kind in FILES {
                paths.extend(self.set_deleted(segment.files.path(kind)).await?);
            }
        }
        for at in snapshots {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(at))).await?;
        }
        self.sync_exchange().await?;
        for kind in FILES.into_iter().filter(|kind| kinds.contains(kind)) {
            let from = self.path(kind.name_with(base, SWAP));
            self.disk.rename(&from, &self.path(kind.name(base))).await.trying("rename", &from)?;
        }
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        Ok(paths)
    }
}

impl State {
    /// Whether the log still has these segments, and nobody has cut or closed it.
    fn has(&self, old: &[Segment], cuts: u64) -> bool {
        let Some(first) = old.first().map(|first| self.floor(first.base)) else { return false };
        let present = self.segments.iter().skip(first).zip(old);
        let same = present.filter(|(present, old)| Arc::ptr_eq(&present.files, &old.files)).count();
        // The active one is never among them.
        self.offline.is_none() && self.cuts == cuts && same == old.len() && first + old.len() < self.segments.len()
    }

    /// Exchanges segments that the log has. Answers the snapshots that go with them, and after how long their files do.
    fn exchange(&mut self, old: &[Segment], segment: Segment) -> (Vec<Offset>, i64) {
        let (first, base) = (self.floor(segment.base), segment.base);
        let last = old.last().map_or(base, |last| last.base);
        self.segments.splice(first..first + old.len(), [segment]);
        // Behind this, so that who asks again finds the new one.
        old.iter().for_each(|old| old.files.set_replaced());
        let snapshots = self.snapshots.extract_if(.., |at| *at > base && *at <= last).collect();
        (snapshots, self.config.file_delete_delay_ms)
    }
}
