//! Which records of a batch stay, and what the batch is then. Pure: time is an argument, and the batch is in memory.
//!
//! Decided as Kafka 4.3.1 does (`Cleaner.cleanInto`, `MemoryRecords.filterTo`), in this order:
//! - Records of aborted transactions go. A marker goes when nothing of its transaction is left and its horizon is over.
//! - A record with a key stays while the map knows no later one of that key; a record without one goes.
//! - A tombstone that is the last of its key stays until the batch's horizon is over. The first pass that could drop it
//!   writes that horizon into the batch: `now + delete.retention.ms` (KIP-534). In magic 0 and 1, which have none, it stays
//!   as long as its segment is young; a pass that keeps it writes it in magic 2.
//! - A batch of which nothing stays goes, but for the last one of a producer, that its sequences live on, and the last of
//!   the round, that the log's offsets do.

use std::collections::HashMap;

use bytes::Bytes;
use ottla_record::{
    BatchError, BatchHeader, BatchRewriter, BuildError, Compressor, Record, RecordBatch, Scratch, emptied,
};
use ottla_types::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::offset_map::OffsetMap;
use super::transactions::{Control, Transactions};
use crate::producers::marker;
use crate::sown::{self, Bug};
use crate::transaction_index::AbortedTransaction;

/// The most that a batch may have when uncompressed, in bytes. What was appended was checked against less.
pub(super) const RECORDS_BYTES_MAX: usize = 1 << 30;

/// What must stay of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LastRecord {
    /// The batch that ends at this offset, which has its last sequence.
    Data(Offset),
    /// A marker of this epoch: the producer has written nothing else in it.
    Epoch(ProducerEpoch),
}

/// What holds during a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundRules {
    /// The time of the round.
    pub(crate) now: Timestamp,
    /// `delete.retention.ms`
    pub(crate) delete_retention_ms: i64,
    /// Where the part ends that the round may clean.
    pub(crate) end: Offset,
}

/// What becomes of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// It goes.
    Nothing,
    /// It stays as it is.
    AsItIs,
    /// This takes its place.
    Rewritten(BatchHeader, Bytes),
}

/// How many records went by.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct RecordCounts {
    pub(crate) read: u64,
    pub(crate) kept: u64,
    /// Without a key, in a topic where each should have one.
    pub(crate) keyless: u64,
}

/// What a round needs to decide, and the contexts it works with.
pub(crate) struct Filter<'a> {
    pub(crate) map: &'a OffsetMap,
    pub(crate) rules: RoundRules,
    pub(crate) last_records: &'a HashMap<ProducerId, LastRecord>,
    pub(crate) transactions: Transactions,
    /// Whether tombstones of magic 0 and 1 stay: the segment at hand is young.
    pub(crate) keeps_old_tombstones: bool,
    /// Of the new segment: the aborted transactions whose markers stay.
    pub(crate) aborted: Vec<AbortedTransaction>,
    pub(crate) counts: RecordCounts,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) compressor: &'a mut Compressor,
}

/// What is known of a batch before its records are looked at.
#[derive(Clone, Copy)]
struct Fate {
    /// None of its records stays.
    drops_records: bool,
    /// Something stays of it even if no record does.
    keeps_empty: bool,
    /// It is the marker of a transaction of which nothing is left.
    is_lone_marker: bool,
}

impl Filter<'_> {
    /// Decides about the next batch.
    pub(crate) fn batch(&mut self, batch: &RecordBatch<'_>) -> Result<Kept, BatchError> {
        let header = *batch.header();
        let fate = self.fate(batch);
        if fate.drops_records && !fate.keeps_empty {
            return Ok(Kept::Nothing);
        }
        let mut scratch = std::mem::take(self.scratch);
        let kept = self.records(batch, &header, fate, &mut scratch);
        *self.scratch = scratch;
        kept
    }

    fn fate(&mut self, batch: &RecordBatch<'_>) -> Fate {
        let header = batch.header();
        let is_control = header.is_current() && header.attributes.is_control();
        let (can_go, aborted) = if is_control {
            self.transactions.control(header, control(batch))
        } else {
            (self.transactions.batch(header), None)
        };
        self.aborted.extend(aborted);
        let is_over = header.delete_horizon().is_some_and(|horizon| horizon <= self.rules.now);
        let is_last_of_producer = match self.last_records.get(&header.producer_id) {
            _ if !header.is_current() || !header.has_producer_id() || sown::is(Bug::LastBatchNotKept) => false,
            Some(LastRecord::Data(offset)) => header.last_offset() == *offset,
            Some(LastRecord::Epoch(epoch)) => is_control && header.producer_epoch == *epoch,
            None => false,
        };
        Fate {
            drops_records: can_go && (!is_control || is_over),
            keeps_empty: is_last_of_producer || header.next_offset() == self.rules.end,
            is_lone_marker: can_go && is_control,
        }
    }

    fn records(
        &mut self,
        batch: &RecordBatch<'_>,
        header: &BatchHeader,
        fate: Fate,
        scratch: &mut Scratch,
    ) -> Result<Kept, BatchError> {
        let is_control = header.is_current() && header.attributes.is_control();
        let records = batch.records(scratch, RECORDS_BYTES_MAX)?;
        let (mut read, mut kept, mut has_tombstones) = (0u64, 0u64, false);
        let mut stays = Vec::new();
        for record in records.clone() {
            let record = record?;
            let stay = !fate.drops_records && (is_control || self.stays(header, &record));
            has_tombstones |= stay && record.value.is_none();
            (read, kept) = (read + 1, kept + u64::from(stay));
            stays.push(stay);
        }
        self.counts.read += read;
        self.counts.kept += kept;
        if kept == 0 && !fate.keeps_empty {
            return Ok(Kept::Nothing);
        }
        let sets_horizon = (has_tombstones || fate.is_lone_marker) && header.delete_horizon().is_none();
        if kept == read && kept > 0 && header.is_current() && !sets_horizon {
            return Ok(Kept::AsItIs);
        }
        // What is written anew gets a CRC that says nothing of what happened to it before.
        batch.check_crc()?;
        if kept == 0 {
            let (header, bytes) = emptied(header);
            return Ok(Kept::Rewritten(header, bytes));
        }
        let horizon = if sets_horizon {
            Some(Timestamp(self.rules.now.0.saturating_add(self.rules.delete_retention_ms)))
        } else {
            header.delete_horizon()
        };
        let mut rewriter = BatchRewriter::new(header, horizon)?;
        for (record, _) in records.zip(stays).filter(|(_, stay)| *stay) {
            rewriter.append(&record?).map_err(|_| too_large(batch))?;
        }
        let (header, bytes) = rewriter.build(self.compressor).map_err(|error| match error {
            BuildError::Codec(codec) => BatchError::UnknownCodec { id: codec as u8 },
            BuildError::TooLarge | BuildError::Empty => too_large(batch),
        })?;
        Ok(Kept::Rewritten(header, bytes))
    }

    /// Whether a record stays that was not aborted.
    fn stays(&mut self, header: &BatchHeader, record: &Record<'_>) -> bool {
        // Behind what the map knows nothing is known to be superseded.
        if self.map.latest().is_none_or(|latest| record.offset > latest) {
            return true;
        }
        let Some(key) = record.key else {
            self.counts.keyless += 1;
            return false;
        };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        let keeps_tombstones = match header.delete_horizon() {
            _ if sown::is(Bug::TombstonesDroppedAtOnce) => false,
            _ if !header.is_current() => self.keeps_old_tombstones,
            Some(horizon) => self.rules.now < horizon,
            None => true,
        };
        is_last && (record.value.is_some() || keeps_tombstones)
    }
}

/// What a control batch says. Its records are never compressed.
pub(super) fn control(batch: &RecordBatch<'_>) -> Control {
    let header = batch.header();
    if header.record_count == 0 {
        return Control::Empty;
    }
    marker::parse(header, batch.payload()).map_or(Control::Other, Control::Marker)
}

fn too_large(batch: &RecordBatch<'_>) -> BatchError {
    BatchError::TooLarge { bytes: batch.bytes().len(), bytes_max: i32::MAX as usize }
}
