//! What a log directory promises, on a disk in memory.

use std::sync::Arc;

use ottla_types::{BrokerId, Offset, PartitionIndex, TopicId, TopicName, TopicPartition};

use super::*;
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{batch, produced, put};
use crate::{OpenOptions, Recovery};

fn name(topic: &str, partition: i32) -> TopicPartition {
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

async fn open(disk: &Arc<SimulatedDisk>) -> LogDirectory {
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

#[test]
fn a_long_topic_name_is_cut_when_it_is_deleted() {
    let long = name(&"x".repeat(249), 3);
    assert_eq!(retired_name(&long, 1, "delete").len(), 255);
    assert!(recovery(None, false) == Recovery::UNKNOWN);
}
