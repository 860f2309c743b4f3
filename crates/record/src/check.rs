//! What a leader takes from a producer: one whole batch of magic 2, with everything in it as it should be.
//!
//! The same decisions as Kafka's (`ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`,
//! `LogValidator`), in the same order, made once and before any lock; `lib` lists where this is stricter. Not decided
//! here: whether the producer's sequence follows the last one, which offset the batch gets, and whether its codec is
//! the topic's.
//!
//! What Kafka 4.3.1 does with the maximum timestamp of a batch that it stores as sent, and this does too. With
//! CreateTime, the header's field is not believed: if it differs from the largest timestamp of the records (-1 if all
//! have none), it is replaced and the CRC with it; that is no reason to refuse. With LogAppendTime, the field becomes
//! the time of the append, the attribute bit is set, and timestamps of records are not looked at. See
//! [`CheckedBatch::header`].
//!
//! For the time index: Kafka 4.3.1 pairs a batch's maximum timestamp with the batch's *last* offset
//! (`LogSegment.append`), not with that of the record; [`BatchHeader::last_offset`] is all that is needed. The first
//! record with that timestamp is looked for when a client asks (ListOffsets with -3, KIP-734).

use crc_fast::CrcAlgorithm;
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use crate::compress::{Codec, Decompressor, Reading};
use crate::error::{BatchError, HeaderFault};
use crate::header::{BATCH_HEADER_BYTES, BatchHeader, CRC_START, MAGIC, TimestampType};
use crate::walk::{RecordRules, Walk};

/// What a batch may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest batch, header included, in bytes: `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// The most that its records may have when uncompressed, in bytes. Kafka has no such limit.
    pub records_bytes_max: usize,
}

impl Default for Limits {
    /// Kafka's `max.message.bytes`, and a hundredfold expansion.
    fn default() -> Self {
        Self { batch_bytes_max: 1_048_588, records_bytes_max: 100 << 20 }
    }
}

/// What a topic wants of its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Whose timestamps count.
    pub timestamps: TimestampRule,
    /// Whether `cleanup.policy` contains `compact`: records without a key are refused.
    pub compacted: bool,
}

impl Rules {
    fn walk(&self, header: &BatchHeader) -> Walk {
        Walk::new(self.timestamps.record_rules(self.compacted), header.base_timestamp, header.record_count)
    }
}

/// `message.timestamp.type` with what belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampRule {
    /// The producer's, within bounds (KIP-937). A timestamp of -1 is always within.
    CreateTime {
        /// The time of the append.
        now: Timestamp,
        /// `message.timestamp.before.max.ms`
        before_max_ms: i64,
        /// `message.timestamp.after.max.ms`
        after_max_ms: i64,
    },
    /// The time of the append, whatever the records say.
    LogAppendTime {
        /// The time of the append.
        now: Timestamp,
    },
}

impl TimestampRule {
    pub(crate) fn record_rules(self, key_required: bool) -> RecordRules {
        match self {
            Self::CreateTime { now, before_max_ms, after_max_ms } => RecordRules {
                earliest: now.0.saturating_sub(before_max_ms),
                latest: now.0.saturating_add(after_max_ms),
                key_required,
            },
            Self::LogAppendTime { .. } => RecordRules { earliest: i64::MIN, latest: i64::MAX, key_required },
        }
    }
}

/// Memory that checks and readers share: codecs' contexts and the window of uncompressed records. One per thread is
/// the idea. The window grows with the largest record (or, for a reader, batch); above a few MiB it is given back by
/// [`give_back`](Self::give_back), or by the next use.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) decompressor: Decompressor,
}

impl Scratch {
    /// Gives back what is more than a few MiB: whoever keeps it for another batch may wait long for one.
    pub fn give_back(&mut self) {
        self.decompressor.give_back();
    }
}

/// A batch that may be appended once it has an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckedBatch {
    /// The header as it is to be stored, but for base offset and leader epoch: its timestamp type, maximum timestamp
    /// and CRC are the topic's, which the producer's need not be. Write it over the producer's
    /// ([`assigned`](Self::assigned)).
    pub header: BatchHeader,
    /// How the records are compressed.
    pub codec: Codec,
    /// The size of the records when uncompressed, in bytes, without the header.
    pub records_bytes: usize,
}

impl CheckedBatch {
    /// The 61 bytes to store in place of the producer's. What follows them stays as it was sent.
    #[must_use]
    pub fn assigned(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> [u8; BATCH_HEADER_BYTES] {
        BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..self.header }.to_bytes()
    }
}

/// Checks the batch that `bytes` is, completely: one pass for the CRC, one over the records.
///
/// `bytes` ends where the batch ends; [`single_batch`](crate::single_batch) cuts it out of a request.
pub fn check_batch(
    bytes: &[u8],
    limits: &Limits,
    rules: &Rules,
    scratch: &mut Scratch,
) -> Result<CheckedBatch, BatchError> {
    let (header, codec) = check_outside(bytes, limits)?;
    let (records, mut walk) = (&bytes[BATCH_HEADER_BYTES..], rules.walk(&header));
    let records_bytes = match codec {
        Codec::None => walk.piece(records, true)?,
        codec => {
            let take = |piece: &[u8], last| walk.piece(piece, last);
            scratch.decompressor.pieces(codec, MAGIC, Reading::Strict, records, limits.records_bytes_max, take)?
        }
    };
    Ok(CheckedBatch { header: settle_for(rules, header, bytes, walk.finish()?), codec, records_bytes })
}

/// [`check_batch`], and the uncompressed records, for who needs them in another form.
pub(crate) fn check_and_open<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    rules: &Rules,
    scratch: &'a mut Scratch,
) -> Result<(BatchHeader, &'a [u8]), BatchError> {
    let (header, codec) = check_outside(bytes, limits)?;
    let records = &bytes[BATCH_HEADER_BYTES..];
    let records = match codec {
        Codec::None => records,
        codec => scratch.decompressor.whole(codec, MAGIC, Reading::Strict, records, limits.records_bytes_max)?,
    };
    let mut walk = rules.walk(&header);
    walk.piece(records, true)?;
    Ok((settle_for(rules, header, bytes, walk.finish()?), records))
}

/// All that is checked of a batch before its records.
fn check_outside(bytes: &[u8], limits: &Limits) -> Result<(BatchHeader, Codec), BatchError> {
    let header = BatchHeader::parse(bytes)?;
    check_size(&header, bytes.len())?;
    if header.base_offset != Offset::ZERO {
        return Err(HeaderFault::BaseOffset(header.base_offset.0).into());
    }
    if bytes.len() > limits.batch_bytes_max {
        return Err(BatchError::TooLarge { bytes: bytes.len(), bytes_max: limits.batch_bytes_max });
    }
    check_crc(&header, bytes)?;
    let codec = header.codec()?;
    check_producer_fields(&header)?;
    Ok((header, codec))
}

/// The header as the topic wants it, of a batch whose records go up to `max_timestamp`.
fn settle_for(rules: &Rules, header: BatchHeader, bytes: &[u8], max_timestamp: Timestamp) -> BatchHeader {
    match rules.timestamps {
        TimestampRule::CreateTime { .. } => settle(header, bytes, TimestampType::CreateTime, max_timestamp),
        TimestampRule::LogAppendTime { now } => settle(header, bytes, TimestampType::LogAppendTime, now),
    }
}

/// Whether the header's length is that of the bytes.
pub(crate) fn check_size(header: &BatchHeader, bytes: usize) -> Result<(), BatchError> {
    let expected = header.size_in_bytes();
    match bytes.cmp(&expected) {
        std::cmp::Ordering::Less => Err(BatchError::Truncated { bytes, expected }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(BatchError::TrailingBytes { bytes, expected }),
    }
}

/// Whether the header's CRC is that of the bytes, which are the whole batch.
pub(crate) fn check_crc(header: &BatchHeader, bytes: &[u8]) -> Result<(), BatchError> {
    let computed = crc32c(&bytes[CRC_START..]);
    if computed == header.crc { Ok(()) } else { Err(BatchError::Crc { stored: header.crc, computed }) }
}

/// CRC-32C (Castagnoli), the batch's checksum.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// What a client may not claim in a header.
fn check_producer_fields(header: &BatchHeader) -> Result<(), HeaderFault> {
    let BatchHeader { record_count, last_offset_delta, producer_id, producer_epoch, base_sequence, attributes, .. } =
        *header;
    if record_count <= 0 || last_offset_delta != record_count - 1 {
        return Err(HeaderFault::Count { record_count, last_offset_delta });
    }
    if attributes.is_control() {
        return Err(HeaderFault::Control);
    }
    if attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(HeaderFault::LogAppendTime);
    }
    if header.has_producer_id() && (base_sequence.0 < 0 || producer_epoch.0 < 0) {
        return Err(HeaderFault::Producer { producer_id, producer_epoch, base_sequence });
    }
    if attributes.is_transactional() && !header.has_producer_id() {
        return Err(HeaderFault::TransactionalWithoutProducer);
    }
    Ok(())
}

/// The header with the topic's timestamp type and the maximum timestamp, and the CRC that follows from them.
///
/// A CRC is linear: what a change of the header's bytes does to the whole batch's CRC follows from the header's CRCs
/// before and after, and the number of bytes behind. So the records are not read again.
pub(crate) fn settle(
    header: BatchHeader,
    bytes: &[u8],
    timestamp_type: TimestampType,
    max_timestamp: Timestamp,
) -> BatchHeader {
    let attributes = header.attributes.with_timestamp_type(timestamp_type);
    if attributes == header.attributes && max_timestamp == header.max_timestamp {
        return header;
    }
    let mut settled = BatchHeader { attributes, max_timestamp, ..header };
    let before = crc32c(&bytes[CRC_START..BATCH_HEADER_BYTES]);
    let after = crc32c(&settled.to_bytes()[CRC_START..]);
    let records_length = (bytes.len() - BATCH_HEADER_BYTES) as u64;
    let crc = crc_fast::checksum_combine(
        CrcAlgorithm::Crc32Iscsi,
        u64::from(before ^ after),
        u64::from(header.crc),
        records_length,
    );
    settled.crc = crc as u32;
    settled
}
