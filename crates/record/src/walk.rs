//! The walk over the records of a batch: every length, every delta, every count, and the largest timestamp.
//!
//! It takes the uncompressed records in one piece or in many, so that a compressed batch never lies in memory as a whole. It
//! allocates only when it has a record to refuse. What the header must say is decided in `check`; access to keys and
//! values is in `read`.
//!
//! ```text
//! length varint │ attributes i8 │ timestamp delta varlong │ offset delta varint
//!               │ key length varint, key │ value length varint, value │ header count varint, headers
//! header: key length varint, key │ value length varint, value          a length below 0 means null, not for header keys
//! ```

use ottla_types::Timestamp;

use crate::error::{BatchError, FramingFault, RecordError, RecordFault, RefusedRecords};
use crate::varint::{self, VarintError};

impl From<VarintError> for FramingFault {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Truncated => Self::Length,
            VarintError::TooLong => Self::Number,
        }
    }
}

/// Bounds on timestamps and keys, in the form that the loop compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRules {
    /// The earliest timestamp a record may have. -1 ("none") is always allowed.
    pub(crate) earliest: i64,
    /// The latest timestamp a record may have.
    pub(crate) latest: i64,
    /// Whether a record without a key is refused.
    pub(crate) key_required: bool,
}

/// Where the walk stands. Invariant: `index <= count`.
#[derive(Debug)]
pub(crate) struct Walk {
    rules: RecordRules,
    base_timestamp: i64,
    count: i32,
    /// The next record.
    index: i32,
    /// Bytes walked in earlier pieces.
    walked: usize,
    /// The largest timestamp so far, -1 before the first.
    max_timestamp: i64,
    refused: Option<Box<RefusedRecords>>,
}

impl Walk {
    pub(crate) fn new(rules: RecordRules, base_timestamp: Timestamp, count: i32) -> Self {
        let max_timestamp = Timestamp::NONE.0;
        Self { rules, base_timestamp: base_timestamp.0, count, index: 0, walked: 0, max_timestamp, refused: None }
    }

    /// Walks over the whole records at the start of `piece` and returns how many bytes they take. The rest belongs in
    /// front of the next piece; with `last` there is none, so a rest is a fault.
    pub(crate) fn piece(&mut self, piece: &[u8], last: bool) -> Result<usize, BatchError> {
        let mut at = 0;
        while self.index < self.count {
            let start = at;
            let length = match varint::read_i32(piece, &mut at) {
                Ok(length) => length,
                Err(VarintError::Truncated) if !last => break,
                Err(VarintError::Truncated) => return Err(self.fault(start, FramingFault::Truncated)),
                Err(VarintError::TooLong) => return Err(self.fault(start, FramingFault::Number)),
            };
            let Ok(length) = usize::try_from(length) else { return Err(self.fault(start, FramingFault::Length)) };
            let Some(body) = piece.get(at..).and_then(|rest| rest.get(..length)) else {
                at = start;
                if last {
                    return Err(self.fault(start, FramingFault::Truncated));
                }
                break;
            };
            if let Err(fault) = self.record(body) {
                return Err(self.fault(start, fault));
            }
            at += length;
            self.index += 1;
        }
        if self.index == self.count && at < piece.len() {
            return Err(self.fault(at, FramingFault::Trailing));
        }
        self.walked += at;
        Ok(at)
    }

    /// The largest timestamp of all records, -1 if none has one. An error if records were refused or are missing.
    pub(crate) fn finish(self) -> Result<Timestamp, BatchError> {
        if self.index < self.count {
            return Err(self.fault(0, FramingFault::Truncated));
        }
        match self.refused {
            Some(refused) => Err(BatchError::Records(*refused)),
            None => Ok(Timestamp(self.max_timestamp)),
        }
    }

    /// One record, without its length.
    #[inline(always)]
    fn record(&mut self, body: &[u8]) -> Result<(), FramingFault> {
        // Byte 0 is the attributes, which have no meaning yet and may be anything.
        let mut at = 1;
        let timestamp_delta = varint::read_i64(body, &mut at)?;
        let offset_delta = varint::read_i32(body, &mut at)?;
        if offset_delta != self.index {
            return Err(FramingFault::OffsetDelta(offset_delta));
        }
        let key_length = varint::read_i32(body, &mut at)?;
        at = skip(body, at, key_length).ok_or(FramingFault::KeyOrValue)?;
        let value_length = varint::read_i32(body, &mut at)?;
        at = skip(body, at, value_length).ok_or(FramingFault::KeyOrValue)?;
        let header_count = varint::read_i32(body, &mut at)?;
        if header_count != 0 {
            at = skip_headers(body, at, header_count)?;
        }
        if at != body.len() {
            return Err(FramingFault::Length);
        }

        // Java's addition wraps, and so must this: the sum is what every consumer will see.
        let timestamp = self.base_timestamp.wrapping_add(timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let out_of_bounds = timestamp < self.rules.earliest || timestamp > self.rules.latest;
        if out_of_bounds || self.rules.key_required {
            self.apply_rules(timestamp, key_length);
        }
        Ok(())
    }

    /// Notes what the topic's rules have against a record. A missing key comes first, as in Kafka's `LogValidator`.
    #[inline(never)]
    fn apply_rules(&mut self, timestamp: i64, key_length: i32) {
        let rules = self.rules;
        let fault = if rules.key_required && key_length < 0 {
            RecordFault::NullKey
        } else if (timestamp < rules.earliest || timestamp > rules.latest) && timestamp != Timestamp::NONE.0 {
            RecordFault::Timestamp {
                timestamp: Timestamp(timestamp),
                earliest: Timestamp(rules.earliest),
                latest: Timestamp(rules.latest),
            }
        } else {
            return;
        };
        let refused = self.refused.get_or_insert_default();
        refused.count += 1;
        refused.invalid_timestamp |= fault != RecordFault::NullKey;
        if refused.errors.len() < RefusedRecords::ERRORS_MAX {
            refused.errors.push(RecordError { index: self.index, fault });
        }
    }

    /// The error for a fault at `at` of the current piece.
    #[cold]
    fn fault(&self, at: usize, fault: FramingFault) -> BatchError {
        BatchError::Framing { index: self.index, position: self.walked + at, fault }
    }
}

/// The position behind `length` bytes at `at`, or `None` if they reach beyond the record. A negative length is a null.
#[inline(always)]
fn skip(body: &[u8], at: usize, length: i32) -> Option<usize> {
    let length = usize::try_from(length).unwrap_or(0);
    // Both are below 2^32, so the sum does not wrap where this is built for (64 bits) and is checked where not.
    let end = at.checked_add(length)?;
    (end <= body.len()).then_some(end)
}

#[inline(never)]
fn skip_headers(body: &[u8], mut at: usize, count: i32) -> Result<usize, FramingFault> {
    let count = usize::try_from(count).map_err(|_| FramingFault::HeaderCount)?;
    // A header takes two bytes at least.
    if count > (body.len() - at) / 2 {
        return Err(FramingFault::HeaderCount);
    }
    for _ in 0..count {
        let key_length = varint::read_i32(body, &mut at)?;
        if key_length < 0 {
            return Err(FramingFault::HeaderKey);
        }
        at = skip(body, at, key_length).ok_or(FramingFault::HeaderKey)?;
        let value_length = varint::read_i32(body, &mut at)?;
        at = skip(body, at, value_length).ok_or(FramingFault::HeaderValue)?;
    }
    Ok(at)
}
