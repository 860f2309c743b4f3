//! One segment of a log: a `.log` file of batches, its indexes, and what is known of them without reading.
//!
//! [`Segment`] is state under the log's lock: it decides positions and index entries at the moment of an append, before
//! anything is written. [`SegmentFiles`] is what can be shared outside of the lock.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use ottla_record::BatchHeader;
use ottla_types::{Offset, Timestamp};
use parking_lot::Mutex;

use crate::disk::{Disk, File, FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::index::{Entry, Found, Index, IndexMark};
use crate::log::{LogConfig, SegmentSummary};
use crate::offset_index::{OffsetEntry, OffsetIndex};
use crate::time_index::{TimeEntry, TimeIndex};
use crate::transaction_index::{AbortedTransaction, TransactionIndex};

/// The files of a segment, by their endings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    Snapshot,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex, Self::Snapshot];

    const fn ending(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
            Self::Snapshot => ".snapshot",
        }
    }

    /// `<offset in 20 digits>.<ending>`
    pub(crate) fn name(self, offset: Offset) -> String {
        format!("{:020}{}", offset.0, self.ending())
    }

    /// The name that the file has on its way, such as `.swap`.
    pub(crate) fn name_with(self, offset: Offset, ending: &str) -> String {
        self.name(offset) + ending
    }

    /// Reads a file name back.
    pub(crate) fn parse(name: &str) -> Option<(Self, Offset)> {
        let kind = Self::ALL.into_iter().find(|kind| name.ends_with(kind.ending()))?;
        let digits = name.strip_suffix(kind.ending())?;
        let all_digits = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
        all_digits.then(|| digits.parse().ok()).flatten().map(|offset| (kind, Offset(offset)))
    }
}

/// The files of one segment. The `.log` stays open while it is written or not yet durable; later as long as a reader
/// holds it.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    disk: Arc<dyn Disk>,
    directory: Arc<Path>,
    base: Offset,
    log: Mutex<Handle>,
    /// Other files have these names by now, or are about to.
    replaced: AtomicBool,
}

#[derive(Debug)]
enum Handle {
    Held(FileHandle),
    Shared(Weak<dyn File>),
    Closed,
}

impl SegmentFiles {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: Arc<Path>, base: Offset) -> Self {
        Self { disk, directory, base, log: Mutex::new(Handle::Closed), replaced: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self, kind: Kind) -> PathBuf {
        self.directory.join(kind.name(self.base))
    }

    /// The offset that names them.
    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    /// The `.log`, if it is open.
    pub(crate) fn open_log(&self) -> Option<FileHandle> {
        match &*self.log.lock() {
            Handle::Held(file) => Some(file.clone()),
            Handle::Shared(file) => file.upgrade(),
            Handle::Closed => None,
        }
    }

    /// The `.log`, opened if need be.
    pub(crate) async fn log(&self) -> Result<FileHandle, StorageFault> {
        if let Some(file) = self.open_log() {
            return Ok(file);
        }
        let path = self.path(Kind::Log);
        let file = self.disk.open(&path, Open::Write).await.trying("open", &path)?;
        *self.log.lock() = Handle::Shared(Arc::downgrade(&file));
        Ok(file)
    }

    /// Compaction is about to give the names to other files. The `.log` is held open by now; whoever opens an index by its
    /// name looks [here](Self::is_replaced) when it is done, and asks the log again.
    pub(crate) fn set_replaced(&self) {
        self.replaced.store(true, Ordering::SeqCst);
    }

    /// Whether what was read by name may be another segment's.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::SeqCst)
    }

    /// Keeps the `.log` open until [`release`](Self::release).
    pub(crate) fn hold(&self, file: FileHandle) {
        *self.log.lock() = Handle::Held(file);
    }

    /// Leaves the `.log` open only as long as somebody else holds it.
    pub(crate) fn release(&self) {
        let mut log = self.log.lock();
        if let Handle::Held(file) = &*log {
            *log = Handle::Shared(Arc::downgrade(file));
        }
    }
}

/// A batch near the end, where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A batch starts here that is the one looked for.
    At {
        /// Where, in bytes.
        position: u64,
        /// The batch's size in bytes, where it is known.
        bytes: Option<u64>,
    },
    /// It lies here or further on.
    From(u64),
    /// The offset index's file knows more.
    InFile {
        /// How many entries of the file come into question.
        entries: u32,
    },
}

/// One segment, under the log's lock.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// The offset that names it; no batch in it starts lower.
    pub(crate) base: Offset,
    pub(crate) files: Arc<SegmentFiles>,
    /// Bytes appended. `flushed <= written <= bytes`.
    pub(crate) bytes: u64,
    /// Bytes in the file.
    pub(crate) written: u64,
    /// Bytes that no power loss takes.
    pub(crate) flushed: u64,
    /// Bytes for which space is set aside.
    pub(crate) reserved: u64,
    /// Whether the files are there.
    pub(crate) created: bool,
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    /// The transactions that a marker in this segment aborted.
    pub(crate) aborted: TransactionIndex,
    /// The largest timestamp so far with the last offset of its batch; `None` while the segment is empty.
    pub(crate) largest: Option<TimeEntry>,
    /// The largest timestamp of the first batch, from which the segment's age is counted.
    pub(crate) first_timestamp: Option<Timestamp>,
    /// When it was made, for the age of a segment without timestamps.
    pub(crate) created_at: Timestamp,
    /// When it was written last, by the appenders' clock or the file's; [`Timestamp::NONE`] if that is not known.
    pub(crate) modified_at: Timestamp,
    /// Bytes since the last entry of the offset index.
    since_index: u64,
}

/// How far a segment had come at some moment; see [`Segment::return_to`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentMark {
    pub(crate) bytes: u64,
    offsets: IndexMark<OffsetEntry>,
    times: IndexMark<TimeEntry>,
    aborted: IndexMark<AbortedTransaction>,
    largest: Option<TimeEntry>,
    first_timestamp: Option<Timestamp>,
    since_index: u64,
}

impl Segment {
    /// A segment that has nothing yet, not even files.
    pub(crate) fn planned(files: SegmentFiles, now: Timestamp) -> Self {
        let base = files.base;
        Self {
            base,
            files: Arc::new(files),
            bytes: 0,
            written: 0,
            flushed: 0,
            reserved: 0,
            created: false,
            offsets: Index::new(base),
            times: Index::new(base),
            aborted: Index::new(base),
            largest: None,
            first_timestamp: None,
            created_at: now,
            modified_at: now,
            since_index: 0,
        }
    }

    /// A segment found on disk with `bytes` in its `.log`, and no transaction aborted.
    pub(crate) fn found(files: SegmentFiles, bytes: u64, offsets: OffsetIndex, times: TimeIndex) -> Self {
        let largest = times.last();
        let found = Self::planned(files, Timestamp::NONE);
        Self { bytes, written: bytes, flushed: bytes, reserved: bytes, created: true, offsets, times, largest, ..found }
    }

    /// Whether a batch must go to a new segment (`LogSegment.shouldRoll`).
    pub(crate) fn must_roll(&self, header: &BatchHeader, config: &LogConfig, now: Timestamp) -> bool {
        let is_full = self.bytes + header.size_in_bytes() as u64 > u64::from(config.segment_bytes)
            || self.age_ms(header.max_timestamp, now) > config.segment_ms - self.jitter_ms(config)
            || self.offsets.is_full(config.segment_index_bytes)
            || self.times.is_full(config.segment_index_bytes);
        // An empty segment takes any batch that its indexes can express.
        (self.bytes > 0 && is_full) || header.last_offset().0 - self.base.0 > i64::from(i32::MAX)
    }

    /// Records' time decides where records have one; the clock does where they have none.
    fn age_ms(&self, timestamp: Timestamp, now: Timestamp) -> i64 {
        match self.first_timestamp {
            Some(first) if first.0 >= 0 => timestamp.0.saturating_sub(first.0),
            _ => now.0.saturating_sub(self.created_at.0),
        }
    }

    /// What is taken off `segment.ms` so that segments that began together do not all end together: below
    /// `segment.jitter.ms`, drawn from the segment's name, so that it is the same after a restart.
    fn jitter_ms(&self, config: &LogConfig) -> i64 {
        let below = u64::try_from(config.segment_jitter_ms.min(config.segment_ms)).unwrap_or_default();
        if below == 0 {
            return 0;
        }
        // FNV-1a.
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let name = self.files.directory.as_os_str().as_encoded_bytes();
        let hash = name.iter().chain(&self.base.0.to_be_bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
        (hash % below).cast_signed()
    }

    /// How far the segment has come.
    pub(crate) fn mark(&self) -> SegmentMark {
        SegmentMark {
            bytes: self.bytes,
            offsets: self.offsets.mark(),
            times: self.times.mark(),
            aborted: self.aborted.mark(),
            largest: self.largest,
            first_timestamp: self.first_timestamp,
            since_index: self.since_index,
        }
    }

    /// Forgets what was pushed since `mark`. Answers the files of indexes that have some of it, with the bytes to which
    /// they must be cut.
    pub(crate) fn return_to(&mut self, mark: &SegmentMark) -> Vec<(PathBuf, u64)> {
        self.bytes = mark.bytes;
        (self.largest, self.first_timestamp) = (mark.largest, mark.first_timestamp);
        self.since_index = mark.since_index;
        let offsets = self.offsets.return_to(mark.offsets).map(|bytes| (self.files.path(Kind::OffsetIndex), bytes));
        let times = self.times.return_to(mark.times).map(|bytes| (self.files.path(Kind::TimeIndex), bytes));
        let aborted = self.aborted.return_to(mark.aborted);
        let aborted = aborted.map(|bytes| (self.files.path(Kind::TransactionIndex), bytes));
        offsets.into_iter().chain(times).chain(aborted).collect()
    }

    /// Gives a batch its place behind the others, with index entries as they fall due. Answers the position.
    pub(crate) fn push(&mut self, header: &BatchHeader, index_interval_bytes: u32) -> u64 {
        let position = self.bytes;
        let last_offset = header.last_offset();
        self.first_timestamp.get_or_insert(header.max_timestamp);
        if self.largest.is_none_or(|largest| header.max_timestamp > largest.timestamp) {
            self.largest = Some(TimeEntry { timestamp: header.max_timestamp, offset: last_offset });
        }
        if self.since_index > u64::from(index_interval_bytes) {
            self.offsets.push(OffsetEntry { offset: last_offset, position: position as u32 });
            self.close_times();
            self.since_index = 0;
        }
        let size = header.size_in_bytes() as u64;
        self.bytes += size;
        self.since_index += size;
        position
    }

    /// Brings the largest timestamp so far into the time index.
    pub(crate) fn close_times(&mut self) {
        if let Some(largest) = self.largest {
            self.times.push_if_later(largest);
        }
    }

    /// Where the first batch lies that ends at `offset` or later, as far as memory knows.
    pub(crate) fn place(&self, offset: Offset) -> Place {
        if offset <= self.base {
            return Place::At { position: 0, bytes: None };
        }
        match self.offsets.floor(offset.0) {
            Found::Entry(entry) => Place::From(u64::from(entry.position)),
            Found::None => Place::From(0),
            Found::InFile { entries } => Place::InFile { entries },
        }
    }

    /// The segment as retention sees it.
    pub(crate) fn summary(&self) -> SegmentSummary {
        let known = |at: Timestamp| (at > Timestamp::NONE).then_some(at);
        SegmentSummary {
            base: self.base,
            bytes: self.bytes,
            max_timestamp: self.largest.and_then(|largest| known(largest.timestamp)),
            modified: known(self.modified_at),
        }
    }

    /// Whether bytes are in the file that a power loss could take.
    pub(crate) fn is_dirty(&self) -> bool {
        self.flushed < self.written
    }
}

/// How many entries each index of a segment has, in memory or in its file.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct IndexEntries {
    pub(crate) offsets: u32,
    pub(crate) times: u32,
    pub(crate) aborted: u32,
}

impl IndexEntries {
    /// So many of one index, none of the others.
    pub(crate) fn of(kind: Kind, entries: u32) -> Self {
        let mut all = Self::default();
        match kind {
            Kind::OffsetIndex => all.offsets = entries,
            Kind::TimeIndex => all.times = entries,
            Kind::TransactionIndex => all.aborted = entries,
            Kind::Log | Kind::Snapshot => {}
        }
        all
    }
}

/// What goes into an index file: its path, position, bytes, and the entries that the file has then.
#[derive(Debug)]
pub(crate) struct IndexWrite {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    pub(crate) at: u64,
    pub(crate) bytes: Bytes,
    pub(crate) entries: u32,
}

impl Segment {
    /// What the files of the indexes lack.
    pub(crate) fn index_writes(&self) -> [Option<IndexWrite>; 3] {
        let offsets = self.write_of(Kind::OffsetIndex, &self.offsets);
        let times = self.write_of(Kind::TimeIndex, &self.times);
        [offsets, times, self.write_of(Kind::TransactionIndex, &self.aborted)]
    }

    fn write_of<E: Entry>(&self, kind: Kind, index: &Index<E>) -> Option<IndexWrite> {
        let (at, bytes, entries) = index.pending()?;
        Some(IndexWrite { kind, path: self.files.path(kind), at, bytes, entries })
    }

    /// Whether so many index entries wait that the writer should bring them to the files.
    pub(crate) fn wants_index_writing(&self) -> bool {
        self.offsets.wants_writing() || self.aborted.wants_writing()
    }

    /// Whether index entries could be lost with the power.
    pub(crate) fn has_unsaved_index(&self) -> bool {
        self.entries_in_files() != self.entries() || self.unsynced_indexes().next().is_some()
    }

    /// The indexes whose files have entries that a power loss could take.
    pub(crate) fn unsynced_indexes(&self) -> impl Iterator<Item = Kind> + use<> {
        let offsets = self.offsets.wants_sync().then_some(Kind::OffsetIndex);
        let times = self.times.wants_sync().then_some(Kind::TimeIndex);
        let aborted = self.aborted.wants_sync().then_some(Kind::TransactionIndex);
        [offsets, times, aborted].into_iter().flatten()
    }

    /// How many entries the indexes have.
    pub(crate) fn entries(&self) -> IndexEntries {
        let (offsets, times) = (self.offsets.entries(), self.times.entries());
        IndexEntries { offsets, times, aborted: self.aborted.entries() }
    }

    /// How many entries the files have.
    pub(crate) fn entries_in_files(&self) -> IndexEntries {
        let (offsets, times) = (self.offsets.entries_in_file(), self.times.entries_in_file());
        IndexEntries { offsets, times, aborted: self.aborted.entries_in_file() }
    }

    /// So many entries are in the files by now.
    pub(crate) fn indexes_written(&mut self, entries: IndexEntries) {
        self.offsets.written(entries.offsets);
        self.times.written(entries.times);
        self.aborted.written(entries.aborted);
    }

    /// So many entries of one index are durable by now.
    pub(crate) fn index_synced(&mut self, kind: Kind, entries: IndexEntries) {
        match kind {
            Kind::OffsetIndex => self.offsets.was_synced(entries.offsets),
            Kind::TimeIndex => self.times.was_synced(entries.times),
            Kind::TransactionIndex => self.aborted.was_synced(entries.aborted),
            Kind::Log | Kind::Snapshot => {}
        }
    }

    /// The same of all of them.
    pub(crate) fn indexes_synced(&mut self, entries: IndexEntries) {
        for kind in [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            self.index_synced(kind, entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas_and_read_back() {
        assert_eq!(Kind::Log.name(Offset(1234)), "00000000000000001234.log");
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(&kind.name(Offset(i64::MAX))), Some((kind, Offset(i64::MAX))));
        }
        for not in
            ["1.log", "00000000000000001234.log.deleted", "0000000000000000123x.log", "x", "+0000000000000001234.log"]
        {
            assert_eq!(Kind::parse(not), None, "{not}");
        }
    }

    #[test]
    fn a_segment_ends_by_size_time_index_or_offset_span() {
        let config =
            LogConfig { segment_bytes: 10_000, segment_ms: 1000, segment_index_bytes: 36, ..LogConfig::default() };
        let at = |offset: i64, timestamp: i64| {
            let mut header = crate::testing::header(1);
            (header.base_offset, header.max_timestamp) = (Offset(offset), Timestamp(timestamp));
            header
        };
        let mut segment = crate::testing::segment(100);
        // Empty, it takes whatever its indexes can express.
        assert!(!segment.must_roll(&at(100 + i64::from(i32::MAX), 0), &config, Timestamp(0)));
        assert!(segment.must_roll(&at(101 + i64::from(i32::MAX), 0), &config, Timestamp(0)));
        segment.push(&at(100, 5000), u32::MAX);
        assert!(!segment.must_roll(&at(101, 6000), &config, Timestamp(0)));
        assert!(segment.must_roll(&at(101, 6001), &config, Timestamp(0)));
        let small = LogConfig { segment_bytes: segment.bytes as u32, ..config };
        assert!(segment.must_roll(&at(101, 5000), &small, Timestamp(0)));
        // 36 bytes hold four entries of offsets, and three of times, of which one is kept for the segment's end.
        for (step_ms, entries) in [(0, (4, 1)), (1, (2, 2))] {
            let mut segment = segment.clone();
            let mut next = at(101, 5000 + step_ms);
            while !segment.must_roll(&next, &config, Timestamp(0)) {
                segment.push(&next, 0);
                next = at(next.base_offset.0 + 1, next.max_timestamp.0 + step_ms);
                assert!(segment.bytes < config.segment_bytes.into(), "its indexes are never full");
            }
            assert_eq!((segment.offsets.entries(), segment.times.entries()), entries, "{step_ms} ms apart");
        }
    }
}
