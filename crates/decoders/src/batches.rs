//! Record batches of every format and codec, message sets before them, and the codecs alone.
//!
//! Few random bytes have the right checksum, so that it is put right.

use ottla_record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchOptions, Batches, Codec, Compressor, DownConverter, Limits, MAGIC_POSITION,
    MessageSet, MessageSetBuilder, OldMagic, Packing, RecordBatch, Rules, Scratch, TimestampRule, check_and_recompress,
    check_batch, convert_up, decompress, single_batch,
};
use ottla_types::{Offset, Timestamp};

use crate::{Decoder, crc32c, file_of, folder_of};

const RECORDS_BYTES_MAX: usize = 1 << 20;
const LIMITS: Limits = Limits { batch_bytes_max: 1 << 20, records_bytes_max: RECORDS_BYTES_MAX };
const RULES: Rules = Rules {
    timestamps: TimestampRule::CreateTime { now: Timestamp(1 << 40), before_max_ms: i64::MAX, after_max_ms: i64::MAX },
    compacted: false,
};
/// A zstd frame may ask for a window of 128 MiB; the `record` crate's `zstd.rs` says why it gets that.
const ZSTD_MIB_MAX: usize = 160;
/// How many bytes a changed byte takes in an input: where, and what it becomes.
const EDIT_BYTES: usize = 3;
/// Where the attributes of a batch of magic 2 are.
const ATTRIBUTES: usize = 22;

pub(crate) fn decoders() -> Vec<Decoder> {
    let mut all = vec![
        Decoder::new("gzip", codec::<1>, seeds_of_codec::<1>),
        Decoder::new("snappy", codec::<2>, seeds_of_snappy),
        Decoder::new("lz4", codec::<3>, seeds_of_codec::<3>),
        Decoder::new("zstd", codec::<4>, seeds_of_codec::<4>),
        Decoder::new("batch-any", any, seeds_of_any),
        Decoder::new("batch-0-none", old::<0, 0>, seeds_of_edits),
        Decoder::new("batch-0-gzip", old::<0, 1>, seeds_of_edits),
        Decoder::new("batch-0-snappy", old::<0, 2>, seeds_of_edits),
        Decoder::new("batch-0-lz4", old::<0, 3>, seeds_of_edits),
        Decoder::new("batch-1-none", old::<1, 0>, seeds_of_edits),
        Decoder::new("batch-1-gzip", old::<1, 1>, seeds_of_edits),
        Decoder::new("batch-1-snappy", old::<1, 2>, seeds_of_edits),
        Decoder::new("batch-1-lz4", old::<1, 3>, seeds_of_edits),
        Decoder::new("batch-2-none", current::<0>, seeds_of_edits),
        Decoder::new("batch-2-gzip", current::<1>, seeds_of_edits),
        Decoder::new("batch-2-snappy", current::<2>, seeds_of_edits),
        Decoder::new("batch-2-lz4", current::<3>, seeds_of_edits),
        Decoder::new("batch-2-zstd", current::<4>, seeds_of_edits),
    ];
    for decoder in &mut all {
        if decoder.name.starts_with("batch") || decoder.name == "zstd" {
            decoder.allocation_mib_max = ZSTD_MIB_MAX;
        }
        decoder.input_bytes_max = 8192;
    }
    all
}

fn codec_of(id: u8) -> Codec {
    Codec::from_id(id).expect("the table above has codecs that exist")
}

/// A codec alone: what it yields is within the limit.
fn codec<const CODEC: u8>(bytes: &[u8]) {
    if let Ok(content) = decompress(codec_of(CODEC), bytes, RECORDS_BYTES_MAX) {
        assert!(content.len() <= RECORDS_BYTES_MAX);
    }
}

/// What other encoders made of some records; those that are short.
fn seeds_of_codec<const CODEC: u8>() -> Vec<Vec<u8>> {
    let name = codec_of(CODEC).name();
    let entries = std::fs::read_dir(folder_of("record").join("vectors/frames")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(name)));
    paths.sort();
    let mut seeds: Vec<_> = paths.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    seeds.retain(|seed| seed.len() < 8192);
    seeds
}

/// The frame of the Java library with one block, and that block alone.
fn seeds_of_snappy() -> Vec<Vec<u8>> {
    let block = b"\x04\x0ctext";
    vec![[&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x06"[..], block].concat(), block.to_vec()]
}

/// Bytes as they are, with the length and the checksum of one batch if the first byte is odd.
fn any(bytes: &[u8]) {
    let [how, rest @ ..] = bytes else { return };
    let mut bytes = rest.to_vec();
    if how & 1 == 1 {
        put_right(&mut bytes);
    }
    everything(&bytes);
}

fn seeds_of_any() -> Vec<Vec<u8>> {
    let vectors = ["none", "transaction", "old/magic0-none", "old/magic1-none"];
    let files = vectors.iter().filter_map(|name| file_of("record", &format!("vectors/{name}.log")));
    files.map(|file| [&[0], &file[..file.len().min(8000)]].concat()).collect()
}

/// A sound batch, a few bytes of it exchanged; or, if the first byte is odd, its header before records that the input
/// has in their compressed form.
fn current<const CODEC: u8>(bytes: &[u8]) {
    let [how, rest @ ..] = bytes else { return };
    let codec = codec_of(CODEC);
    let mut batch;
    if how & 1 == 1 {
        let [records, payload @ ..] = rest else { return };
        batch = built(codec, (0..=*records).map(|_| &b"v"[..]));
        batch.truncate(BATCH_HEADER_BYTES);
        batch.extend(payload);
    } else {
        let Some((edits, values)) = edits_of(rest) else { return };
        batch = built(codec, values.chunks(50));
        edit(&mut batch, edits);
        if batch.len() > ATTRIBUTES {
            batch[ATTRIBUTES] = batch[ATTRIBUTES] & !7 | CODEC;
        }
    }
    put_right(&mut batch);
    everything(&batch);
}

/// The same for a message set of an old format, of which the first message is put right.
fn old<const MAGIC: u8, const CODEC: u8>(bytes: &[u8]) {
    let Some((edits, values)) = bytes.get(1..).and_then(edits_of) else { return };
    let magic = if MAGIC == 0 { OldMagic::V0 } else { OldMagic::V1 };
    let packing = Packing { codec: codec_of(CODEC), level: None };
    let mut builder = MessageSetBuilder::new(magic, packing, None).expect("these formats have the codec");
    for (at, value) in (0i64..).zip(values.chunks(50)) {
        builder.append(Offset(at), Timestamp(at), None, Some(value)).expect("inputs are small");
    }
    let mut set = Vec::new();
    builder.build(&mut Compressor::default(), &mut set).expect("inputs are small");
    edit(&mut set, edits);
    if bytes[0] & 1 == 0 {
        put_right(&mut set);
    }
    everything(&set);
}

/// Changes to make, and what is behind them.
fn edits_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [edits, rest @ ..] = bytes else { return None };
    rest.split_at_checked(usize::from(*edits % 8) * EDIT_BYTES)
}

fn edit(bytes: &mut [u8], edits: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    for edit in edits.chunks_exact(EDIT_BYTES) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2];
    }
}

fn seeds_of_edits() -> Vec<Vec<u8>> {
    let text = b"some text, some text, some text, and that is longer than a single record is.".repeat(3);
    let edits = [0u8, 30, 9, 0, 61, 200];
    let with = |how: u8, count: u8| [&[how, count][..], &edits[..usize::from(count) * EDIT_BYTES], &text].concat();
    let records = [&[1, 0][..], b"\x0e\0\0\0\x01\x02v\0"].concat();
    vec![with(0, 0), with(0, 1), with(0, 2), records]
}

fn built<'v>(codec: Codec, values: impl Iterator<Item = &'v [u8]>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    for (at, value) in (0i64..).zip(values) {
        builder.append(Timestamp(at), None, Some(value), &[]).expect("inputs are small");
    }
    builder.build(&mut Compressor::default()).map(|batch| batch.to_vec()).unwrap_or_default()
}

/// Gives what looks like one batch its length and its checksum.
pub(crate) fn put_right(bytes: &mut [u8]) {
    if bytes.len() <= MAGIC_POSITION {
        return;
    }
    let length = u32::try_from(bytes.len() - 12).expect("inputs are small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    sum_up(bytes);
}

/// Gives one batch its checksum.
pub(crate) fn sum_up(bytes: &mut [u8]) {
    let place = match bytes.get(MAGIC_POSITION) {
        Some(2) => 17..21,
        _ => 12..16,
    };
    if bytes.len() < place.end {
        return;
    }
    let summed = &bytes[place.end..];
    let crc = if place.end == 21 { crc32c(summed) } else { crc_fast::crc32_iso_hdlc(summed) };
    bytes[place].copy_from_slice(&crc.to_be_bytes());
}

/// All that is done with batches anywhere.
fn everything(bytes: &[u8]) {
    as_a_log(bytes);
    as_a_request(bytes);
    as_an_old_request(bytes);
    recompressed(bytes);
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
            std::hint::black_box(record.headers.count());
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
    let read: Result<Vec<_>, _> = records.collect();
    let read = read.expect("records that were checked").len();
    assert_eq!(i32::try_from(read), Ok(checked.header.record_count));
}

fn as_an_old_request(bytes: &[u8]) {
    if let Ok(MessageSet::Old(_)) = MessageSet::of(bytes) {
        let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
        let converted = convert_up(
            bytes,
            &LIMITS,
            &RULES,
            Packing::default(),
            &mut scratch,
            &mut compressor,
            &mut Vec::with_capacity,
        );
        if let Ok(converted) = converted {
            check_batch(&converted.bytes, &LIMITS, &RULES, &mut scratch).expect("what was converted is sound");
        }
    }
}

fn recompressed(bytes: &[u8]) {
    let Ok(batch) = single_batch(bytes) else { return };
    let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
    let packing = Packing::default();
    let converted =
        check_and_recompress(batch, &LIMITS, &RULES, packing, &mut scratch, &mut compressor, &mut Vec::with_capacity);
    if let Ok(converted) = converted {
        check_batch(&converted.bytes, &LIMITS, &RULES, &mut scratch).expect("what was recompressed is sound");
    }
}
