//! A log saved as one of many: it writes what it has to, and one sync of the whole file system stands for all of theirs.
//!
//! ```text
//! begin_save   writes queue, indexes; producers and epochs beside their files      then the file system is synced
//! give_names   the new files take the old ones' names                              then it is synced once more
//! finish       old snapshots go
//! ```
//!
//! Between the steps the log goes on, and may replace the file of epochs itself; then that one stays. Who saves many logs
//! keeps them from being cut or deleted meanwhile ([`LogDirectory`](crate::LogDirectory)).

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::Offset;

use super::truncate::remove;
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
    snapshot: Option<Offset>,
    /// The text of the epochs' file, and how often that had been replaced when this was prepared, or got its name.
    epochs: Option<(String, u64)>,
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
            let temporary = checkpoint::temporary_of_many(&self.path(Kind::Snapshot.name(end)));
            checkpoint::prepare(&*self.disk, &temporary, bytes).await?;
        }
        if let Some(text) = epochs {
            let temporary = checkpoint::temporary_of_many(&self.path(leader_epochs::FILE));
            checkpoint::prepare(&*self.disk, &temporary, Bytes::from(text.clone())).await?;
            saving.epochs = Some((text, self.state.lock().epochs_replaced));
        }
        if leaving {
            self.trim().await?;
        }
        Ok(saving)
    }
}

impl Saving {
    /// Whether anything waits for the file system's sync.
    pub(crate) fn wants_sync(&self) -> bool {
        self.has_names() || !self.indexes.is_empty() || self.flush.is_needed()
    }

    /// Whether files got names that wait for a sync.
    pub(crate) fn has_names(&self) -> bool {
        self.snapshot.is_some() || self.epochs.is_some()
    }

    /// The file system's sync failed: what of it was this log's, nobody knows.
    pub(crate) fn fail(self, fault: &StorageFault) -> StorageFault {
        let log = self.log.clone();
        drop(self);
        log.take_offline(fault.clone())
    }

    /// What was written is durable: the files get their names.
    pub(crate) async fn give_names(&mut self) -> Result<(), StorageFault> {
        if let Some(at) = self.snapshot {
            // Another one of this offset says the same.
            take_name(&self.log, &self.log.path(Kind::Snapshot.name(at))).await?;
        }
        let Some(replaced) = self.epochs.as_ref().map(|(_, replaced)| *replaced) else { return Ok(()) };
        let name_epochs = move |log: Arc<Log>| async move {
            let path = log.path(leader_epochs::FILE);
            if log.state.lock().epochs_replaced != replaced {
                return remove(&*log.disk, &checkpoint::temporary_of_many(&path)).await.map(|()| None);
            }
            take_name(&log, &path).await?;
            let mut state = log.state.lock();
            state.epochs_replaced += 1;
            Ok(Some(state.epochs_replaced))
        };
        let named = self.log.alone(name_epochs).await?;
        self.epochs = self.epochs.take().zip(named).map(|((text, _), replaced)| (text, replaced));
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
            if let Some((text, replaced)) = &self.epochs {
                state.epochs_saved |= state.epochs_replaced == *replaced && state.epochs.encode() == *text;
            }
        }
        self.flush.finish().await?;
        if let Some(at) = self.snapshot {
            self.log.snapshot_saved(at).await?;
        }
        Ok(self.point)
    }
}

async fn take_name(log: &Log, path: &Path) -> Result<(), StorageFault> {
    let temporary = checkpoint::temporary_of_many(path);
    log.disk.rename(&temporary, path).await.trying("rename", &temporary)
}
