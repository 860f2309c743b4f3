//! Logs that Kafka 4.3.1 wrote, checked and read. Where they come from: `vectors/README.md`.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

use ottla_record::{
    BATCH_HEADER_BYTES, BatchHeader, Batches, Codec, Limits, RecordBatch, Rules, Scratch, TimestampRule, TimestampType,
    check_batch,
};
use ottla_types::{LeaderEpoch, Offset, Sequence, Timestamp};

const TIME: i64 = 1_700_000_000_000;

const VECTORS: [(&str, Codec, &[u8]); 7] = [
    ("none", Codec::None, include_bytes!("vectors/none.log")),
    ("gzip", Codec::Gzip, include_bytes!("vectors/gzip.log")),
    ("snappy", Codec::Snappy, include_bytes!("vectors/snappy.log")),
    ("lz4", Codec::Lz4, include_bytes!("vectors/lz4.log")),
    ("zstd", Codec::Zstd, include_bytes!("vectors/zstd.log")),
    ("append-time", Codec::Lz4, include_bytes!("vectors/append-time.log")),
    ("transaction", Codec::None, include_bytes!("vectors/transaction.log")),
];

/// A record with everything owned.
#[derive(PartialEq, Eq, Debug)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn read(batch: &RecordBatch<'_>) -> Vec<Owned> {
    let mut scratch = Scratch::default();
    let records = batch.records(&mut scratch, 1 << 20).unwrap();
    records
        .map(|record| {
            let record = record.unwrap();
            Owned {
                offset: record.offset.0,
                timestamp: record.timestamp.0,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
            }
        })
        .collect()
}

/// What `WriteVectors.java` sent, with the timestamps that `timestamp` makes of the producer's.
fn sent(records: usize, timestamp: impl Fn(i64) -> i64) -> Vec<Owned> {
    let record = |offset: usize, time: i64, key: Option<&[u8]>, value: Option<&[u8]>| Owned {
        offset: offset as i64,
        timestamp: timestamp(time),
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: Vec::new(),
    };
    let mut all = vec![
        record(0, TIME, Some(b"key"), Some(b"value")),
        record(1, TIME + 70, None, Some(b"no key")),
        record(2, TIME - 5, Some(b"no value"), None),
        record(3, TIME + 100_000, Some(b""), Some(b"")),
        record(4, TIME, Some(b"headers"), Some(b"three")),
    ];
    all[4].headers = vec![
        (b"a".to_vec(), Some(b"1".to_vec())),
        (b"a".to_vec(), Some(b"2".to_vec())),
        ("é".as_bytes().to_vec(), None),
    ];
    all.extend((0..records - 5).map(|i| {
        let value = format!("{{\"line\":{i},\"square\":{}}}", i * i);
        record(i + 5, TIME + i as i64, Some(format!("k{}", i % 7).as_bytes()), Some(value.as_bytes()))
    }));
    all
}

#[test]
fn what_kafka_stored_reads_as_it_was_sent() {
    for (name, codec, log) in VECTORS {
        let batches: Vec<_> = Batches::new(log).map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|b| b.bytes().len()).sum::<usize>(), log.len(), "{name}");
        for batch in &batches {
            batch.check_crc().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let of_clients: Vec<_> = batches.iter().filter(|b| !b.header().attributes.is_control()).collect();
        let append_time = name == "append-time";
        let expected_type = if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let mut expected = sent(if codec == Codec::None { 105 } else { 3005 }, |time| time);
        for batch in &of_clients {
            let header = batch.header();
            assert_eq!(header.codec(), Ok(codec), "{name}");
            assert_eq!(header.attributes.timestamp_type(), expected_type, "{name}");
            assert_eq!(header.attributes.is_transactional(), name == "transaction");
            assert!(header.has_producer_id());
            if append_time {
                let range = header.base_offset.0 as usize..header.next_offset().0 as usize;
                expected[range].iter_mut().for_each(|record| record.timestamp = header.max_timestamp.0);
            }
        }
        let all: Vec<_> = of_clients.iter().flat_map(|batch| read(batch)).collect();
        assert_eq!(all, expected, "{name}");
    }
}

#[test]
fn a_committed_transaction_ends_with_its_marker() {
    let batches: Vec<_> = Batches::new(VECTORS[6].2).map(Result::unwrap).collect();
    let marker = batches.last().unwrap();
    assert!(marker.header().attributes.is_control() && marker.header().attributes.is_transactional());
    assert_eq!(marker.header().base_sequence, Sequence::NONE);
    assert_eq!(marker.header().last_sequence(), Sequence::NONE);
    let records = read(marker);
    // Version 0, type 1: commit.
    assert_eq!((records.len(), records[0].key.as_deref()), (1, Some(&[0, 0, 0, 1][..])));
}

/// Takes a stored batch back to what the producer sent, checks it, and gives it the offset and epoch it had: the same
/// bytes must come out, for Kafka did the same.
#[test]
fn checking_and_assigning_gives_the_bytes_that_kafka_stored() {
    let mut scratch = Scratch::default();
    for (name, codec, log) in VECTORS {
        for stored in Batches::new(log).map(Result::unwrap).filter(|b| !b.header().attributes.is_control()) {
            let at = *stored.header();
            let mut sent = BatchHeader { base_offset: Offset(0), partition_leader_epoch: LeaderEpoch(-1), ..at };
            let now = at.max_timestamp;
            let mut timestamps = TimestampRule::CreateTime { now, before_max_ms: i64::MAX, after_max_ms: 0 };
            if name == "append-time" {
                // Kafka changed these two and the CRC. What they were follows from what was sent.
                sent.attributes = at.attributes.with_timestamp_type(TimestampType::CreateTime);
                sent.max_timestamp = Timestamp(TIME + if at.base_offset.0 == 0 { 100_000 } else { 2999 });
                timestamps = TimestampRule::LogAppendTime { now };
            }
            let mut bytes = stored.bytes().to_vec();
            bytes[..BATCH_HEADER_BYTES].copy_from_slice(&sent.to_bytes());
            sent.crc = crc32c::crc32c(&bytes[21..]);
            bytes[..BATCH_HEADER_BYTES].copy_from_slice(&sent.to_bytes());

            let rules = Rules { timestamps, compacted: false };
            let checked = check_batch(&bytes, &Limits::default(), &rules, &mut scratch)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(checked.codec, codec);
            let assigned = checked.assigned(at.base_offset, at.partition_leader_epoch);
            assert_eq!(assigned, stored.bytes()[..BATCH_HEADER_BYTES], "{name} at {}", at.base_offset);
        }
    }
}
