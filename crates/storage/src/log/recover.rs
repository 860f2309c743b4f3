//! Opening a log: what is on disk, how much of it can be believed, and the state that follows from it.
//!
//! After a clean stop nothing is scanned: indexes and the snapshot of the producers are complete. After an unclean one
//! everything from the recovery point on is read and checked, cut at the first bad batch, and flushed before anybody
//! sees it. Below the recovery point all was durable, so it is believed.

use std::path::Path;
use std::sync::Arc;

use ottla_types::{Offset, Timestamp};

use super::role::RoleState;
use super::room::Room;
use super::{Log, LogConfig, Queue, Recent, State};
use crate::checkpoint;
use crate::disk::{Disk, Entry as Name, Open};
use crate::fault::{StorageFault, Trying};
use crate::leader_epochs::{self, LeaderEpochs};
use crate::producers::{Producers, replay};
use crate::scan::{self, Scan, Scanned};
use crate::segment::{IndexEntries, Kind, Segment, SegmentFiles};
use crate::sown::{self, Bug};

/// What is known of a log before it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Everything below is durable and was checked. Zero if nothing is known.
    pub recovery_point: Offset,
    /// The first offset that readers may ask for, as it was last saved. Zero if nothing is known.
    pub log_start_offset: Offset,
    /// Below it compaction may have left holes, without the recovery point being beyond: Kafka's does. Zero if nothing is
    /// known.
    pub compacted: Offset,
    /// Whether the log was closed in order ([`Log::close`]).
    pub clean: bool,
}

impl Recovery {
    /// Nothing is known: the whole log is scanned.
    pub const UNKNOWN: Self =
        Self { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO, compacted: Offset::ZERO, clean: false };
}

/// What opening gathers.
pub(super) struct Loader {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: Arc<Path>,
    config: LogConfig,
    recovery: Recovery,
    /// Whether what is repaired is synced here. If not, the caller syncs the whole file system before anybody is served.
    pub(super) syncs: bool,
    /// What is in the directory, sorted by name.
    pub(super) names: Vec<Name>,
    snapshots: Vec<Offset>,
    pub(super) segments: Vec<Segment>,
    epochs: LeaderEpochs,
    pub(super) end: Offset,
}

impl Log {
    /// Makes a log without records in a directory that has none. Its names are durable with the first flush.
    pub async fn create(
        disk: Arc<dyn Disk>,
        directory: impl AsRef<Path>,
        config: LogConfig,
    ) -> Result<Arc<Self>, StorageFault> {
        let directory: Arc<Path> = directory.as_ref().into();
        disk.create_directory(&directory).await.trying("make", &directory)?;
        let epochs = directory.join(leader_epochs::FILE);
        disk.open(&epochs, Open::Truncate).await.trying("make", &epochs)?;
        let mut loader = Loader::new(disk, directory, config, Recovery::UNKNOWN);
        loader.start_anew(Offset::ZERO).await?;
        let log = loader.into_log(Producers::default(), true);
        let mut state = log.state.lock();
        (state.names_changed, state.names_synced) = (1, 0);
        drop(state);
        Ok(log)
    }

    /// Opens the log in a directory. One that holds no segment is a log without records.
    pub async fn open(
        disk: Arc<dyn Disk>,
        directory: impl AsRef<Path>,
        config: LogConfig,
        recovery: Recovery,
    ) -> Result<Arc<Self>, StorageFault> {
        Self::open_one(disk, directory.as_ref().into(), config, recovery, true).await
    }

    /// As [`open`](Self::open), but what is repaired is not synced: whoever opens many syncs the file system once.
    pub(crate) async fn open_unsynced(
        disk: Arc<dyn Disk>,
        directory: &Path,
        config: LogConfig,
        recovery: Recovery,
    ) -> Result<Arc<Self>, StorageFault> {
        Self::open_one(disk, directory.into(), config, recovery, false).await
    }

    async fn open_one(
        disk: Arc<dyn Disk>,
        directory: Arc<Path>,
        config: LogConfig,
        recovery: Recovery,
        syncs: bool,
    ) -> Result<Arc<Self>, StorageFault> {
        let loader = |recovery| Loader { syncs, ..Loader::new(disk.clone(), directory.clone(), config, recovery) };
        match loader(recovery).open().await {
            Err(fault @ StorageFault::Damaged { .. }) if recovery.clean => {
                tracing::warn!(directory = %directory.display(), %fault, "not as it was left; recovering");
                loader(Recovery { clean: false, ..recovery }).open().await
            }
            other => other,
        }
    }

    /// The names of a log that was made are durable: its directory's file system was synced.
    pub(crate) fn names_are_durable(&self) {
        let mut state = self.state.lock();
        state.names_synced = state.names_changed;
    }
}

impl Loader {
    fn new(disk: Arc<dyn Disk>, directory: Arc<Path>, config: LogConfig, recovery: Recovery) -> Self {
        let (snapshots, segments, epochs) = (Vec::new(), Vec::new(), LeaderEpochs::default());
        let (syncs, names, end) = (true, Vec::new(), Offset::ZERO);
        Self { disk, directory, config, recovery, syncs, names, snapshots, segments, epochs, end }
    }

    async fn open(mut self) -> Result<Arc<Log>, StorageFault> {
        self.names = self.disk.list(&self.directory).await.trying("list", &self.directory)?;
        self.finish_exchanges().await?;
        let bases = self.tidy().await?;
        let saved_epochs = self.load_epochs().await?;
        if self.recovery.clean {
            self.load_clean(&bases).await?
        } else {
            self.recover(&bases).await?
        }
        if self.segments.is_empty() || self.end < self.recovery.log_start_offset {
            self.begin_anew().await?;
        }
        self.epochs.truncate_from_end(self.end);
        self.epochs.truncate_from_start(self.log_start());
        let producers = self.load_producers().await?;
        let epochs_saved = saved_epochs == self.epochs;
        if let Some(active) = self.segments.last() {
            active.files.hold(active.files.log().await?);
        }
        if !self.recovery.clean && self.syncs {
            self.sync_names().await?;
        }
        Ok(self.into_log(producers, epochs_saved))
    }

    fn log_start(&self) -> Offset {
        self.segments.first().map_or(Offset::ZERO, |first| first.base).max(self.recovery.log_start_offset)
    }

    pub(super) fn files(&self, base: Offset) -> SegmentFiles {
        SegmentFiles::new(self.disk.clone(), self.directory.clone(), base)
    }

    /// Removes what an interrupted deletion or replacement left, and answers the segments' base offsets.
    async fn tidy(&mut self) -> Result<Vec<Offset>, StorageFault> {
        let names = std::mem::take(&mut self.names);
        let files = || names.iter().filter(|name| !name.is_directory);
        let mut bases = Vec::new();
        for name in files() {
            let path = self.directory.join(&name.name);
            if [super::retire::ENDING, ".tmp"].iter().any(|ending| name.name.ends_with(ending)) {
                self.remove(&path).await?;
            }
            match Kind::parse(&name.name) {
                Some((Kind::Log, base)) => bases.push(base),
                Some((Kind::Snapshot, at)) => self.snapshots.push(at),
                _ => {}
            }
        }
        bases.sort_unstable();
        self.snapshots.sort_unstable();
        for name in files() {
            match Kind::parse(&name.name) {
                Some((Kind::Log | Kind::Snapshot, _)) | None => {}
                Some((_, base)) if bases.binary_search(&base).is_ok() => {}
                Some(_) => self.remove(&self.directory.join(&name.name)).await?,
            }
        }
        self.names = names;
        Ok(bases)
    }

    /// The bytes of a file as the directory listed them; `None` if it was not there.
    pub(super) fn listed_bytes(&self, name: &str) -> Option<u64> {
        let found = self.names.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        Some(self.names[found].bytes)
    }

    async fn load_epochs(&mut self) -> Result<LeaderEpochs, StorageFault> {
        if self.listed_bytes(leader_epochs::FILE).unwrap_or(0) == 0 {
            return Ok(self.epochs.clone());
        }
        let path = self.directory.join(leader_epochs::FILE);
        if let Some(text) = checkpoint::read(&*self.disk, &path).await? {
            self.epochs = LeaderEpochs::decode(&text, &path)?;
        }
        Ok(self.epochs.clone())
    }

    /// After a clean stop: lengths and last entries say everything, but for the few batches behind the last entry.
    async fn load_clean(&mut self, bases: &[Offset]) -> Result<(), StorageFault> {
        for base in bases {
            let is_last = bases.last() == Some(base);
            self.load_trusted(*base, is_last).await?;
        }
        Ok(())
    }

    /// After an unclean stop: segments below the recovery point as they are, the others scanned.
    async fn recover(&mut self, bases: &[Offset]) -> Result<(), StorageFault> {
        // The one before a segment that begins at the recovery point may have been closed after that was saved: the last
        // entry of its time index was not durable then.
        let is_before = |base: &Offset| *base < self.recovery.recovery_point || sown::is(Bug::RecoveryFromWrongPoint);
        let first = bases.partition_point(is_before).saturating_sub(1);
        for base in &bases[..first.min(bases.len())] {
            self.load_trusted(*base, false).await?;
        }
        for (i, base) in bases.iter().enumerate().skip(first) {
            // A log rolls at its end, so another base means that the end of the segment before was lost, or that this one
            // was cut away and is back. Unless the base was durable when it was saved: then compaction made the hole.
            let Recovery { recovery_point, compacted, .. } = self.recovery;
            let is_saved = *base <= recovery_point.max(compacted) && *base > self.end;
            if i > first && *base != self.end && !is_saved && !sown::is(Bug::SegmentsBehindHole) {
                tracing::warn!(directory = %self.directory.display(), %base, end = %self.end, "segments do not meet");
                return self.forget(&bases[i..]).await;
            }
            if self.scan(*base).await? {
                return self.forget(&bases[i + 1..]).await;
            }
            if i + 1 < bases.len() {
                self.close_scanned().await?;
            }
        }
        Ok(())
    }

    /// Scans a segment from the recovery point on; answers whether it was cut.
    async fn scan(&mut self, base: Offset) -> Result<bool, StorageFault> {
        let files = self.files(base);
        let path = files.path(Kind::Log);
        let file = files.log().await?;
        let bytes = file.length().await.trying("measure", &path)?;
        let how = self.how(bytes, self.recovery.recovery_point, !sown::is(Bug::NoCrcAtRecovery));
        let scanned = how.run(&*self.disk, files, base, &mut self.epochs).await?;
        let Scanned { mut segment, end, bad, aborts } = scanned;
        if let Some((position, reason)) = &bad {
            let lost = bytes - position;
            tracing::warn!(file = %path.display(), position, %reason, bytes = lost, "cut at the first bad batch");
        }
        // Also gives back what was set aside beyond the end.
        file.truncate(segment.bytes).await.trying("cut", &path)?;
        if self.syncs {
            file.sync().await.trying("sync", &path)?;
        }
        if aborts {
            self.restore_aborted(&mut segment, end).await?;
        }
        self.save_indexes(&mut segment).await?;
        self.end = end;
        self.segments.push(segment);
        Ok(bad.is_some())
    }

    /// Has the batches of a scanned segment, which ends at `end`, say which transactions were aborted behind its last entry
    /// of these. The segments before it are loaded.
    pub(super) async fn restore_aborted(&self, segment: &mut Segment, end: Offset) -> Result<(), StorageFault> {
        let from = segment.aborted.last().map_or(segment.base, |last| last.last_offset.plus(1));
        let segments: Vec<Segment> = self.segments.iter().chain([&*segment]).cloned().collect();
        let source =
            replay::Source { disk: &*self.disk, directory: &self.directory, segments: &segments, looks_back: false };
        for aborted in source.aborted_between(&self.snapshots, from, end).await? {
            segment.aborted.push(aborted);
        }
        Ok(())
    }

    /// Replaces the index files of a segment by what memory holds, unless there is nothing in either.
    pub(super) async fn save_indexes(&self, segment: &mut Segment) -> Result<(), StorageFault> {
        let is_empty = |kind: Kind| self.listed_bytes(&kind.name(segment.base)) == Some(0);
        let nothing = segment.entries() == IndexEntries::default();
        let has_aborted = self.listed_bytes(&Kind::TransactionIndex.name(segment.base)).is_some();
        if nothing && is_empty(Kind::OffsetIndex) && is_empty(Kind::TimeIndex) && !has_aborted {
            return Ok(());
        }
        let written = scan::write_indexes(&*self.disk, segment, self.syncs).await;
        self.without_room(written, segment).await
    }

    /// On a full device the entries stay in memory, as those of a segment that is being written do, and come into the files
    /// when there is room: what can be read should be. Half of a file is no index, so the files are emptied.
    async fn without_room(&self, written: Result<(), StorageFault>, segment: &Segment) -> Result<(), StorageFault> {
        let is_bearable = |fault: &StorageFault| fault.is_full() && segment.entries().aborted == 0;
        let Some(fault) = written.as_ref().err().filter(|fault| is_bearable(fault)) else { return written };
        tracing::warn!(%fault, "no room for an index; it is kept in memory");
        for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
            let path = segment.files.path(kind);
            match self.disk.open(&path, Open::Write).await {
                Ok(file) => file.truncate(0).await.trying("cut", &path)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).trying("open", &path),
            }
        }
        Ok(())
    }

    pub(super) fn how(&self, bytes: u64, trusted_below: Offset, check_crc: bool) -> Scan {
        Scan { bytes, trusted_below, check_crc, index_interval_bytes: self.config.index_interval_bytes }
    }

    /// The segment that was scanned last is not the active one: its time index ends with its largest timestamp.
    async fn close_scanned(&mut self) -> Result<(), StorageFault> {
        let Some(mut segment) = self.segments.pop() else { return Ok(()) };
        segment.close_times();
        let written = self.write_rest(&mut segment).await;
        let bearable = self.without_room(written, &segment).await;
        self.segments.push(segment);
        bearable
    }

    /// Brings the index entries of a segment to its files that are not there yet.
    async fn write_rest(&self, segment: &mut Segment) -> Result<(), StorageFault> {
        let entries = segment.entries();
        for write in segment.index_writes().into_iter().flatten() {
            let path = write.path;
            let file = self.disk.open(&path, Open::Write).await.trying("open", &path)?;
            file.write(write.at, vec![write.bytes]).await.trying("write", &path)?;
            if self.syncs {
                file.sync().await.trying("sync", &path)?;
            }
        }
        segment.indexes_written(entries);
        segment.indexes_synced(entries);
        Ok(())
    }

    /// Removes segments that cannot follow the end any more, the last first, so that what remains is always a prefix.
    async fn forget(&mut self, bases: &[Offset]) -> Result<(), StorageFault> {
        for base in bases.iter().rev() {
            let files = self.files(*base);
            tracing::warn!(file = %files.path(Kind::Log).display(), "removed: it lies behind the cut");
            self.remove_files(&files).await?;
        }
        Ok(())
    }

    async fn remove_segments(&mut self, from: usize) -> Result<(), StorageFault> {
        for segment in self.segments.split_off(from).into_iter().rev() {
            self.remove_files(&segment.files).await?;
        }
        Ok(())
    }

    async fn remove_files(&self, files: &SegmentFiles) -> Result<(), StorageFault> {
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            self.remove(&files.path(kind)).await?;
        }
        Ok(())
    }

    pub(super) async fn remove(&self, path: &Path) -> Result<(), StorageFault> {
        super::truncate::remove(&*self.disk, path).await
    }

    /// Nothing is left at or above the log's start: what is below it goes, and its producers and their open transactions are
    /// forgotten, as in Kafka (`ProducerStateManager.truncateFullyAndStartAt`). No marker may ever come for a transaction
    /// whose beginning and end are lost. The old names are gone for good before there is a new one: a snapshot that came
    /// back beside it would be believed.
    async fn begin_anew(&mut self) -> Result<(), StorageFault> {
        self.remove_segments(0).await?;
        for at in std::mem::take(&mut self.snapshots) {
            self.remove(&self.directory.join(Kind::Snapshot.name(at))).await?;
        }
        self.sync_names().await?;
        self.epochs = LeaderEpochs::default();
        self.start_anew(self.recovery.log_start_offset).await?;
        // A clean stop is believed, and so are its names: nobody else syncs this one then.
        self.sync_names().await
    }

    /// Begins with an empty segment at `base`.
    async fn start_anew(&mut self, base: Offset) -> Result<(), StorageFault> {
        let mut segment = Segment::planned(self.files(base), Timestamp::NONE);
        for kind in [Kind::OffsetIndex, Kind::TimeIndex, Kind::Log] {
            let path = segment.files.path(kind);
            let file = self.disk.open(&path, Open::Truncate).await.trying("make", &path)?;
            if kind == Kind::Log {
                segment.files.hold(file);
            }
        }
        segment.created = true;
        self.segments = vec![segment];
        self.end = base;
        Ok(())
    }

    /// The producers as of the end: the newest snapshot that can be read, and the batches behind it.
    async fn load_producers(&mut self) -> Result<Producers, StorageFault> {
        // Nothing was ever saved and the stop was clean: a log from before snapshots, whose producers are long gone.
        if (!self.snapshots.iter().any(|at| *at <= self.end) && self.recovery.clean)
            || sown::is(Bug::ProducersForgotten)
        {
            return Ok(Producers::default());
        }
        let (disk, segments) = (&*self.disk, self.segments.as_slice());
        let looks_back = !self.recovery.clean;
        let source = replay::Source { disk, directory: &self.directory, segments, looks_back };
        let (producers, used) = source.producers_at(&self.snapshots, self.end).await?;
        self.remove_strays(used).await?;
        self.snapshots.retain(|at| *at <= used);
        Ok(producers)
    }

    /// Removes the snapshots that belong to no segment, but for the one that was used. Not before it is known which one
    /// that is: the newest may be torn, and below the one before it compaction may have left too little to go by.
    async fn remove_strays(&mut self, used: Offset) -> Result<(), StorageFault> {
        let bases: Vec<Offset> = self.segments.iter().map(|segment| segment.base).collect();
        for at in self.snapshots.clone() {
            if at > self.end || (bases.binary_search(&at).is_err() && at != used) {
                self.remove(&self.directory.join(Kind::Snapshot.name(at))).await?;
                self.snapshots.retain(|kept| *kept != at);
            }
        }
        Ok(())
    }

    async fn sync_names(&self) -> Result<(), StorageFault> {
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        match self.directory.parent() {
            Some(parent) => self.disk.sync_directory(parent).await.trying("sync", parent),
            None => Ok(()),
        }
    }

    fn into_log(self, producers: Producers, epochs_saved: bool) -> Arc<Log> {
        let log_start = self.log_start();
        let state = State {
            config: self.config,
            log_start,
            end: self.end,
            written: self.end,
            flushed: self.end,
            cuts: 0,
            segments: self.segments,
            recent: Recent::default(),
            producers,
            snapshots: self.snapshots,
            epochs: self.epochs,
            epochs_saved,
            epochs_replaced: 0,
            queue: Queue::default(),
            room: Room::default(),
            role: RoleState::default(),
            names_changed: 1,
            names_synced: 1,
            is_dirty: false,
            unflushed_since: Timestamp::NONE,
            sealed: false,
            offline: None,
        };
        Log::with_state(self.disk, self.directory, state)
    }
}
