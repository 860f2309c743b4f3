//! What a leader takes and what it refuses.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

mod support;

use ottla_record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchError, BatchHeader, BatchOptions, Codec, Compressor, FramingFault, Header,
    HeaderFault, Limits, RecordError, RecordFault, RefusedRecords, Rules, Scratch, TimestampRule, TimestampType,
    check_batch,
};
use ottla_types::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use support::{NOW, RULES, check, compress, header, options, seal, seal_compressed};

/// Two records with a key, a value and a header each.
fn small(codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options(codec));
    let headers = [Header { key: b"h", value: None }];
    for value in [b"one", b"two"] {
        builder.append(NOW, Some(b"k"), Some(value), &headers).unwrap();
    }
    builder.build(&mut Compressor::default()).unwrap().to_vec()
}

#[test]
fn every_single_flipped_bit_is_refused_but_where_the_crc_does_not_reach() {
    for codec in Codec::ALL {
        let good = small(codec);
        check(&good).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let result = check(&bytes);
            match bit / 8 {
                // The leader epoch is the leader's to write, so what a producer puts there means nothing.
                12..16 => assert!(result.is_ok(), "{codec:?}, bit {bit}: {result:?}"),
                // Nor does the CRC cover the base offset, but a producer's must be 0.
                0..8 => assert_eq!(result.unwrap_err().error_code(), ErrorCode::InvalidRecord, "{codec:?}, bit {bit}"),
                // The magic may become that of an old format.
                16 => assert!(result.is_err(), "{codec:?}, bit {bit}"),
                _ => assert_eq!(result.unwrap_err().error_code(), ErrorCode::CorruptMessage, "{codec:?}, bit {bit}"),
            }
        }
    }
}

#[test]
fn every_cut_and_every_surplus_byte_is_refused() {
    for codec in Codec::ALL {
        let good = small(codec);
        for end in 0..good.len() {
            assert_eq!(check(&good[..end]).unwrap_err().error_code(), ErrorCode::CorruptMessage, "cut at {end}");
        }
        let longer = [&good[..], &[0]].concat();
        let error = BatchError::TrailingBytes { bytes: good.len() + 1, expected: good.len() };
        assert_eq!(check(&longer), Err(error));
    }
}

#[test]
fn records_cut_anywhere_are_refused_under_a_right_crc() {
    let plain = small(Codec::None)[BATCH_HEADER_BYTES..].to_vec();
    for codec in Codec::ALL {
        for end in 0..plain.len() {
            let bytes = seal_compressed(codec, 2, &compress(codec, &plain[..end]));
            let error = check(&bytes).unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidRecord, "{codec:?} cut at {end}: {error}");
        }
        let more = seal_compressed(codec, 2, &compress(codec, &[&plain[..], &[0]].concat()));
        let position = plain.len();
        let error = BatchError::Framing { index: 2, position, fault: FramingFault::Trailing };
        assert_eq!(check(&more), Err(error), "{codec:?}");
    }
}

#[test]
fn compressed_payloads_cut_or_prolonged_are_refused_under_a_right_crc() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let payload = small(codec)[BATCH_HEADER_BYTES..].to_vec();
        for end in 0..payload.len() {
            let error = check(&seal_compressed(codec, 2, &payload[..end])).unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidRecord, "{codec:?} cut at {end}: {error}");
        }
        let longer = [&payload[..], &[0]].concat();
        let error = check(&seal_compressed(codec, 2, &longer)).unwrap_err();
        assert!(matches!(error, BatchError::Compression(_)), "{codec:?}: {error}");
    }
}

/// Every single-bit change of a record and of a compressed payload, under a right CRC: some are batches too, none may
/// panic, and what passes must read back without an error.
#[test]
fn what_passes_can_be_read() {
    for codec in Codec::ALL {
        let good = small(codec);
        let header = BatchHeader::parse(&good).unwrap();
        let mut passed = 0;
        for bit in 0..(good.len() - BATCH_HEADER_BYTES) * 8 {
            let mut payload = good[BATCH_HEADER_BYTES..].to_vec();
            payload[bit / 8] ^= 1 << (bit % 8);
            let bytes = seal(header, &payload);
            if check(&bytes).is_ok() {
                passed += 1;
                let mut scratch = Scratch::default();
                let batch = ottla_record::RecordBatch::parse(&bytes).unwrap();
                let records: Vec<_> = batch.records(&mut scratch, 1 << 20).unwrap().map(Result::unwrap).collect();
                assert_eq!(records.len(), 2);
            }
        }
        // Bits of keys, values, attributes and timestamps are nobody's business.
        assert!(codec != Codec::None || passed > 50, "only {passed}");
    }
}

/// A record of the given parts behind its length.
fn framed(body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 64);
    [&[(body.len() * 2) as u8][..], body].concat()
}

#[test]
fn faults_of_framing_have_their_names() {
    // attributes, timestamp delta, offset delta, key, value, headers; numbers are zigzag, so 1 is -1 and 2 is 1.
    let cases: [(&[u8], FramingFault); 14] = [
        (&[0, 0, 2, 1, 1, 0], FramingFault::OffsetDelta(1)),
        (&[0, 0, 1, 1, 1, 0], FramingFault::OffsetDelta(-1)),
        (&[0, 0, 0, 1, 1, 0, 0], FramingFault::Length),
        (&[0, 0, 0, 1, 1], FramingFault::Length),
        (&[], FramingFault::Length),
        (&[0, 0, 0, 8, 1, 0], FramingFault::KeyOrValue),
        (&[0, 0, 0, 1, 4, 0], FramingFault::KeyOrValue),
        (&[0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0], FramingFault::KeyOrValue),
        (&[0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 0], FramingFault::Number),
        (&[0, 0, 0, 1, 1, 1], FramingFault::HeaderCount),
        (&[0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f], FramingFault::HeaderCount),
        (&[0, 0, 0, 1, 1, 2, 1, 0], FramingFault::HeaderKey),
        (&[0, 0, 0, 1, 1, 2, 0, 2], FramingFault::HeaderValue),
        (&[0, 0, 0, 1, 1, 2, 0, 0, 0], FramingFault::Length),
    ];
    for (body, fault) in cases {
        for codec in Codec::ALL {
            let bytes = seal_compressed(codec, 1, &compress(codec, &framed(body)));
            let expected = BatchError::Framing { index: 0, position: 0, fault };
            assert_eq!(check(&bytes), Err(expected), "{codec:?} {body:?}");
        }
    }
    check(&seal(header(1), &framed(&[0x7f, 0, 0, 1, 1, 0]))).expect("a record's attributes may be anything");
    check(&seal(header(1), &framed(&[0, 0, 0, 3, 5, 0]))).expect("every negative length is null, as for Kafka");
    for (payload, fault) in [
        (&[1u8][..], FramingFault::Length),
        (&[0xfe, 0xff, 0xff, 0xff, 0x0f], FramingFault::Truncated),
        (&[0xff, 0xff, 0xff, 0xff, 0x7f], FramingFault::Number),
    ] {
        let error = check(&seal(header(1), payload)).unwrap_err();
        assert_eq!(error, BatchError::Framing { index: 0, position: 0, fault });
        assert_eq!(error.error_code(), ErrorCode::InvalidRecord);
        assert_eq!(error.record_errors(), []);
    }
}

#[test]
fn a_fault_names_its_record_and_byte_across_pieces() {
    // Enough small records for several pieces of the window, then one with a wrong offset delta.
    let mut records = Vec::new();
    let count = 60_000;
    let one = batch_of_index(0).len();
    for index in 0..count {
        records.extend(batch_of_index(index));
    }
    let position = records.len();
    records.extend(batch_of_index(count + 1));
    assert!(position > count as usize * one);
    for codec in Codec::ALL {
        let bytes = seal_compressed(codec, count + 1, &compress(codec, &records));
        let expected = BatchError::Framing { index: count, position, fault: FramingFault::OffsetDelta(count + 1) };
        assert_eq!(check(&bytes), Err(expected), "{codec:?}");
    }
}

/// The smallest record with the given offset delta.
fn batch_of_index(index: i32) -> Vec<u8> {
    let mut raw = (index as u32) << 1;
    let mut body = vec![0, 0];
    while raw >= 0x80 {
        body.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    body.extend([raw as u8, 1, 1, 0]);
    framed(&body)
}

#[test]
fn header_fields_that_a_producer_may_not_send() {
    let record = framed(&[0, 0, 0, 1, 1, 0]);
    let good = header(1);
    let with = |change: &dyn Fn(&mut BatchHeader)| {
        let mut header = good;
        change(&mut header);
        check(&seal(header, &record)).map(|_| ())
    };
    let count = |record_count, last_offset_delta| HeaderFault::Count { record_count, last_offset_delta };
    assert_eq!(with(&|_| ()), Ok(()));
    assert_eq!(with(&|h| h.base_offset = Offset(1)), Err(HeaderFault::BaseOffset(1).into()));
    assert_eq!(with(&|h| h.last_offset_delta = 1), Err(count(1, 1).into()));
    assert_eq!(with(&|h| h.record_count = 2), Err(count(2, 0).into()));
    assert_eq!(with(&|h| (h.record_count, h.last_offset_delta) = (0, -1)), Err(count(0, -1).into()));
    let lowest = with(&|h| (h.record_count, h.last_offset_delta) = (i32::MIN, i32::MAX));
    assert_eq!(lowest, Err(count(i32::MIN, i32::MAX).into()));
    assert_eq!(with(&|h| h.attributes.0 = 0x20), Err(HeaderFault::Control.into()));
    assert_eq!(with(&|h| h.attributes.0 = 0x08), Err(HeaderFault::LogAppendTime.into()));
    assert_eq!(with(&|h| h.attributes.0 = 0x10), Err(HeaderFault::TransactionalWithoutProducer.into()));
    assert_eq!(with(&|h| h.attributes.0 = 0x06), Err(BatchError::UnknownCodec { id: 6 }));
    assert_eq!(with(&|h| h.attributes.0 = 0x7fc0), Ok(()), "bits without a meaning pass");
    for (id, epoch, sequence, ok) in
        [(0, 0, 0, true), (7, 1, i32::MAX, true), (7, -1, 0, false), (7, 0, -1, false), (-1, 3, 5, true)]
    {
        let (id, epoch, sequence) = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
        let result = with(&|h| (h.producer_id, h.producer_epoch, h.base_sequence) = (id, epoch, sequence));
        assert_eq!(result.is_ok(), ok, "{id} {epoch} {sequence}: {result:?}");
    }
    assert_eq!(BatchError::from(HeaderFault::LogAppendTime).error_code(), ErrorCode::InvalidTimestamp);
    assert_eq!(BatchError::from(HeaderFault::Control).error_code(), ErrorCode::InvalidRecord);
}

#[test]
fn a_batch_beyond_the_limit_is_too_large() {
    let bytes = small(Codec::None);
    let limits = |batch_bytes_max| Limits { batch_bytes_max, ..Limits::default() };
    let mut scratch = Scratch::default();
    assert!(check_batch(&bytes, &limits(bytes.len()), &RULES, &mut scratch).is_ok());
    let error = check_batch(&bytes, &limits(bytes.len() - 1), &RULES, &mut scratch).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::MessageTooLarge);
}

fn with_times(times: &[i64], key: Option<&[u8]>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for time in times {
        builder.append(Timestamp(*time), key, None, &[]).unwrap();
    }
    builder.build(&mut Compressor::default()).unwrap().to_vec()
}

#[test]
fn timestamps_out_of_bounds_are_named_record_by_record() {
    let rules = Rules {
        timestamps: TimestampRule::CreateTime { now: Timestamp(1000), before_max_ms: 100, after_max_ms: 10 },
        compacted: false,
    };
    let check = |bytes: &[u8], rules| check_batch(bytes, &Limits::default(), rules, &mut Scratch::default());
    assert!(check(&with_times(&[900, 1010, -1, 950], None), &rules).is_ok(), "bounds are inclusive, -1 is none");
    let bytes = with_times(&[899, 950, 1011, 0], None);
    let error = check(&bytes, &rules).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidTimestamp);
    assert_eq!(error.record_errors().iter().map(|e| e.index).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(error.record_errors()[1].fault.to_string(), "timestamp 1011 is not within 900 and 1010");
    let append_time = Rules { timestamps: TimestampRule::LogAppendTime { now: Timestamp(5) }, compacted: false };
    assert!(check(&bytes, &append_time).is_ok(), "the leader's time makes the producer's irrelevant");
}

#[test]
fn a_compacted_topic_takes_no_null_key() {
    let rules = Rules { compacted: true, ..RULES };
    let check = |bytes: &[u8]| check_batch(bytes, &Limits::default(), &rules, &mut Scratch::default());
    assert!(check(&with_times(&[1, 2], Some(b""))).is_ok());
    let error = check(&with_times(&[1, 2], None)).unwrap_err();
    let errors = [0, 1].map(|index| RecordError { index, fault: RecordFault::NullKey });
    assert_eq!((error.error_code(), error.record_errors()), (ErrorCode::InvalidRecord, &errors[..]));
}

#[test]
fn refused_records_are_counted_in_full_and_named_up_to_a_limit() {
    let rules = Rules {
        timestamps: TimestampRule::CreateTime { now: Timestamp(1000), before_max_ms: 100, after_max_ms: 10 },
        compacted: true,
    };
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for _ in 0..RefusedRecords::ERRORS_MAX {
        builder.append(Timestamp(1000), None, None, &[]).unwrap();
    }
    builder.append(Timestamp(0), Some(b"k"), None, &[]).unwrap();
    let bytes = builder.build(&mut Compressor::default()).unwrap();
    let error = check_batch(&bytes, &Limits::default(), &rules, &mut Scratch::default()).unwrap_err();
    let BatchError::Records(refused) = &error else { panic!("{error}") };
    assert_eq!((refused.errors.len(), refused.count), (RefusedRecords::ERRORS_MAX, RefusedRecords::ERRORS_MAX + 1));
    assert_eq!(error.error_code(), ErrorCode::InvalidTimestamp, "one such record decides, named or not");
}

#[test]
fn the_maximum_timestamp_is_the_records_and_not_the_producers_word() {
    for (times, max) in [(&[5, 9, 7][..], 9), (&[-1, -1], -1), (&[-1, 3], 3), (&[i64::MAX, 0], i64::MAX)] {
        let mut bytes = with_times(times, None);
        let right = check(&bytes).unwrap();
        assert_eq!(right.header.max_timestamp, Timestamp(max));
        assert_eq!(right.assigned(Offset(0), LeaderEpoch(-1)), bytes[..BATCH_HEADER_BYTES], "nothing to change");

        let wrong = BatchHeader { max_timestamp: Timestamp(77), ..right.header };
        bytes = seal(wrong, &bytes[BATCH_HEADER_BYTES..]);
        assert_eq!(check(&bytes).unwrap(), right, "the field and the CRC are made right");
    }
}

#[test]
fn append_time_changes_the_header_and_its_crc_only() {
    let now = Timestamp(123_456);
    let rules = Rules { timestamps: TimestampRule::LogAppendTime { now }, compacted: false };
    for codec in Codec::ALL {
        let mut bytes = small(codec);
        let checked = check_batch(&bytes, &Limits::default(), &rules, &mut Scratch::default()).unwrap();
        bytes[..BATCH_HEADER_BYTES].copy_from_slice(&checked.assigned(Offset(40), LeaderEpoch(3)));
        let batch = ottla_record::RecordBatch::parse(&bytes).unwrap();
        batch.check_crc().unwrap();
        let header = batch.header();
        assert_eq!((header.base_offset, header.partition_leader_epoch), (Offset(40), LeaderEpoch(3)));
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        let mut scratch = Scratch::default();
        let records: Vec<_> = batch.records(&mut scratch, 1 << 20).unwrap().map(Result::unwrap).collect();
        assert_eq!(records.iter().map(|r| (r.offset.0, r.timestamp)).collect::<Vec<_>>(), [(40, now), (41, now)]);
    }
}
