//! Why a batch is refused, and which of Kafka's error codes says so.
//!
//! Two codes matter to a producer: `CORRUPT_MESSAGE` is one it retries, for the bytes were hurt on the way;
//! `INVALID_RECORD` is one it does not, for the same bytes would be refused again. So everything that a right CRC
//! vouches for is `INVALID_RECORD`. Kafka answers `UNKNOWN_SERVER_ERROR` where one of its decompressors throws or
//! where the codec's number has no meaning; here those are refusals like others.

use std::fmt;

use ottla_types::{ErrorCode, ProducerEpoch, ProducerId, Sequence, Timestamp};
use thiserror::Error;

use crate::compress::CompressionError;

/// Why a batch is refused or cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("the batch has {bytes} bytes where {expected} are announced")]
    Truncated {
        /// The bytes there are.
        bytes: usize,
        /// The bytes there should be.
        expected: usize,
    },
    /// More bytes than the batch announces.
    #[error("{bytes} bytes where the batch announces {expected}")]
    TrailingBytes {
        /// The bytes there are.
        bytes: usize,
        /// The bytes that the length field announces.
        expected: usize,
    },
    /// The length field is smaller than the header.
    #[error("the batch length {batch_length} is smaller than the header")]
    Length {
        /// The field's value.
        batch_length: i32,
    },
    /// The batch is a message set of magic 0 or 1.
    #[error("magic {magic} is not supported")]
    OldFormat {
        /// 0 or 1.
        magic: i8,
    },
    /// The magic byte stands for no format at all.
    #[error("magic {magic} is unknown")]
    UnknownMagic {
        /// The byte at position 16.
        magic: i8,
    },
    /// The CRC does not match.
    #[error("the CRC is {computed:#010x} where the batch says {stored:#010x}")]
    Crc {
        /// What the header says.
        stored: u32,
        /// What the bytes amount to.
        computed: u32,
    },
    /// The batch is larger than `max.message.bytes`.
    #[error("the batch has {bytes} bytes, {bytes_max} are allowed")]
    TooLarge {
        /// The size of the batch.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The codec's number is none of Kafka's.
    #[error("codec {id} is unknown")]
    UnknownCodec {
        /// The lowest three attribute bits.
        id: u8,
    },
    /// A request has no whole batch, or more than one, for a partition.
    #[error("a partition takes one batch per request, not {}", if *.several { "several" } else { "none" })]
    NotOneBatch {
        /// More than one, rather than none.
        several: bool,
    },
    /// A header field has a value that a producer may not send.
    #[error("{0}")]
    Header(#[from] HeaderFault),
    /// The records cannot be decompressed.
    #[error("{0}")]
    Compression(#[from] CompressionError),
    /// A record is not built as a record must be.
    #[error("record {index} (byte {position} of the records): {fault}")]
    Framing {
        /// The record, counted from 0.
        index: i32,
        /// Where in the uncompressed records it starts or where the fault was seen.
        position: usize,
        /// What is wrong.
        fault: FramingFault,
    },
    /// Records are well built but not wanted by the topic's rules (KIP-467).
    #[error("{0}")]
    Records(RefusedRecords),
}

impl BatchError {
    /// The code that a client is answered with.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Truncated { .. }
            | Self::TrailingBytes { .. }
            | Self::Length { .. }
            | Self::UnknownMagic { .. }
            | Self::Crc { .. } => ErrorCode::CorruptMessage,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::UnknownCodec { .. } => ErrorCode::UnsupportedCompressionType,
            // The CRC of a message is a CRC, though another one vouches for it.
            Self::Framing { fault: FramingFault::Crc, .. } => ErrorCode::CorruptMessage,
            Self::OldFormat { .. } | Self::NotOneBatch { .. } | Self::Compression(_) | Self::Framing { .. } => {
                ErrorCode::InvalidRecord
            }
            Self::Header(fault) => fault.error_code(),
            Self::Records(refused) => refused.error_code(),
        }
    }

    /// The records to name in a produce response (`record_errors`, KIP-467). Empty where the batch as a whole is at
    /// fault, a broken record included: Kafka names records only for null keys and timestamps.
    #[must_use]
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            Self::Records(refused) => &refused.errors,
            _ => &[],
        }
    }
}

/// A header field that a producer may not send so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HeaderFault {
    /// The base offset is not 0.
    #[error("the base offset is {0}, a producer's must be 0")]
    BaseOffset(i64),
    /// The number of records is not positive, or not the number of offsets.
    #[error("{record_count} records for a last offset delta of {last_offset_delta}")]
    Count {
        /// The record count.
        record_count: i32,
        /// The last offset delta; one less than the count is right.
        last_offset_delta: i32,
    },
    /// A client sent a batch of control records.
    #[error("clients must not write control records")]
    Control,
    /// A client says that the leader gave the timestamps.
    #[error("producers must not set the timestamp type to LogAppendTime")]
    LogAppendTime,
    /// Only some of the three idempotence fields are set.
    #[error("producer id {producer_id} with epoch {producer_epoch} and sequence {base_sequence}")]
    Producer {
        /// The id.
        producer_id: ProducerId,
        /// The epoch.
        producer_epoch: ProducerEpoch,
        /// The sequence of the first record.
        base_sequence: Sequence,
    },
    /// The batch is transactional and names no producer.
    #[error("a transactional batch without a producer id")]
    TransactionalWithoutProducer,
}

impl HeaderFault {
    /// The code that a client is answered with.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::LogAppendTime => ErrorCode::InvalidTimestamp,
            _ => ErrorCode::InvalidRecord,
        }
    }
}

/// What is wrong with the bytes of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FramingFault {
    /// The records end within this one.
    #[error("the records end within it")]
    Truncated,
    /// A number has too many bytes.
    #[error("a number has too many bytes")]
    Number,
    /// The record's own length is negative, or more than what is left of it is read.
    #[error("its length does not match its content")]
    Length,
    /// The key or the value reaches beyond the record.
    #[error("its key or value reaches beyond its end")]
    KeyOrValue,
    /// The number of headers is negative or larger than the rest of the record.
    #[error("its number of headers is impossible")]
    HeaderCount,
    /// The key of a header is null or reaches beyond the record.
    #[error("the key of a header is null or reaches beyond its end")]
    HeaderKey,
    /// The value of a header reaches beyond the record.
    #[error("the value of a header reaches beyond its end")]
    HeaderValue,
    /// The offset delta is not the record's index.
    #[error("its offset delta is {0}")]
    OffsetDelta(i32),
    /// A message of magic 0 or 1 has another magic than its wrapper or its set.
    #[error("its magic is {0}")]
    Magic(i8),
    /// The CRC of a message within a wrapper does not match.
    #[error("its CRC does not match")]
    Crc,
    /// A message within a wrapper is a wrapper.
    #[error("it is compressed within a compressed one")]
    Nested,
    /// A wrapper holds no message.
    #[error("it is compressed and holds nothing")]
    Empty,
    /// A wrapper's offset is below that of its last message.
    #[error("its offset is below the last one within it, {0}")]
    WrapperOffset(i64),
    /// Bytes follow the last record.
    #[error("bytes follow the last record")]
    Trailing,
}

/// Records that a topic's rules refuse. One refused record refuses the batch.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RefusedRecords {
    /// The refused records, in order, at most [`RefusedRecords::ERRORS_MAX`] of them.
    pub errors: Vec<RecordError>,
    /// How many there were in all.
    pub count: usize,
    /// Whether any of them, named or not, is refused for its timestamp.
    pub invalid_timestamp: bool,
}

impl RefusedRecords {
    /// How many records are named; a batch of small records would otherwise be answered with many times its size.
    pub const ERRORS_MAX: usize = 1000;

    /// Adds a record.
    pub(crate) fn note(&mut self, index: i32, fault: RecordFault) {
        self.count += 1;
        self.invalid_timestamp |= fault != RecordFault::NullKey;
        if self.errors.len() < Self::ERRORS_MAX {
            self.errors.push(RecordError { index, fault });
        }
    }

    /// `INVALID_TIMESTAMP` if any record is refused for that, else `INVALID_RECORD`.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        if self.invalid_timestamp { ErrorCode::InvalidTimestamp } else { ErrorCode::InvalidRecord }
    }
}

impl fmt::Display for RefusedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the batch's records are refused", self.count)?;
        match self.errors.first() {
            Some(first) => write!(f, ", the first is record {}: {}", first.index, first.fault),
            None => Ok(()),
        }
    }
}

/// One refused record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordError {
    /// The record's place in the batch, counted from 0: `batch_index` of a produce response.
    pub index: i32,
    /// Why; its text is the response's message.
    pub fault: RecordFault,
}

/// Why a well-built record is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordFault {
    /// A compacted topic takes no record without a key.
    #[error("a compacted topic takes no record without a key")]
    NullKey,
    /// The timestamp is out of bounds (KIP-937).
    #[error("timestamp {timestamp} is not within {earliest} and {latest}")]
    Timestamp {
        /// The record's.
        timestamp: Timestamp,
        /// The earliest that is allowed.
        earliest: Timestamp,
        /// The latest that is allowed.
        latest: Timestamp,
    },
}
