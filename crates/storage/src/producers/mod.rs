//! What a partition remembers of its idempotent producers, and the check that makes a retry harmless.
//!
//! A producer numbers its records per partition (KIP-98). The leader keeps, per producer id, the epoch and the last five
//! batches (a client has at most five requests in flight). A batch that equals one of the five is a retry and is
//! answered with the offset that it got the first time. Any other must follow the last one without a gap. A producer of
//! which nothing is known may start anywhere, for its earlier records may have been deleted (KIP-360).
//!
//! A transaction that is open keeps consumers who read committed records from going beyond its first one; the lowest of
//! these is the first undecided offset (KIP-98). A marker ends a transaction, for readers once it is below the high
//! watermark.
//!
//! Pure: state and decisions. The file that carries the state over a restart is in [`snapshot`], what it lacks after a
//! crash is found by [`look_back`]; [`undo`] takes batches back that could not be written.

mod look_back;
pub(crate) mod marker;
pub(crate) mod replay;
pub(crate) mod snapshot;
mod undo;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ottla_record::BatchHeader;
use ottla_types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::cleaner::LastRecord;
use crate::log::AppendRefusal;
use crate::sown::{self, Bug};
use crate::transaction_index::AbortedTransaction;
use marker::Marker;
pub(crate) use undo::Undo;
use undo::{BatchesBefore, Before};

/// Batches remembered per producer (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_KEPT: usize = 5;

/// One appended batch of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducedBatch {
    /// The sequence of its last record.
    pub last_sequence: Sequence,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Last offset minus first.
    pub offset_delta: i32,
    /// The largest timestamp in it.
    pub timestamp: Timestamp,
}

impl ProducedBatch {
    /// The sequence of the first record; counts down through 0 to `i32::MAX`.
    #[must_use]
    pub const fn first_sequence(&self) -> Sequence {
        if self.last_sequence.0 >= self.offset_delta {
            Sequence(self.last_sequence.0 - self.offset_delta)
        } else {
            Sequence(i32::MAX - (self.offset_delta - self.last_sequence.0) + 1)
        }
    }

    /// The offset of the first record.
    #[must_use]
    pub const fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - self.offset_delta as i64)
    }
}

/// What is known of one producer id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    /// The newest epoch that wrote.
    pub epoch: ProducerEpoch,
    /// The epoch of the transaction coordinator that wrote the last marker; -1 before the first.
    pub coordinator_epoch: i32,
    /// The timestamp of the last batch or marker.
    pub last_timestamp: Timestamp,
    /// Where the open transaction starts, if one is open.
    pub transaction_start: Option<Offset>,
    /// The last batches of this epoch, oldest first; at most five.
    pub batches: Vec<ProducedBatch>,
}

/// What to do with a batch that passed the check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is new.
    Append,
    /// It is a retry of this one.
    Duplicate(ProducedBatch),
}

/// What a recorded batch led to.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// How to take it back.
    pub(crate) undo: Undo,
    /// The transaction that it aborted, if it is a marker that does so and there was one.
    pub(crate) aborted: Option<AbortedTransaction>,
}

/// All producers of one partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Producers {
    entries: HashMap<ProducerId, ProducerEntry>,
    /// Where open transactions start: of each entry the `transaction_start`.
    open: BTreeSet<(Offset, ProducerId)>,
    /// Where transactions started that have ended, and the offset of their marker, until it is known to be safe.
    ended: BTreeMap<(Offset, ProducerId), Offset>,
}

impl ProducerEntry {
    fn new() -> Self {
        Self {
            epoch: ProducerEpoch::NONE,
            coordinator_epoch: -1,
            last_timestamp: Timestamp::NONE,
            transaction_start: None,
            batches: Vec::new(),
        }
    }

    fn last_sequence(&self) -> Sequence {
        self.batches.last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    fn duplicate_of(&self, header: &BatchHeader) -> Option<ProducedBatch> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        let same = |batch: &&ProducedBatch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        self.batches.iter().find(same).copied()
    }

    /// Goes over to an epoch. Answers the batches of the one before, if it is another.
    fn enter(&mut self, epoch: ProducerEpoch) -> Option<Vec<ProducedBatch>> {
        if self.epoch == epoch {
            return None;
        }
        self.epoch = epoch;
        Some(std::mem::take(&mut self.batches))
    }

    fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.transaction_start.is_none() && now.0.saturating_sub(self.last_timestamp.0) >= expiration_ms
    }
}

impl Producers {
    /// Whether a client's batch may be appended. Changes nothing.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Verdict, AppendRefusal> {
        let Some(entry) = self.entries.get(&header.producer_id) else { return Ok(Verdict::Append) };
        if sown::is(Bug::NoSequenceCheck) {
            return Ok(Verdict::Append);
        }
        if let Some(duplicate) = entry.duplicate_of(header) {
            return Ok(Verdict::Duplicate(duplicate));
        }
        if header.producer_epoch < entry.epoch {
            return Err(AppendRefusal::StaleProducerEpoch {
                producer: header.producer_id,
                got: header.producer_epoch,
                current: entry.epoch,
            });
        }
        // A new epoch starts at 0. An entry without an epoch was left by nothing but a marker.
        let in_order = if header.producer_epoch == entry.epoch {
            follows(entry.last_sequence(), header.base_sequence)
        } else {
            header.base_sequence.0 == 0 || entry.epoch == ProducerEpoch::NONE
        };
        if !in_order {
            return Err(AppendRefusal::OutOfOrderSequence {
                producer: header.producer_id,
                epoch: header.producer_epoch,
                got: header.base_sequence,
                last: entry.last_sequence(),
            });
        }
        if entry.transaction_start.is_some() && !header.attributes.is_transactional() {
            return Err(AppendRefusal::TransactionOpen { producer: header.producer_id });
        }
        Ok(Verdict::Append)
    }

    /// Takes note of a batch that is in the log, of which `payload` are the records; the same live and on replay. `None` if
    /// it means nothing to the producers.
    pub(crate) fn record(&mut self, header: &BatchHeader, payload: &[u8]) -> Option<Recorded> {
        if !header.has_producer_id() {
            return None;
        }
        if header.attributes.is_control() {
            let marker = marker::parse(header, payload)?;
            return Some(self.record_marker(header, marker));
        }
        let (entry, mut before) = self.entry(header.producer_id);
        let other = entry.enter(header.producer_epoch);
        let oldest = (entry.batches.len() == BATCHES_KEPT).then(|| entry.batches.remove(0));
        entry.batches.push(ProducedBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        entry.last_timestamp = header.max_timestamp;
        let opens = header.attributes.is_transactional() && entry.transaction_start.is_none();
        if let Some(before) = &mut before {
            before.batches = other.map_or(BatchesBefore::Shorter(oldest), BatchesBefore::Other);
        }
        if opens {
            self.set_transaction_start(header.producer_id, Some(header.base_offset));
        }
        Some(Recorded { undo: Undo { id: header.producer_id, before }, aborted: None })
    }

    /// Takes note of a marker that ends a transaction.
    fn record_marker(&mut self, header: &BatchHeader, marker: Marker) -> Recorded {
        let id = header.producer_id;
        let (entry, mut before) = self.entry(id);
        let other = entry.enter(header.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = header.max_timestamp;
        let start = entry.transaction_start;
        if let (Some(before), Some(other)) = (&mut before, other) {
            before.batches = BatchesBefore::Other(other);
        }
        self.set_transaction_start(id, None);
        self.ended.extend(start.map(|start| ((start, id), header.last_offset())));
        // A marker alone, of a transaction that wrote nothing here, aborts nothing.
        let aborted = start.filter(|_| marker.aborts).map(|first_offset| AbortedTransaction {
            producer_id: id,
            first_offset,
            last_offset: header.last_offset(),
            last_stable_offset: self.open.first().map_or(header.next_offset(), |(start, _)| *start),
        });
        Recorded { undo: Undo { id, before }, aborted }
    }

    /// A producer's entry, and how it was, if it was there.
    fn entry(&mut self, id: ProducerId) -> (&mut ProducerEntry, Option<Before>) {
        match self.entries.entry(id) {
            Entry::Occupied(known) => {
                let before = Before::of(known.get());
                (known.into_mut(), Some(before))
            }
            Entry::Vacant(unknown) => (unknown.insert(ProducerEntry::new()), None),
        }
    }

    fn set_transaction_start(&mut self, id: ProducerId, start: Option<Offset>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(before) = std::mem::replace(&mut entry.transaction_start, start) {
            self.open.remove(&(before, id));
        }
        self.open.extend(start.map(|start| (start, id)));
    }

    /// The first record whose transaction is open, or has ended with a marker that is not below the high watermark: what
    /// a reader of committed records may not pass. `None` if there is none. The high watermark only rises.
    pub(crate) fn first_undecided(&mut self, high_watermark: Offset) -> Option<Offset> {
        self.ended.retain(|_, marker| *marker >= high_watermark);
        let open = self.open.first().map(|(start, _)| *start);
        let ended = self.ended.first_key_value().map(|((start, _), _)| *start);
        open.into_iter().chain(ended).min()
    }

    /// Puts back what a snapshot says.
    pub(crate) fn insert(&mut self, id: ProducerId, entry: ProducerEntry) {
        let start = entry.transaction_start;
        self.remove(id);
        self.entries.insert(id, entry);
        self.open.extend(start.map(|start| (start, id)));
    }

    fn remove(&mut self, id: ProducerId) {
        self.set_transaction_start(id, None);
        self.entries.remove(&id);
    }

    /// Forgets who has not written for `expiration_ms` (`producer.id.expiration.ms`) and has no transaction open.
    pub(crate) fn expire(&mut self, now: Timestamp, expiration_ms: i64) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        before - self.entries.len()
    }

    /// What compaction must leave of each producer: the batch with its last sequence, or else its last marker.
    pub(crate) fn last_records(&self) -> HashMap<ProducerId, LastRecord> {
        let last = |entry: &ProducerEntry| match entry.batches.last() {
            Some(batch) => LastRecord::Data(batch.last_offset),
            None => LastRecord::Epoch(entry.epoch),
        };
        self.entries.iter().map(|(id, entry)| (*id, last(entry))).collect()
    }

    /// Every producer, by id.
    pub(crate) fn sorted(&self) -> Vec<(ProducerId, &ProducerEntry)> {
        let mut all: Vec<_> = self.entries.iter().map(|(id, entry)| (*id, entry)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }
}

fn follows(last: Sequence, next: Sequence) -> bool {
    i64::from(next.0) == i64::from(last.0) + 1 || (next.0 == 0 && last.0 == i32::MAX)
}

#[cfg(test)]
mod tests {
    use ottla_types::ErrorCode;

    use super::*;
    use crate::testing::header;

    const COMMIT: Marker = Marker { aborts: false, coordinator_epoch: 0 };
    const ABORT: Marker = Marker { aborts: true, coordinator_epoch: 0 };

    fn batch(epoch: i16, first: i32, records: i32) -> BatchHeader {
        let mut header = header(records);
        header.producer_id = ProducerId(7);
        header.producer_epoch = ProducerEpoch(epoch);
        header.base_sequence = Sequence(first);
        header
    }

    fn code(producers: &Producers, header: &BatchHeader) -> ErrorCode {
        match producers.check(header) {
            Ok(Verdict::Append) => ErrorCode::None,
            Ok(Verdict::Duplicate(_)) => ErrorCode::DuplicateSequenceNumber,
            Err(refusal) => refusal.error_code(),
        }
    }

    #[test]
    fn an_unknown_producer_may_start_anywhere() {
        let producers = Producers::default();
        assert_eq!(code(&producers, &batch(3, 41, 2)), ErrorCode::None);
    }

    #[test]
    fn sequences_follow_without_a_gap_and_retries_are_recognised() {
        let mut producers = Producers::default();
        for i in 0..7 {
            let mut header = batch(0, 2 * i, 2);
            header.base_offset = Offset(i64::from(100 + 2 * i));
            assert_eq!(code(&producers, &header), ErrorCode::None);
            producers.record(&header, &[]);
        }
        assert_eq!(code(&producers, &batch(0, 15, 1)), ErrorCode::OutOfOrderSequenceNumber);
        // The five youngest are retries, older ones are out of order.
        for i in 2..7 {
            let Ok(Verdict::Duplicate(of)) = producers.check(&batch(0, 2 * i, 2)) else {
                panic!("batch {i} is a retry")
            };
            assert_eq!(of.first_offset(), Offset(i64::from(100 + 2 * i)));
        }
        assert_eq!(code(&producers, &batch(0, 2, 2)), ErrorCode::OutOfOrderSequenceNumber);
        // The same first sequence with another length is no retry.
        assert_eq!(code(&producers, &batch(0, 12, 1)), ErrorCode::OutOfOrderSequenceNumber);
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        producers.record(&batch(0, i32::MAX - 1, 2), &[]);
        assert_eq!(code(&producers, &batch(0, 0, 1)), ErrorCode::None);
        producers.record(&batch(0, 0, 3), &[]);
        let mut across = Producers::default();
        across.record(&batch(0, i32::MAX, 3), &[]);
        assert_eq!(code(&across, &batch(0, i32::MAX, 3)), ErrorCode::DuplicateSequenceNumber);
        assert_eq!(code(&across, &batch(0, 2, 1)), ErrorCode::None);
    }

    #[test]
    fn a_newer_epoch_starts_at_zero_and_an_older_one_is_fenced() {
        let mut producers = Producers::default();
        producers.record(&batch(1, 0, 5), &[]);
        assert_eq!(code(&producers, &batch(2, 5, 1)), ErrorCode::OutOfOrderSequenceNumber);
        assert_eq!(code(&producers, &batch(2, 0, 1)), ErrorCode::None);
        assert_eq!(code(&producers, &batch(0, 5, 1)), ErrorCode::InvalidProducerEpoch);
        producers.record(&batch(2, 0, 1), &[]);
        assert_eq!(code(&producers, &batch(1, 0, 5)), ErrorCode::InvalidProducerEpoch);
    }

    #[test]
    fn a_transaction_is_undecided_until_its_marker_is_below_the_high_watermark() {
        let mut producers = Producers::default();
        let at = |id, offset| {
            let mut header = batch(0, 0, 1);
            (header.producer_id, header.base_offset) = (ProducerId(id), Offset(offset));
            header.attributes = header.attributes.with_transactional(true);
            header
        };
        producers.record(&at(1, 10), &[]);
        producers.record(&at(2, 11), &[]);
        assert_eq!(producers.first_undecided(Offset(12)), Some(Offset(10)));
        let undo = producers.record_marker(&at(1, 12), COMMIT).undo;
        assert_eq!(producers.first_undecided(Offset(12)), Some(Offset(10)));
        producers.take_back(undo);
        assert_eq!(producers.first_undecided(Offset(99)), Some(Offset(10)), "open again");
        producers.record_marker(&at(1, 12), COMMIT);
        assert_eq!(producers.first_undecided(Offset(13)), Some(Offset(11)));
        producers.record_marker(&at(2, 13), COMMIT);
        assert_eq!(producers.first_undecided(Offset(14)), None);
    }

    #[test]
    fn an_aborted_transaction_is_told_with_the_last_stable_offset_after_it() {
        let mut producers = Producers::default();
        let at = |id, offset| {
            let mut header = batch(0, 0, 1);
            (header.producer_id, header.base_offset) = (ProducerId(id), Offset(offset));
            header.attributes = header.attributes.with_transactional(true);
            header
        };
        for (id, offset) in [(1, 10), (2, 11), (3, 12), (1, 13)] {
            producers.record(&at(id, offset), &[]);
        }
        let mut aborted = |id, offset, marker| {
            let aborted = producers.record_marker(&at(id, offset), marker).aborted?;
            assert_eq!((aborted.producer_id.0, aborted.last_offset.0), (id, offset));
            Some((aborted.first_offset.0, aborted.last_stable_offset.0))
        };
        assert_eq!(aborted(2, 14, ABORT), Some((11, 10)), "the first is still open");
        assert_eq!(aborted(1, 15, ABORT), Some((10, 12)));
        assert_eq!(aborted(3, 16, COMMIT), None);
        assert_eq!(aborted(3, 17, ABORT), None, "none is open");
        producers.record(&at(1, 18), &[]);
        assert_eq!(producers.record_marker(&at(1, 19), ABORT).aborted.map(|it| it.last_stable_offset.0), Some(20));
    }

    #[test]
    fn idle_producers_expire_unless_a_transaction_is_open() {
        let mut producers = Producers::default();
        let mut idle = batch(0, 0, 1);
        idle.max_timestamp = Timestamp(1000);
        producers.record(&idle, &[]);
        let mut open = idle;
        open.producer_id = ProducerId(8);
        open.attributes = open.attributes.with_transactional(true);
        producers.record(&open, &[]);
        assert_eq!(producers.expire(Timestamp(1999), 1000), 0);
        assert_eq!(producers.expire(Timestamp(2000), 1000), 1);
        assert_eq!(producers.sorted().len(), 1);
    }
}
