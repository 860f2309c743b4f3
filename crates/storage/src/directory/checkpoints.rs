//! Saving what is in a directory: the logs that changed, the checkpoint files, and at the end the mark of a clean stop.

use bytes::Bytes;
use ottla_types::{Offset, TopicPartition};
use parking_lot::Mutex;

use super::threads::{Work, for_each};
use super::{LogDirectory, Partition, TOGETHER_FROM, clean_stop};
use crate::checkpoint::{self, PartitionOffsets};
use crate::fault::{StorageFault, Trying};
use crate::log::{Log, SavedPoint, Saving};
use crate::sown::{self, Bug};

pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// How logs are saved.
#[derive(Clone, Copy)]
struct Saved {
    /// Nothing is appended any more.
    leaving: bool,
    threads: usize,
}

impl LogDirectory {
    /// Saves every log that changed and writes the three checkpoint files, the last with what `high_watermarks` says of
    /// this directory's partitions. An offline log keeps its last point.
    pub async fn write_checkpoints(&self, high_watermarks: &PartitionOffsets) -> Result<(), StorageFault> {
        let _turn = self.turns.next().await;
        let mut changed = self.partitions();
        changed.retain(|(name, partition)| !self.is_saved(name, &partition.log));
        // One thread: a round is no hurry, and who calls has other things to do.
        for (name, point) in self.save(&changed, Saved { leaving: false, threads: 1 }).await {
            self.note(&name, point);
        }
        self.write_points().await?;
        self.write_high_watermarks(high_watermarks).await
    }

    /// How many logs changed since they were saved.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.partitions().iter().filter(|(name, partition)| !self.is_saved(name, &partition.log)).count()
    }

    /// Makes durable where some partitions' logs start, so that what lies below does not come back (DeleteRecords).
    pub async fn save_log_starts(&self, names: &[TopicPartition]) -> Result<(), StorageFault> {
        if sown::is(Bug::LogStartNotSaved) {
            return Ok(());
        }
        let _turn = self.turns.next().await;
        let mut starts = Vec::with_capacity(names.len());
        for (name, open) in names.iter().filter_map(|name| Some((name, self.get(name)?))) {
            let nothing = SavedPoint { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO };
            let start = open.log.log_start_offset();
            self.saved.lock().entry(name.clone()).or_insert(nothing).log_start_offset = start;
            starts.push((open.log, start));
        }
        self.write_points().await?;
        starts.iter().for_each(|(log, start)| log.start_saved(*start));
        Ok(())
    }

    /// Closes all logs, writes the checkpoint files and, last, the mark of a clean stop; that one only if every log
    /// could be closed, and none is there that could not be opened: the mark would say that it is whole.
    pub async fn close(&self, high_watermarks: &PartitionOffsets) -> Result<(), StorageFault> {
        self.cleanings.close().await;
        let _turn = self.turns.next().await;
        let mut failed = None;
        let how = Saved { leaving: true, threads: self.threads };
        for (name, closed) in self.save(&self.partitions(), how).await {
            failed = failed.or(closed.as_ref().err().cloned());
            self.note(&name, closed.map(|point| self.said_by_segments(&name, point)));
        }
        self.write_points().await?;
        self.write_high_watermarks(high_watermarks).await?;
        match failed {
            Some(fault) => Err(fault),
            None if !self.faulty.lock().is_empty() => Ok(()),
            None => clean_stop::write(&*self.disk, self.path()).await,
        }
    }

    /// Saves these logs, few one by one, many with the file system's sync for all of them.
    async fn save(
        &self,
        logs: &[(TopicPartition, Partition)],
        how: Saved,
    ) -> Vec<(TopicPartition, Result<SavedPoint, StorageFault>)> {
        let points = if logs.len() < TOGETHER_FROM {
            let mut points = Vec::with_capacity(logs.len());
            for (_, Partition { log, .. }) in logs {
                points.push(if how.leaving { log.close().await } else { log.save().await });
            }
            points
        } else {
            self.save_together(logs, how).await
        };
        logs.iter().map(|(name, _)| name.clone()).zip(points).collect()
    }

    async fn save_together(
        &self,
        logs: &[(TopicPartition, Partition)],
        how: Saved,
    ) -> Vec<Result<SavedPoint, StorageFault>> {
        let begin = |i: usize| Box::pin(logs[i].1.log.begin_save(how.leaving)) as Work<'_, _>;
        let begun = for_each(logs.len(), how.threads, begin).await;
        let synced = self.sync_if(begun.iter().flatten().any(Saving::wants_sync)).await;
        let begun: Vec<Mutex<Option<_>>> = begun.into_iter().map(|saving| Mutex::new(Some(saving))).collect();
        let name = |i: usize| {
            let saving = begun[i].lock().take().expect("each is taken once");
            Box::pin(give_names(saving, &synced)) as Work<'_, _>
        };
        let named = for_each(logs.len(), how.threads, name).await;
        let synced = self.sync_if(named.iter().flatten().any(Saving::has_names)).await;
        let mut points = Vec::with_capacity(named.len());
        for saving in named {
            points.push(match (saving, &synced) {
                (Err(fault), _) => Err(fault),
                (Ok(saving), Err(fault)) if saving.has_names() => Err(saving.fail(fault)),
                (Ok(saving), _) => saving.finish().await,
            });
        }
        points
    }

    async fn sync_if(&self, wanted: bool) -> Result<(), StorageFault> {
        if wanted { self.disk.sync_all(self.path()).await.trying("sync", self.path()) } else { Ok(()) }
    }

    /// A closed log's point without a start that its first segment's name says: it needs no line, as with Kafka. Before a
    /// log is closed a crash may bring the segments back that have left.
    fn said_by_segments(&self, name: &TopicPartition, point: SavedPoint) -> SavedPoint {
        let first = self.get(name).and_then(|partition| partition.log.segment_bases().first().copied());
        if first < Some(point.log_start_offset) {
            point
        } else {
            SavedPoint { log_start_offset: Offset::ZERO, ..point }
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
            Err(fault) => {
                tracing::warn!(partition = %name, %fault, "not saved");
                // Files that are gone, or that the device refuses: what is written to them from now on would be lost.
                if let Some(open) = self.get(name).filter(|_| fault.is_the_devices()) {
                    open.log.fail(fault);
                }
            }
        }
    }

    pub(super) async fn write_points(&self) -> Result<(), StorageFault> {
        let (recovery_points, log_starts) = {
            let saved = self.saved.lock();
            let each = |offset: fn(&SavedPoint) -> Offset| -> PartitionOffsets {
                saved.iter().map(|(name, point)| (name.clone(), offset(point))).collect()
            };
            let mut log_starts = each(|point| point.log_start_offset);
            log_starts.retain(|_, start| *start > Offset::ZERO);
            (each(|point| point.recovery_point), log_starts)
        };
        self.write(RECOVERY_POINTS, &recovery_points).await?;
        self.write(LOG_STARTS, &log_starts).await
    }

    async fn write_high_watermarks(&self, all: &PartitionOffsets) -> Result<(), StorageFault> {
        let own: PartitionOffsets = {
            let open = self.partitions.lock();
            let is_here = |name: &TopicPartition| open.contains_key(name);
            all.iter().filter(|(name, _)| is_here(name)).map(|(name, offset)| (name.clone(), *offset)).collect()
        };
        self.write(HIGH_WATERMARKS, &own).await
    }

    async fn write(&self, file: &str, offsets: &PartitionOffsets) -> Result<(), StorageFault> {
        let text = Bytes::from(checkpoint::encode_offsets(offsets));
        checkpoint::replace(&*self.disk, &self.path().join(file), text).await
    }
}

/// Goes on with a save, unless the sync that it waited for has failed.
async fn give_names(
    saving: Result<Saving, StorageFault>,
    synced: &Result<(), StorageFault>,
) -> Result<Saving, StorageFault> {
    let mut saving = match (saving?, synced) {
        (saving, Err(fault)) if saving.wants_sync() => return Err(saving.fail(fault)),
        (saving, _) => saving,
    };
    saving.give_names().await.map(|()| saving)
}
