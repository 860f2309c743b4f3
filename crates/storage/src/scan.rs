//! Going through a segment's file to learn what is in it: at recovery, after a cut, where an index is missing.
//!
//! What an index says below a trusted offset is believed, so that the walk begins at its last entry; everything behind
//! is read, and the index entries are made anew by the same rule as at an append. But for those of aborted transactions:
//! they need the producers, so that it is only said whether there are some to be made.

use ottla_record::{BATCH_HEADER_BYTES, BatchHeader, RecordBatch};
use ottla_types::Offset;

use crate::disk::{Disk, Open};
use crate::fault::{StorageFault, Trying};
use crate::index::{self, Entry, Index};
use crate::leader_epochs::LeaderEpochs;
use crate::log::remove;
use crate::offset_index::OffsetEntry;
use crate::producers::marker;
use crate::segment::{Kind, Segment, SegmentFiles};
use crate::time_index::TimeEntry;
use crate::transaction_index::AbortedTransaction;
use crate::walk::{self, SCAN, Step, Walk};

/// A segment's indexes, in the order of [`Segment::index_writes`].
const INDEXES: [Kind; 3] = [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex];

/// How a segment is gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// How many bytes of the file count.
    pub(crate) bytes: u64,
    /// Index entries of batches wholly below this offset are believed.
    pub(crate) trusted_below: Offset,
    /// Whether CRCs are checked.
    pub(crate) check_crc: bool,
    /// `index.interval.bytes`
    pub(crate) index_interval_bytes: u32,
}

/// What is in a segment.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// With all index entries in memory, none of them counted as in the file. `bytes` ends before the first bad batch.
    pub(crate) segment: Segment,
    /// The first offset behind the last good batch.
    pub(crate) end: Offset,
    /// Where and why the scan ended before the file did.
    pub(crate) bad: Option<(u64, String)>,
    /// Whether a marker that aborts a transaction lies at or above the trusted offset: the segment's index of aborted
    /// transactions lacks what [`replay`](crate::producers::replay) finds.
    pub(crate) aborts: bool,
}

/// The index entries that are believed.
#[derive(Default)]
struct Trusted {
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
    aborted: Vec<AbortedTransaction>,
}

impl Scan {
    /// Goes through a segment. Leader epochs that batches name and `epochs` lack are added.
    pub(crate) async fn run(
        &self,
        disk: &dyn Disk,
        files: SegmentFiles,
        base: Offset,
        epochs: &mut LeaderEpochs,
    ) -> Result<Scanned, StorageFault> {
        let file = files.log().await?;
        let path = files.path(Kind::Log);
        let mut trusted = self.trusted_entries(disk, &files, base).await?;
        if let Some(last) = trusted.offsets.last()
            && walk::sound_start(&file, &path, u64::from(last.position), self.bytes, last.offset).await? == 0
        {
            // Of the others nobody knows either. All batches are read, and the entries made anew.
            (trusted.offsets, trusted.times) = (Vec::new(), Vec::new());
        }
        let Trusted { offsets, times, aborted } = trusted;
        let start = offsets.last().map_or(0, |entry| u64::from(entry.position));
        let mut segment = Segment::found(files, start, Index::rebuilt(base, offsets), Index::rebuilt(base, times));
        segment.aborted = Index::rebuilt(base, aborted);
        if start > 0 {
            segment.first_timestamp = first_header(&file, &path, self.bytes).await?.map(|first| first.max_timestamp);
        }
        let mut walk = Walk::new(&file, &path, start, self.bytes, SCAN);
        let (mut end, mut aborts) = (base, false);
        let bad = loop {
            let (position, header) = match walk.header().await? {
                Step::Batch { position, header } => (position, header),
                Step::End => break None,
                Step::Bad { position, reason } => break Some((position, reason)),
            };
            if let Err(reason) = self.check(&mut walk, position, &header, base, end).await? {
                break Some((position, reason));
            }
            end = header.next_offset();
            aborts |= self.aborts(&mut walk, position, &header).await?;
            segment.push(&header, self.index_interval_bytes);
            epochs.assign_if_newer(header.partition_leader_epoch, header.base_offset);
        };
        segment.written = segment.bytes;
        segment.flushed = segment.bytes;
        segment.reserved = segment.bytes;
        Ok(Scanned { segment, end, bad, aborts })
    }

    /// Whether a batch aborts a transaction of which no entry can be trusted.
    async fn aborts(&self, walk: &mut Walk<'_>, position: u64, header: &BatchHeader) -> Result<bool, StorageFault> {
        let is_marker = header.attributes.is_control() && header.has_producer_id();
        if !is_marker || header.last_offset() < self.trusted_below {
            return Ok(false);
        }
        let bytes = walk.whole(position, header).await?;
        Ok(marker::parse(header, &bytes[BATCH_HEADER_BYTES..]).is_some_and(|marker| marker.aborts))
    }

    /// Whether a batch may stand where it stands.
    async fn check(
        &self,
        walk: &mut Walk<'_>,
        position: u64,
        header: &BatchHeader,
        base: Offset,
        end: Offset,
    ) -> Result<Result<(), String>, StorageFault> {
        if let Err(reason) = check_offsets(header, base, end) {
            return Ok(Err(reason));
        }
        if !self.check_crc {
            return Ok(Ok(()));
        }
        let bytes = walk.whole(position, header).await?;
        let checked = RecordBatch::parse(&bytes).and_then(|batch| batch.check_crc());
        Ok(checked.map_err(|error| error.to_string()))
    }

    async fn trusted_entries(
        &self,
        disk: &dyn Disk,
        files: &SegmentFiles,
        base: Offset,
    ) -> Result<Trusted, StorageFault> {
        if self.trusted_below <= base {
            return Ok(Trusted::default());
        }
        let usable = |entry: &OffsetEntry| entry.offset < self.trusted_below && u64::from(entry.position) < self.bytes;
        let offsets = all_entries(disk, files, Kind::OffsetIndex, base, usable).await?;
        // Without one of offsets the walk begins at the first batch; what is known of times below the trusted offset holds
        // all the same.
        let below = |entry: &TimeEntry| match offsets.last() {
            Some(last) => entry.offset <= last.offset,
            None => entry.offset < self.trusted_below,
        };
        let times = all_entries(disk, files, Kind::TimeIndex, base, below).await?;
        let sound = |entry: &AbortedTransaction| entry.last_offset < self.trusted_below && entry.is_sound();
        let aborted = all_entries(disk, files, Kind::TransactionIndex, base, sound).await?;
        Ok(Trusted { offsets, times, aborted })
    }
}

/// Whether a batch may have the offsets that it has, in the segment at `base`, behind the offset `end`.
pub(crate) fn check_offsets(header: &BatchHeader, base: Offset, end: Offset) -> Result<(), String> {
    if header.base_offset < end {
        return Err(format!("base offset {}, expected {end} or more", header.base_offset));
    }
    if header.last_offset().0 - base.0 > i64::from(i32::MAX) {
        return Err(format!("last offset {}, too far from {base}", header.last_offset()));
    }
    Ok(())
}

async fn all_entries<E: Entry>(
    disk: &dyn Disk,
    files: &SegmentFiles,
    kind: Kind,
    base: Offset,
    usable: impl Fn(&E) -> bool,
) -> Result<Vec<E>, StorageFault> {
    let path = files.path(kind);
    let bytes = crate::checkpoint::read(disk, &path).await?;
    Ok(bytes.map_or_else(Vec::new, |bytes| index::trusted(base, &bytes, usable)))
}

/// The first batch of a file.
pub(crate) async fn first_header(
    file: &crate::disk::FileHandle,
    path: &std::path::Path,
    bytes: u64,
) -> Result<Option<BatchHeader>, StorageFault> {
    match Walk::new(file, path, 0, bytes, BATCH_HEADER_BYTES).header().await? {
        Step::Batch { header, .. } => Ok(Some(header)),
        Step::End | Step::Bad { .. } => Ok(None),
    }
}

/// Replaces a segment's index files by what memory holds, which must be everything, and makes them durable.
pub(crate) async fn replace_indexes(disk: &dyn Disk, segment: &mut Segment) -> Result<(), StorageFault> {
    write_indexes(disk, segment, true).await
}

/// The same; unless it `syncs`, durable is what the caller makes so before it counts.
pub(crate) async fn write_indexes(disk: &dyn Disk, segment: &mut Segment, syncs: bool) -> Result<(), StorageFault> {
    let entries = segment.entries();
    for (kind, write) in INDEXES.into_iter().zip(segment.index_writes()) {
        let path = segment.files.path(kind);
        match (kind, write) {
            // No transaction aborted, no file. Its name is gone for good with the names that the caller syncs.
            (Kind::TransactionIndex, None) => remove(disk, &path).await?,
            (_, write) => write_index(disk, &path, write.map(|write| write.bytes), syncs).await?,
        }
    }
    segment.indexes_written(entries);
    segment.indexes_synced(entries);
    Ok(())
}

async fn write_index(
    disk: &dyn Disk,
    path: &std::path::Path,
    bytes: Option<bytes::Bytes>,
    syncs: bool,
) -> Result<(), StorageFault> {
    let wanted = bytes.unwrap_or_default();
    let file = disk.open(path, Open::Create).await.trying("make", path)?;
    let length = file.length().await.trying("measure", path)?;
    let is_there = length == wanted.len() as u64
        && (wanted.is_empty() || file.read(0, wanted.len()).await.trying("read", path)? == wanted);
    // Not emptied first: file systems take that for a replacement, and write such a file out as it is closed.
    if !is_there {
        let end = wanted.len() as u64;
        file.write(0, vec![wanted]).await.trying("write", path)?;
        file.truncate(end).await.trying("cut", path)?;
    }
    if syncs { file.sync().await.trying("sync", path) } else { Ok(()) }
}
