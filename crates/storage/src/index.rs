//! A sparse index of one segment: sorted entries of fixed size, the last ones in memory, all of them in a file.
//!
//! Entries are made in memory by whoever appends, and go to the file in batches when the log's writer passes by. A look-up
//! tries the part in memory first and then searches the file with a few small reads. What an entry says is defined in
//! [`offset_index`](crate::offset_index) and [`time_index`](crate::time_index).
//!
//! Invariant: `first_kept <= in_file <= entries()`, so that every entry is in the file or in memory, or in both.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_types::Offset;

use crate::disk::FileHandle;
use crate::fault::{StorageFault, Trying};

/// Entries that stay in memory after they went to the file: what readers near the end look for.
const KEPT: usize = 512;
/// Entries that wait in memory before the writer brings them to the file on its own account.
const PENDING_MAX: u32 = 4096;
/// Entries that one read of a search brings in.
const BLOCK: u32 = 256;

/// One entry of an index: a key to search by, and an offset.
pub(crate) trait Entry: Copy + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Bytes of an entry in the file.
    const BYTES: u32;
    /// What entries are sorted by; strictly increasing.
    fn key(&self) -> i64;
    /// The offset it speaks of; increasing too.
    fn offset(&self) -> Offset;
    /// Writes the entry as the file has it.
    fn put(&self, base: Offset, out: &mut BytesMut);
    /// Reads an entry from exactly [`Self::BYTES`] bytes.
    fn get(base: Offset, bytes: &[u8]) -> Self;
}

/// Where an entry is to be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found<E> {
    /// This is it.
    Entry(E),
    /// No entry is that small.
    None,
    /// It is among the first `entries` of the file.
    InFile {
        /// How many entries of the file come into question.
        entries: u32,
    },
}

/// How far an index had come at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexMark<E> {
    entries: u32,
    last: Option<E>,
}

/// The index of one segment.
#[derive(Clone, Debug)]
pub(crate) struct Index<E> {
    base: Offset,
    /// The entries from `first_kept` on.
    kept: Vec<E>,
    first_kept: u32,
    in_file: u32,
    synced: u32,
    /// The file was cut since it was last synced: a power loss could bring back what it had.
    was_cut: bool,
    last: Option<E>,
}

impl<E: Entry> Index<E> {
    /// An index without entries.
    pub(crate) fn new(base: Offset) -> Self {
        Self { base, kept: Vec::new(), first_kept: 0, in_file: 0, synced: 0, was_cut: false, last: None }
    }

    /// An index whose `entries` are all in the file, none in memory.
    pub(crate) fn in_file(base: Offset, entries: u32, last: Option<E>) -> Self {
        let (kept, was_cut) = (Vec::new(), false);
        Self { base, kept, first_kept: entries, in_file: entries, synced: entries, was_cut, last }
    }

    /// An index made anew: all entries in memory, none in the file.
    pub(crate) fn rebuilt(base: Offset, entries: Vec<E>) -> Self {
        let last = entries.last().copied();
        Self { base, last, kept: entries, first_kept: 0, in_file: 0, synced: 0, was_cut: false }
    }

    /// How many entries there are.
    pub(crate) fn entries(&self) -> u32 {
        self.first_kept + self.kept.len() as u32
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Option<E> {
        self.last
    }

    /// Adds an entry behind the others.
    pub(crate) fn push(&mut self, entry: E) {
        debug_assert!(self.last.is_none_or(|last| last.key() < entry.key()), "{entry:?} behind {:?}", self.last);
        self.last = Some(entry);
        self.kept.push(entry);
    }

    /// How far the index has come, for [`return_to`](Self::return_to).
    pub(crate) fn mark(&self) -> IndexMark<E> {
        IndexMark { entries: self.entries(), last: self.last }
    }

    /// Forgets the entries that were added since `mark`. Answers the bytes to which the file must be cut, if it has some
    /// of them.
    pub(crate) fn return_to(&mut self, mark: IndexMark<E>) -> Option<u64> {
        let is_in_file = self.in_file > mark.entries;
        self.kept.truncate(mark.entries.saturating_sub(self.first_kept) as usize);
        self.first_kept = self.first_kept.min(mark.entries);
        self.in_file = self.in_file.min(mark.entries);
        self.synced = self.synced.min(mark.entries);
        self.last = mark.last;
        self.was_cut |= is_in_file;
        is_in_file.then_some(u64::from(mark.entries) * u64::from(E::BYTES))
    }

    /// The last entry whose key is at most `key`.
    pub(crate) fn floor(&self, key: i64) -> Found<E> {
        let below = self.kept.partition_point(|entry| entry.key() <= key);
        match below.checked_sub(1) {
            Some(i) => Found::Entry(self.kept[i]),
            None if self.first_kept > 0 => Found::InFile { entries: self.first_kept },
            None => Found::None,
        }
    }

    /// The first entry of which `holds` is true; it must be so of all behind it, too. In the file, if that may have an
    /// earlier one than memory.
    pub(crate) fn first_where(&self, holds: impl Fn(&E) -> bool) -> Found<E> {
        let before = self.kept.partition_point(|entry| !holds(entry));
        match self.kept.get(before) {
            _ if before == 0 && self.first_kept > 0 => Found::InFile { entries: self.first_kept },
            Some(entry) => Found::Entry(*entry),
            None => Found::None,
        }
    }

    /// The first entry in memory.
    pub(crate) fn first_kept(&self) -> Option<E> {
        self.kept.first().copied()
    }

    /// The entries in memory from the first on of which `holds` is true.
    pub(crate) fn kept_where(&self, holds: impl Fn(&E) -> bool) -> Vec<E> {
        self.kept[self.kept.partition_point(|entry| !holds(entry))..].to_vec()
    }

    /// Whether so many entries wait that the writer should bring them to the file.
    pub(crate) fn wants_writing(&self) -> bool {
        self.entries() - self.in_file >= PENDING_MAX
    }

    /// What is missing in the file: where it goes, its bytes, and the number of entries that the file has then.
    pub(crate) fn pending(&self) -> Option<(u64, Bytes, u32)> {
        let entries = self.entries();
        if entries == self.in_file {
            return None;
        }
        let missing = &self.kept[(self.in_file - self.first_kept) as usize..];
        let mut out = BytesMut::with_capacity(missing.len() * E::BYTES as usize);
        for entry in missing {
            entry.put(self.base, &mut out);
        }
        Some((u64::from(self.in_file) * u64::from(E::BYTES), out.freeze(), entries))
    }

    /// The first `entries` are in the file; all but the last few of these leave memory.
    pub(crate) fn written(&mut self, entries: u32) {
        self.in_file = self.in_file.max(entries);
        let surplus = ((self.in_file - self.first_kept) as usize).saturating_sub(KEPT);
        // Half of what is kept may pile up, so that entries are not moved for every batch of them.
        if surplus > KEPT / 2 {
            self.kept.drain(..surplus);
            self.first_kept += surplus as u32;
        }
    }

    /// How many entries the file has.
    pub(crate) fn entries_in_file(&self) -> u32 {
        self.in_file
    }

    /// Whether the file has entries that a power loss could take.
    pub(crate) fn wants_sync(&self) -> bool {
        self.synced < self.in_file || self.was_cut
    }

    /// The first `entries` of the file are durable.
    pub(crate) fn was_synced(&mut self, entries: u32) {
        self.synced = self.synced.max(entries).min(self.in_file);
        self.was_cut = false;
    }
}

/// The last of the first `entries` in the file whose key is at most `key`.
pub(crate) async fn search<E: Entry>(
    file: &FileHandle,
    path: &Path,
    base: Offset,
    entries: u32,
    key: i64,
) -> Result<Option<E>, StorageFault> {
    let (mut low, mut high) = (0u32, entries);
    // Invariant: entries before `low` have keys at most `key` (or `low` is 0); entries from `high` on are larger.
    while high - low > BLOCK {
        let middle = low + (high - low) / 2;
        let probe = read_entries::<E>(file, path, base, middle, 1).await?;
        match probe.first() {
            Some(entry) if entry.key() <= key => low = middle,
            _ => high = middle,
        }
    }
    let block = read_entries::<E>(file, path, base, low, high - low).await?;
    let below = block.partition_point(|entry| entry.key() <= key);
    Ok(below.checked_sub(1).map(|i| block[i]))
}

/// The first of the first `entries` in the file of which `holds` is true, and its number; it must be so of all behind it,
/// too.
pub(crate) async fn first_where<E: Entry>(
    file: &FileHandle,
    path: &Path,
    base: Offset,
    entries: u32,
    holds: impl Fn(&E) -> bool,
) -> Result<Option<(u32, E)>, StorageFault> {
    let (mut low, mut high) = (0u32, entries);
    // Invariant: of entries before `low` it is false, of those from `high` on true.
    while high - low > BLOCK {
        let middle = low + (high - low) / 2;
        let probe = read_entries::<E>(file, path, base, middle, 1).await?;
        match probe.first() {
            Some(entry) if !holds(entry) => low = middle + 1,
            _ => high = middle,
        }
    }
    // One more than is in question: it may be the one.
    let block = read_entries::<E>(file, path, base, low, (high + 1).min(entries) - low).await?;
    let first = block.partition_point(|entry| !holds(entry));
    Ok(block.get(first).map(|entry| (low + first as u32, *entry)))
}

/// Reads `count` entries from number `first` on; fewer only at the end of the file.
pub(crate) async fn read_entries<E: Entry>(
    file: &FileHandle,
    path: &Path,
    base: Offset,
    first: u32,
    count: u32,
) -> Result<Vec<E>, StorageFault> {
    let at = u64::from(first) * u64::from(E::BYTES);
    let bytes = file.read(at, (count * E::BYTES) as usize).await.trying("read", path)?;
    Ok(decode(base, &bytes))
}

/// The whole entries in `bytes`.
pub(crate) fn decode<E: Entry>(base: Offset, bytes: &[u8]) -> Vec<E> {
    bytes.chunks_exact(E::BYTES as usize).map(|bytes| E::get(base, bytes)).collect()
}

/// The leading entries that can be trusted after an unclean stop: keys and offsets rise, and `usable` says yes.
pub(crate) fn trusted<E: Entry>(base: Offset, bytes: &[u8], usable: impl Fn(&E) -> bool) -> Vec<E> {
    let mut good: Vec<E> = Vec::new();
    for entry in decode::<E>(base, bytes) {
        let rises = good.last().is_none_or(|last| last.key() < entry.key() && last.offset() <= entry.offset());
        if !rises || entry.offset() < base || !usable(&entry) {
            break;
        }
        good.push(entry);
    }
    good
}

/// An offset within its segment, as the files have it.
pub(crate) fn put_relative(out: &mut BytesMut, base: Offset, offset: Offset) {
    let relative = i32::try_from(offset.0 - base.0).expect("a segment spans fewer offsets than an i32");
    out.put_i32(relative);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;
    use crate::disk::{Disk, Open, block_on};
    use crate::offset_index::OffsetEntry;

    fn entry(i: i64) -> OffsetEntry {
        OffsetEntry { offset: Offset(100 + 10 * i), position: i as u32 * 4096 }
    }

    #[test]
    fn floor_finds_the_last_entry_at_or_below() {
        let mut index = Index::new(Offset(100));
        assert_eq!(index.floor(500), Found::None);
        for i in 1..=3 {
            index.push(entry(i));
        }
        assert_eq!(index.floor(109), Found::None);
        assert_eq!(index.floor(110), Found::Entry(entry(1)));
        assert_eq!(index.floor(129), Found::Entry(entry(2)));
        assert_eq!(index.floor(9999), Found::Entry(entry(3)));
    }

    #[test]
    fn the_first_entry_that_fits_is_in_memory_or_in_the_file() {
        let mut index = Index::new(Offset(100));
        assert_eq!(index.first_where(|_| true), Found::None);
        (1..=2000).for_each(|i| index.push(entry(i)));
        let at_least = |i: i64| move |entry: &OffsetEntry| entry.offset.0 >= 100 + 10 * i;
        assert_eq!(index.first_where(at_least(1)), Found::Entry(entry(1)));
        let (_, bytes, entries) = index.pending().expect("nothing is in the file");
        index.written(entries);
        assert_eq!(index.first_where(at_least(1999)), Found::Entry(entry(1999)));
        assert_eq!(index.first_where(at_least(2001)), Found::None);
        assert_eq!(index.kept_where(at_least(1999)), [entry(1999), entry(2000)]);
        assert_eq!(index.first_where(at_least(1400)), Found::InFile { entries: 1488 });
        block_on(async {
            let (disk, path) = (SimulatedDisk::new(0), Path::new("/index"));
            let file = disk.open(path, Open::Truncate).await.expect("made");
            file.write(0, vec![bytes]).await.expect("written");
            for i in [1, 2, 255, 256, 257, 700, 1487, 1488, 1489] {
                let found = first_where(&file, path, Offset(100), 1488, at_least(i)).await.expect("read");
                assert_eq!(found, (i < 1489).then(|| (i as u32 - 1, entry(i))), "{i}");
            }
        });
    }

    #[test]
    fn entries_leave_memory_only_when_they_are_in_the_file() {
        let mut index = Index::new(Offset(100));
        for i in 1..=2000 {
            index.push(entry(i));
        }
        let (at, bytes, entries) = index.pending().expect("nothing is in the file");
        assert_eq!((at, bytes.len(), entries), (0, 16_000, 2000));
        assert_eq!(index.floor(110), Found::Entry(entry(1)));
        index.push(entry(2001));
        index.written(entries);
        assert!(index.wants_sync());
        assert_eq!(index.floor(110), Found::InFile { entries: 2000 - 512 });
        assert_eq!(index.floor(99_999), Found::Entry(entry(2001)));
        assert_eq!((index.entries(), index.pending().map(|p| (p.0, p.2))), (2001, Some((16_000, 2001))));
        index.was_synced(2000);
        assert!(!index.wants_sync());
    }

    #[test]
    fn entries_are_taken_back_from_memory_and_from_the_file() {
        let mut index = Index::new(Offset(100));
        (1..=10).for_each(|i| index.push(entry(i)));
        let mark = index.mark();
        (11..=20).for_each(|i| index.push(entry(i)));
        assert_eq!(index.return_to(mark), None);
        assert_eq!((index.entries(), index.floor(9999)), (10, Found::Entry(entry(10))));
        // So many that those from before the mark have left memory.
        (11..=3000).for_each(|i| index.push(entry(i)));
        index.written(3000);
        index.was_synced(3000);
        assert_eq!(index.return_to(mark), Some(80));
        assert!(index.wants_sync());
        assert_eq!((index.entries(), index.last(), index.entries_in_file()), (10, Some(entry(10)), 10));
        assert_eq!(index.floor(9999), Found::InFile { entries: 10 });
        index.push(entry(11));
        assert_eq!(index.pending().map(|pending| (pending.0, pending.2)), Some((80, 11)));
    }

    #[test]
    fn trust_ends_at_the_first_entry_that_does_not_rise() {
        let mut bytes = BytesMut::new();
        for i in [1, 2, 3] {
            entry(i).put(Offset(100), &mut bytes);
        }
        bytes.put_bytes(0, 17);
        let all = trusted::<OffsetEntry>(Offset(100), &bytes, |_| true);
        assert_eq!(all, vec![entry(1), entry(2), entry(3)]);
        let some = trusted::<OffsetEntry>(Offset(100), &bytes, |e| e.position < 8193);
        assert_eq!(some, vec![entry(1), entry(2)]);
    }
}
