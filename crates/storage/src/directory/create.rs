//! Making partitions, many at a time.

use std::path::Path;
use std::sync::Arc;

use ottla_types::{TopicId, TopicPartition};

use super::threads::{Work, for_each};
use super::{LogDirectory, TOGETHER_FROM};
use crate::fault::{StorageFault, Trying};
use crate::log::{Log, LogConfig};
use crate::partition_metadata;

/// A partition that is to be made.
#[derive(Clone, Debug)]
pub struct NewPartition {
    /// Its topic and number.
    pub name: TopicPartition,
    /// Its topic's id.
    pub topic_id: TopicId,
    /// What its log follows.
    pub config: LogConfig,
}

impl LogDirectory {
    /// Makes a partition with an empty log. Its names are durable with the log's first flush.
    pub async fn create(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Result<Arc<Log>, StorageFault> {
        let new = NewPartition { name: partition.clone(), topic_id, config };
        self.create_all(&[new]).await.pop().expect("an answer for each")
    }

    /// Makes several, and answers in their order. One that fails does not keep the others from being made. The names of
    /// many are durable when this returns, those of few with their logs' first flush.
    pub async fn create_all(&self, new: &[NewPartition]) -> Vec<Result<Arc<Log>, StorageFault>> {
        let _turn = self.turns.next().await;
        if let Err(fault) = self.forget_namesakes(new).await {
            return new.iter().map(|_| Err(fault.clone())).collect();
        }
        let together = new.len() >= TOGETHER_FROM;
        let threads = if together { self.threads } else { 1 };
        let made = for_each(new.len(), threads, |i| Box::pin(self.create_one(&new[i], together))).await;
        if !together {
            return made;
        }
        let synced = self.disk.sync_all(self.path()).await.trying("sync", self.path());
        let finish = |i: usize| -> Work<'_, Result<Arc<Log>, StorageFault>> {
            Box::pin(self.finish_one(made[i].clone(), &synced))
        };
        let finished = for_each(new.len(), threads, finish).await;
        for (i, _) in finished.iter().enumerate().filter(|(i, finished)| made[*i].is_ok() && finished.is_err()) {
            self.partitions.lock().remove(&new[i].name);
        }
        finished
    }

    /// What is left of namesakes in the checkpoint files is not these ones'.
    async fn forget_namesakes(&self, new: &[NewPartition]) -> Result<(), StorageFault> {
        let forgotten = {
            let mut saved = self.saved.lock();
            let is_new = |new: &&NewPartition| self.get(&new.name).is_none() && self.faulty(&new.name).is_none();
            new.iter().filter(is_new).filter(|new| saved.remove(&new.name).is_some()).count()
        };
        for new in new.iter().filter(|new| self.get(&new.name).is_none() && self.faulty(&new.name).is_none()) {
            self.set_cleaned(&new.name, None).await?;
        }
        if forgotten > 0 { self.write_points().await } else { Ok(()) }
    }

    async fn create_one(&self, new: &NewPartition, together: bool) -> Result<Arc<Log>, StorageFault> {
        let directory = self.directory_of(&new.name);
        if self.get(&new.name).is_some() || self.faulty(&new.name).is_some() {
            return Err(StorageFault::Partition { path: directory, state: "is there already" });
        }
        let made = self.make_files(&directory, new, together).await;
        match &made {
            Ok(log) => self.adopt(&new.name, log.clone(), Some(new.topic_id)),
            Err(_) => {
                // Half of a partition must not be found here when the whole one is made elsewhere, after a power loss
                // neither.
                let _ = self.disk.remove_directory(&directory).await;
                let _ = self.disk.sync_directory(self.path()).await;
            }
        }
        made
    }

    async fn make_files(&self, directory: &Path, new: &NewPartition, together: bool) -> Result<Arc<Log>, StorageFault> {
        let log = Log::create(self.disk.clone(), directory, new.config).await?;
        if together {
            partition_metadata::prepare(&*self.disk, directory, new.topic_id).await?;
        } else {
            partition_metadata::write(&*self.disk, directory, new.topic_id).await?;
        }
        Ok(log)
    }

    async fn finish_one(
        &self,
        made: Result<Arc<Log>, StorageFault>,
        synced: &Result<(), StorageFault>,
    ) -> Result<Arc<Log>, StorageFault> {
        let log = made?;
        synced.clone()?;
        partition_metadata::name_it(&*self.disk, log.directory()).await?;
        log.names_are_durable();
        Ok(log)
    }
}
