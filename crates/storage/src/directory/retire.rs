//! Taking partitions away: deleted ones, and those that nobody knows.

use std::path::{Path, PathBuf};

use ottla_types::TopicPartition;

use super::LogDirectory;
use crate::fault::{StorageFault, Trying};

/// Names of directories are cut so that, with the endings of a deleted one, they fit what file systems allow.
pub(super) const NAME_BYTES_MAX: usize = 255;

impl LogDirectory {
    /// Deletes a partition: its log refuses everything, its directory gets another name, made unique by `random`. Its
    /// files go with [`remove_deleted`](Self::remove_deleted), to which the answer is handed; readers that hold a slice
    /// go on. A start that finds such a directory removes it.
    pub async fn delete(&self, partition: &TopicPartition, random: u128) -> Result<PathBuf, StorageFault> {
        self.retire(partition, random, "delete").await
    }

    /// Sets a partition aside that nobody knows: as [`delete`](Self::delete), but its files stay for a person to look at,
    /// under a name that ends with `-stray` as Kafka's strays do.
    pub async fn set_aside(&self, partition: &TopicPartition, random: u128) -> Result<PathBuf, StorageFault> {
        self.retire(partition, random, "stray").await
    }

    async fn retire(&self, partition: &TopicPartition, random: u128, ending: &str) -> Result<PathBuf, StorageFault> {
        let directory = self.directory_of(partition);
        let _pause = self.cleanings.pause(partition).await;
        let _turn = self.turns.next().await;
        let open = self.partitions.lock().remove(partition);
        match open {
            Some(open) => open.log.abandon().await,
            None if self.faulty.lock().remove(partition).is_some() => {}
            None => return Err(StorageFault::Partition { path: directory, state: "is not there" }),
        }
        if self.saved.lock().remove(partition).is_some() {
            self.write_points().await?;
        }
        self.set_cleaned(partition, None).await?;
        let retired = self.path().join(retired_name(partition, random, ending));
        self.disk.rename(&directory, &retired).await.trying("rename", &directory)?;
        self.disk.sync_directory(self.path()).await.trying("sync", self.path())?;
        Ok(retired)
    }

    /// Removes the files of a deleted partition.
    pub async fn remove_deleted(&self, deleted: &Path) -> Result<(), StorageFault> {
        self.disk.remove_directory(deleted).await.trying("remove", deleted)
    }
}

/// `<topic>-<partition>.<random in 32 hexadecimal digits>-<ending>`, the topic cut if that is too long.
pub(super) fn retired_name(partition: &TopicPartition, random: u128, ending: &str) -> String {
    let ending = format!("-{}.{random:032x}-{ending}", partition.partition);
    let topic = partition.topic.as_str();
    let kept = topic.len().min(NAME_BYTES_MAX - ending.len());
    format!("{}{ending}", &topic[..kept])
}

#[cfg(test)]
mod tests {
    use ottla_types::{PartitionIndex, TopicName};

    use super::*;

    #[test]
    fn a_long_topic_name_is_cut() {
        let topic = TopicName::new(&"x".repeat(249)).expect("legal");
        let long = TopicPartition { topic, partition: PartitionIndex(3) };
        assert_eq!(retired_name(&long, 1, "delete").len(), NAME_BYTES_MAX);
    }
}
