//! What a log directory promises, on a disk in memory.

use std::sync::Arc;

use ottla_types::{BrokerId, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};

use super::*;
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{batch, produced, put};
use crate::{LogConfig, OpenOptions};

pub(super) fn name(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicName::new(topic).expect("legal"), partition: PartitionIndex(partition) }
}

fn meta() -> MetaProperties {
    MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: Some(TopicId::from_random(9)) }
}

async fn open_as(
    disk: &Arc<SimulatedDisk>,
    meta: MetaProperties,
    threads: usize,
) -> Result<LogDirectory, StorageFault> {
    let config = |_: &TopicPartition| LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() };
    LogDirectory::open(disk.clone(), "/data/logs", OpenOptions { meta, config: &config, recovery_threads: threads })
        .await
}

pub(super) async fn open(disk: &Arc<SimulatedDisk>) -> LogDirectory {
    open_as(disk, meta(), 1).await.expect("opened")
}

async fn names(disk: &SimulatedDisk) -> Vec<String> {
    disk.list("/data/logs".as_ref()).await.expect("there").into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_clean_stop_is_marked_and_the_mark_is_gone_after_the_start() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await;
        assert!(!directory.was_clean());
        let log = directory.create(&name("t", 0), TopicId::from_random(1), LogConfig::default()).await.expect("made");
        for i in 0..5 {
            put(&log, produced(7, i, 1)).await;
        }
        let marks = PartitionOffsets::from([(name("t", 0), Offset(4))]);
        directory.close(&marks).await.expect("closed");
        drop((directory, log));
        assert!(names(&disk).await.contains(&".kafka_cleanshutdown".to_owned()));
        disk.crash();
        let directory = open_as(&disk, meta(), 4).await.expect("opened");
        assert!(directory.was_clean());
        assert_eq!(directory.high_watermarks(), &marks);
        let partition = directory.get(&name("t", 0)).expect("there");
        assert_eq!(partition.topic_id, Some(TopicId::from_random(1)));
        assert_eq!(partition.log.ends().flushed, Offset(5));
        assert_eq!(partition.log.producers().len(), 1);
        assert!(!names(&disk).await.contains(&".kafka_cleanshutdown".to_owned()));
        disk.crash();
        assert!(!open(&disk).await.was_clean());
    });
}

#[test]
fn a_directory_is_used_by_one_process_and_by_its_owner() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await;
        let fault = open_as(&disk, meta(), 1).await.expect_err("locked");
        assert!(fault.to_string().contains("/data/logs is in use by another process"), "{fault}");
        drop(directory);
        let fault =
            open_as(&disk, MetaProperties { cluster_id: "other".into(), ..meta() }, 1).await.expect_err("foreign");
        assert_eq!(fault.to_string(), "/data/logs/meta.properties has cluster.id=c, expected other");
        let fault = open_as(&disk, MetaProperties { node_id: BrokerId(2), ..meta() }, 1).await.expect_err("foreign");
        assert_eq!(fault.to_string(), "/data/logs/meta.properties has node.id=1, expected 2");
    });
}

#[test]
fn a_namesake_of_a_deleted_partition_starts_from_nothing() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await;
        let t = name("t", 0);
        let log = directory.create(&t, TopicId::from_random(1), LogConfig::default()).await.expect("made");
        for _ in 0..10 {
            put(&log, batch(1, 1, 10)).await;
        }
        log.delete_before(Offset(6)).await.expect("raised");
        directory.write_checkpoints(&PartitionOffsets::new()).await.expect("saved");
        let deleted = directory.delete(&t, 0xabc).await.expect("deleted");
        assert_eq!(deleted.file_name().and_then(|n| n.to_str()), Some("t-0.00000000000000000000000000000abc-delete"));
        assert!(log.append(batch(1, 1, 1), ottla_types::LeaderEpoch(0), ottla_types::Timestamp(0)).is_err());
        let log = directory.create(&t, TopicId::from_random(2), LogConfig::default()).await.expect("made anew");
        for _ in 0..3 {
            put(&log, batch(1, 1, 10)).await;
        }
        log.flush().await.expect("flushed");
        drop(directory);
        disk.crash();
        let directory = open(&disk).await;
        let partition = directory.get(&t).expect("there");
        assert_eq!(partition.topic_id, Some(TopicId::from_random(2)));
        let ends = partition.log.ends();
        assert_eq!((ends.log_start, ends.log_end), (Offset(0), Offset(3)));
        assert!(names(&disk).await.iter().all(|name| !name.ends_with("-delete")));
    });
}

#[test]
fn what_is_no_partition_is_left_alone() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        drop(open(&disk).await);
        for other in ["ottla-metadata", "__cluster_metadata-0", "lost+found", "t-0-stray"] {
            disk.create_directory(format!("/data/logs/{other}").as_ref()).await.expect("made");
        }
        assert!(open(&disk).await.partitions().is_empty());
        assert_eq!(names(&disk).await.iter().filter(|name| !name.contains('.')).count(), 4);
    });
}

#[test]
fn a_shared_flush_covers_every_log_that_wrote() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await;
        let mut logs = Vec::new();
        for i in 0..3 {
            let made = directory.create(&name("t", i), TopicId::from_random(1), LogConfig::default()).await;
            logs.push(made.expect("made"));
        }
        put(&logs[0], batch(1, 1, 100)).await;
        put(&logs[2], batch(1, 2, 100)).await;
        put(&logs[2], batch(1, 2, 100)).await;
        assert!(directory.dirty().bytes() > 500);
        let round = directory.dirty().round();
        // Written after the round began: the next one's.
        put(&logs[0], batch(1, 1, 100)).await;
        round.finish().await.expect("flushed");
        let flushed = |logs: &[Arc<Log>]| logs.iter().map(|log| log.ends().flushed.0).collect::<Vec<_>>();
        assert_eq!(flushed(&logs), [1, 0, 4]);
        directory.dirty().round().finish().await.expect("flushed");
        assert_eq!(flushed(&logs), [2, 0, 4]);
        assert!(directory.dirty().is_empty());
    });
}

/// Three partitions of five records each, in a directory that was left as `clean` says.
async fn three_partitions(disk: &Arc<SimulatedDisk>, clean: bool) {
    let directory = open(disk).await;
    for i in 0..3 {
        let made = directory.create(&name("t", i), TopicId::from_random(1), LogConfig::default()).await;
        let log = made.expect("made");
        for _ in 0..5 {
            put(&log, batch(1, 1, 100)).await;
        }
        log.flush().await.expect("flushed");
    }
    if clean {
        directory.close(&PartitionOffsets::new()).await.expect("closed");
    }
}

async fn overwrite(disk: &SimulatedDisk, path: &str, text: &'static str) {
    let file = disk.open(path.as_ref(), crate::disk::Open::Truncate).await.expect("opened");
    file.write(0, vec![text.into()]).await.expect("written");
}

#[test]
fn a_partition_that_cannot_be_opened_keeps_no_other_from_being_served() {
    block_on(async {
        for (file, clean) in [("partition.metadata", true), ("leader-epoch-checkpoint", false)] {
            let disk = SimulatedDisk::new(1);
            three_partitions(&disk, clean).await;
            overwrite(&disk, &format!("/data/logs/t-1/{file}"), "nonsense").await;
            for threads in [1, 4] {
                let directory = open_as(&disk, meta(), threads).await.expect("opened");
                let open: Vec<_> = directory.partitions().into_iter().map(|(name, _)| name).collect();
                assert_eq!((open, directory.count()), (vec![name("t", 0), name("t", 2)], 3));
                let fault = directory.faulty(&name("t", 1)).expect("faulty").to_string();
                assert!(fault.contains(&format!("/data/logs/t-1/{file}")) && fault.contains("nonsense"), "{fault}");
                let again = directory.create(&name("t", 1), TopicId::from_random(2), LogConfig::default()).await;
                assert!(again.expect_err("kept").to_string().contains("is there already"));
                directory.close(&PartitionOffsets::new()).await.expect("closed");
                drop(directory);
                // What could not be opened was not looked at: nobody may say that it is whole.
                assert!(!names(&disk).await.contains(&".kafka_cleanshutdown".to_owned()));
            }
            let directory = open(&disk).await;
            directory.delete(&name("t", 1), 5).await.expect("deleted");
            directory.create(&name("t", 1), TopicId::from_random(2), LogConfig::default()).await.expect("made anew");
        }
    });
}

#[test]
fn a_damaged_checkpoint_file_counts_as_empty() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        three_partitions(&disk, false).await;
        overwrite(&disk, "/data/logs/recovery-point-offset-checkpoint", "0\n7\nt 0 5\n").await;
        overwrite(&disk, "/data/logs/replication-offset-checkpoint", "nonsense").await;
        let directory = open(&disk).await;
        assert!(directory.high_watermarks().is_empty());
        assert!(directory.partitions().iter().all(|(_, partition)| partition.log.ends().log_end == Offset(5)));
    });
}

#[test]
fn a_directory_that_is_gone_takes_all_its_logs_offline() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        three_partitions(&disk, true).await;
        let directory = open(&disk).await;
        let lost = crate::disk::simulated::Faults { lost: Some("/data/logs".into()), ..Default::default() };
        disk.set_faults(lost);
        let fault = directory.write_checkpoints(&PartitionOffsets::new()).await.expect_err("gone");
        assert!(fault.is_the_devices(), "{fault}");
        directory.fail(&fault);
        for (_, partition) in directory.partitions() {
            assert_eq!(partition.log.failed().expect("offline").to_string(), fault.to_string());
        }
        assert!(disk.list("/data".as_ref()).await.is_ok(), "what lies above is not lost");
    });
}

#[test]
fn several_directories_are_opened_each_with_its_own_outcome() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        three_partitions(&disk, true).await;
        disk.create_directory("/data/bad".as_ref()).await.expect("made");
        overwrite(&disk, "/data/bad/meta.properties", "version=9").await;
        for threads in [1, 2] {
            let config = |_: &TopicPartition| LogConfig::default();
            let options = || OpenOptions { meta: meta(), config: &config, recovery_threads: threads };
            let wanted = ["/data/logs", "/data/bad", "/data/new"].map(|path| (path.into(), options()));
            let dynamic: Arc<dyn Disk> = disk.clone();
            let opened = LogDirectory::open_several(&dynamic, wanted.into()).await;
            let counts = opened.iter().map(|opened| opened.as_ref().map(LogDirectory::count));
            let counts: Vec<_> = counts.map(|count| count.map_err(ToString::to_string)).collect();
            let damaged = "/data/bad/meta.properties is damaged at byte 0: version=9, expected 1";
            assert_eq!(counts, [Ok(3), Err(damaged.to_owned()), Ok(0)]);
        }
    });
}
