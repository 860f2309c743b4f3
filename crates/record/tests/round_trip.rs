//! What is built passes the check and reads back as it was, in every codec, whoever reads it.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

mod support;

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use ottla_record::{BatchBuilder, BatchOptions, Batches, Codec, Compressor, Header, RecordBatch, Records, Scratch};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::{check, options};

/// A record with everything owned.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
    // Random bytes, which do not compress, and long runs, which do.
    let bytes = prop_oneof![vec(any::<u8>(), 0..200), (any::<u8>(), 0..20_000usize).prop_map(|(b, n)| vec![b; n])];
    option::of(bytes)
}

fn record() -> impl Strategy<Value = Owned> {
    let timestamp = prop_oneof![Just(-1), 0..2_000_000_000_000i64, any::<i64>()];
    let headers = vec(("[a-cé]{0,3}", option::of(vec(any::<u8>(), 0..70))), 0..4);
    (timestamp, field(), field(), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        timestamp,
        key,
        value,
        headers,
    })
}

fn build(options: BatchOptions, records: &[Owned]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for record in records {
        let headers: Vec<_> =
            record.headers.iter().map(|(k, v)| Header { key: k.as_bytes(), value: v.as_deref() }).collect();
        let (timestamp, key, value) = (Timestamp(record.timestamp), record.key.as_deref(), record.value.as_deref());
        let size = builder.size_in_bytes() + builder.record_bytes(timestamp, key, value, &headers);
        builder.append(timestamp, key, value, &headers).unwrap();
        assert_eq!(builder.size_in_bytes(), size, "the stated size is the real one");
    }
    let size = builder.size_in_bytes();
    let bytes = builder.build(&mut Compressor::default()).unwrap();
    assert!(options.codec != Codec::None || bytes.len() == size);
    bytes
}

fn read(records: Records<'_>) -> Vec<(i64, Owned)> {
    records
        .map(|record| {
            let record = record.unwrap();
            let headers = record
                .headers
                .map(|h| (String::from_utf8(h.key.to_vec()).unwrap(), h.value.map(<[u8]>::to_vec)))
                .collect();
            let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
            (record.offset.0, Owned { timestamp: record.timestamp.0, key, value, headers })
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_built_is_accepted_and_reads_back(records in vec(record(), 1..60)) {
        // The contexts are shared, so that a batch must not depend on the one before.
        let mut scratch = Scratch::default();
        let expected: Vec<_> = (0..).zip(records.iter().cloned()).collect();
        for codec in Codec::ALL {
            let bytes = build(options(codec), &records);
            let checked = check(&bytes).unwrap();
            prop_assert_eq!(checked.codec, codec);
            prop_assert_eq!(checked.header, *RecordBatch::parse(&bytes).unwrap().header());

            let batch = RecordBatch::parse(&bytes).unwrap();
            prop_assert_eq!(read(batch.records(&mut scratch, 10 << 20).unwrap()), expected.clone());
            let mut plain = Vec::new();
            batch.decompress(&mut scratch, 10 << 20, &mut plain).unwrap();
            prop_assert_eq!(plain.len(), checked.records_bytes);
            prop_assert_eq!(read(Records::new(batch.header(), &plain)), expected.clone());
        }
    }

    #[test]
    fn arbitrary_payloads_under_a_right_crc_never_panic(
        mut payload in vec(any::<u8>(), 0..300),
        count in prop_oneof![1..4i32, any::<i32>()],
        frame in 0..4usize,
    ) {
        // Behind a proper start of the codec's format the decoder gets further than by luck.
        let starts: [&[u8]; 4] = [
            &[], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0", &[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82],
            &[0x28, 0xb5, 0x2f, 0xfd],
        ];
        payload.splice(0..0, starts[frame].iter().copied());
        for codec in Codec::ALL {
            let bytes = support::seal_compressed(codec, count, &payload);
            let checked = check(&bytes);
            let batch = RecordBatch::parse(&bytes).unwrap();
            let mut scratch = Scratch::default();
            let readable =
                batch.records(&mut scratch, 1 << 20).is_ok_and(|mut records| records.all(|record| record.is_ok()));
            prop_assert!(checked.is_err() || readable, "accepted but not readable");
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
        let _ = ottla_record::single_batch(&bytes);
        prop_assert!(Batches::new(&bytes).count() < 200);
    }
}

fn samples() -> Vec<Owned> {
    (0..500)
        .map(|i| Owned {
            timestamp: 1_700_000_000_000 + i,
            key: (i % 3 != 0).then(|| format!("key {i}").into_bytes()),
            value: (i % 5 != 0).then(|| vec![i as u8; i as usize]),
            headers: if i % 2 == 0 { vec![("h".into(), Some(vec![1; 3]))] } else { vec![] },
        })
        .collect()
}

#[test]
fn another_implementation_reads_what_is_built() {
    for codec in Codec::ALL {
        let records = samples();
        let built = BatchOptions {
            codec,
            base_offset: Offset(1000),
            leader_epoch: LeaderEpoch(4),
            producer_id: ProducerId(77),
            producer_epoch: ProducerEpoch(3),
            base_sequence: Sequence(12),
            transactional: true,
            control: false,
            level: None,
        };
        let mut bytes = build(built, &records);
        let theirs = RecordBatchDecoder::decode(&mut bytes).unwrap();
        assert_eq!(theirs.records.len(), records.len(), "{codec:?}");
        for (index, (theirs, ours)) in theirs.records.iter().zip(&records).enumerate() {
            assert_eq!((theirs.offset, theirs.timestamp), (1000 + index as i64, ours.timestamp));
            assert_eq!((theirs.producer_id, theirs.producer_epoch), (77, 3));
            assert_eq!((theirs.sequence, theirs.transactional), (12 + index as i32, true));
            assert_eq!(theirs.partition_leader_epoch, 4);
            assert_eq!(theirs.key.as_deref(), ours.key.as_deref());
            assert_eq!(theirs.value.as_deref(), ours.value.as_deref());
            let headers: Vec<_> =
                theirs.headers.iter().map(|(k, v)| (k.to_string(), v.as_ref().map(|v| v.to_vec()))).collect();
            assert_eq!(headers, ours.headers);
        }
    }
}

#[test]
fn every_level_of_a_codec_reads_back() {
    let expected: Vec<_> = (0..).zip(samples()).collect();
    let levels = |codec| match codec {
        Codec::Gzip => -1..=10,
        Codec::Zstd => -3..=23,
        _ => 0..=0,
    };
    for codec in Codec::ALL {
        for level in levels(codec) {
            let bytes = build(BatchOptions { level: Some(level), ..options(codec) }, &samples());
            check(&bytes).unwrap();
            let mut scratch = Scratch::default();
            let batch = RecordBatch::parse(&bytes).unwrap();
            assert_eq!(read(batch.records(&mut scratch, 1 << 20).unwrap()), expected, "{codec:?} at level {level}");
        }
    }
}

#[test]
fn a_record_of_many_pieces_passes_and_the_next_batch_too() {
    let big = Owned {
        timestamp: 0,
        key: None,
        value: Some((0..6_000_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()),
        headers: vec![],
    };
    let mut scratch = Scratch::default();
    for codec in Codec::ALL {
        for records in [vec![big.clone(), big.clone()], samples()] {
            let bytes = build(options(codec), &records);
            let limits = ottla_record::Limits { batch_bytes_max: 100 << 20, ..Default::default() };
            ottla_record::check_batch(&bytes, &limits, &support::RULES, &mut scratch).unwrap();
            let batch = RecordBatch::parse(&bytes).unwrap();
            let read: Vec<_> = read(batch.records(&mut scratch, 100 << 20).unwrap()).into_iter().map(|r| r.1).collect();
            assert!(read == records, "{codec:?}");
        }
    }
}

#[test]
fn nothing_is_no_batch() {
    let error = BatchBuilder::new(BatchOptions::default()).build(&mut Compressor::default());
    assert_eq!(error, Err(ottla_record::BuildError::Empty));
}

#[test]
fn bytes_behind_the_last_record_are_an_error_after_it() {
    let bytes = [&build(options(Codec::None), &samples())[..], &[0]].concat();
    let header = ottla_record::BatchHeader::parse(&bytes).unwrap();
    let read: Vec<_> = Records::new(&header, &bytes[61..]).collect();
    assert_eq!(read.len(), 501);
    assert!(read[..500].iter().all(Result::is_ok));
    let fault = ottla_record::FramingFault::Trailing;
    let error = ottla_record::BatchError::Framing { index: 500, position: bytes.len() - 62, fault };
    assert_eq!(read[500].as_ref().unwrap_err(), &error);
}

#[test]
fn a_negative_count_is_an_error_and_none_is_empty() {
    let read = |count| {
        let bytes = support::seal(support::header(count), &[]);
        let mut scratch = Scratch::default();
        RecordBatch::parse(&bytes).unwrap().records(&mut scratch, 100).map(Iterator::count)
    };
    assert_eq!(read(0), Ok(0), "compaction leaves such batches");
    assert!(read(-1).is_err());
}
