//! Compressed records in every form that the codecs' formats allow, by encoders that are not ours, and what Kafka 4.3.1
//! says to each. Where they come from: `vectors/frames/README.md`.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

mod support;

use std::collections::BTreeSet;

use ottla_record::{BatchError, Codec, RecordBatch, Scratch};
use support::{check, seal_compressed};

const RECORDS: usize = 400;

/// What Kafka takes from a producer and a leader here refuses: docs/deviations.md, "bad batches".
const REFUSED_HERE: [&str; 8] = [
    "gzip-junk-behind",
    "gzip-reserved-flag",
    "gzip-zeros-behind",
    "lz4-empty-frame-last",
    "lz4-junk-behind",
    "lz4-skippable-last",
    "lz4-wrong-content-checksum",
    "lz4-wrong-content-size",
];

/// One form: its name, the error code with which Kafka 4.3.1 answered the producer, the compressed records.
struct Form {
    name: &'static str,
    kafka: i16,
    payload: &'static [u8],
}

macro_rules! forms {
    ($(($name:literal, $kafka:literal),)*) => {
        [$(Form { name: $name, kafka: $kafka, payload: include_bytes!(concat!("vectors/frames/", $name, ".bin")) }),*]
    };
}

#[rustfmt::skip]
static FORMS: [Form; 67] = forms![
    ("gzip-best", 0),
    ("gzip-deflate-instead", -1),
    ("gzip-empty-member-first", 0),
    ("gzip-empty-member-last", 0),
    ("gzip-flushed", 0),
    ("gzip-junk-behind", 0),
    ("gzip-name-comment-extra-crc", 0),
    ("gzip-plain", 0),
    ("gzip-reserved-flag", 0),
    ("gzip-stored", 0),
    ("gzip-tool", 0),
    ("gzip-two-members", 0),
    ("gzip-zeros-behind", 0),
    ("gzip-zlib-instead", -1),
    ("lz4-1m", 0),
    ("lz4-256k", 0),
    ("lz4-4m", 0),
    ("lz4-all-of-them", 0),
    ("lz4-block-checksums", 0),
    ("lz4-content-checksum", 0),
    ("lz4-content-size", 0),
    ("lz4-dictionary", -1),
    ("lz4-empty-frame-first", 87),
    ("lz4-empty-frame-last", 0),
    ("lz4-high", 0),
    ("lz4-independent", 0),
    ("lz4-junk-behind", 0),
    ("lz4-legacy", -1),
    ("lz4-linked", -1),
    ("lz4-no-content-checksum", -1),
    ("lz4-no-end-mark", -1),
    ("lz4-skippable-first", -1),
    ("lz4-skippable-last", 0),
    ("lz4-small-blocks", 0),
    ("lz4-stored-blocks", 0),
    ("lz4-tool", 0),
    ("lz4-tool-linked", -1),
    ("lz4-two-frames", 87),
    ("lz4-wrong-content-checksum", 0),
    ("lz4-wrong-content-size", 0),
    ("snappy-raw", 0),
    ("snappy-stream-instead", -1),
    ("snappy-xerial", 0),
    ("snappy-xerial-compatible-2", 0),
    ("snappy-xerial-empty-block", 0),
    ("snappy-xerial-large-blocks", 0),
    ("snappy-xerial-two", 0),
    ("snappy-xerial-version-2", 0),
    ("zstd-19", 0),
    ("zstd-22", 0),
    ("zstd-checksum", 0),
    ("zstd-dictionary", -1),
    ("zstd-empty-frame-first", 0),
    ("zstd-empty-frame-last", 0),
    ("zstd-fast", 0),
    ("zstd-junk-behind", -1),
    ("zstd-magicless", -1),
    ("zstd-plain", 0),
    ("zstd-skippable-between", 0),
    ("zstd-skippable-first", 0),
    ("zstd-skippable-last", 0),
    ("zstd-streamed", 0),
    ("zstd-tool", 0),
    ("zstd-two-frames", 0),
    ("zstd-window-2-27", 0),
    ("zstd-window-2-28", -1),
    ("zstd-without-size", 0),
];

impl Form {
    /// A producer's batch of it. Its name begins with the codec.
    fn batch(&self) -> Vec<u8> {
        let codec = Codec::ALL.into_iter().find(|codec| self.name.starts_with(codec.name())).unwrap();
        seal_compressed(codec, RECORDS as i32, self.payload)
    }
}

/// The value of a record, as `make_frames.py` makes it.
fn value(at: usize) -> Vec<u8> {
    (at * 7919 % 1000).to_string().repeat(120).into_bytes()
}

fn read(batch: &[u8]) -> Result<Vec<Vec<u8>>, BatchError> {
    let mut scratch = Scratch::default();
    let records = RecordBatch::parse(batch)?.records(&mut scratch, 1 << 20)?;
    records.map(|record| Ok(record?.value.unwrap_or_default().to_vec())).collect()
}

#[test]
fn a_leader_takes_the_forms_that_kafka_takes_but_for_those_that_not_every_consumer_reads() {
    let mut refused_here = BTreeSet::new();
    for form in &FORMS {
        match check(&form.batch()) {
            Ok(_) => assert_eq!(form.kafka, 0, "{} is taken, though not by Kafka", form.name),
            Err(error) if form.kafka == 0 => {
                assert!(matches!(error, BatchError::Compression(_)), "{}: {error}", form.name);
                refused_here.insert(form.name);
            }
            Err(_) => {}
        }
    }
    assert_eq!(refused_here, BTreeSet::from(REFUSED_HERE));
}

#[test]
fn what_kafka_stored_is_read_even_where_a_producer_would_be_refused() {
    let expected: Vec<_> = (0..RECORDS).map(value).collect();
    for form in &FORMS {
        let read = read(&form.batch());
        if form.kafka != 0 || form.name == "gzip-reserved-flag" {
            assert!(read.is_err(), "{} is read, though not by Kafka", form.name);
        } else {
            assert!(read.as_ref() == Ok(&expected), "{}: {:?}", form.name, read.map(|records| records.len()));
        }
    }
}
