//! Records that blow up when they are opened, in every codec; payloads that announce what they do not hold; wrappers
//! within wrappers.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ottla_record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, BatchOptions, Codec, Compressor, MessageSetBuilder, OldMagic,
    Packing,
};
use ottla_types::{Offset, Timestamp};

/// The codecs that compress.
pub const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// Those that message sets of magic 0 and 1 have.
pub const OLD_CODECS: [Codec; 3] = [Codec::Gzip, Codec::Snappy, Codec::Lz4];

/// What the Java library puts before its blocks of snappy: magic, version, the version it is compatible with.
const XERIAL: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Where the attributes of an old message are, and where what its checksum covers begins.
const OLD_ATTRIBUTES: usize = 17;
const OLD_CRC: std::ops::Range<usize> = 12..16;

/// A batch with one record of `bytes` zeros.
#[must_use]
pub fn one_record(codec: Codec, bytes: usize, now: Timestamp) -> Bytes {
    let mut builder = builder(codec);
    builder.append(now, None, Some(&vec![0; bytes]), &[]).expect("within two gigabytes");
    builder.build(&mut Compressor::default()).expect("a batch with a record")
}

/// A batch of `count` records with nothing in them.
#[must_use]
pub fn many_records(codec: Codec, count: usize, now: Timestamp) -> Bytes {
    let mut builder = builder(codec);
    for _ in 0..count {
        builder.append(now, None, Some(&[]), &[]).expect("within two gigabytes");
    }
    builder.build(&mut Compressor::default()).expect("a batch with records")
}

fn builder(codec: Codec) -> BatchBuilder {
    BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() })
}

/// Batches whose payload announces gigabytes and holds a few bytes, each with what it is.
#[must_use]
pub fn boasts(now: Timestamp) -> Vec<(&'static str, Bytes)> {
    let of = |codec, payload: &[u8]| with_payload(codec, payload, now);
    let xerial = |length: [u8; 4], block: &[u8]| [XERIAL, &length, block].concat();
    vec![
        ("a raw snappy block of 4 GiB", of(Codec::Snappy, b"\xff\xff\xff\xff\x0f\0a")),
        ("a snappy block of 4 GiB in the Java library's frame", {
            of(Codec::Snappy, &xerial([0, 0, 0, 7], b"\xff\xff\xff\xff\x0f\0a"))
        }),
        ("a snappy block that is 2 GiB long", of(Codec::Snappy, &xerial([0x7f, 0xff, 0xff, 0xff], b"\x01\0a"))),
        ("a snappy block of a negative length", of(Codec::Snappy, &xerial([0xff, 0xff, 0xff, 0xff], b"\x01\0a"))),
        ("an lz4 frame of 8 EiB", of(Codec::Lz4, b"\x04\x22\x4d\x18\x68\x70\xff\xff\xff\xff\xff\xff\xff\x7f\0")),
        ("an lz4 block of 2 GiB", of(Codec::Lz4, b"\x04\x22\x4d\x18\x60\x70\x73\xff\xff\xff\x7fa")),
        ("a zstd frame of 16 EiB", of(Codec::Zstd, b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0")),
        ("a zstd window of 2 TiB", of(Codec::Zstd, b"\x28\xb5\x2f\xfd\0\xf8\x01\0\0")),
        ("a gzip stream without an end", of(Codec::Gzip, b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
    ]
}

/// A batch of one record, by its header, with `payload` for its records.
fn with_payload(codec: Codec, payload: &[u8], now: Timestamp) -> Bytes {
    let sound = one_record(Codec::None, 1, now);
    let mut header = BatchHeader::parse(&sound).expect("just built");
    header.attributes = header.attributes.with_codec(codec);
    header.batch_length += i32::try_from(payload.len()).expect("small");
    header.batch_length -= i32::try_from(sound.len() - BATCH_HEADER_BYTES).expect("small");
    let mut batch = [&header.to_bytes()[..], payload].concat();
    header.crc = crc_fast::crc32_iscsi(&batch[21..]);
    batch[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    batch.into()
}

/// A message set with one record of `bytes` zeros in a wrapper.
#[must_use]
pub fn old_record(magic: OldMagic, codec: Codec, bytes: usize) -> Bytes {
    set(magic, codec, &vec![0; bytes])
}

/// A wrapper in a wrapper, and so on, `depth` of them, around a record of `bytes` zeros. All in gzip.
#[must_use]
pub fn nested(magic: OldMagic, depth: usize, bytes: usize) -> Bytes {
    let mut inner = set(magic, Codec::None, &vec![0; bytes]).to_vec();
    for _ in 0..depth {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&inner).expect("into memory");
        inner = set(magic, Codec::None, &encoder.finish().expect("into memory")).to_vec();
        inner[OLD_ATTRIBUTES] |= Codec::Gzip as u8;
        let crc = crc_fast::crc32_iso_hdlc(&inner[OLD_CRC.end..]);
        inner[OLD_CRC].copy_from_slice(&crc.to_be_bytes());
    }
    inner.into()
}

fn set(magic: OldMagic, codec: Codec, value: &[u8]) -> Bytes {
    let mut builder = MessageSetBuilder::new(magic, Packing { codec, level: None }, None).expect("no zstd");
    builder.append(Offset::ZERO, Timestamp(1), None, Some(value)).expect("within two gigabytes");
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).expect("within two gigabytes");
    out.into()
}

#[cfg(test)]
mod tests {
    use ottla_record::{BatchError, Limits, Rules, Scratch, TimestampRule, check_batch, convert_up};

    use super::*;

    const LIMITS: Limits = Limits { batch_bytes_max: 1 << 20, records_bytes_max: 1 << 20 };
    const NOW: Timestamp = Timestamp(1 << 40);

    fn rules() -> Rules {
        let timestamps = TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: i64::MAX };
        Rules { timestamps, compacted: false }
    }

    fn checked(batch: &Bytes) -> Result<(), BatchError> {
        check_batch(batch, &LIMITS, &rules(), &mut Scratch::default()).map(drop)
    }

    #[test]
    fn a_bomb_is_small_and_refused_and_what_is_just_within_the_limit_is_not() {
        for codec in CODECS {
            let bomb = one_record(codec, 3 << 20, NOW);
            assert!(bomb.len() < 200_000, "{codec:?}");
            checked(&bomb).expect_err("more than the limit");
            checked(&one_record(codec, (1 << 20) - 100, NOW)).expect("within the limit");
            checked(&many_records(codec, 100_000, NOW)).expect("within the limit");
            checked(&many_records(codec, 200_000, NOW)).expect_err("more than the limit");
        }
    }

    #[test]
    fn what_boasts_is_refused() {
        for (what, batch) in boasts(NOW) {
            checked(&batch).expect_err(what);
        }
    }

    #[test]
    fn wrappers_are_opened_once() {
        let convert = |set: &[u8]| {
            let (mut scratch, mut compressor) = (Scratch::default(), Compressor::default());
            let packing = Packing::default();
            convert_up(set, &LIMITS, &rules(), packing, &mut scratch, &mut compressor, &mut Vec::with_capacity)
                .map(drop)
        };
        for magic in [OldMagic::V0, OldMagic::V1] {
            convert(&nested(magic, 1, 100)).expect("a wrapper");
            for depth in [2, 3, 20] {
                convert(&nested(magic, depth, 100)).expect_err("a wrapper in a wrapper");
            }
            convert(&nested(magic, 1, 3 << 20)).expect_err("a bomb");
            for codec in OLD_CODECS {
                convert(&old_record(magic, codec, 1000)).expect("a wrapper");
                convert(&old_record(magic, codec, 3 << 20)).expect_err("a bomb");
            }
        }
    }
}
