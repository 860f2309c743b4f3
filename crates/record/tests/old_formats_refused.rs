//! What is refused of message sets, with which code; and that nothing malformed makes anyone panic. And what survives
//! the way up and down again.
#![allow(clippy::unwrap_used, reason = "this is test code, though not always within a test function")]

use ottla_record::{
    BatchError, Batches, Codec, CompressionError, Compressor, Converted, DownConverter, FramingFault, HeaderFault,
    Limits, MessageSet, MessageSetBuilder, OldMagic, Packing, RecordBatch, Rules, Scratch, TimestampRule,
    check_and_recompress, check_batch, convert_up,
};
use ottla_types::{ErrorCode, Offset, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000_000;
const OLD_CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];
const RULES: Rules = Rules {
    timestamps: TimestampRule::CreateTime { now: Timestamp(NOW), before_max_ms: i64::MAX, after_max_ms: 1000 },
    compacted: false,
};

fn plain(codec: Codec) -> Packing {
    Packing { codec, level: None }
}

/// A set as a producer numbers it.
fn set(magic: OldMagic, codec: Codec, values: &[&[u8]]) -> Vec<u8> {
    let mut builder = MessageSetBuilder::new(magic, plain(codec), None).unwrap();
    for (offset, value) in (0..).zip(values) {
        builder.append(Offset(offset), Timestamp(NOW + offset), Some(b"k"), Some(value)).unwrap();
    }
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).unwrap();
    out
}

fn up_with(set: &[u8], limits: &Limits, rules: &Rules, codec: Codec) -> Result<Converted, BatchError> {
    convert_up(
        set,
        limits,
        rules,
        plain(codec),
        &mut Scratch::default(),
        &mut Compressor::default(),
        &mut Vec::with_capacity,
    )
}

fn up(set: &[u8]) -> Result<Converted, BatchError> {
    up_with(set, &Limits::default(), &RULES, Codec::None)
}

/// Makes the CRC of the first message right again.
fn seal(mut set: Vec<u8>) -> Vec<u8> {
    let size = u32::from_be_bytes(set[8..12].try_into().unwrap()) as usize;
    let mut crc = flate2::Crc::new();
    crc.update(&set[16..12 + size]);
    set[12..16].copy_from_slice(&crc.sum().to_be_bytes());
    set
}

/// A wrapper of magic 1 whose attributes say `codec`, around `content` as it is.
fn wrapper(offset: i64, attributes: u8, content: Option<&[u8]>) -> Vec<u8> {
    let mut builder = MessageSetBuilder::new(OldMagic::V1, plain(Codec::None), None).unwrap();
    builder.append(Offset(offset), Timestamp(NOW), None, content).unwrap();
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).unwrap();
    out[17] = attributes;
    seal(out)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn gzip_wrapper(offset: i64, content: &[u8]) -> Vec<u8> {
    wrapper(offset, 1, Some(&gzip(content)))
}

fn framing(result: Result<Converted, BatchError>) -> (i32, FramingFault) {
    match result {
        Err(BatchError::Framing { index, fault, .. }) => (index, fault),
        other => panic!("no fault in framing: {:?}", other.map(|converted| converted.header)),
    }
}

#[test]
fn several_messages_become_one_batch_but_a_wrapper_stands_alone() {
    let both = [set(OldMagic::V1, Codec::None, &[b"a", b"b"]), set(OldMagic::V1, Codec::None, &[b"c"])].concat();
    assert_eq!(up(&both).unwrap().header.record_count, 3);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
        let wrapped = set(OldMagic::V1, codec, &[b"a", b"b"]);
        assert_eq!(up(&wrapped).unwrap().header.record_count, 2);
        for two in [[&wrapped[..], &wrapped].concat(), [&wrapped[..], &both].concat(), [&both[..], &wrapped].concat()] {
            assert_eq!(up(&two).map(|up| up.header), Err(BatchError::NotOneBatch { several: true }), "{codec:?}");
        }
    }
}

#[test]
fn what_is_cut_at_the_end_does_not_count_and_nothing_at_all_is_no_batch() {
    let one = set(OldMagic::V0, Codec::None, &[b"first"]);
    let two = [&one[..], &one].concat();
    for end in 0..two.len() {
        let expected = if end < one.len() { Ok(MessageSet::Empty) } else { Ok(MessageSet::Old(Codec::None)) };
        assert_eq!(MessageSet::of(&two[..end]), expected);
        match up(&two[..end]) {
            Ok(batch) => assert_eq!((batch.header.record_count, end >= one.len()), (1, true)),
            Err(error) => assert_eq!((error, end < one.len()), (BatchError::NotOneBatch { several: false }, true)),
        }
    }
}

#[test]
fn magics_must_not_be_mixed() {
    let mixed = [set(OldMagic::V0, Codec::None, &[b"a"]), set(OldMagic::V1, Codec::None, &[b"b"])].concat();
    assert_eq!(framing(up(&mixed)), (1, FramingFault::Magic(1)));
    assert_eq!(framing(up(&gzip_wrapper(0, &set(OldMagic::V0, Codec::None, &[b"a"])))), (0, FramingFault::Magic(0)));
    let batch = up(&set(OldMagic::V1, Codec::None, &[b"a"])).unwrap();
    let mut current = batch.bytes.to_vec();
    batch.header.write(current.first_chunk_mut().unwrap());
    assert_eq!(MessageSet::of(&current), Ok(MessageSet::Current));
    let behind = [&set(OldMagic::V1, Codec::None, &[b"a"])[..], &current].concat();
    assert_eq!(framing(up(&behind)), (1, FramingFault::Magic(2)));
}

#[test]
fn a_wrapper_holds_whole_good_messages_and_no_wrappers() {
    let inner = set(OldMagic::V1, Codec::None, &[b"a", b"b"]);
    assert_eq!(up(&gzip_wrapper(1, &inner)).unwrap().header.record_count, 2);
    assert_eq!(framing(up(&gzip_wrapper(0, &gzip_wrapper(0, &inner)))), (0, FramingFault::Nested));
    assert_eq!(framing(up(&gzip_wrapper(0, b""))), (0, FramingFault::Empty));
    assert_eq!(framing(up(&wrapper(0, 1, Some(&gzip(b"short"))))), (0, FramingFault::Empty));
    let mut bad_crc = inner.clone();
    *bad_crc.last_mut().unwrap() ^= 1;
    let refused = up(&gzip_wrapper(1, &bad_crc)).unwrap_err();
    assert_eq!(refused.error_code(), ErrorCode::CorruptMessage, "{refused}");
    // Clients that number nothing say 0; any other number below the last is a contradiction.
    let far = {
        let mut far = inner.clone();
        let second = far.len() / 2;
        far[second + 7] = 9;
        far
    };
    assert_eq!(up(&gzip_wrapper(0, &far)).unwrap().header.record_count, 2);
    assert_eq!(up(&gzip_wrapper(9, &far)).unwrap().header.record_count, 2);
    assert_eq!(framing(up(&gzip_wrapper(8, &far))).1, FramingFault::WrapperOffset(9));
    // What follows the last whole message within is not looked at, as Kafka has it.
    assert_eq!(up(&gzip_wrapper(0, &[&inner[..], &inner[..20]].concat())).unwrap().header.record_count, 2);
}

#[test]
fn a_wrapper_without_a_value_or_of_another_codec_is_refused() {
    let code = |set: &[u8]| up(set).unwrap_err().error_code();
    assert_eq!(code(&wrapper(0, 1, None)), ErrorCode::InvalidRecord);
    for attributes in 4..8 {
        assert_eq!(code(&wrapper(0, attributes, Some(b"x"))), ErrorCode::UnsupportedCompressionType);
    }
    let broken = up(&wrapper(0, 3, Some(b"no frame at all"))).unwrap_err();
    assert!(matches!(broken, BatchError::Compression(CompressionError::Broken { codec: Codec::Lz4, .. })), "{broken}");
}

#[test]
fn expansion_and_size_are_limited_before_and_after() {
    let small = Limits { batch_bytes_max: 1000, records_bytes_max: 5000 };
    let bomb = set(OldMagic::V1, Codec::Gzip, &[&[0; 10_000]]);
    assert!(bomb.len() < 1000);
    let refused = up_with(&bomb, &small, &RULES, Codec::Gzip).unwrap_err();
    assert_eq!(refused, BatchError::Compression(CompressionError::TooLarge { bytes_max: 5000 }));
    let too_large = |set: &[u8], codec| up_with(set, &small, &RULES, codec).unwrap_err().error_code();
    assert_eq!(too_large(&set(OldMagic::V1, Codec::None, &[&[0; 1000]]), Codec::Gzip), ErrorCode::MessageTooLarge);
    // Each is small; together they are one batch, unless it is compressed.
    let many = set(OldMagic::V1, Codec::None, &[&[0; 400], &[0; 400], &[0; 400]]);
    assert_eq!(too_large(&many, Codec::None), ErrorCode::MessageTooLarge);
    assert_eq!(up_with(&many, &small, &RULES, Codec::Gzip).unwrap().header.record_count, 3);
    // What was small while compressed is not when it is stored plain.
    let packed = set(OldMagic::V1, Codec::Gzip, &[&[0; 2000]]);
    assert_eq!(too_large(&packed, Codec::None), ErrorCode::MessageTooLarge);
}

#[test]
fn a_topics_rules_hold_for_old_records_too() {
    let compacted = Rules { compacted: true, ..RULES };
    let keyless = wrapper(0, 0, Some(b"v"));
    let refused = up_with(&keyless, &Limits::default(), &compacted, Codec::None).unwrap_err();
    assert_eq!((refused.error_code(), refused.record_errors()[0].index), (ErrorCode::InvalidRecord, 0));
    let late = Rules {
        timestamps: TimestampRule::CreateTime { now: Timestamp(0), before_max_ms: 0, after_max_ms: 0 },
        compacted: false,
    };
    for codec in OLD_CODECS {
        let with_time = set(OldMagic::V1, codec, &[b"a", b"b"]);
        let refused = up_with(&with_time, &Limits::default(), &late, Codec::None).unwrap_err();
        assert_eq!((refused.error_code(), refused.record_errors().len()), (ErrorCode::InvalidTimestamp, 2));
        let without = set(OldMagic::V0, codec, &[b"a"]);
        let stored = up_with(&without, &Limits::default(), &late, Codec::None).unwrap();
        assert_eq!(stored.header.max_timestamp, Timestamp::NONE);
    }
    let claimed = up(&wrapper(0, 0x08, Some(b"v"))).unwrap_err();
    assert_eq!(claimed, BatchError::Header(HeaderFault::LogAppendTime));
}

#[test]
fn no_byte_of_a_set_makes_anyone_panic_and_none_changes_unnoticed() {
    for magic in [OldMagic::V0, OldMagic::V1] {
        for codec in OLD_CODECS {
            let good = set(magic, codec, &[b"value 1", b"value 2", b"value 3"]);
            let first_size = u32::from_be_bytes(good[8..12].try_into().unwrap()) as usize + 12;
            for byte in 0..good.len() {
                for change in [0x01, 0x10, 0x80, 0xff] {
                    let mut bad = good.clone();
                    bad[byte] ^= change;
                    let _ = MessageSet::of(&bad);
                    // Offsets count for nothing, but for a wrapper's. A longer size may cut the set.
                    let noticed = up(&bad).is_err();
                    assert!(noticed || byte % first_size < 12, "{magic:?} {codec:?} byte {byte}");
                    // Behind a right CRC the parsers get further.
                    if bad[8..12] == good[8..12] {
                        let _ = up(&seal(bad.clone()));
                    }
                    for batch in Batches::new(&bad).flatten() {
                        let mut scratch = Scratch::default();
                        let _ = batch.records(&mut scratch, 1000).map(Iterator::count);
                        let _ = DownConverter::new(OldMagic::V0, Offset(0), 1000).convert(&batch, &mut Vec::new());
                    }
                }
            }
        }
    }
}

/// Key, value, timestamp of a record.
type Plain = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

fn record() -> impl Strategy<Value = Plain> {
    let field =
        || option::of(prop_oneof![vec(any::<u8>(), 0..50), (any::<u8>(), 0..3000usize).prop_map(|(b, n)| vec![b; n])]);
    (field(), field(), prop_oneof![Just(-1), 0..NOW])
}

fn read(set: &[u8]) -> Vec<(i64, Plain)> {
    let mut scratch = Scratch::default();
    let mut all = Vec::new();
    for batch in Batches::new(set) {
        for record in batch.unwrap().records(&mut scratch, 10 << 20).unwrap() {
            let record = record.unwrap();
            let plain = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), record.timestamp.0);
            all.push((record.offset.0, plain));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn up_and_down_again_gives_the_same_records(
        records in vec(record(), 1..40),
        codec in prop::sample::select(OLD_CODECS.to_vec()),
        base in 0..1_000_000i64,
    ) {
        for magic in [OldMagic::V0, OldMagic::V1] {
            let mut builder = MessageSetBuilder::new(magic, plain(codec), None).unwrap();
            for (offset, (key, value, time)) in (0..).zip(&records) {
                builder.append(Offset(offset), Timestamp(*time), key.as_deref(), value.as_deref()).unwrap();
            }
            let mut sent = Vec::new();
            builder.build(&mut Compressor::default(), &mut sent).unwrap();
            prop_assert_eq!(read(&sent).len(), records.len());
            let stored = up_with(&sent, &Limits::default(), &RULES, codec).unwrap();
            let mut bytes = stored.bytes.to_vec();
            let header = ottla_record::BatchHeader { base_offset: Offset(base), ..stored.header };
            header.write(bytes.first_chunk_mut().unwrap());
            let batch = RecordBatch::parse(&bytes).unwrap();
            for reader in [OldMagic::V0, OldMagic::V1] {
                let mut out = Vec::new();
                DownConverter::new(reader, Offset(0), 10 << 20).convert(&batch, &mut out).unwrap();
                let no_time = reader == OldMagic::V0 || magic == OldMagic::V0;
                let expected: Vec<_> = (base..).zip(records.iter().cloned().map(|(key, value, time)| {
                    (key, value, if no_time { -1 } else { time })
                })).collect();
                prop_assert_eq!(read(&out), expected);
            }
        }
    }

    #[test]
    fn another_codec_keeps_the_records_and_their_producer(
        records in vec(record(), 1..40),
        from in prop::sample::select(Codec::ALL.to_vec()),
        to in prop::sample::select(Codec::ALL.to_vec()),
    ) {
        let mut options = ottla_record::BatchOptions { codec: from, ..Default::default() };
        options.producer_id = ottla_types::ProducerId(7);
        options.producer_epoch = ottla_types::ProducerEpoch(3);
        options.base_sequence = ottla_types::Sequence(11);
        let mut builder = ottla_record::BatchBuilder::new(options);
        for (key, value, time) in &records {
            builder.append(Timestamp(*time), key.as_deref(), value.as_deref(), &[]).unwrap();
        }
        let sent = builder.build(&mut Compressor::default()).unwrap();
        let (limits, mut scratch) = (Limits::default(), Scratch::default());
        let made = check_and_recompress(&sent, &limits, &RULES, plain(to), &mut scratch, &mut Compressor::default(), &mut Vec::with_capacity);
        let made = made.unwrap();
        // What comes out passes the check that it went through.
        let checked = check_batch(&made.bytes, &limits, &RULES, &mut scratch).unwrap();
        prop_assert_eq!((checked.header, checked.codec), (made.header, to));
        prop_assert_eq!(read(&made.bytes), read(&sent));
        let before = *RecordBatch::parse(&sent).unwrap().header();
        let same = |header: ottla_record::BatchHeader| (
            header.producer_id, header.producer_epoch, header.base_sequence, header.base_timestamp,
            header.max_timestamp, header.record_count, header.last_offset_delta,
        );
        prop_assert_eq!(same(made.header), same(before));
    }
}
