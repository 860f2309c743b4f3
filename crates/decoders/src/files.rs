//! The small files of log directories and of partitions, Kafka's metadata log, and ours.

use std::path::Path;

use bytes::Bytes;
use ottla_kraft::{Cluster, Reading};
use ottla_metadata::{Fact, METADATA_VERSION, decode_facts, encode_facts};
use ottla_record::{BatchBuilder, BatchOptions, Compressor, LOG_OVERHEAD};
use ottla_storage::disk::block_on;
use ottla_storage::inspect;
use ottla_types::{BrokerId, Offset, Timestamp};

use crate::batches::sum_up;
use crate::{Decoder, crc32c, file_of, joined, parts};

const BASE: Offset = Offset(7);
/// An entry of an index of transactions.
const TRANSACTION_BYTES: usize = 34;
/// What the files of Kafka's are called here, for messages.
const PATH: &str = "fuzzed";

pub(crate) fn decoders() -> Vec<Decoder> {
    let offsets = || seed("storage", "data/kafka-4.3.1/recovery-point-offset-checkpoint");
    let mut all = vec![
        Decoder::new("offset-index", |bytes| drop(inspect::offset_index(BASE, bytes)), || golden("index")),
        Decoder::new("time-index", |bytes| drop(inspect::time_index(BASE, bytes)), || golden("timeindex")),
        Decoder::new("transaction-index", transaction_index, seeds_of_transaction_index),
        Decoder::new("producer-snapshot", producer_snapshot, || golden("snapshot")),
        Decoder::new("leader-epoch-checkpoint", leader_epochs, || {
            seed("storage", "data/kafka-4.3.1/golden-0/leader-epoch-checkpoint")
        }),
        Decoder::new("recovery-point-checkpoint", partition_offsets, offsets),
        Decoder::new("log-start-checkpoint", partition_offsets, offsets),
        Decoder::new("high-watermark-checkpoint", partition_offsets, offsets),
        Decoder::new("partition-metadata", partition_metadata, || {
            seed("storage", "data/kafka-4.3.1/golden-0/partition.metadata")
        }),
        Decoder::new("meta-properties", meta_properties, || seed("storage", "data/kafka-4.3.1/meta.properties")),
        Decoder::new("kraft-log", kraft_log, || seed("kraft", "data/kafka-4.3.1/00000000000000000000.log")),
        Decoder::new("kraft-snapshot", kraft_snapshot, || {
            seed("kraft", "data/kafka-4.3.1/00000000000000000047-0000000001.checkpoint")
        }),
        Decoder::new("kraft-records", kraft_records, seeds_of_kraft_records),
        Decoder::new("facts", facts, || vec![encode_facts(&[fact()])]),
        Decoder::new("quorum-log", quorum_log, seeds_of_quorum_log),
        Decoder::new("quorum-snapshot", quorum_snapshot, || {
            vec![joined([&b"\xa0"[..], &encode_facts(&[fact()]), &[]])]
        }),
        Decoder::new("quorum-vote", quorum_vote, || vec![b"version=1\nterm=7\nvoted-for=1\ncommitted=true\n".to_vec()]),
    ];
    for decoder in all.iter_mut().filter(|decoder| decoder.name.starts_with("kraft")) {
        decoder.input_bytes_max = 16 << 10;
    }
    all
}

fn seed(crate_name: &str, path: &str) -> Vec<Vec<u8>> {
    file_of(crate_name, path).into_iter().collect()
}

/// A file of the partition that Kafka wrote for the tests of `storage`, the one of its second segment.
fn golden(ending: &str) -> Vec<Vec<u8>> {
    seed("storage", &format!("data/kafka-4.3.1/golden-0/00000000000000000036.{ending}"))
}

fn transaction_index(bytes: &[u8]) {
    if let Ok(aborted) = inspect::transaction_index(bytes, Path::new(PATH)) {
        assert!(aborted.len() <= bytes.len() / TRANSACTION_BYTES);
    }
}

/// Version, producer, first and last offset, last stable offset.
fn seeds_of_transaction_index() -> Vec<Vec<u8>> {
    let entry = |first: i64| {
        [&[0, 0][..], &9i64.to_be_bytes(), &first.to_be_bytes(), &(first + 4).to_be_bytes(), &first.to_be_bytes()]
            .concat()
    };
    vec![entry(7), [entry(7), entry(20)].concat()]
}

/// The bytes as they are, and with the checksum that they should have.
fn producer_snapshot(bytes: &[u8]) {
    let _ = inspect::producer_snapshot(bytes, Path::new(PATH));
    let mut bytes = bytes.to_vec();
    // Version (16 bits), checksum (32), then what it is of.
    if bytes.len() >= 6 {
        let crc = crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    let _ = inspect::producer_snapshot(&bytes, Path::new(PATH));
}

fn leader_epochs(bytes: &[u8]) {
    let Ok(epochs) = inspect::leader_epochs(bytes, Path::new(PATH)) else { return };
    assert!(epochs.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "both rise: {epochs:?}");
}

fn partition_offsets(bytes: &[u8]) {
    let _ = inspect::partition_offsets(bytes, Path::new(PATH));
}

fn partition_metadata(bytes: &[u8]) {
    let _ = inspect::partition_metadata(bytes, Path::new(PATH));
}

fn meta_properties(bytes: &[u8]) {
    let _ = inspect::meta_properties(bytes, Path::new(PATH));
}

/// The bytes as they are, and with every batch's checksum put right.
fn kraft_log(bytes: &[u8]) {
    for bytes in [bytes, &all_summed_up(bytes)] {
        let mut reading = Reading::new();
        let _ = reading.segment(bytes);
        take_over(&reading.finish());
    }
}

fn kraft_snapshot(bytes: &[u8]) {
    for bytes in [bytes, &all_summed_up(bytes)] {
        let mut reading = Reading::new();
        let _ = reading.snapshot(bytes, Offset(47));
        take_over(&reading.finish());
    }
}

/// Records of the input in a sound batch.
fn kraft_records(bytes: &[u8]) {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for record in parts(bytes) {
        builder.append(Timestamp(0), None, Some(record), &[]).expect("inputs are small");
    }
    let Ok(batch) = builder.build(&mut Compressor::default()) else { return };
    let mut reading = Reading::new();
    let _ = reading.segment(&batch);
    take_over(&reading.finish());
}

/// The records of Kafka's log, batch by batch.
fn seeds_of_kraft_records() -> Vec<Vec<u8>> {
    let log = file_of("kraft", "data/kafka-4.3.1/00000000000000000000.log").unwrap_or_default();
    let mut scratch = ottla_record::Scratch::default();
    let mut seeds = Vec::new();
    for batch in ottla_record::Batches::new(&log).flatten().filter(|batch| !batch.header().attributes.is_control()) {
        let Ok(records) = batch.records(&mut scratch, 1 << 20) else { continue };
        let values: Vec<_> = records.flatten().filter_map(|record| record.value).collect();
        seeds.push(joined(values));
    }
    seeds
}

fn take_over(cluster: &Cluster) {
    let _ = cluster.facts(BrokerId(1));
}

/// The bytes with the checksum of every batch put right, as far as their lengths lead.
pub(crate) fn all_summed_up(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(length) = bytes[at..].get(8..LOG_OVERHEAD) {
        let length = usize::try_from(i32::from_be_bytes([length[0], length[1], length[2], length[3]])).unwrap_or(0);
        let end = (at + LOG_OVERHEAD).saturating_add(length).min(bytes.len());
        sum_up(&mut bytes[at..end]);
        at = end;
    }
    bytes
}

fn fact() -> Fact {
    Fact::FeatureLevelSet { name: METADATA_VERSION.to_owned(), level: 1 }
}

/// There is one way to write facts.
fn facts(bytes: &[u8]) {
    if let Ok(facts) = decode_facts(bytes) {
        assert_eq!(encode_facts(&facts), bytes);
    }
}

fn quorum_log(bytes: &[u8]) {
    let bytes = Bytes::from(all_summed_up(bytes));
    let _ = inspect_entries(&bytes);
}

fn inspect_entries(bytes: &Bytes) -> usize {
    ottla_quorum::inspect::entries(bytes, 0, Path::new(PATH)).map_or(0, |entries| entries.len())
}

fn seeds_of_quorum_log() -> Vec<Vec<u8>> {
    let mut builder =
        BatchBuilder::new(BatchOptions { leader_epoch: ottla_types::LeaderEpoch(1), ..Default::default() });
    builder.append(Timestamp(0), None, Some(&[0x82, 0x00, 0xa0]), &[]).expect("small");
    builder.build(&mut Compressor::default()).map(|batch| batch.to_vec()).into_iter().collect()
}

/// Frames of the input, each with its length and checksum.
fn quorum_snapshot(bytes: &[u8]) {
    let mut file = Vec::new();
    for frame in parts(bytes) {
        file.extend(u32::try_from(frame.len()).expect("a part is small").to_be_bytes());
        file.extend(crc32c(frame).to_be_bytes());
        file.extend(frame);
    }
    let _ = block_on(ottla_quorum::inspect::image(Bytes::from(file), Path::new(PATH)));
}

/// The text as it is, and with its sum behind it.
fn quorum_vote(bytes: &[u8]) {
    let _ = ottla_quorum::inspect::vote(bytes, Path::new(PATH));
    let mut text = bytes.to_vec();
    text.extend(format!("crc={:08x}\n", crc32c(bytes)).into_bytes());
    let _ = ottla_quorum::inspect::vote(&text, Path::new(PATH));
}
