//! A log saved as one of many: it writes what it has to, and one sync of the whole file system stands for all of theirs.
//!
//! ```text
//! begin_save   writes queue, indexes; producers and epochs beside their files      then the file system is synced
//! give_names   the new files take the old ones' names                              then it is synced once more
//! finish       old snapshots go
//! ```
//!
//! Between the steps the log goes on. Who saves many logs keeps them from being cut or deleted meanwhile
//! ([`LogDirectory`](crate::LogDirectory)).

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::Offset;

use super::{Flush, Log, SavedPoint};
use crate::checkpoint;
use crate::fault::{StorageFault, Trying};
use crate::leader_epochs;
use crate::segment::{IndexEntries, Kind};

/// A save under way.
#[must_use = "a save counts when it is finished"]
#[derive(Debug)]
pub(crate) struct Saving {
    log: Arc<Log>,
    /// Covers what was written when the save began; it awaits no sync of its own.
    flush: Flush,
    point: SavedPoint,
    /// Written under a temporary name; the name that it gets.
    files: Vec<(PathBuf, PathBuf)>,
    snapshot: Option<Offset>,
    epochs: Option<String>,
    /// Segments whose indexes were written, and how many entries the files have.
    indexes: Vec<(Offset, IndexEntries)>,
}

impl Log {
    /// Begins a save: writes what the files lack, without a sync. With `leaving` nothing is appended any more.
    pub(crate) async fn begin_save(&self, leaving: bool) -> Result<Saving, StorageFault> {
        self.alone(move |log| async move { log.write_unsaved(leaving).await }).await
    }

    async fn write_unsaved(self: Arc<Self>, leaving: bool) -> Result<Saving, StorageFault> {
        self.write_rest().await?;
        let flush = {
            let mut state = self.state.lock();
            if leaving {
                state.active().close_times();
                state.offline.get_or_insert(StorageFault::Closed { path: self.directory.to_path_buf() });
            }
            Flush::covering(&self, &mut state)
        };
        let (end, log_start_offset, snapshot, epochs, bases) = self.state.lock().unsaved();
        let point = SavedPoint { recovery_point: end, log_start_offset };
        let mut saving = Saving {
            log: self.clone(),
            flush,
            point,
            files: Vec::new(),
            snapshot: snapshot.is_some().then_some(end),
            epochs: None,
            indexes: Vec::with_capacity(bases.len()),
        };
        for base in bases {
            self.write_indexes(base).await?;
            let entries = self.state.lock().segment(base).map(|segment| segment.entries_in_files());
            saving.indexes.extend(entries.map(|entries| (base, entries)));
        }
        if let Some(bytes) = snapshot {
            saving.write(self.path(Kind::Snapshot.name(end)), bytes).await?;
        }
        if let Some(text) = epochs {
            saving.write(self.path(leader_epochs::FILE), Bytes::from(text.clone())).await?;
            saving.epochs = Some(text);
        }
        if leaving {
            self.trim().await?;
        }
        Ok(saving)
    }
}

impl Saving {
    async fn write(&mut self, path: PathBuf, content: Bytes) -> Result<(), StorageFault> {
        let temporary = checkpoint::prepare(&*self.log.disk, &path, content).await?;
        self.files.push((temporary, path));
        Ok(())
    }

    /// Whether anything waits for the file system's sync.
    pub(crate) fn wants_sync(&self) -> bool {
        !self.files.is_empty() || !self.indexes.is_empty() || self.flush.is_needed()
    }

    /// Whether files got names that wait for a sync.
    pub(crate) fn has_names(&self) -> bool {
        !self.files.is_empty()
    }

    /// The file system's sync failed: what of it was this log's, nobody knows.
    pub(crate) fn fail(self, fault: &StorageFault) -> StorageFault {
        let log = self.log.clone();
        drop(self);
        log.take_offline(fault.clone())
    }

    /// What was written is durable: the files get their names.
    pub(crate) async fn give_names(&mut self) -> Result<(), StorageFault> {
        for (temporary, path) in &self.files {
            self.log.disk.rename(temporary, path).await.trying("rename", temporary)?;
        }
        Ok(())
    }

    /// The names are durable, too.
    pub(crate) async fn finish(self) -> Result<SavedPoint, StorageFault> {
        {
            let mut state = self.log.state.lock();
            for (base, entries) in &self.indexes {
                if let Some(segment) = state.segment(*base) {
                    segment.indexes_synced(*entries);
                }
            }
            if let Some(text) = &self.epochs {
                state.epochs_saved |= state.epochs.encode() == *text;
            }
        }
        self.flush.finish().await?;
        if let Some(at) = self.snapshot {
            self.log.snapshot_saved(at).await?;
        }
        Ok(self.point)
    }
}
