//! The 61 bytes before the records of a batch of magic 2 (KIP-98), and what its attribute bits mean.
//!
//! Only the layout is known here. Whether a batch is right is decided in `check`; its records are read in `read`.
//!
//! ```text
//! 0  base offset i64      8  batch length i32     12 partition leader epoch i32   16 magic i8
//! 17 crc u32              21 attributes i16       23 last offset delta i32        27 base timestamp i64
//! 35 max timestamp i64    43 producer id i64      51 producer epoch i16           53 base sequence i32
//! 57 record count i32
//! ```
//!
//! The batch length counts what comes behind it. The CRC covers everything from the attributes to the end, so that a
//! leader may write base offset and leader epoch without touching it.

use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::compress::Codec;
use crate::error::BatchError;
use crate::message;

/// The size of the header of a batch of magic 2.
pub const BATCH_HEADER_BYTES: usize = 61;
/// The bytes that the batch length does not count: the base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// Where every format, old and new, has its magic byte.
pub const MAGIC_POSITION: usize = 16;
/// The magic of the format that logs are written in. Magic 0 and 1 are in `message`.
pub const MAGIC: i8 = 2;
/// Where the bytes start that the CRC covers.
pub(crate) const CRC_START: usize = 21;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Who gave a batch its timestamps (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TimestampType {
    /// The producer: each record has its own.
    #[default]
    CreateTime,
    /// The leader at append: every record has the batch's maximum timestamp.
    LogAppendTime,
}

/// The attribute bits of a batch. Bits without a meaning are kept as they came.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Attributes(pub i16);

impl Attributes {
    /// The number of the codec, 0 to 7; [`codec`](Self::codec) knows 0 to 4.
    #[must_use]
    pub const fn codec_id(self) -> u8 {
        (self.0 & CODEC_MASK) as u8
    }

    /// How the records are compressed; [`BatchError::UnknownCodec`] for a number that Kafka does not use.
    pub const fn codec(self) -> Result<Codec, BatchError> {
        match Codec::from_id(self.codec_id()) {
            Some(codec) => Ok(codec),
            None => Err(BatchError::UnknownCodec { id: self.codec_id() }),
        }
    }

    /// The same in magic 0 and 1: zstd came with magic 2 (KIP-110).
    pub(crate) fn codec_of_message(self) -> Result<Codec, BatchError> {
        match self.codec() {
            Ok(Codec::Zstd) => Err(BatchError::UnknownCodec { id: Codec::Zstd as u8 }),
            codec => codec,
        }
    }

    /// Who gave the timestamps.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether the records are markers that the broker wrote, not a client's.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is the time at which the cleaner may drop tombstones and markers (KIP-534).
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// The same bits with another codec.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Self {
        Self((self.0 & !CODEC_MASK) | codec as i16)
    }

    /// The same bits with another timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | LOG_APPEND_TIME),
        }
    }

    /// The same bits with the transaction's bit set or cleared.
    #[must_use]
    pub const fn with_transactional(self, transactional: bool) -> Self {
        if transactional { Self(self.0 | TRANSACTIONAL) } else { Self(self.0 & !TRANSACTIONAL) }
    }

    /// The same bits with that of a delete horizon set or cleared (KIP-534).
    #[must_use]
    pub const fn with_delete_horizon(self, horizon: bool) -> Self {
        if horizon { Self(self.0 | DELETE_HORIZON) } else { Self(self.0 & !DELETE_HORIZON) }
    }

    /// The same bits with that of a broker's own markers set or cleared.
    #[must_use]
    pub const fn with_control(self, control: bool) -> Self {
        if control { Self(self.0 | CONTROL) } else { Self(self.0 & !CONTROL) }
    }
}

/// The header of a batch of magic 2, field by field as it is on the wire and on disk; or what a message of magic 0 or 1
/// has of it ([`BatchHeader::parse_any`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// The format: [`MAGIC`], or 0 or 1 of a batch that was found in a log.
    pub magic: i8,
    /// The offset of the first record (of what was the first before compaction). 0 in a batch that a producer sends. Of a
    /// compressed message of magic 0 or 1 the offset of the *last* record: only the records know where they begin.
    pub base_offset: Offset,
    /// Bytes behind this field: 49 of the header and the records.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch; -1 from a producer.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes to the end.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// Last offset minus base offset. Compaction keeps it, so that it may exceed `record_count - 1` on disk.
    pub last_offset_delta: i32,
    /// What the timestamp of each record is counted from; with a delete horizon, that horizon.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of the records, or the time of the append.
    pub max_timestamp: Timestamp,
    /// The idempotent producer, or [`ProducerId::NONE`].
    pub producer_id: ProducerId,
    /// Its epoch, or [`ProducerEpoch::NONE`].
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record, or [`Sequence::NONE`].
    pub base_sequence: Sequence,
    /// The number of records that follow; 0 of a compressed message of magic 0 or 1, which does not say.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may hold more.
    ///
    /// Refuses fewer than 61 bytes, another magic and a batch length that does not cover the header; nothing else is
    /// looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let magic = bytes.get(MAGIC_POSITION).map(|magic| *magic as i8);
        match magic {
            Some(MAGIC) | None => {}
            Some(magic @ 0..MAGIC) => return Err(BatchError::OldFormat { magic }),
            Some(magic) => return Err(BatchError::UnknownMagic { magic }),
        }
        let Some(header) = bytes.first_chunk::<BATCH_HEADER_BYTES>() else {
            return Err(BatchError::Truncated { bytes: bytes.len(), expected: BATCH_HEADER_BYTES });
        };
        let parsed = Self {
            magic: MAGIC,
            base_offset: Offset(i64::from_be_bytes(field(header, 0))),
            batch_length: i32::from_be_bytes(field(header, 8)),
            partition_leader_epoch: LeaderEpoch(i32::from_be_bytes(field(header, 12))),
            crc: u32::from_be_bytes(field(header, 17)),
            attributes: Attributes(i16::from_be_bytes(field(header, CRC_START))),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(header, 27))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(header, 35))),
            producer_id: ProducerId(i64::from_be_bytes(field(header, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(header, 51))),
            base_sequence: Sequence(i32::from_be_bytes(field(header, 53))),
            record_count: i32::from_be_bytes(field(header, 57)),
        };
        if parsed.batch_length < (BATCH_HEADER_BYTES - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length { batch_length: parsed.batch_length });
        }
        Ok(parsed)
    }

    /// Reads what stands at the start of `bytes` in a log: the header of a batch, or a message of magic 0 or 1 in its
    /// stead, whose header is then filled in with what it says; it has one offset, no epoch and no producer.
    pub fn parse_any(bytes: &[u8]) -> Result<Self, BatchError> {
        match bytes.get(MAGIC_POSITION) {
            Some(0 | 1) => message::header(bytes),
            _ => Self::parse(bytes),
        }
    }

    /// Whether it is of the format that is written. The others are read only.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.magic == MAGIC
    }

    /// Writes every field, the CRC as it stands.
    pub fn write(&self, out: &mut [u8; BATCH_HEADER_BYTES]) {
        assert_eq!(self.magic, MAGIC, "old formats are never written with this header");
        out[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.partition_leader_epoch.0.to_be_bytes());
        out[16] = MAGIC as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.0.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// [`write`](Self::write) into an array of its own.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut out = [0; BATCH_HEADER_BYTES];
        self.write(&mut out);
        out
    }

    /// The size of the whole batch, header included. A parsed header's length is never negative.
    #[must_use]
    pub const fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// The offset of the last record. Wraps on a header that no check has seen.
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.wrapping_add(self.last_offset_delta as i64))
    }

    /// The first offset behind the batch.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// The sequence of the last record; [`Sequence::NONE`] without an idempotent producer.
    #[must_use]
    pub const fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 { Sequence::NONE } else { self.base_sequence.plus(self.last_offset_delta) }
    }

    /// Whether an idempotent producer wrote the batch.
    #[must_use]
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id.0 > ProducerId::NONE.0
    }

    /// How the records are compressed.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        if self.magic < MAGIC { self.attributes.codec_of_message() } else { self.attributes.codec() }
    }

    /// The time from which the cleaner may drop the batch's tombstones or its marker (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }
}

/// The `N` bytes at `start`; the positions above are constants within 61.
fn field<const N: usize>(header: &[u8; BATCH_HEADER_BYTES], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[start..start + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            magic: MAGIC,
            base_offset: Offset(0x0102_0304_0506_0708),
            batch_length: 0x1112_1314,
            partition_leader_epoch: LeaderEpoch(0x2122_2324),
            crc: 0xf1f2_f3f4,
            attributes: Attributes(0x3132),
            last_offset_delta: 0x4142_4344,
            base_timestamp: Timestamp(0x5152_5354_5556_5758),
            max_timestamp: Timestamp(0x6162_6364_6566_6768),
            producer_id: ProducerId(0x7172_7374_7576_7778),
            producer_epoch: ProducerEpoch(0x0a0b),
            base_sequence: Sequence(0x1a1b_1c1d),
            record_count: 0x2a2b_2c2d,
        }
    }

    #[test]
    fn every_field_has_its_place() {
        let bytes = header().to_bytes();
        let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let expected = "0102030405060708111213142122232402f1f2f3f431324142434451525354555657586162636465666768\
                        71727374757677780a0b1a1b1c1d2a2b2c2d";
        assert_eq!(text, expected);
        assert_eq!(BatchHeader::parse(&bytes), Ok(header()));
    }

    #[test]
    fn attribute_bits_have_their_meaning_and_others_stay() {
        let unknown = Attributes(0x7f80);
        assert_eq!(unknown.codec(), Ok(Codec::None));
        assert!(!unknown.is_transactional() && !unknown.is_control() && !unknown.has_delete_horizon());
        assert_eq!(unknown.timestamp_type(), TimestampType::CreateTime);
        let set =
            unknown.with_codec(Codec::Zstd).with_timestamp_type(TimestampType::LogAppendTime).with_transactional(true);
        assert_eq!(set.0, 0x7f80 | 0x04 | 0x08 | 0x10);
        assert_eq!(
            set.with_codec(Codec::None).with_timestamp_type(TimestampType::CreateTime).with_transactional(false),
            unknown
        );
        assert!(Attributes(0x20).is_control());
        assert!(Attributes(0x40).has_delete_horizon());
        for id in 5..8 {
            assert_eq!(Attributes(id).codec(), Err(BatchError::UnknownCodec { id: id as u8 }));
        }
    }

    #[test]
    fn ends_are_counted_from_the_base() {
        let h = BatchHeader { base_offset: Offset(10), last_offset_delta: 4, batch_length: 100, ..header() };
        assert_eq!((h.last_offset(), h.next_offset(), h.size_in_bytes()), (Offset(14), Offset(15), 112));
        assert_eq!(BatchHeader { base_sequence: Sequence(i32::MAX), ..h }.last_sequence(), Sequence(3));
        assert_eq!(BatchHeader { base_sequence: Sequence::NONE, ..h }.last_sequence(), Sequence::NONE);
    }

    #[test]
    fn refuses_what_is_no_header_of_magic_2() {
        let good = header().to_bytes();
        for end in 0..BATCH_HEADER_BYTES {
            assert_eq!(
                BatchHeader::parse(&good[..end]),
                Err(BatchError::Truncated { bytes: end, expected: BATCH_HEADER_BYTES })
            );
        }
        for (magic, error) in [
            (0, BatchError::OldFormat { magic: 0 }),
            (1, BatchError::OldFormat { magic: 1 }),
            (3, BatchError::UnknownMagic { magic: 3 }),
            (0xff, BatchError::UnknownMagic { magic: -1 }),
        ] {
            let mut bytes = good;
            bytes[MAGIC_POSITION] = magic;
            assert_eq!(BatchHeader::parse(&bytes), Err(error));
        }
        for batch_length in [i32::MIN, -1, 0, 48] {
            let bytes = BatchHeader { batch_length, ..header() }.to_bytes();
            assert_eq!(BatchHeader::parse(&bytes), Err(BatchError::Length { batch_length }));
        }
    }
}
