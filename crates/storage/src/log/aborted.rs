//! Which aborted transactions a reader of committed records must be told of (KIP-98).
//!
//! They are told with the range that was read: those that have records in it. Where in the log their markers lie is not
//! known beforehand, so the segments' indexes are gone through from the one that was read on, until an entry says that
//! what comes later began behind the range (`LocalLog.collectAbortedTransactions`). The range's end is taken from the offset
//! index, and so a little late: a transaction too many does a reader no harm.

use std::sync::Arc;

use ottla_types::Offset;

use super::read::{ReadRefusal, Slice};
use super::{Log, State};
use crate::disk::Open;
use crate::fault::{StorageFault, Trying};
use crate::index::{self, Entry, Found};
use crate::offset_index::OffsetEntry;
use crate::segment::{Kind, Segment, SegmentFiles};
use crate::transaction_index::AbortedTransaction;

/// Entries that one read of a file brings in.
const BLOCK: u32 = 256;

/// Where a range ends, as far as memory knows.
pub(super) enum End {
    /// Below this offset.
    Offset(Offset),
    /// The first `entries` of the segment's offset index say it, in its file.
    InFile { files: Arc<SegmentFiles>, entries: u32, otherwise: Offset },
}

/// What one segment's index may add.
struct Piece {
    files: Arc<SegmentFiles>,
    /// How many entries are to be looked for in the file.
    in_file: u32,
    /// What is in memory, behind those.
    kept: Vec<AbortedTransaction>,
}

/// What is looked for, and what was found.
struct Collected {
    from: Offset,
    below: Offset,
    found: Vec<AbortedTransaction>,
}

impl Collected {
    /// Takes an entry in. Answers whether it was the last that matters.
    fn take(&mut self, entry: &AbortedTransaction) -> bool {
        if entry.last_offset >= self.from && entry.first_offset < self.below {
            self.found.push(*entry);
        }
        entry.last_stable_offset >= self.below
    }
}

impl Log {
    /// What [`read`](Self::read) and [`aborted_transactions`](Self::aborted_transactions) say, of one state of the log:
    /// compaction may put another segment in the place of the one that was read, which knows nothing of transactions
    /// whose records it lacks.
    pub async fn read_committed(
        &self,
        from: Offset,
        max_bytes: usize,
        up_to: Offset,
        at_least_one: bool,
    ) -> Result<(Option<Slice>, Vec<AbortedTransaction>), ReadRefusal> {
        loop {
            let Some(slice) = self.read(from, max_bytes, up_to, at_least_one).await? else {
                return Ok((None, Vec::new()));
            };
            let aborted = self.aborted_transactions(from, &slice).await;
            if !slice.is_replaced() {
                return aborted.map(|aborted| (Some(slice), aborted));
            }
        }
    }

    /// The transactions that were aborted and have records in `slice`, which was read from `from` on: by the offset of
    /// their markers, and perhaps a few that begin a little behind it. Refused if the records are gone meanwhile.
    pub async fn aborted_transactions(
        &self,
        from: Offset,
        slice: &Slice,
    ) -> Result<Vec<AbortedTransaction>, ReadRefusal> {
        let end = {
            let state = self.state.lock();
            let first = state.segment_read(from, slice)?;
            let concern = |entry: AbortedTransaction| entry.last_offset >= from;
            if !state.segments[first..].iter().any(|segment| segment.aborted.last().is_some_and(concern)) {
                return Ok(Vec::new());
            }
            state.end_of(first, slice)
        };
        let collected = self.collect_aborted(from, slice, end).await;
        collected.map_err(|refusal| match refusal {
            // Deleted between the look and the open, if the log begins later now.
            ReadRefusal::Fault(fault) => self.state.lock().segment_read(from, slice).err().unwrap_or(fault.into()),
            refused @ ReadRefusal::OutOfRange { .. } => refused,
        })
    }

    pub(super) async fn collect_aborted(
        &self,
        from: Offset,
        slice: &Slice,
        end: End,
    ) -> Result<Vec<AbortedTransaction>, ReadRefusal> {
        let below = match end {
            End::Offset(offset) => offset,
            End::InFile { files, entries, otherwise } => {
                let end = slice.position + slice.bytes as u64;
                let behind = |entry: &OffsetEntry| u64::from(entry.position) >= end;
                self.first_in_file(&files, Kind::OffsetIndex, entries, behind)
                    .await?
                    .map_or(otherwise, |(_, entry)| entry.offset)
            }
        };
        loop {
            let pieces = self.state.lock().pieces(from, below, slice)?;
            let found = self.collect(&pieces, from, below).await;
            if !pieces.iter().any(|piece| piece.files.is_replaced()) || slice.is_replaced() {
                return Ok(found?);
            }
        }
    }

    /// The transactions that the indexes of these segments say were aborted, and that have records from `from` up to
    /// `below`.
    pub(crate) async fn aborted_between(
        &self,
        segments: &[Segment],
        from: Offset,
        below: Offset,
    ) -> Result<Vec<AbortedTransaction>, StorageFault> {
        self.collect(&pieces_of(segments, from, below), from, below).await
    }

    async fn collect(
        &self,
        pieces: &[Piece],
        from: Offset,
        below: Offset,
    ) -> Result<Vec<AbortedTransaction>, StorageFault> {
        let mut collected = Collected { from, below, found: Vec::new() };
        for piece in pieces {
            let is_complete = self.take_from_file(piece, &mut collected).await?
                || piece.kept.iter().any(|entry| collected.take(entry));
            if is_complete {
                break;
            }
        }
        Ok(collected.found)
    }

    /// Takes in what a segment's file has to add. Answers whether that was all.
    async fn take_from_file(&self, piece: &Piece, collected: &mut Collected) -> Result<bool, StorageFault> {
        let kind = Kind::TransactionIndex;
        let concern = |entry: &AbortedTransaction| entry.last_offset >= collected.from;
        let first = self.first_in_file(&piece.files, kind, piece.in_file, concern).await?;
        let Some((mut next, _)) = first else { return Ok(false) };
        let path = piece.files.path(kind);
        let file = self.disk.open(&path, Open::Read).await.trying("open", &path)?;
        while next < piece.in_file {
            let count = BLOCK.min(piece.in_file - next);
            let entries = index::read_entries(&file, &path, piece.files.base(), next, count).await?;
            if entries.len() < count as usize {
                let at = u64::from(next) * u64::from(AbortedTransaction::BYTES);
                return Err(StorageFault::damaged(&path, at, "the file ends here, expected more"));
            }
            if entries.iter().any(|entry| collected.take(entry)) {
                return Ok(true);
            }
            next += count;
        }
        Ok(false)
    }

    /// The first of a file's `entries` of which `holds` is true, and its number; it is so of all behind it, too.
    async fn first_in_file<E: Entry>(
        &self,
        files: &SegmentFiles,
        kind: Kind,
        entries: u32,
        holds: impl Fn(&E) -> bool,
    ) -> Result<Option<(u32, E)>, StorageFault> {
        if entries == 0 {
            return Ok(None);
        }
        let path = files.path(kind);
        let file = self.disk.open(&path, Open::Read).await.trying("open", &path)?;
        index::first_where(&file, &path, files.base(), entries, holds).await
    }
}

impl State {
    /// The place of the segment that a range was read from.
    fn segment_read(&self, from: Offset, slice: &Slice) -> Result<usize, ReadRefusal> {
        let found = self.segments.binary_search_by_key(&slice.segment_base, |segment| segment.base);
        found.ok().filter(|_| from >= self.log_start && from <= self.end).ok_or(ReadRefusal::OutOfRange {
            offset: from,
            start: self.log_start,
            end: self.end,
        })
    }

    /// Where a range of segment `i` ends.
    fn end_of(&self, i: usize, slice: &Slice) -> End {
        let segment = &self.segments[i];
        let otherwise = self.segments.get(i + 1).map_or(self.end, |next| next.base);
        let end = slice.position + slice.bytes as u64;
        match segment.offsets.first_where(|entry| u64::from(entry.position) >= end) {
            Found::Entry(entry) => End::Offset(entry.offset),
            Found::None => End::Offset(otherwise),
            Found::InFile { entries } => {
                let otherwise = segment.offsets.first_kept().map_or(otherwise, |entry| entry.offset);
                End::InFile { files: segment.files.clone(), entries, otherwise }
            }
        }
    }

    /// What the indexes have from the segment of `slice` on that may concern a reader of `from` up to `below`.
    fn pieces(&self, from: Offset, below: Offset, slice: &Slice) -> Result<Vec<Piece>, ReadRefusal> {
        Ok(pieces_of(&self.segments[self.segment_read(from, slice)?..], from, below))
    }
}

fn pieces_of(segments: &[Segment], from: Offset, below: Offset) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for segment in segments {
        let index = &segment.aborted;
        let Some(last) = index.last().filter(|last| last.last_offset >= from) else { continue };
        // Only what memory lacks, and only if that may reach to `from`.
        let in_file = match index.first_where(|entry| entry.last_offset >= from) {
            Found::InFile { entries } => entries,
            Found::Entry(_) | Found::None => 0,
        };
        let kept = index.kept_where(|entry| entry.last_offset >= from);
        pieces.push(Piece { files: segment.files.clone(), in_file, kept });
        if last.last_stable_offset >= below {
            break;
        }
    }
    pieces
}
