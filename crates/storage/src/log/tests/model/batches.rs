//! A batch as the list has it, and batches to append: some of whose records have keys, and some of these no value.

use std::sync::Arc;

use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Batches, Codec, Compressor, Scratch};
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use crate::testing::{Dice, stored};
use crate::{Batch, Log};

/// So many keys there are.
const KEYS: u64 = 12;

/// A record as a reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(super) value: Option<Vec<u8>>,
}

/// What a batch is to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    GoesOn,
    Marker { aborts: bool },
}

/// A batch as it was appended, or as compaction left it.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) header: BatchHeader,
    /// `None` if it is of no transaction.
    pub(super) part: Option<Part>,
    pub(super) records: Vec<Entry>,
    pub(super) bytes: Vec<u8>,
}

impl Listed {
    /// A batch as the log stores it at this offset.
    pub(super) fn new(batch: &Batch, base: i64, epoch: LeaderEpoch, part: Option<Part>) -> Self {
        Self { part, ..Self::found(stored(batch, Offset(base), epoch)) }
    }

    /// A batch that was read. Which part it has in a transaction only the one knows that was appended.
    fn found(bytes: Vec<u8>) -> Self {
        let batch = Batches::new(&bytes).next().expect("one").expect("a batch");
        batch.check_crc().expect("whole");
        let header = *batch.header();
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, 1 << 20).expect("readable").map(|record| {
            let record = record.expect("a record");
            let (offset, timestamp) = (record.offset.0, record.timestamp.0);
            Entry { offset, timestamp, key: record.key.map(<[u8]>::to_vec), value: record.value.map(<[u8]>::to_vec) }
        });
        let records = records.collect();
        Self { header, part: None, records, bytes }
    }

    pub(super) fn base(&self) -> i64 {
        self.header.base_offset.0
    }

    pub(super) fn last(&self) -> i64 {
        self.header.last_offset().0
    }

    pub(super) fn producer(&self) -> Option<i64> {
        self.header.has_producer_id().then_some(self.header.producer_id.0)
    }

    pub(super) fn is_marker(&self) -> bool {
        matches!(self.part, Some(Part::Marker { .. }))
    }

    /// The sequence that its producer sends next.
    pub(super) fn next_sequence(&self) -> i32 {
        self.header.base_sequence.0 + self.header.last_offset_delta + 1
    }
}

/// A batch of some records from `timestamp` on, a millisecond apart.
pub(super) fn keyed(options: BatchOptions, timestamp: i64, dice: &mut Dice) -> Batch {
    let codec = if dice.below(4) == 0 { Codec::ALL[dice.below(5) as usize] } else { Codec::None };
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..options });
    // Of few sizes, so that other batches take as much room as those that they take the place of.
    let bytes = [10, 100, 1000, dice.below(2000)][dice.below(4) as usize];
    let value = vec![b'v'; bytes as usize];
    for i in 0..1 + dice.below(4) as i64 {
        let key = (dice.below(20) > 0).then(|| format!("key {}", dice.below(KEYS)).into_bytes());
        let value = (dice.below(5) > 0).then_some(&value[..]);
        builder.append(Timestamp(timestamp + i), key.as_deref(), value, &[]).expect("small");
    }
    let bytes = builder.build(&mut Compressor::default()).expect("not empty");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

/// A log as it is.
pub(super) struct Told {
    /// Every batch that is in its files, those below its start too.
    pub(super) batches: Vec<Listed>,
    /// Producers and markers of aborted transactions, as those are told who read committed records from the start on.
    pub(super) aborted: Vec<(i64, i64)>,
}

/// Reads all that was written.
pub(super) async fn all_of(log: &Arc<Log>) -> Told {
    let mut told = Told { batches: Vec::new(), aborted: Vec::new() };
    for segment in log.view().segments.iter().filter(|segment| segment.written > 0) {
        let file = segment.files.log().await.expect("there");
        let bytes = file.read(0, segment.written as usize).await.expect("read");
        told.batches.extend(Batches::new(&bytes).map(|batch| Listed::found(batch.expect("a batch").bytes().to_vec())));
    }
    let ends = log.ends();
    let mut next = ends.log_start;
    loop {
        let (slice, aborted) = log.read_committed(next, 20_000, ends.written, true).await.expect("in range");
        told.aborted.extend(aborted.iter().map(|aborted| (aborted.producer_id.0, aborted.last_offset.0)));
        let Some(slice) = slice else { return told };
        let bytes = slice.read().await.expect("read");
        next = Batches::new(&bytes).last().expect("one").expect("a batch").header().next_offset();
    }
}
