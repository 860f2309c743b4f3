//! Record batches of every format: cut, checked, read, decompressed, converted.
//!
//! The first byte says what is done with the rest. Few random bytes have the right checksum, so that it is put right
//! where that is asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchOptions, Batches, Codec, Compressor, DownConverter, Limits, MAGIC_POSITION,
    MessageSet, OldMagic, Packing, RecordBatch, Rules, Scratch, TimestampRule, check_and_recompress, check_batch,
    convert_up, single_batch,
};
use ottla_types::{Offset, Timestamp};

const RECORDS_BYTES_MAX: usize = 1 << 20;
const LIMITS: Limits = Limits { batch_bytes_max: 1 << 20, records_bytes_max: RECORDS_BYTES_MAX };
const RULES: Rules = Rules {
    timestamps: TimestampRule::CreateTime { now: Timestamp(1 << 40), before_max_ms: i64::MAX, after_max_ms: i64::MAX },
    compacted: false,
};

fuzz_target!(|bytes: &[u8]| {
    let [how, rest @ ..] = bytes else { return };
    let mut bytes = rest.to_vec();
    if how & 1 == 1 {
        put_right(&mut bytes);
    }
    match how >> 1 & 7 {
        0 => as_a_log(&bytes),
        1 => as_a_request(&bytes),
        2 => as_an_old_request(&bytes),
        3 => recompressed(&bytes),
        _ => damaged(rest),
    }
});

/// A sound batch in one of the codecs, a few bytes of it exchanged: what random bytes alone never become.
fn damaged(bytes: &[u8]) {
    let [codec, edits, rest @ ..] = bytes else { return };
    let Some((edits, value)) = rest.split_at_checked(usize::from(*edits % 8) * 3) else { return };
    let codec = Codec::ALL[usize::from(*codec) % Codec::ALL.len()];
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    for (at, value) in value.chunks(50).enumerate() {
        builder.append(Timestamp(at as i64), None, Some(value), &[]).expect("inputs are small");
    }
    let Ok(batch) = builder.build(&mut Compressor::default()) else { return };
    let mut batch = batch.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % batch.len();
        batch[at] = edit[2];
    }
    put_right(&mut batch);
    as_a_log(&batch);
    as_a_request(&batch);
}

/// Gives what looks like one batch its length and its checksum.
fn put_right(bytes: &mut [u8]) {
    if bytes.len() < BATCH_HEADER_BYTES {
        return;
    }
    let length = u32::try_from(bytes.len() - 12).expect("inputs are small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    if bytes[MAGIC_POSITION] == 2 {
        let crc = crc_fast::crc32_iscsi(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    } else {
        let crc = crc_fast::crc32_iso_hdlc(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    }
}

fn as_a_log(bytes: &[u8]) {
    let mut down = DownConverter::new(OldMagic::V1, Offset::ZERO, RECORDS_BYTES_MAX);
    for batch in Batches::new(bytes).flatten() {
        let _ = batch.check_crc();
        walk(&batch);
        let mut out = Vec::new();
        let _ = down.convert(&batch, &mut out);
    }
}

fn walk(batch: &RecordBatch<'_>) {
    let mut scratch = Scratch::default();
    if let Ok(records) = batch.records(&mut scratch, RECORDS_BYTES_MAX) {
        for record in records.flatten() {
            std::hint::black_box(record.headers.into_iter().count());
        }
    }
    let mut out = Vec::new();
    let _ = batch.decompress(&mut scratch, RECORDS_BYTES_MAX, &mut out);
    assert!(out.len() <= RECORDS_BYTES_MAX);
}

fn as_a_request(bytes: &[u8]) {
    let Ok(batch) = single_batch(bytes) else { return };
    let mut scratch = Scratch::default();
    let Ok(checked) = check_batch(batch, &LIMITS, &RULES, &mut scratch) else { return };
    // What a leader takes, every reader can read.
    let parsed = RecordBatch::parse(batch).expect("a batch that was checked");
    let records = parsed.records(&mut scratch, RECORDS_BYTES_MAX).expect("records that were checked");
    let read = records.map(|record| record.expect("a record that was checked")).count();
    assert_eq!(i32::try_from(read), Ok(checked.header.record_count));
}

fn as_an_old_request(bytes: &[u8]) {
    if let Ok(MessageSet::Old(_)) = MessageSet::of(bytes) {
        let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
        let converted = convert_up(bytes, &LIMITS, &RULES, Packing::default(), &mut scratch, &mut compressor);
        if let Ok(converted) = converted {
            check_batch(&converted.bytes, &LIMITS, &RULES, &mut scratch).expect("what was converted is sound");
        }
    }
}

fn recompressed(bytes: &[u8]) {
    let Ok(batch) = single_batch(bytes) else { return };
    let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
    let packing = Packing::default();
    let converted = check_and_recompress(batch, &LIMITS, &RULES, packing, &mut scratch, &mut compressor);
    if let Ok(converted) = converted {
        check_batch(&converted.bytes, &LIMITS, &RULES, &mut scratch).expect("what was recompressed is sound");
    }
}
