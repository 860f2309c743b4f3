//! The walk over the records of a batch: every length, every delta, every count, and the largest timestamp.
//!
//! It takes the uncompressed records in one piece or in many, so that a compressed batch never lies in memory as a
//! whole. It allocates only when it has a record to refuse. What the header must say is decided in `check`; access to
//! keys and values is in `read`, the layout of a record in `frame`.

use ottla_types::Timestamp;

use crate::error::{BatchError, FramingFault, RecordFault, RefusedRecords};
use crate::frame::Frame;
use crate::varint::{self, VarintError};

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

impl RecordRules {
    /// What the rules have against a record. A missing key comes first, as in Kafka's `LogValidator`.
    pub(crate) fn fault(&self, timestamp: i64, has_key: bool) -> Option<RecordFault> {
        if self.key_required && !has_key {
            Some(RecordFault::NullKey)
        } else if (timestamp < self.earliest || timestamp > self.latest) && timestamp != Timestamp::NONE.0 {
            let (earliest, latest) = (Timestamp(self.earliest), Timestamp(self.latest));
            Some(RecordFault::Timestamp { timestamp: Timestamp(timestamp), earliest, latest })
        } else {
            None
        }
    }
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

    /// The largest timestamp of all records, -1 if none has one; an error if records were refused. To be called after
    /// the last piece, which makes an error of records that are missing.
    pub(crate) fn finish(self) -> Result<Timestamp, BatchError> {
        assert_eq!(self.index, self.count, "the last piece ends with the last record");
        match self.refused {
            Some(refused) => Err(BatchError::Records(*refused)),
            None => Ok(Timestamp(self.max_timestamp)),
        }
    }

    /// One record, without its length.
    #[inline(always)]
    fn record(&mut self, body: &[u8]) -> Result<(), FramingFault> {
        let frame = Frame::parse(body)?;
        if frame.offset_delta != self.index {
            return Err(FramingFault::OffsetDelta(frame.offset_delta));
        }

        // Java's addition wraps, and so must this: the sum is what every consumer will see.
        let timestamp = self.base_timestamp.wrapping_add(frame.timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let out_of_bounds = timestamp < self.rules.earliest || timestamp > self.rules.latest;
        if out_of_bounds || self.rules.key_required {
            self.apply_rules(timestamp, frame.key.is_some());
        }
        Ok(())
    }

    /// Notes what the topic's rules have against a record.
    #[inline(never)]
    fn apply_rules(&mut self, timestamp: i64, has_key: bool) {
        if let Some(fault) = self.rules.fault(timestamp, has_key) {
            self.refused.get_or_insert_default().note(self.index, fault);
        }
    }

    /// The error for a fault at `at` of the current piece.
    #[cold]
    fn fault(&self, at: usize, fault: FramingFault) -> BatchError {
        BatchError::Framing { index: self.index, position: self.walked + at, fault }
    }
}
