//! Saving and leaving a log: what makes the next start short.

use bytes::Bytes;
use ottla_types::Offset;

use super::truncate::remove;
use super::{Log, State};
use crate::checkpoint;
use crate::disk::Open;
use crate::fault::{StorageFault, Trying};
use crate::producers::snapshot;
use crate::segment::Kind;
use crate::sown::{self, Bug};

/// What is to be saved of a log in its directory's checkpoint files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavedPoint {
    /// Everything below is durable, with the index entries that belong to it.
    pub recovery_point: Offset,
    /// The first offset that readers may ask for.
    pub log_start_offset: Offset,
}

impl Log {
    /// Makes everything that is appended by now durable, and with it the indexes and the producers, so that a recovery
    /// begins here.
    pub async fn save(&self) -> Result<SavedPoint, StorageFault> {
        // Most of it before this has the writer's role, so that nobody's append waits for it.
        if self.has_unflushed() {
            self.flush().await?;
        }
        self.alone(|log| async move { log.save_all().await }).await
    }

    fn has_unflushed(&self) -> bool {
        let state = self.state.lock();
        state.offline.is_none() && state.flushed < state.written
    }

    /// Saves the log and leaves it as a clean start wants it. Nothing is appended any more, from the moment at which this
    /// has the writer's role; if it fails, the log goes on unless the fault took it offline.
    pub async fn close(&self) -> Result<SavedPoint, StorageFault> {
        self.alone(|log| async move {
            // Whatever came while this saves would be behind the point that it answers.
            log.state.lock().sealed = true;
            let closed = log.save_and_seal().await;
            if closed.is_err() {
                log.state.lock().sealed = false;
            }
            closed
        })
        .await
    }

    async fn save_and_seal(&self) -> Result<SavedPoint, StorageFault> {
        self.write_rest().await?;
        self.state.lock().active().close_times();
        let point = self.save_all().await?;
        self.trim().await?;
        let mut state = self.state.lock();
        state.offline.get_or_insert(StorageFault::Closed { path: self.directory.to_path_buf() });
        // It may have been raised meanwhile; from here on it is not.
        Ok(SavedPoint { log_start_offset: state.log_start, ..point })
    }

    /// Refuses everything from now on, saving nothing: the log's directory is about to be removed.
    pub async fn abandon(&self) {
        let _ = self
            .alone(|log| async move {
                let mut state = log.state.lock();
                state.offline.get_or_insert(StorageFault::Closed { path: log.directory.to_path_buf() });
                state.queue.clear();
                Ok(())
            })
            .await;
    }

    async fn save_all(&self) -> Result<SavedPoint, StorageFault> {
        self.write_rest().await?;
        let (end, log_start_offset, snapshot, epochs, bases) = self.state.lock().unsaved();
        let recovery_point = if sown::is(Bug::CheckpointBeforeFlush) { end } else { self.flush().await? };
        for base in bases {
            self.write_indexes(base).await?;
            self.sync_indexes(base).await?;
        }
        self.sync_new_names().await?;
        if let Some(bytes) = snapshot {
            self.save_snapshot(end, bytes).await?;
        }
        if let Some(text) = epochs {
            self.save_epochs(text).await?;
        }
        Ok(SavedPoint { recovery_point: recovery_point.min(end), log_start_offset })
    }

    /// Writes the producers as of `at`.
    async fn save_snapshot(&self, at: Offset, bytes: Bytes) -> Result<(), StorageFault> {
        let path = self.path(Kind::Snapshot.name(at));
        checkpoint::replace(&*self.disk, &path, bytes).await?;
        self.snapshot_saved(at).await
    }

    /// A snapshot is durable: the one before goes, unless it belongs to a segment.
    pub(super) async fn snapshot_saved(&self, at: Offset) -> Result<(), StorageFault> {
        let superseded: Vec<Offset> = {
            let mut state = self.state.lock();
            let bases: Vec<Offset> = state.segments.iter().map(|segment| segment.base).collect();
            let old = state.snapshots.extract_if(.., |old| bases.binary_search(old).is_err() || *old == at).collect();
            state.has_snapshot(at);
            old
        };
        for old in superseded.into_iter().filter(|old| *old != at) {
            remove(&*self.disk, &self.path(Kind::Snapshot.name(old))).await?;
        }
        Ok(())
    }

    /// Makes the snapshot durable that was written when the segment at `base` was begun; fine if there is none. Recovery
    /// needs it only where the batches below do not tell all of the producers any more.
    pub(crate) async fn sync_snapshot(&self, base: Offset) -> Result<(), StorageFault> {
        let path = self.path(Kind::Snapshot.name(base));
        let file = match self.disk.open(&path, Open::Write).await.trying("open", &path) {
            Err(fault) if fault.is_not_found() => return Ok(()),
            opened => opened?,
        };
        let synced = file.sync().await.trying("sync", &path);
        synced.map_err(|fault| self.take_offline(fault))?;
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)
    }

    async fn sync_indexes(&self, base: Offset) -> Result<(), StorageFault> {
        let wanted = self.state.lock().segment(base).map(|segment| {
            let entries = segment.entries_in_files();
            (segment.files.clone(), segment.unsynced_indexes(), entries)
        });
        let Some((files, kinds, entries)) = wanted else { return Ok(()) };
        for kind in kinds {
            let path = files.path(kind);
            let synced = self.open_index(&path).await?.sync().await.trying("sync", &path);
            // What it should have covered is not covered by the next one either.
            synced.map_err(|fault| self.take_offline(fault))?;
            if let Some(segment) = self.state.lock().segment(base) {
                segment.index_synced(kind, entries);
            }
        }
        Ok(())
    }

    /// Makes the names durable of files that were made since the flush: the first entry of a transaction index makes one.
    async fn sync_new_names(&self) -> Result<(), StorageFault> {
        let names = {
            let state = self.state.lock();
            if state.names_changed == state.names_synced || sown::is(Bug::NoSyncOfNewNames) {
                return Ok(());
            }
            state.names_changed
        };
        self.disk.sync_directory(&self.directory).await.trying("sync", &self.directory)?;
        let mut state = self.state.lock();
        state.names_synced = state.names_synced.max(names);
        Ok(())
    }

    /// Gives back what was set aside behind the active segment's end.
    pub(super) async fn trim(&self) -> Result<(), StorageFault> {
        let (files, bytes) = {
            let mut state = self.state.lock();
            let active = state.active();
            if active.reserved <= active.bytes {
                return Ok(());
            }
            (active.files.clone(), active.bytes)
        };
        let path = files.path(Kind::Log);
        files.log().await?.truncate(bytes).await.trying("trim", &path)
    }
}

type ToSave = (Offset, Offset, Option<Bytes>, Option<String>, Vec<Offset>);

impl State {
    /// What a save writes: the end it speaks of, the log's start, producers and epochs where their files lack them, and
    /// the segments whose indexes do.
    pub(super) fn unsaved(&self) -> ToSave {
        let is_saved = self.snapshots.last().copied().unwrap_or(self.segments[0].base) == self.end;
        // The end is the written end, or else the queue holds batches of which the snapshot must not know.
        let snapshot = (!is_saved && self.end == self.written).then(|| snapshot::encode(&self.producers));
        // An epoch without a record is not worth a file: a restart leads in another one, from the same offset on. Unless
        // all records were deleted, for the file names epochs that had some.
        let (end, emptied) = (self.end, self.log_start > Offset::ZERO && self.log_start == self.end);
        let has_records = self.epochs.latest_start().is_some_and(|start| start < end || emptied);
        let epochs = (!self.epochs_saved && has_records).then(|| self.epochs.encode());
        let lacks = |segment: &&crate::segment::Segment| segment.created && segment.has_unsaved_index();
        let bases = self.segments.iter().filter(lacks).map(|segment| segment.base).collect();
        (self.written, self.log_start, snapshot, epochs, bases)
    }
}
