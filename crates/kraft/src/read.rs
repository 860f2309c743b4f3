//! The records of Kafka's metadata log: out of batches, in order, whole transactions or nothing of them.

use ottla_record::{BatchError, Batches, RecordBatch, Scratch};
use ottla_types::Offset;
use ottla_wire::TypedRecord;
use ottla_wire::framing::read_frame_head;
use ottla_wire::records::cluster::abort_transaction::AbortTransactionRecord;
use ottla_wire::records::cluster::begin_transaction::BeginTransactionRecord;
use ottla_wire::records::cluster::end_transaction::EndTransactionRecord;
use ottla_wire::{DecodeError, Reader};
use thiserror::Error;

use crate::cluster::Cluster;

/// What the records of one batch may take; Kafka writes none above 8 MiB.
const RECORDS_BYTES_MAX: usize = 64 << 20;

/// Why a metadata log cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unreadable {
    /// A batch is damaged.
    #[error("the batch at byte {position}: {error}")]
    Batch {
        /// Where in the piece that was given.
        position: usize,
        /// What is wrong.
        error: BatchError,
    },
    /// A record is not one of those that Kafka writes up to 4.3.
    #[error("the record at offset {offset}: {error}")]
    Record {
        /// Its offset in the log.
        offset: Offset,
        /// What is wrong.
        error: DecodeError,
    },
    /// The log behind a snapshot begins too late, or a segment lacks.
    #[error("offset {expected} is missing: the next that is there is {found}")]
    Gap {
        /// The offset that should come.
        expected: Offset,
        /// The one that comes.
        found: Offset,
    },
}

/// A log that is being read: first the newest snapshot, if there is one, then the segments in order.
#[derive(Debug, Default)]
pub struct Reading {
    cluster: Cluster,
    /// The records of a transaction that has begun and not ended (KIP-868).
    transaction: Option<Vec<(Offset, Vec<u8>)>>,
    /// The next offset of the log; `None` before the first.
    next: Option<Offset>,
    scratch: Scratch,
}

impl Reading {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a snapshot of everything below `end`.
    pub fn snapshot(&mut self, bytes: &[u8], end: Offset) -> Result<(), Unreadable> {
        self.batches(bytes, None)?;
        self.next = Some(end);
        Ok(())
    }

    /// Takes in a segment. What the snapshot has is passed over; a batch that the end of the file cuts was never whole.
    pub fn segment(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let from = self.next.unwrap_or(Offset::ZERO);
        self.batches(bytes, Some(from))
    }

    /// What all of it says. A transaction that never ended never was.
    #[must_use]
    pub fn finish(self) -> Cluster {
        self.cluster
    }

    /// Reads batch after batch; with `from`, those of a log, which follow one another.
    fn batches(&mut self, bytes: &[u8], from: Option<Offset>) -> Result<(), Unreadable> {
        let mut batches = Batches::new(bytes);
        // Where the batch before this one in the same file ended.
        let mut follows = None;
        loop {
            let position = batches.position();
            // The reserved end of a segment is zeros.
            if bytes[position..].iter().take(12).all(|byte| *byte == 0) {
                return Ok(());
            }
            let Some(batch) = batches.next() else { return Ok(()) };
            let wrong = |error| Unreadable::Batch { position, error };
            let batch = batch.map_err(wrong)?;
            batch.check_crc().map_err(wrong)?;
            let header = batch.header();
            let end = header.base_offset.plus(i64::from(header.last_offset_delta) + 1);
            if let Some(from) = from {
                let next = self.next.unwrap_or(from);
                let expected = follows.replace(end).unwrap_or(next.min(header.base_offset));
                if header.base_offset != expected || header.base_offset > next {
                    return Err(Unreadable::Gap { expected: expected.min(next), found: header.base_offset });
                }
                if end <= next {
                    continue;
                }
                self.next = Some(end);
            }
            if !header.attributes.is_control() {
                self.batch(&batch, position)?;
            }
        }
    }

    fn batch(&mut self, batch: &RecordBatch<'_>, position: usize) -> Result<(), Unreadable> {
        let wrong = |error| Unreadable::Batch { position, error };
        let mut scratch = std::mem::take(&mut self.scratch);
        for record in batch.records(&mut scratch, RECORDS_BYTES_MAX).map_err(wrong)? {
            let record = record.map_err(wrong)?;
            self.record(record.offset, record.value.unwrap_or_default())?;
        }
        self.scratch = scratch;
        Ok(())
    }

    fn record(&mut self, offset: Offset, value: &[u8]) -> Result<(), Unreadable> {
        let head = read_frame_head(&mut Reader::new(value)).map_err(|error| Unreadable::Record { offset, error })?;
        match head.record_type {
            BeginTransactionRecord::TYPE => self.transaction = Some(Vec::new()),
            AbortTransactionRecord::TYPE => self.transaction = None,
            EndTransactionRecord::TYPE => {
                for (offset, value) in self.transaction.take().unwrap_or_default() {
                    self.apply(offset, &value)?;
                }
            }
            _ => match &mut self.transaction {
                Some(records) => records.push((offset, value.to_vec())),
                None => self.apply(offset, value)?,
            },
        }
        Ok(())
    }

    fn apply(&mut self, offset: Offset, value: &[u8]) -> Result<(), Unreadable> {
        self.cluster.apply(value).map_err(|error| Unreadable::Record { offset, error })
    }
}
