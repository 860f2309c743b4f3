//! What several tests share: batches with a right CRC around whatever bytes a test wants.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "this is test code, though not within a test function")]

use ottla_record::{
    Attributes, BATCH_HEADER_BYTES, BatchBuilder, BatchError, BatchHeader, BatchOptions, CheckedBatch, Codec,
    Compressor, LOG_OVERHEAD, Limits, MAGIC, Rules, Scratch, TimestampRule, check_batch,
};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// The time that tests live at.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A topic with Kafka's defaults, but for the bound on future timestamps.
pub(crate) const RULES: Rules = Rules {
    timestamps: TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: i64::MAX },
    compacted: false,
};

/// Checks with default limits and rules.
pub(crate) fn check(bytes: &[u8]) -> Result<CheckedBatch, BatchError> {
    check_batch(bytes, &Limits::default(), &RULES, &mut Scratch::default())
}

/// The header that a plain producer puts before `record_count` records.
pub(crate) fn header(record_count: i32) -> BatchHeader {
    BatchHeader {
        magic: MAGIC,
        base_offset: Offset(0),
        batch_length: 0,
        partition_leader_epoch: LeaderEpoch(-1),
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: record_count.wrapping_sub(1),
        base_timestamp: NOW,
        max_timestamp: NOW,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count,
    }
}

/// A batch of `header` and `payload`, with length and CRC made right.
pub(crate) fn seal(mut header: BatchHeader, payload: &[u8]) -> Vec<u8> {
    header.batch_length = (BATCH_HEADER_BYTES - LOG_OVERHEAD + payload.len()) as i32;
    let mut bytes = [&header.to_bytes()[..], payload].concat();
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// A batch whose payload is said to be compressed by `codec`.
pub(crate) fn seal_compressed(codec: Codec, record_count: i32, payload: &[u8]) -> Vec<u8> {
    let header = header(record_count);
    seal(BatchHeader { attributes: header.attributes.with_codec(codec), ..header }, payload)
}

/// Options that differ from the default in the codec.
pub(crate) fn options(codec: Codec) -> BatchOptions {
    BatchOptions { codec, ..BatchOptions::default() }
}

/// A batch of records without keys and headers.
pub(crate) fn batch<V: AsRef<[u8]>>(codec: Codec, values: &[V]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options(codec));
    for value in values {
        builder.append(NOW, None, Some(value.as_ref()), &[]).unwrap();
    }
    builder.build(&mut Compressor::default()).unwrap().to_vec()
}

/// What `codec` makes of `payload`, by way of libraries where those are the obvious choice.
pub(crate) fn compress(codec: Codec, payload: &[u8]) -> Vec<u8> {
    use std::io::Write;
    match codec {
        Codec::None => payload.to_vec(),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(payload).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(payload).unwrap(),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(payload).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(payload, 3).unwrap(),
    }
}
