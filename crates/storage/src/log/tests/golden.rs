//! The same batches that Kafka 4.3.1 appended, appended here: the same files, byte for byte.
//!
//! `tests/data/kafka-4.3.1/README.md` says how Kafka's were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_record::Batches;
use ottla_types::{BrokerId, LeaderEpoch, Offset, Timestamp, TopicPartition};

use super::{DIRECTORY, content};
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open};
use crate::testing::durable_root;
use crate::{Batch, Log, LogConfig, LogDirectory, MetaProperties, OpenOptions};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-4.3.1").join(name)
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 200, segment_ms: 60_000, ..LogConfig::default() }
}

/// Kafka's files of the partition, by name.
fn kafkas() -> BTreeMap<String, Bytes> {
    let entries = std::fs::read_dir(data("golden-0")).expect("the data is there");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("ASCII").to_owned();
        (name, Bytes::from(std::fs::read(&path).expect("read")))
    };
    entries.map(read).collect()
}

/// Kafka's batches as its producers sent them: without offsets and epoch.
fn batches(files: &BTreeMap<String, Bytes>) -> Vec<Batch> {
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    let mut all = Vec::new();
    for (_, bytes) in logs {
        for batch in Batches::new(bytes) {
            let batch = batch.expect("Kafka's batch");
            let mut header = *batch.header();
            header.base_offset = Offset::ZERO;
            header.partition_leader_epoch = LeaderEpoch::UNKNOWN;
            let bytes = [&header.to_bytes()[..], batch.payload()].concat();
            all.push(Batch { header, bytes: bytes.into() });
        }
    }
    all
}

#[test]
fn every_file_is_what_kafka_wrote() {
    block_on(async {
        let mut expected = kafkas();
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, config()).await.expect("made");
        for batch in batches(&expected) {
            log.append(batch, LeaderEpoch(0), Timestamp(0)).expect("appended");
        }
        log.close().await.expect("closed");
        let metadata = expected.remove("partition.metadata").expect("Kafka's");
        put(&disk, "/d/x/partition.metadata", metadata.clone()).await;
        let id = crate::partition_metadata::read(&*disk, "/d/x".as_ref()).await.expect("understood").expect("there");
        crate::partition_metadata::write(&*disk, "/d/x".as_ref(), id).await.expect("written");
        let written = crate::checkpoint::read(&*disk, "/d/x/partition.metadata".as_ref()).await.expect("read");
        assert_eq!(written, Some(metadata));
        let ours = content(&disk).await;
        assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected {
            assert_eq!(ours[name], bytes, "{name}");
        }
    });
}

#[test]
fn kafkas_directory_opens_after_its_clean_stop_and_without_it() {
    for clean in [true, false] {
        block_on(async {
            let disk = SimulatedDisk::new(1);
            for (name, bytes) in kafkas() {
                put(&disk, &format!("/d/golden-0/{name}"), bytes).await;
            }
            let files = ["meta.properties", "recovery-point-offset-checkpoint", "log-start-offset-checkpoint"];
            for name in files.into_iter().chain(["replication-offset-checkpoint"]) {
                put(&disk, &format!("/d/{name}"), std::fs::read(data(name)).expect("there").into()).await;
            }
            if clean {
                let mark = std::fs::read(data("kafka_cleanshutdown")).expect("there");
                put(&disk, "/d/.kafka_cleanshutdown", mark.into()).await;
            }
            let meta = MetaProperties::read(&*disk, "/d".as_ref()).await.expect("understood").expect("there");
            assert_eq!(meta.node_id, BrokerId(1));
            let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
            let directory = LogDirectory::open(disk.clone(), "/d", options).await.expect("opened");
            assert_eq!(directory.was_clean(), clean);
            let (name, partition) = directory.partitions().pop().expect("one");
            assert_eq!(name.to_string(), "golden-0");
            assert_eq!(directory.high_watermarks().get(&name), Some(&Offset(100)));
            assert_eq!(partition.log.ends().log_end, Offset(100));
            assert_eq!(partition.log.producers().len(), 2);
            assert_eq!(partition.log.segment_bases(), [Offset(0), Offset(36), Offset(73)]);
            directory.close(directory.high_watermarks()).await.expect("closed");
            let recovery_points = crate::checkpoint::read(&*disk, "/d/recovery-point-offset-checkpoint".as_ref()).await;
            assert_eq!(&recovery_points.expect("read").expect("there")[..], b"0\n1\ngolden 0 100\n");
        });
    }
}

/// Puts a file on the disk.
async fn put(disk: &Arc<SimulatedDisk>, path: &str, bytes: Bytes) {
    let path = Path::new(path);
    disk.create_directory(path.parent().expect("in a directory")).await.expect("made");
    let file = disk.open(path, Open::Truncate).await.expect("made");
    file.write(0, vec![bytes]).await.expect("written");
}
