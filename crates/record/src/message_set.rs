//! Building a set of messages of magic 0 or 1: for readers that know no batches, and for tests of those who take sets.
//!
//! Uncompressed, each record becomes a message; compressed, all of them together become the value of one more. Headers
//! have no place in these formats.

use ottla_types::{Offset, Timestamp};

use crate::build::{BuildError, Compressor};
use crate::compress::{Codec, Packing};
use crate::header::TimestampType;
use crate::message::{self, Head, MAGIC_0, MAGIC_1};

/// A format before batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum OldMagic {
    /// No timestamps: Produce and Fetch v0 and v1.
    V0 = MAGIC_0,
    /// Timestamps (KIP-32): Produce v2, Fetch v2 and v3.
    V1 = MAGIC_1,
}

/// A message set being built.
#[derive(Debug)]
pub struct MessageSetBuilder {
    magic: OldMagic,
    packing: Packing,
    /// The leader's time, which then is every record's.
    append_time: Option<Timestamp>,
    /// What was in the buffer before, and behind it the messages so far, uncompressed.
    messages: Vec<u8>,
    /// Where they start.
    start: usize,
    /// The offsets of the first and of the last record.
    offsets: Option<(Offset, Offset)>,
    max_timestamp: Timestamp,
}

impl MessageSetBuilder {
    /// An empty set. With `append_time` every record has that timestamp, and says that the leader gave it. zstd has no
    /// place in these formats (KIP-110).
    pub fn new(magic: OldMagic, packing: Packing, append_time: Option<Timestamp>) -> Result<Self, BuildError> {
        if packing.codec == Codec::Zstd {
            return Err(BuildError::Codec(packing.codec));
        }
        let (messages, max_timestamp) = (Vec::new(), append_time.unwrap_or(Timestamp::NONE));
        Ok(Self { magic, packing, append_time, messages, start: 0, offsets: None, max_timestamp })
    }

    /// An empty set behind what is in `buffer`.
    pub(crate) fn behind(mut self, buffer: Vec<u8>) -> Self {
        (self.start, self.messages) = (buffer.len(), buffer);
        self
    }

    /// The buffer: what was in it, and the messages behind.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.messages
    }

    /// The size of the messages so far, in bytes, uncompressed.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.messages.len() - self.start
    }

    /// Appends a record. Offsets rise.
    pub fn append(
        &mut self,
        offset: Offset,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), BuildError> {
        let magic = self.magic as i8;
        let fields = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if self.size_in_bytes() + message::overhead(magic) + fields > i32::MAX as usize {
            return Err(BuildError::TooLarge);
        }
        let first = self.offsets.map_or(offset, |(first, _)| first);
        let timestamp = self.append_time.unwrap_or(timestamp);
        let within = match (self.packing.codec, self.magic) {
            (Codec::None, _) | (_, OldMagic::V0) => offset,
            (_, OldMagic::V1) => Offset(offset.0 - first.0),
        };
        let head = self.head(within, Codec::None, timestamp);
        head.write(key, value, &mut self.messages);
        self.offsets = Some((first, offset));
        self.max_timestamp = self.max_timestamp.max(timestamp);
        Ok(())
    }

    /// Appends the set to `out`; nothing if it is empty.
    pub fn build(self, compressor: &mut Compressor, out: &mut Vec<u8>) -> Result<(), BuildError> {
        match self.packing.codec {
            Codec::None => out.extend_from_slice(&self.messages[self.start..]),
            _ => self.compress(compressor, out)?,
        }
        Ok(())
    }

    /// Appends the message that holds the set to `out`; nothing if the set is empty.
    pub(crate) fn compress(&self, compressor: &mut Compressor, out: &mut Vec<u8>) -> Result<(), BuildError> {
        let Some((_, last)) = self.offsets else { return Ok(()) };
        let head = self.head(last, self.packing.codec, self.max_timestamp);
        let mut wrapper = std::mem::take(out);
        let start = head.begin(None, &mut wrapper);
        let length_at = wrapper.len();
        wrapper.extend_from_slice(&[0; 4]);
        *out = compressor.compress(self.packing, self.magic as i8, &self.messages[self.start..], wrapper);
        if out.len() - start > i32::MAX as usize {
            out.truncate(start);
            return Err(BuildError::TooLarge);
        }
        let length = (out.len() - length_at - 4) as i32;
        out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        Head::finish(start, out);
        Ok(())
    }

    fn head(&self, offset: Offset, codec: Codec, timestamp: Timestamp) -> Head {
        let timestamp_type =
            if self.append_time.is_some() { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        Head { offset, magic: self.magic as i8, codec, timestamp_type, timestamp }
    }
}
