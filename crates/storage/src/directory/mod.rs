//! A log directory (`log.dirs`): the partitions in it, and the files that say how far each is durable.
//!
//! ```text
//! .lock                              held while the directory is open
//! meta.properties                    whose it is
//! .kafka_cleanshutdown               there after a clean stop, until the next start
//! recovery-point-offset-checkpoint   below that a partition is durable and checked
//! log-start-offset-checkpoint        what readers may ask for begins there
//! replication-offset-checkpoint      high watermarks
//! cleaner-offset-checkpoint          what lies below was compacted
//! <topic>-<partition>/               one log each
//! <topic>-<partition>.<id>-delete/   a deleted partition whose files are still to be removed
//! <topic>-<partition>.<id>-future/   a partition that is being moved here from another directory
//! ```
//!
//! Everything else in it is left alone. `claim` takes a directory for this process, `open` is the way in, `create` and
//! `retire` make and take away partitions, `moves` takes them from one directory to another, `cleaning` compacts them,
//! `checkpoints` saves them and is the way out. This page is what is asked of open ones. Methods that write checkpoint files take turns.
//!
//! A partition that cannot be opened does not keep the others from being served: it is offline, with its reason in
//! [`LogDirectory::faulty`], and its files stay as they are.

mod checkpoints;
mod claim;
mod clean_stop;
mod cleaning;
mod cleanings;
mod create;
mod moves;
mod open;
mod retire;
mod threads;
mod turns;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_types::{Offset, TopicId, TopicPartition};
use parking_lot::Mutex;

pub use claim::ClaimedDirectory;
pub use cleaning::CleaningRound;
pub use create::NewPartition;
pub use moves::{Move, MoveFailed, Moved, can_be_moved};
pub use open::OpenOptions;

use crate::checkpoint::PartitionOffsets;
use crate::disk::{Disk, Space};
use crate::fault::{StorageFault, Trying};
use crate::flush::DirtyLogs;
use crate::log::{Log, SavedPoint};
use crate::meta_properties::MetaProperties;
use cleanings::Cleanings;
use turns::Turns;

/// An open partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its log.
    pub log: Arc<Log>,
    /// The id of its topic; `None` where the directory does not say.
    pub topic_id: Option<TopicId>,
}

/// A directory of logs, open and locked.
pub struct LogDirectory {
    disk: Arc<dyn Disk>,
    claimed: ClaimedDirectory,
    was_clean: bool,
    partitions: Mutex<BTreeMap<TopicPartition, Partition>>,
    /// Partitions that are there and could not be opened, and why.
    faulty: Mutex<BTreeMap<TopicPartition, StorageFault>>,
    /// Where partitions are filled that are being moved here.
    futures: Mutex<BTreeMap<TopicPartition, PathBuf>>,
    /// What the checkpoint files say of each partition.
    saved: Mutex<BTreeMap<TopicPartition, SavedPoint>>,
    /// Up to where partitions were compacted.
    cleaned: Mutex<PartitionOffsets>,
    cleanings: Cleanings,
    /// As they were when the directory was opened.
    high_watermarks: PartitionOffsets,
    dirty: Arc<DirtyLogs>,
    turns: Turns,
    /// How many may work on its partitions side by side.
    threads: usize,
}

/// From so many partitions on, what they have to make durable is synced with the whole file system. Below, each syncs its
/// own files: others may have much to write on the same file system.
const TOGETHER_FROM: usize = if cfg!(test) { 3 } else { 16 };

impl LogDirectory {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.claimed.path()
    }

    /// Whose it is.
    #[must_use]
    pub fn meta(&self) -> &MetaProperties {
        self.claimed.meta()
    }

    /// Whether the stop before this start was clean.
    #[must_use]
    pub fn was_clean(&self) -> bool {
        self.was_clean
    }

    /// The high watermarks as they were last saved when the directory was opened.
    #[must_use]
    pub fn high_watermarks(&self) -> &PartitionOffsets {
        &self.high_watermarks
    }

    /// The logs that have something to flush: what the shared flush works on.
    #[must_use]
    pub fn dirty(&self) -> &Arc<DirtyLogs> {
        &self.dirty
    }

    /// The open partition of that name.
    #[must_use]
    pub fn get(&self, partition: &TopicPartition) -> Option<Partition> {
        self.partitions.lock().get(partition).cloned()
    }

    /// All open partitions, by name.
    #[must_use]
    pub fn partitions(&self) -> Vec<(TopicPartition, Partition)> {
        self.partitions.lock().iter().map(|(name, partition)| (name.clone(), partition.clone())).collect()
    }

    /// Why a partition that is there is not open; `None` if it is open, or not there.
    #[must_use]
    pub fn faulty(&self, partition: &TopicPartition) -> Option<StorageFault> {
        self.faulty.lock().get(partition).cloned()
    }

    /// The partitions that are there and not open.
    #[must_use]
    pub fn faulty_partitions(&self) -> Vec<TopicPartition> {
        self.faulty.lock().keys().cloned().collect()
    }

    /// How many partitions are in it, those that could not be opened and those that are being moved here included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.partitions.lock().len() + self.faulty.lock().len() + self.futures.lock().len()
    }

    /// How large its file system is.
    pub async fn space(&self) -> Result<Space, StorageFault> {
        self.disk.space(self.path()).await.trying("measure", self.path())
    }

    /// Takes every log in it offline: the directory's device is gone. What a log is asked for afterwards is refused with
    /// this fault; nothing is saved any more.
    pub fn fail(&self, fault: &StorageFault) {
        for (_, partition) in self.partitions() {
            partition.log.fail(fault.clone());
        }
    }

    /// Cuts a partition's log at its end ([`Log::truncate_to`]), so that a crash in between recovers from before the
    /// cut.
    pub async fn truncate(&self, partition: &TopicPartition, offset: Offset) -> Result<(), StorageFault> {
        let _pause = self.cleanings.pause(partition).await;
        let _turn = self.turns.next().await;
        let Some(open) = self.get(partition) else {
            return Err(StorageFault::Partition { path: self.directory_of(partition), state: "is not there" });
        };
        let lowered = match self.saved.lock().get_mut(partition) {
            Some(point) if point.recovery_point > offset => {
                point.recovery_point = offset;
                true
            }
            _ => false,
        };
        if lowered {
            self.write_points().await?;
        }
        let cleaned = self.cleaned_up_to(partition);
        self.set_cleaned(partition, cleaned.map(|cleaned| cleaned.min(offset))).await?;
        open.log.truncate_to(offset).await
    }

    fn directory_of(&self, partition: &TopicPartition) -> PathBuf {
        self.path().join(partition.to_string())
    }

    fn adopt(&self, partition: &TopicPartition, log: Arc<Log>, topic_id: Option<TopicId>) {
        log.report_dirt_to(self.dirty.clone());
        self.partitions.lock().insert(partition.clone(), Partition { log, topic_id });
    }
}

impl std::fmt::Debug for LogDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogDirectory({}, {} partitions)", self.path().display(), self.partitions.lock().len())
    }
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod crash_moves;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
