//! What a round leaves of a log that Kafka 4.3.1 wrote, beside what Kafka's own round left of it: file by file, byte for
//! byte where nothing is compressed anew, record by record and header by header where it is
//! (tests/data/kafka-4.3.1-compacted).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use ottla_record::{BatchHeader, Batches, Scratch};
use ottla_types::{BrokerId, Offset, PartitionIndex, Timestamp, TopicName, TopicPartition};

use super::super::{Cleaned, CompactionRules};
use super::world::{AtOnce, cleaner};
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open, block_on};
use crate::{CleaningRound, LogConfig, LogDirectory, MetaProperties, OpenOptions};

const RULES: CompactionRules =
    CompactionRules { min_cleanable_ratio: 0.01, min_lag_ms: 0, max_lag_ms: i64::MAX, delete_retention_ms: 1000 };

/// Where a batch or message says which format it has.
const MAGIC_AT: usize = 16;

type Files = BTreeMap<String, Bytes>;

/// The files of a partition at one moment: each with a line of its name and length before it.
fn kafkas(topic: &str, moment: &str) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-4.3.1-compacted");
    let packed = Bytes::from(std::fs::read(folder.join(format!("{topic}.{moment}"))).expect("it is in the repository"));
    let (mut files, mut at) = (Files::new(), 0);
    while at < packed.len() {
        let line = packed[at..].split(|byte| *byte == b'\n').next().expect("a line");
        let (name, length) = std::str::from_utf8(line).expect("text").split_once(' ').expect("a name and a length");
        let start = at + line.len() + 1;
        at = start + length.parse::<usize>().expect("a number");
        files.insert(name.to_owned(), packed.slice(start..at));
    }
    files
}

fn name(topic: &str) -> TopicPartition {
    TopicPartition { topic: TopicName::new(topic).expect("legal"), partition: PartitionIndex(0) }
}

async fn put(disk: &SimulatedDisk, path: &str, bytes: Bytes) {
    let path = Path::new(path);
    disk.create_directory(path.parent().expect("in a directory")).await.expect("made");
    let file = disk.open(path, Open::Truncate).await.expect("made");
    file.write(0, vec![bytes]).await.expect("written");
}

/// Cleans what Kafka wrote, and answers the files that are there then, without those of the active segment.
async fn cleaned(topic: &str, written: &Files, clean_up_to: i64, now: i64) -> Files {
    let disk = SimulatedDisk::new(1);
    for (file, bytes) in written {
        put(&disk, &format!("/d/{topic}-0/{file}"), bytes.clone()).await;
    }
    put(&disk, "/d/cleaner-offset-checkpoint", Bytes::from(format!("0\n1\n{topic} 0 {clean_up_to}\n"))).await;
    put(&disk, "/d/.kafka_cleanshutdown", Bytes::from_static(b"{\"version\":0,\"brokerEpoch\":1}")).await;
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: None };
    let config = LogConfig { segment_bytes: 3000, index_interval_bytes: 200, ..LogConfig::default() };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config, recovery_threads: 1 };
    let directory = LogDirectory::open(disk.clone(), "/d", options).await.expect("opened");
    let (name, now) = (name(topic), Timestamp(now));
    let log = directory.get(&name).expect("opened").log;
    let active = *log.segment_bases().last().expect("one");
    let cleanable = directory.cleanable(&name, log.ends().written, &RULES, now).await.expect("looked").expect("there");
    assert_eq!((cleanable.first_dirty, cleanable.end), (Offset(clean_up_to), active));
    let mut done = Cleaned::default();
    let round = CleaningRound { rules: &RULES, cleanable: &cleanable, now };
    directory.clean(&name, round, &mut cleaner(1000), &AtOnce, &mut done).await.expect("cleaned");
    let mut files = Files::new();
    for entry in disk.list(log.directory()).await.expect("listed") {
        let file = disk.open(&log.directory().join(&entry.name), Open::Read).await.expect("there");
        files.insert(entry.name, file.read(0, entry.bytes as usize).await.expect("read"));
    }
    closed(files, active)
}

/// The files of segments below `active`, but for the producers' snapshots.
fn closed(files: Files, active: Offset) -> Files {
    let is_closed =
        |name: &str| name.get(..20).is_some_and(|base| base.parse::<i64>().is_ok_and(|base| base < active.0));
    let endings = [".log", ".index", ".timeindex", ".txnindex"];
    files
        .into_iter()
        .filter(|(name, _)| is_closed(name) && endings.iter().any(|ending| name.ends_with(ending)))
        .collect()
}

/// The time of the round that left these files: the horizon that it wrote is so much later.
fn time_of_round(files: &Files) -> i64 {
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    let batches = logs.flat_map(|(_, bytes)| Batches::new(bytes));
    let horizons = batches.filter_map(|batch| batch.expect("a batch").header().delete_horizon());
    horizons.map(|horizon| horizon.0).max().expect("there are tombstones") - RULES.delete_retention_ms
}

/// Offset, timestamp, key, value and number of headers.
type Row = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

/// Every batch, as far as it does not depend on how a library compresses.
fn batches(files: &Files) -> Vec<(String, BatchHeader, Vec<Row>)> {
    let mut all = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".log")) {
        for batch in Batches::new(bytes) {
            let batch = batch.expect("a batch");
            batch.check_crc().expect("whole");
            let mut scratch = Scratch::default();
            let records = batch.records(&mut scratch, 1 << 20).expect("readable");
            let row = |record: ottla_record::Record<'_>| {
                let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                (record.offset.0, record.timestamp.0, key, value, record.headers.len())
            };
            let rows = records.map(|record| row(record.expect("a record"))).collect();
            all.push((name.clone(), BatchHeader { crc: 0, batch_length: 0, ..*batch.header() }, rows));
        }
    }
    all
}

/// Cleans as Kafka did between two moments, and answers its files and ours.
fn both(topic: &str, round: u32, clean_up_to: i64) -> (Files, Files) {
    let (written, expected) = (kafkas(topic, &format!("written-{round}")), kafkas(topic, &format!("cleaned-{round}")));
    let logs = expected.keys().filter_map(|name| name.strip_suffix(".log"));
    let active = Offset(logs.map(|base| base.parse().expect("an offset")).max().expect("one"));
    let expected = closed(expected, active);
    let ours = block_on(cleaned(topic, &written, clean_up_to, time_of_round(&expected)));
    assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{topic} {round}");
    (expected, ours)
}

#[test]
fn without_compression_every_file_is_what_kafkas_cleaner_left() {
    for (round, clean_up_to) in [(1, 0), (2, 200)] {
        let (expected, ours) = both("plain", round, clean_up_to);
        assert_eq!(batches(&ours), batches(&expected), "round {round}");
        for (name, bytes) in &expected {
            assert_eq!(ours[name], bytes, "{name} of round {round}");
        }
    }
}

#[test]
fn with_compression_every_batch_says_what_kafkas_does() {
    for (round, clean_up_to) in [(1, 0), (2, 231)] {
        let (expected, ours) = both("codecs", round, clean_up_to);
        assert_eq!(batches(&ours), batches(&expected), "round {round}");
        for (name, bytes) in expected.iter().filter(|(name, _)| name.ends_with(".txnindex")) {
            assert_eq!(ours[name], bytes, "{name} of round {round}");
        }
    }
}

#[test]
fn messages_of_magic_0_and_1_become_the_batches_that_kafka_makes_of_them() {
    let old = kafkas("old", "written-1");
    let magic = |(_, bytes): (&String, &Bytes)| bytes.get(MAGIC_AT).copied();
    assert_eq!(
        old.iter().filter(|(name, _)| name.ends_with(".log")).filter_map(magic).collect::<BTreeSet<_>>(),
        [0, 1].into()
    );
    let (expected, ours) = both("old", 1, 0);
    assert_eq!(batches(&ours), batches(&expected));
}
