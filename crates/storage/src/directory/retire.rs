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
        self.delete_all(&[(partition.clone(), random)]).await.pop().expect("an answer for each")
    }

    /// Deletes several, and answers in their order. What makes it durable is done once for all. One that fails does not
    /// keep the others from being deleted.
    pub async fn delete_all(&self, partitions: &[(TopicPartition, u128)]) -> Vec<Result<PathBuf, StorageFault>> {
        self.retire_all(partitions, "delete").await
    }

    /// Sets a partition aside that nobody knows: as [`delete`](Self::delete), but its files stay for a person to look at,
    /// under a name that ends with `-stray` as Kafka's strays do.
    pub async fn set_aside(&self, partition: &TopicPartition, random: u128) -> Result<PathBuf, StorageFault> {
        self.retire_all(&[(partition.clone(), random)], "stray").await.pop().expect("an answer for each")
    }

    async fn retire_all(
        &self,
        partitions: &[(TopicPartition, u128)],
        ending: &str,
    ) -> Vec<Result<PathBuf, StorageFault>> {
        if partitions.is_empty() {
            // So it is for every image that takes nothing away, which must not wait for a turn.
            return Vec::new();
        }
        let mut pauses = Vec::with_capacity(partitions.len());
        for (partition, _) in partitions {
            pauses.push(self.cleanings.pause(partition).await);
        }
        let _turn = self.turns.next().await;
        let mut retired = Vec::with_capacity(partitions.len());
        for (partition, _) in partitions {
            retired.push(self.let_go(partition).await);
        }
        // Whatever gets such a name next must not find what was known of these.
        if let Err(fault) = self.forget(partitions, &retired).await {
            return partitions.iter().map(|_| Err(fault.clone())).collect();
        }
        for ((partition, random), retired) in partitions.iter().zip(&mut retired) {
            if let Ok(directory) = retired {
                let aside = self.path().join(retired_name(partition, *random, ending));
                let renamed = self.disk.rename(directory, &aside).await.trying("rename", directory);
                *retired = renamed.map(|()| aside);
            }
        }
        if retired.iter().any(Result::is_ok)
            && let Err(fault) = self.disk.sync_directory(self.path()).await.trying("sync", self.path())
        {
            retired.iter_mut().filter(|retired| retired.is_ok()).for_each(|retired| *retired = Err(fault.clone()));
        }
        retired
    }

    /// Ends a partition's log, if it has one; the path of its directory.
    async fn let_go(&self, partition: &TopicPartition) -> Result<PathBuf, StorageFault> {
        let directory = self.directory_of(partition);
        let open = self.partitions.lock().remove(partition);
        match open {
            Some(open) => open.log.abandon().await,
            None if self.faulty.lock().remove(partition).is_some() => {}
            None => return Err(StorageFault::Partition { path: directory, state: "is not there" }),
        }
        Ok(directory)
    }

    /// Takes those that were let go out of the checkpoint files.
    async fn forget(
        &self,
        partitions: &[(TopicPartition, u128)],
        retired: &[Result<PathBuf, StorageFault>],
    ) -> Result<(), StorageFault> {
        let gone = || partitions.iter().zip(retired).filter(|(_, retired)| retired.is_ok()).map(|((name, _), _)| name);
        let forgotten = {
            let mut saved = self.saved.lock();
            gone().filter(|name| saved.remove(name).is_some()).count()
        };
        if forgotten > 0 {
            self.write_points().await?;
        }
        self.forget_cleaned(gone()).await
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
    use std::sync::Arc;

    use ottla_types::{Offset, PartitionIndex, TopicId, TopicName};

    use super::super::tests::{name, open};
    use super::*;
    use crate::disk::block_on;
    use crate::disk::simulated::SimulatedDisk;
    use crate::testing::{batch, put};
    use crate::{LogConfig, PartitionOffsets};

    const STAYS: i32 = 2;

    /// So many partitions that are deleted and [`STAYS`] that are not, each with a record that was saved.
    async fn filled(disk: &Arc<SimulatedDisk>, deleted: i32) -> LogDirectory {
        let directory = open(disk).await;
        for i in 0..deleted + STAYS {
            let made = directory.create(&name("t", i), TopicId::from_random(1), LogConfig::default()).await;
            put(&made.expect("made"), batch(1, 1, 10)).await;
        }
        directory.write_checkpoints(&PartitionOffsets::new()).await.expect("saved");
        directory
    }

    fn named(deleted: i32) -> Vec<(TopicPartition, u128)> {
        (STAYS..STAYS + deleted).map(|i| (name("t", i), i as u128)).collect()
    }

    #[test]
    fn a_long_topic_name_is_cut() {
        let topic = TopicName::new(&"x".repeat(249)).expect("legal");
        let long = TopicPartition { topic, partition: PartitionIndex(3) };
        assert_eq!(retired_name(&long, 1, "delete").len(), NAME_BYTES_MAX);
    }

    #[test]
    fn many_are_deleted_with_the_syncs_of_one() {
        let operations = |deleted: i32| {
            block_on(async {
                let disk = SimulatedDisk::new(1);
                let directory = filled(&disk, deleted).await;
                let before = disk.operations();
                let retired = directory.delete_all(&named(deleted)).await;
                assert!(retired.iter().all(Result::is_ok), "{retired:?}");
                disk.operations() - before
            })
        };
        assert_eq!(operations(20), operations(1) + 19, "a rename for each");
    }

    #[test]
    fn to_delete_nothing_waits_for_nobody() {
        block_on(async {
            let directory = open(&SimulatedDisk::new(1)).await;
            let _turn = directory.turns.next().await;
            let deleted = std::pin::pin!(directory.delete_all(&[]));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(matches!(deleted.poll(&mut context), std::task::Poll::Ready(none) if none.is_empty()));
        });
    }

    #[test]
    fn one_that_is_not_there_keeps_no_other_from_being_deleted() {
        block_on(async {
            let disk = SimulatedDisk::new(1);
            let directory = filled(&disk, 2).await;
            let asked = [(name("none", 0), 1), (name("t", 3), 2)];
            let retired = directory.delete_all(&asked).await;
            assert!(retired[0].as_ref().is_err_and(|fault| fault.to_string().contains("is not there")));
            assert!(
                retired[1].is_ok() && directory.get(&name("t", 3)).is_none() && directory.get(&name("t", 2)).is_some()
            );
        });
    }

    #[test]
    fn whenever_the_power_fails_those_that_stay_are_whole_and_what_was_deleted_is_gone() {
        const DELETED: i32 = 3;
        let mut after = 0;
        loop {
            let disk = SimulatedDisk::new(after);
            let directory = block_on(filled(&disk, DELETED));
            disk.crash_after(after);
            let retired = block_on(directory.delete_all(&named(DELETED)));
            let is_done = retired.iter().all(Result::is_ok);
            drop(directory);
            disk.crash();
            let directory = block_on(open(&disk));
            for i in 0..STAYS + DELETED {
                let found = directory.get(&name("t", i));
                assert!(found.is_some() || i >= STAYS, "{i} after {after}");
                assert!(found.is_none() || i < STAYS || !is_done, "{i} came back after {after}");
                assert!(directory.faulty(&name("t", i)).is_none());
                if let Some(found) = found {
                    assert_eq!(found.log.ends().log_end, Offset(1), "{i} after {after}");
                }
            }
            if is_done {
                return;
            }
            after += 1;
        }
    }
}
