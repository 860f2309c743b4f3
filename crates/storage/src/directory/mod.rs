//! A log directory (`log.dirs`): the partitions in it, and the files that say how far each is durable.
//!
//! ```text
//! .lock                              held while the directory is open
//! meta.properties                    whose it is
//! .kafka_cleanshutdown               there after a clean stop, until the next start
//! recovery-point-offset-checkpoint   below that a partition is durable and checked
//! log-start-offset-checkpoint        what readers may ask for begins there
//! replication-offset-checkpoint      high watermarks
//! <topic>-<partition>/               one log each
//! <topic>-<partition>.<id>-delete/   a deleted partition whose files are still to be removed
//! ```
//!
//! Everything else in it is left alone. `open` is the way in; this page is what is done with open partitions, and the
//! way out. Methods that write checkpoint files take turns.

mod clean_stop;
mod open;
mod turns;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::{Offset, TopicId, TopicPartition};
use parking_lot::Mutex;

pub use open::OpenOptions;

use crate::checkpoint::{self, PartitionOffsets};
use crate::disk::{Disk, Lock};
use crate::fault::{StorageFault, Trying};
use crate::flush::DirtyLogs;
use crate::log::{Log, LogConfig, Recovery, SavedPoint};
use crate::meta_properties::MetaProperties;
use crate::partition_metadata;
use turns::Turns;

const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// Names of directories are cut so that, with the endings of a deleted one, they fit what file systems allow.
const NAME_BYTES_MAX: usize = 255;

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
    path: PathBuf,
    meta: MetaProperties,
    was_clean: bool,
    partitions: Mutex<BTreeMap<TopicPartition, Partition>>,
    /// What the checkpoint files say of each partition.
    saved: Mutex<BTreeMap<TopicPartition, SavedPoint>>,
    /// As they were when the directory was opened.
    high_watermarks: PartitionOffsets,
    dirty: Arc<DirtyLogs>,
    turns: Turns,
    _lock: Lock,
}

impl LogDirectory {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    #[must_use]
    pub fn meta(&self) -> &MetaProperties {
        &self.meta
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

    /// Makes a partition with an empty log. Its names are durable with the log's first flush.
    pub async fn create(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Result<Arc<Log>, StorageFault> {
        let directory = self.path.join(partition.to_string());
        let _turn = self.turns.next().await;
        if self.get(partition).is_some() {
            return Err(StorageFault::Partition { path: directory, state: "is there already" });
        }
        // What is left of a namesake is not this one's.
        if self.saved.lock().remove(partition).is_some() {
            self.write_points().await?;
        }
        let log = Log::create(self.disk.clone(), &directory, config).await?;
        partition_metadata::write(&*self.disk, &directory, topic_id).await?;
        self.adopt(partition, log.clone(), Some(topic_id));
        Ok(log)
    }

    fn adopt(&self, partition: &TopicPartition, log: Arc<Log>, topic_id: Option<TopicId>) {
        log.report_dirt_to(self.dirty.clone());
        self.partitions.lock().insert(partition.clone(), Partition { log, topic_id });
    }

    /// Deletes a partition: its log refuses everything, its directory gets another name, made unique by `random`. Its
    /// files go with [`remove_deleted`](Self::remove_deleted), to which the answer is handed; readers that hold a slice
    /// go on. A start that finds such a directory removes it.
    pub async fn delete(&self, partition: &TopicPartition, random: u128) -> Result<PathBuf, StorageFault> {
        let directory = self.path.join(partition.to_string());
        let _turn = self.turns.next().await;
        let Some(open) = self.partitions.lock().remove(partition) else {
            return Err(StorageFault::Partition { path: directory, state: "is not there" });
        };
        open.log.abandon().await;
        if self.saved.lock().remove(partition).is_some() {
            self.write_points().await?;
        }
        let deleted = self.path.join(deleted_name(partition, random));
        self.disk.rename(&directory, &deleted).await.trying("rename", &directory)?;
        self.disk.sync_directory(&self.path).await.trying("sync", &self.path)?;
        Ok(deleted)
    }

    /// Removes the files of a deleted partition.
    pub async fn remove_deleted(&self, deleted: &Path) -> Result<(), StorageFault> {
        self.disk.remove_directory(deleted).await.trying("remove", deleted)
    }

    /// Cuts a partition's log at its end ([`Log::truncate_to`]), so that a crash in between recovers from before the
    /// cut.
    pub async fn truncate(&self, partition: &TopicPartition, offset: Offset) -> Result<(), StorageFault> {
        let _turn = self.turns.next().await;
        let Some(open) = self.get(partition) else {
            let path = self.path.join(partition.to_string());
            return Err(StorageFault::Partition { path, state: "is not there" });
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
        open.log.truncate_to(offset).await
    }

    /// Saves every log that changed and writes the three checkpoint files. An offline log keeps its last point.
    pub async fn write_checkpoints(&self, high_watermarks: &PartitionOffsets) -> Result<(), StorageFault> {
        let _turn = self.turns.next().await;
        for (name, partition) in self.partitions() {
            if !self.is_saved(&name, &partition.log) {
                self.note(&name, partition.log.save().await);
            }
        }
        self.write_points().await?;
        self.write(HIGH_WATERMARKS, high_watermarks).await
    }

    /// Closes all logs, writes the checkpoint files and, last, the mark of a clean stop; that one only if every log
    /// could be closed.
    pub async fn close(&self, high_watermarks: &PartitionOffsets) -> Result<(), StorageFault> {
        let _turn = self.turns.next().await;
        let mut failed = None;
        for (name, partition) in self.partitions() {
            let closed = partition.log.close().await;
            failed = failed.or(closed.as_ref().err().cloned());
            self.note(&name, closed);
        }
        self.write_points().await?;
        self.write(HIGH_WATERMARKS, high_watermarks).await?;
        match failed {
            Some(fault) => Err(fault),
            None => clean_stop::write(&*self.disk, &self.path).await,
        }
    }

    fn is_saved(&self, name: &TopicPartition, log: &Log) -> bool {
        let ends = log.ends();
        let now = SavedPoint { recovery_point: ends.log_end, log_start_offset: ends.log_start };
        self.saved.lock().get(name) == Some(&now)
    }

    fn note(&self, name: &TopicPartition, point: Result<SavedPoint, StorageFault>) {
        match point {
            Ok(point) => {
                self.saved.lock().insert(name.clone(), point);
            }
            Err(fault) => tracing::warn!(partition = %name, %fault, "not saved"),
        }
    }

    async fn write_points(&self) -> Result<(), StorageFault> {
        let (recovery_points, log_starts) = {
            let saved = self.saved.lock();
            let each = |offset: fn(&SavedPoint) -> Offset| -> PartitionOffsets {
                saved.iter().map(|(name, point)| (name.clone(), offset(point))).collect()
            };
            let mut log_starts = each(|point| point.log_start_offset);
            // As Kafka: only what a segment's name does not say.
            log_starts.retain(|_, start| *start > Offset::ZERO);
            (each(|point| point.recovery_point), log_starts)
        };
        self.write(RECOVERY_POINTS, &recovery_points).await?;
        self.write(LOG_STARTS, &log_starts).await
    }

    async fn write(&self, file: &str, offsets: &PartitionOffsets) -> Result<(), StorageFault> {
        let text = Bytes::from(checkpoint::encode_offsets(offsets));
        checkpoint::replace(&*self.disk, &self.path.join(file), text).await
    }
}

/// `<topic>-<partition>.<random in 32 hexadecimal digits>-delete`, the topic cut if that is too long.
fn deleted_name(partition: &TopicPartition, random: u128) -> String {
    let ending = format!("-{}.{random:032x}-delete", partition.partition);
    let topic = partition.topic.as_str();
    let kept = topic.len().min(NAME_BYTES_MAX - ending.len());
    format!("{}{ending}", &topic[..kept])
}

impl std::fmt::Debug for LogDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogDirectory({}, {} partitions)", self.path.display(), self.partitions.lock().len())
    }
}

/// How a partition is to be opened, by what the checkpoint files say.
fn recovery(saved: Option<&SavedPoint>, clean: bool) -> Recovery {
    let nothing = SavedPoint { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO };
    let SavedPoint { recovery_point, log_start_offset } = saved.copied().unwrap_or(nothing);
    Recovery { recovery_point, log_start_offset, clean }
}

#[cfg(test)]
mod tests;
