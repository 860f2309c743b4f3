//! The records of a batch, for those who consume: offsets, timestamps, keys, values, headers.
//!
//! What is read here need not have been checked, and may be of any format. Gaps between offsets are allowed, since
//! compaction leaves them. What a producer may send is decided in `check`; how messages of magic 0 and 1 lie within one
//! another is told in `message`.

use ottla_types::{Offset, Timestamp};

use crate::check::{self, Scratch};
use crate::compress::{Codec, Reading};
use crate::error::{BatchError, FramingFault, HeaderFault};
use crate::frame::{self, Frame};
use crate::header::{BATCH_HEADER_BYTES, BatchHeader, MAGIC, TimestampType};
use crate::message::{self, Message, OldMessage};
use crate::old_records;
use crate::varint::{self, VarintError};

/// A batch in somebody's memory: of magic 2, or one message of magic 0 or 1, compressed or not, which is the same to
/// those who read records.
#[derive(Clone, Copy, Debug)]
pub struct RecordBatch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Takes `bytes` for a batch if they start with a header whose length is theirs.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse_any(bytes)?;
        check::check_size(&header, bytes.len())?;
        Ok(Self { header, bytes })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they are, compressed or not. A message of magic 0 or 1 that is not compressed is its own record.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        if self.header.is_current() {
            return &self.bytes[BATCH_HEADER_BYTES..];
        }
        match self.header.attributes.codec_id() {
            0 => self.bytes,
            // One without a value or out of shape holds nothing, which its reader is told.
            _ => Message::parse(self.bytes).ok().and_then(|wrapper| wrapper.value).unwrap_or_default(),
        }
    }

    /// Whether the bytes are those that the header's CRC was made of (`check.crcs`; recovery; a follower's append).
    pub fn check_crc(&self) -> Result<(), BatchError> {
        if self.header.is_current() {
            check::check_crc(&self.header, self.bytes)
        } else {
            message::check_crc(self.bytes)
        }
    }

    /// The records, decompressed into `scratch` if need be. More than `records_bytes_max` bytes of them are an error.
    pub fn records<'s>(&self, scratch: &'s mut Scratch, records_bytes_max: usize) -> Result<Records<'s>, BatchError>
    where
        'a: 's,
    {
        let BatchHeader { record_count, last_offset_delta, .. } = self.header;
        if record_count < 0 {
            return Err(HeaderFault::Count { record_count, last_offset_delta }.into());
        }
        let records = match self.header.codec()? {
            Codec::None => self.payload(),
            codec => {
                let (magic, payload) = (self.header.magic, self.payload());
                scratch.decompressor.whole(codec, magic, Reading::AsKafka, payload, records_bytes_max)?
            }
        };
        Ok(Records::new(&self.header, records))
    }

    /// Appends the uncompressed records to `out`, for those who keep them; [`Records::new`] reads them.
    pub fn decompress(
        &self,
        scratch: &mut Scratch,
        records_bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), BatchError> {
        let take = |piece: &[u8], _| {
            out.extend_from_slice(piece);
            Ok(piece.len())
        };
        let (codec, magic) = (self.header.codec()?, self.header.magic);
        scratch.decompressor.pieces(codec, magic, Reading::AsKafka, self.payload(), records_bytes_max, take).map(|_| ())
    }
}

/// The records of one batch in order. Stops after the first error; bytes behind the last record are one.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many records were read.
    index: i32,
    count: i32,
    base_offset: Offset,
    base_timestamp: Timestamp,
    /// What every record's timestamp is, if the leader gave it.
    append_time: Option<Timestamp>,
    /// The format. In magic 0 and 1 `base_offset` is what is added to a message's own offset.
    magic: i8,
    /// What is wrong with the whole, told before any record.
    fault: Option<FramingFault>,
}

impl<'a> Records<'a> {
    /// Over `records`, uncompressed, of the batch that `header` belongs to.
    #[must_use]
    pub fn new(header: &BatchHeader, records: &'a [u8]) -> Self {
        let append_time = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        let (base_offset, fault) = match old_records::added_offset(header, records) {
            None => (header.base_offset, None),
            Some(Ok(added)) => (added, None),
            Some(Err(fault)) => (Offset::ZERO, Some(fault)),
        };
        Self {
            bytes: records,
            at: 0,
            index: 0,
            count: if header.is_current() { header.record_count } else { i32::MAX - 1 },
            base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
            magic: header.magic,
            fault,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, FramingFault> {
        let length = varint::read_i32(self.bytes, &mut self.at).map_err(|error| match error {
            VarintError::Truncated => FramingFault::Truncated,
            VarintError::TooLong => FramingFault::Number,
        })?;
        let length = usize::try_from(length).map_err(|_| FramingFault::Length)?;
        let body = self.bytes[self.at..].get(..length).ok_or(FramingFault::Truncated)?;
        let frame = Frame::parse(body)?;
        self.at += length;
        Ok(Record {
            offset: Offset(self.base_offset.0.wrapping_add(i64::from(frame.offset_delta))),
            timestamp: self.append_time.unwrap_or(Timestamp(self.base_timestamp.0.wrapping_add(frame.timestamp_delta))),
            key: frame.key,
            value: frame.value,
            headers: Headers { bytes: frame.headers, at: 0, left: frame.header_count },
            message: None,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let read = if self.index == i32::MAX {
            return None;
        } else if let Some(fault) = self.fault {
            Err(fault)
        } else if self.magic < MAGIC {
            let next = old_records::next(&self.bytes[self.at..], self.append_time).transpose()?;
            next.map(|(record, bytes)| {
                self.at += bytes;
                Record { offset: Offset(self.base_offset.0.wrapping_add(record.offset.0)), ..record }
            })
        } else if self.index < self.count {
            self.read()
        } else if self.at < self.bytes.len() && self.index == self.count {
            Err(FramingFault::Trailing)
        } else {
            return None;
        };
        let index = self.index;
        // After an error `index` is beyond any count, so that nothing follows.
        self.index = if read.is_ok() { index + 1 } else { i32::MAX };
        Some(read.map_err(|fault| BatchError::Framing { index, position: start, fault }))
    }
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its place in the log.
    pub offset: Offset,
    /// The producer's time, or the append's.
    pub timestamp: Timestamp,
    /// The key, `None` if null.
    pub key: Option<&'a [u8]>,
    /// The value, `None` if null.
    pub value: Option<&'a [u8]>,
    /// The headers in order; a key may come more than once (KIP-82).
    pub headers: Headers<'a>,
    /// The message that it is in, of magic 0 or 1; `None` in a batch.
    pub message: Option<OldMessage<'a>>,
}

/// One header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// The key: UTF-8 by agreement, which nobody checks.
    pub key: &'a [u8],
    /// The value, `None` if null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, whose framing was checked with the record's.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
}

impl Headers<'_> {
    /// No headers.
    pub(crate) const NONE: Self = Self { bytes: &[], at: 0, left: 0 };
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (key, value) = frame::header(self.bytes, &mut self.at).expect("Frame::parse has read every header before");
        Some(Header { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Headers<'_> {}
