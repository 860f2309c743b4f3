//! One message of magic 0 or 1, the formats before batches (KIP-32 made magic 1), as bytes and as parts.
//!
//! ```text
//! 0  offset i64    8  size i32    12 crc u32    16 magic i8    17 attributes i8    [18 timestamp i64, magic 1]
//!    key length i32, key    value length i32, value        (a length of -1 is null)
//! ```
//!
//! The size counts what comes behind it; the CRC-32 (that of zip, not Castagnoli) covers everything behind itself. A
//! message set is messages one behind the other. Compressed, they are the value of one more message, the *wrapper*,
//! whose offset is that of the last message in it. Within, messages of magic 0 have their offsets; those of magic 1
//! count theirs from the first one, so that a leader need not write them anew.
//!
//! Not here: who reads messages as records (`read`, `old_records`), who builds sets (`message_set`).

use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::compress::Codec;
use crate::error::{BatchError, FramingFault};
use crate::header::{Attributes, BatchHeader, LOG_OVERHEAD, TimestampType};

/// The format without timestamps.
pub(crate) const MAGIC_0: i8 = 0;
/// The format with timestamps (KIP-32).
pub(crate) const MAGIC_1: i8 = 1;

/// Where the bytes start that the CRC covers.
const CRC_START: usize = 16;
/// Where the timestamp or, in magic 0, the key's length starts.
const TIMESTAMP_POSITION: usize = 18;
/// What the attributes of a message may say: codec and timestamp type. Other bits have another meaning in a batch.
const ATTRIBUTES_MASK: u8 = 0x0f;

/// The size of a message without key and value, from its offset on.
pub(crate) const fn overhead(magic: i8) -> usize {
    TIMESTAMP_POSITION + if magic == MAGIC_0 { 0 } else { 8 } + 4 + 4
}

/// A whole message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) offset: Offset,
    pub(crate) magic: i8,
    /// Bits without a meaning are not shown.
    pub(crate) attributes: Attributes,
    /// [`Timestamp::NONE`] in magic 0.
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// All of it, its offset first.
    pub(crate) bytes: &'a [u8],
}

/// A message of magic 0 or 1 as its own frame: each has a CRC, within a wrapper too, which only tools look at.
#[derive(Clone, Copy, Debug)]
pub struct OldMessage<'a> {
    /// All of it, its offset first.
    pub(crate) bytes: &'a [u8],
}

impl OldMessage<'_> {
    /// The CRC-32 that it has.
    #[must_use]
    pub fn crc(&self) -> u32 {
        let stored = self.bytes[LOG_OVERHEAD..].first_chunk().expect("a message that was taken apart has its CRC");
        u32::from_be_bytes(*stored)
    }

    /// Whether that is the CRC of its bytes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        check_crc(self.bytes).is_ok()
    }
}

/// What the start of a message set is.
pub(crate) enum Next<'a> {
    /// A message.
    Message(Message<'a>),
    /// The set ends, or it ends within a message, as brokers cut what they send.
    End,
}

impl<'a> Message<'a> {
    /// The message at the start of `set`, which holds messages of magic 0 and 1 only.
    pub(crate) fn next(set: &'a [u8]) -> Result<Next<'a>, FramingFault> {
        let Some(overhead_bytes) = set.first_chunk::<LOG_OVERHEAD>() else { return Ok(Next::End) };
        let [.., a, b, c, d] = *overhead_bytes;
        let size = i32::from_be_bytes([a, b, c, d]);
        if size < (overhead(MAGIC_0) - LOG_OVERHEAD) as i32 {
            return Err(FramingFault::Length);
        }
        match set.get(..LOG_OVERHEAD + size as usize) {
            Some(bytes) => Self::parse(bytes).map(Next::Message),
            None => Ok(Next::End),
        }
    }

    /// Takes a message apart; `bytes` is all of it and nothing else.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FramingFault> {
        let magic = *bytes.get(CRC_START).ok_or(FramingFault::Length)? as i8;
        if magic != MAGIC_0 && magic != MAGIC_1 {
            return Err(FramingFault::Magic(magic));
        }
        if bytes.len() < overhead(magic) {
            return Err(FramingFault::Length);
        }
        let attributes = attributes(bytes);
        let mut at = TIMESTAMP_POSITION;
        let timestamp = match magic {
            MAGIC_0 => Timestamp::NONE,
            _ => Timestamp(i64::from_be_bytes(array(bytes, &mut at).ok_or(FramingFault::Length)?)),
        };
        let key = field(bytes, &mut at)?;
        let value = field(bytes, &mut at)?;
        if at != bytes.len() {
            return Err(FramingFault::Length);
        }
        let offset = Offset(i64::from_be_bytes(array(bytes, &mut 0).ok_or(FramingFault::Length)?));
        Ok(Self { offset, magic, attributes, timestamp, key, value, bytes })
    }

    /// Whether it holds compressed messages rather than being a record.
    pub(crate) const fn is_wrapper(&self) -> bool {
        self.attributes.codec_id() != 0
    }
}

/// Whether the CRC of the message that `bytes` is matches; if not, what is stored and what it should be.
pub(crate) fn check_crc(bytes: &[u8]) -> Result<(), BatchError> {
    let mut at = LOG_OVERHEAD;
    let (Some(stored), Some(covered)) = (array(bytes, &mut at), bytes.get(CRC_START..)) else {
        return Err(BatchError::Truncated { bytes: bytes.len(), expected: overhead(MAGIC_0) });
    };
    let (stored, computed) = (u32::from_be_bytes(stored), crc32(covered));
    if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
}

/// CRC-32 as zip has it, the checksum of old messages. Of the two libraries this one is four times as fast on a hundred
/// bytes, and no slower on many.
fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Whether `bytes` are as many as a message of that magic has at least.
pub(crate) fn check_length(bytes: &[u8], magic: i8) -> Result<(), BatchError> {
    let expected = overhead(magic);
    if bytes.len() < expected { Err(BatchError::Truncated { bytes: bytes.len(), expected }) } else { Ok(()) }
}

/// What the attributes of a message say. `bytes` has it whole, or as much as comes before its timestamp.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes {
    Attributes(i16::from(bytes[CRC_START + 1] & ATTRIBUTES_MASK))
}

/// What a log's reader needs to know of the message at the start of `bytes`, without its key and value.
pub(crate) fn header(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let truncated = |expected| BatchError::Truncated { bytes: bytes.len(), expected };
    let magic = *bytes.get(CRC_START).ok_or(truncated(overhead(MAGIC_0)))? as i8;
    let expected = overhead(magic);
    let short = || truncated(expected);
    check_length(bytes, magic)?;
    let mut at = 0;
    let base_offset = Offset(i64::from_be_bytes(array(bytes, &mut at).ok_or_else(short)?));
    let batch_length = i32::from_be_bytes(array(bytes, &mut at).ok_or_else(short)?);
    if batch_length < (expected - LOG_OVERHEAD) as i32 {
        return Err(BatchError::Length { batch_length });
    }
    let crc = u32::from_be_bytes(array(bytes, &mut at).ok_or_else(short)?);
    let attributes = attributes(bytes);
    at = TIMESTAMP_POSITION;
    let timestamp = match magic {
        MAGIC_0 => Timestamp::NONE,
        _ => Timestamp(i64::from_be_bytes(array(bytes, &mut at).ok_or_else(short)?)),
    };
    Ok(BatchHeader {
        magic,
        base_offset,
        batch_length,
        partition_leader_epoch: LeaderEpoch::UNKNOWN,
        crc,
        attributes,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count: i32::from(attributes.codec_id() == 0),
    })
}

/// What a message is written with, but for key and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) offset: Offset,
    pub(crate) magic: i8,
    pub(crate) codec: Codec,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) timestamp: Timestamp,
}

impl Head {
    /// Appends room for what stands before the value; [`finish`](Self::finish) fills it in.
    pub(crate) fn begin(&self, key: Option<&[u8]>, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&self.offset.0.to_be_bytes());
        // Size and CRC.
        out.extend_from_slice(&[0; 8]);
        out.push(self.magic as u8);
        let attributes = Attributes::default().with_codec(self.codec);
        if self.magic == MAGIC_0 {
            out.push(attributes.0 as u8);
        } else {
            out.push(attributes.with_timestamp_type(self.timestamp_type).0 as u8);
            out.extend_from_slice(&self.timestamp.0.to_be_bytes());
        }
        write_field(key, out);
        start
    }

    /// Fills in size and CRC of the message that starts at `start` and ends where `out` does.
    pub(crate) fn finish(start: usize, out: &mut [u8]) {
        let size = (out.len() - start - LOG_OVERHEAD) as i32;
        out[start + 8..start + LOG_OVERHEAD].copy_from_slice(&size.to_be_bytes());
        let crc = crc32(&out[start + CRC_START..]);
        out[start + LOG_OVERHEAD..start + CRC_START].copy_from_slice(&crc.to_be_bytes());
    }

    /// Appends a message.
    pub(crate) fn write(&self, key: Option<&[u8]>, value: Option<&[u8]>, out: &mut Vec<u8>) {
        let start = self.begin(key, out);
        write_field(value, out);
        Self::finish(start, out);
    }
}

fn write_field(field: Option<&[u8]>, out: &mut Vec<u8>) {
    match field {
        None => out.extend_from_slice(&(-1i32).to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// The `N` bytes at `at`, which moves behind them.
fn array<const N: usize>(bytes: &[u8], at: &mut usize) -> Option<[u8; N]> {
    let found = bytes.get(*at..)?.first_chunk::<N>()?;
    *at += N;
    Some(*found)
}

/// A length and that many bytes; `None` for a length below 0.
fn field<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<&'a [u8]>, FramingFault> {
    let length = i32::from_be_bytes(array(bytes, at).ok_or(FramingFault::Length)?);
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let found = bytes[*at..].get(..length).ok_or(FramingFault::KeyOrValue)?;
    *at += length;
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(magic: i8) -> Vec<u8> {
        let (codec, timestamp_type) = (Codec::None, TimestampType::LogAppendTime);
        let head = Head { offset: Offset(0x0102), magic, codec, timestamp_type, timestamp: Timestamp(0x0a0b) };
        let mut out = Vec::new();
        head.write(Some(b"k"), None, &mut out);
        out
    }

    #[test]
    fn every_field_has_its_place() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let crc = |bytes: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[16..]);
            format!("{:08x}", crc.sum())
        };
        let old = message(0);
        let expected = ["0000000000000102", "0000000f", &crc(&old), "00", "00", "00000001", "6b", "ffffffff"].concat();
        assert_eq!(hex(&old), expected);
        let newer = message(1);
        let with_time = [
            "0000000000000102",
            "00000017",
            &crc(&newer),
            "01",
            "08",
            "0000000000000a0b",
            "00000001",
            "6b",
            "ffffffff",
        ];
        assert_eq!(hex(&newer), with_time.concat());
    }

    #[test]
    fn a_message_cut_anywhere_ends_the_set_and_never_panics() {
        for magic in [0, 1] {
            let whole = message(magic);
            for end in 0..whole.len() {
                assert!(matches!(Message::next(&whole[..end]), Ok(Next::End)), "cut at {end}");
                assert_eq!(header(&whole[..end]).is_ok(), end >= overhead(magic), "cut at {end}");
            }
            let Ok(Next::Message(read)) = Message::next(&whole) else { panic!("it is whole") };
            assert_eq!((read.offset, read.magic, read.key, read.value), (Offset(0x0102), magic, Some(&b"k"[..]), None));
        }
    }

    #[test]
    fn lengths_must_agree_with_the_size() {
        for (position, byte) in [(11, 14), (11, 16), (29, 2), (29, 0), (11, 24)] {
            let mut bad = message(1);
            bad.push(0);
            bad[position] = byte;
            let next = Message::next(&bad).map(|next| matches!(next, Next::End));
            assert!(matches!(next, Err(FramingFault::Length | FramingFault::KeyOrValue)), "{position}: {next:?}");
        }
    }

    #[test]
    fn what_an_old_header_does_not_say_is_filled_in() {
        let found = header(&message(1)).unwrap();
        assert_eq!((found.base_offset, found.last_offset(), found.size_in_bytes()), (Offset(258), Offset(258), 35));
        assert_eq!((found.max_timestamp, found.record_count), (Timestamp(0x0a0b), 1));
        assert_eq!(found.attributes.timestamp_type(), TimestampType::LogAppendTime);
        // Bit 4 stands for a transaction in a batch and for nothing here.
        let mut odd = message(0);
        odd[17] = 0xf1;
        let found = header(&odd).unwrap();
        assert_eq!((found.attributes, found.record_count, found.max_timestamp), (Attributes(1), 0, Timestamp::NONE));
    }
}
