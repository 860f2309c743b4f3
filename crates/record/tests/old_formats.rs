//! Magic 0 and 1 as real clients sent them, real brokers stored them and Kafka 3.9.1 converted them.
//! Where the bytes come from: `vectors/old/README.md`.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

use ottla_record::{
    Batches, Codec, Compressor, Converted, DownConverter, DownError, Limits, MessageSet, OldMagic, Packing,
    RecordBatch, Rules, Scratch, TimestampRule, convert_up,
};
use ottla_types::{LeaderEpoch, Offset, Timestamp};

const TIME: i64 = 1_700_000_000_000;

macro_rules! vector {
    ($name:literal) => {
        ($name, include_bytes!(concat!("vectors/old/", $name)) as &[u8])
    };
}

/// What producers of Kafka 0.8.2.2 (magic 0) and 0.10.0.1 (magic 1) sent; what Kafka 3.9.1 made of it.
type Produced = ((&'static str, &'static [u8]), (&'static str, &'static [u8]));
const PRODUCED: [Produced; 8] = [
    (vector!("magic0-none.set"), vector!("up-magic0-none.log")),
    (vector!("magic0-gzip.set"), vector!("up-magic0-gzip.log")),
    (vector!("magic0-snappy.set"), vector!("up-magic0-snappy.log")),
    (vector!("magic0-lz4.set"), vector!("up-magic0-lz4.log")),
    (vector!("magic1-none.set"), vector!("up-magic1-none.log")),
    (vector!("magic1-gzip.set"), vector!("up-magic1-gzip.log")),
    (vector!("magic1-snappy.set"), vector!("up-magic1-snappy.log")),
    (vector!("magic1-lz4.set"), vector!("up-magic1-lz4.log")),
];

/// Segments that Kafka 2.8.2 wrote from the same.
const STORED: [(&str, &[u8]); 5] = [
    vector!("magic0-none.log"),
    vector!("magic0-gzip.log"),
    vector!("magic0-snappy.log"),
    vector!("magic0-lz4.log"),
    vector!("magic1-append-time.log"),
];

/// What Kafka answered to Fetch v1 or v3: the batches it had, the offset asked for, the answer.
type Fetched = (&'static str, &'static [u8], i64, (&'static str, &'static [u8]));
const FETCHED: [Fetched; 14] = [
    ("none", include_bytes!("vectors/none.log"), 0, vector!("none.v1")),
    ("none", include_bytes!("vectors/none.log"), 0, vector!("none.v3")),
    ("none", include_bytes!("vectors/none.log"), 3, vector!("none.from3.v3")),
    ("none", include_bytes!("vectors/none.log"), 5, vector!("none.from5.v1")),
    ("gzip", include_bytes!("vectors/gzip.log"), 5, vector!("gzip.from5.v1")),
    ("gzip", include_bytes!("vectors/gzip.log"), 5, vector!("gzip.from5.v3")),
    ("snappy", include_bytes!("vectors/snappy.log"), 5, vector!("snappy.from5.v3")),
    ("lz4", include_bytes!("vectors/lz4.log"), 5, vector!("lz4.from5.v1")),
    ("lz4", include_bytes!("vectors/lz4.log"), 5, vector!("lz4.from5.v3")),
    ("append-time", include_bytes!("vectors/old/append-time.log"), 5, vector!("append-time.from5.v3")),
    ("transaction", include_bytes!("vectors/transaction.log"), 3, vector!("transaction.from3.v3")),
    ("magic1-none", include_bytes!("vectors/old/magic1-none.set"), 0, vector!("magic1-none.v1")),
    ("magic1-lz4", include_bytes!("vectors/old/magic1-lz4.set"), 0, vector!("magic1-lz4.v1")),
    ("append-time", include_bytes!("vectors/old/magic1-append-time.log"), 0, vector!("magic1-append-time.v1")),
];

#[derive(Clone, PartialEq, Eq, Debug)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

/// All records of a set or a log.
fn read(bytes: &[u8]) -> Vec<Owned> {
    let mut scratch = Scratch::default();
    let mut all = Vec::new();
    for batch in Batches::new(bytes) {
        for record in batch.unwrap().records(&mut scratch, 1 << 20).unwrap() {
            let record = record.unwrap();
            all.push(Owned {
                offset: record.offset.0,
                timestamp: record.timestamp.0,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
    }
    all
}

/// What `WriteOldVectors.java` sent.
fn sent(name: &str) -> Vec<Owned> {
    let old = name.contains("magic0");
    let record = |offset: usize, time: i64, key: Option<&[u8]>, value: Option<&[u8]>| Owned {
        offset: offset as i64,
        timestamp: if old { -1 } else { time },
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
    };
    let mut all = vec![
        record(0, TIME, Some(b"key"), Some(b"value")),
        record(1, TIME + 70, None, Some(b"no key")),
        record(2, TIME + 3, Some(b"no value"), None),
        record(3, TIME + 100_000, Some(b""), Some(b"")),
    ];
    all.extend((0..if name.contains("none") { 50 } else { 1500 }).map(|i| {
        let value = format!("{{\"line\":{i},\"square\":{}}}", i * i);
        record(i + 4, TIME + i as i64, Some(format!("k{}", i % 7).as_bytes()), Some(value.as_bytes()))
    }));
    all
}

fn codec_of(name: &str) -> Codec {
    Codec::ALL.into_iter().find(|codec| name.contains(codec.name())).unwrap()
}

#[test]
fn what_old_clients_sent_and_old_brokers_stored_reads_as_it_was_sent() {
    for (name, bytes) in PRODUCED.iter().map(|(set, _)| *set).chain(STORED) {
        let mut batches = Batches::new(bytes);
        for batch in batches.by_ref() {
            batch.unwrap().check_crc().unwrap();
        }
        assert_eq!(batches.position(), bytes.len(), "{name}");
        let mut expected = sent(name);
        if name.contains("append-time") {
            let header = *Batches::new(bytes).next().unwrap().unwrap().header();
            expected.iter_mut().for_each(|record| record.timestamp = header.max_timestamp.0);
        }
        if name.starts_with("magic0") && name.ends_with(".set") {
            // That producer leaves the numbers to the broker.
            expected.iter_mut().for_each(|record| record.offset = 0);
        }
        assert!(read(bytes) == expected, "{name}");
    }
}

/// `set` as a topic of `codec` takes it.
fn up(set: &[u8], timestamps: TimestampRule, codec: Codec) -> Converted {
    let rules = Rules { timestamps, compacted: false };
    let packing = Packing { codec, level: None };
    convert_up(
        set,
        &Limits::default(),
        &rules,
        packing,
        &mut Scratch::default(),
        &mut Compressor::default(),
        &mut Vec::with_capacity,
    )
    .unwrap()
}

const CREATE_TIME: TimestampRule =
    TimestampRule::CreateTime { now: Timestamp(TIME), before_max_ms: i64::MAX, after_max_ms: i64::MAX };

/// Compares with the one batch that Kafka stored: every field of its header and every byte of its records.
fn assert_same(name: &str, ours: &Converted, stored: &[u8]) {
    let theirs = RecordBatch::parse(stored).unwrap();
    let mut header = ours.header;
    assert_eq!(header.partition_leader_epoch, LeaderEpoch::UNKNOWN);
    header.partition_leader_epoch = theirs.header().partition_leader_epoch;
    if header.codec() != Ok(Codec::None) {
        // Another library compresses into another number of bytes.
        (header.batch_length, header.crc) = (theirs.header().batch_length, theirs.header().crc);
    }
    assert_eq!(header, *theirs.header(), "{name}");
    let plain = |batch: RecordBatch<'_>| {
        let mut out = Vec::new();
        batch.decompress(&mut Scratch::default(), 1 << 20, &mut out).unwrap();
        out
    };
    let mut bytes = ours.bytes.to_vec();
    ours.header.write(bytes.first_chunk_mut().unwrap());
    let ours = RecordBatch::parse(&bytes).unwrap();
    ours.check_crc().unwrap();
    assert!(plain(ours) == plain(theirs), "{name}");
}

#[test]
fn sets_are_converted_up_as_kafka_converts_them() {
    for ((name, set), (_, stored)) in PRODUCED {
        assert_eq!(MessageSet::of(set), Ok(MessageSet::Old(codec_of(name))), "{name}");
        assert_same(name, &up(set, CREATE_TIME, codec_of(name)), stored);
    }
    let stored = vector!("up-append-time.log").1;
    let now = RecordBatch::parse(stored).unwrap().header().max_timestamp;
    assert_same("append-time", &up(PRODUCED[5].0.1, TimestampRule::LogAppendTime { now }, Codec::Gzip), stored);
    assert_same("to gzip", &up(PRODUCED[4].0.1, CREATE_TIME, Codec::Gzip), vector!("up-to-gzip.log").1);
}

/// What a range of batches becomes for a reader from `from` on.
fn down(magic: OldMagic, from: i64, log: &[u8]) -> Result<Vec<u8>, DownError> {
    let mut converter = DownConverter::new(magic, Offset(from), 1 << 20);
    let mut out = Vec::new();
    for batch in Batches::new(log) {
        let batch = batch.unwrap();
        if batch.header().next_offset().0 > from {
            converter.convert(&batch, &mut out)?;
        }
    }
    Ok(out)
}

/// The messages of a set: what each says of itself, and its content uncompressed.
fn messages(set: &[u8]) -> Vec<(i8, Offset, i16, Timestamp, Vec<u8>)> {
    let mut scratch = Scratch::default();
    let each = Batches::new(set).map(|batch| {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        let mut content = Vec::new();
        batch.decompress(&mut scratch, 1 << 20, &mut content).unwrap();
        let header = batch.header();
        (header.magic, header.base_offset, header.attributes.0, header.max_timestamp, content)
    });
    each.collect()
}

#[test]
fn batches_are_converted_down_as_kafka_converts_them() {
    for (name, log, from, (answer, theirs)) in FETCHED {
        let magic = if answer.ends_with("v1") { OldMagic::V0 } else { OldMagic::V1 };
        let ours = messages(&down(magic, from, log).unwrap());
        // Kafka fills what it announced with as many messages as fit, and the rest with a piece of one.
        let theirs = messages(theirs);
        assert!(!theirs.is_empty() && theirs.len() <= ours.len(), "{answer} of {name}");
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert!(ours == theirs, "{answer} of {name}, message {index}: {ours:?} is not {theirs:?}");
        }
    }
}

#[test]
fn markers_vanish_and_zstd_is_refused_on_the_way_down() {
    let set = down(OldMagic::V1, 0, include_bytes!("vectors/transaction.log")).unwrap();
    assert_eq!(read(&set).last().map(|record| record.offset), Some(104), "the marker is at 105");
    let refused = down(OldMagic::V1, 0, include_bytes!("vectors/zstd.log"));
    assert_eq!(refused, Err(DownError::Zstd));
}

#[test]
fn lz4_of_magic_0_has_the_header_checksum_that_its_readers_expect() {
    let checksum = |set: &[u8]| {
        let start = set.windows(4).position(|bytes| bytes == [0x04, 0x22, 0x4d, 0x18]).unwrap();
        set[start + 6]
    };
    for (magic, theirs) in [(OldMagic::V0, vector!("lz4.from5.v1").1), (OldMagic::V1, vector!("lz4.from5.v3").1)] {
        let ours = down(magic, 5, include_bytes!("vectors/lz4.log")).unwrap();
        assert_eq!(checksum(&ours), checksum(theirs), "{magic:?}");
    }
}
