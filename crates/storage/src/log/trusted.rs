//! Opening a segment that can be believed: below the recovery point, or any after a clean stop.
//!
//! Its length and the last entries of its indexes say everything, but for the few batches behind the last entry.

use std::path::Path;

use ottla_types::Offset;

use super::recover::Loader;
use crate::checkpoint;
use crate::disk::{FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::index::{self, Entry, Index};
use crate::leader_epochs::LeaderEpochs;
use crate::offset_index::OffsetEntry;
use crate::scan;
use crate::segment::{Kind, Segment, SegmentFiles};
use crate::time_index::TimeEntry;
use crate::transaction_index::{AbortedTransaction, TransactionIndex};
use crate::walk::{LOOK_UP, Step, Walk};

impl Loader {
    /// A segment that can be believed. Its indexes are made anew if they do not fit it.
    pub(super) async fn load_trusted(&mut self, base: Offset, is_last: bool) -> Result<(), StorageFault> {
        let files = self.files(base);
        let path = files.path(Kind::Log);
        let file = files.log().await?;
        let bytes = file.length().await.trying("measure", &path)?;
        let offsets = self.last_entry::<OffsetEntry>(&files, Kind::OffsetIndex, base).await?;
        let times = self.last_entry::<TimeEntry>(&files, Kind::TimeIndex, base).await?;
        let fits = |entry: &OffsetEntry| entry.offset >= base && u64::from(entry.position) < bytes;
        let aborted = self.sound_aborted(&files, base).await?;
        let (Some(offsets), Some(times), Some(aborted)) = (offsets, times, aborted) else {
            return self.rebuild(base, bytes).await;
        };
        if offsets.last().is_some_and(|entry| !fits(&entry)) || times.last().is_some_and(|entry| entry.offset < base) {
            return self.rebuild(base, bytes).await;
        }
        let start = offsets.last().map_or(0, |entry| u64::from(entry.position));
        let mut segment = Segment::found(files, bytes, offsets, times);
        segment.aborted = aborted;
        if is_last {
            segment.first_timestamp = scan::first_header(&file, &path, bytes).await?.map(|header| header.max_timestamp);
            self.end = end_of(&file, &path, start, bytes, base).await?;
        }
        self.segments.push(segment);
        Ok(())
    }

    async fn rebuild(&mut self, base: Offset, bytes: u64) -> Result<(), StorageFault> {
        let files = self.files(base);
        let path = files.path(Kind::Log);
        tracing::warn!(file = %path.display(), "an index is missing or does not fit; making it anew");
        let how = self.how(bytes, base, true);
        let mut scanned = how.run(&*self.disk, files, base, &mut LeaderEpochs::default()).await?;
        if let Some((position, reason)) = scanned.bad {
            return Err(StorageFault::damaged(&path, position, reason));
        }
        if scanned.aborts {
            self.restore_aborted(&mut scanned.segment, scanned.end).await?;
        }
        scanned.segment.close_times();
        self.save_indexes(&mut scanned.segment).await?;
        self.end = scanned.end;
        self.segments.push(scanned.segment);
        Ok(())
    }

    /// The index of aborted transactions, if all of it can be believed (Kafka's `TransactionIndex.sanityCheck` looks at every
    /// entry too); `None` if not. A file that is not there says nothing was aborted.
    async fn sound_aborted(
        &self,
        files: &SegmentFiles,
        base: Offset,
    ) -> Result<Option<TransactionIndex>, StorageFault> {
        if self.listed_bytes(&Kind::TransactionIndex.name(base)).unwrap_or(0) == 0 {
            return Ok(Some(Index::new(base)));
        }
        let content = checkpoint::read(&*self.disk, &files.path(Kind::TransactionIndex)).await?.unwrap_or_default();
        let sound = index::trusted::<AbortedTransaction>(base, &content, AbortedTransaction::is_sound);
        let is_whole = sound.len() as u64 * u64::from(AbortedTransaction::BYTES) == content.len() as u64;
        Ok(is_whole.then(|| Index::in_file(base, sound.len() as u32, sound.last().copied())))
    }

    /// An index as its file has it; `None` if the file is missing or no whole number of entries.
    async fn last_entry<E: index::Entry>(
        &self,
        files: &SegmentFiles,
        kind: Kind,
        base: Offset,
    ) -> Result<Option<Index<E>>, StorageFault> {
        let path = files.path(kind);
        match self.listed_bytes(&kind.name(base)) {
            Some(0) => return Ok(Some(Index::in_file(base, 0, None))),
            Some(_) => {}
            None => return Ok(None),
        }
        let file = match self.disk.open(&path, Open::Read).await.trying("open", &path) {
            Ok(file) => file,
            Err(fault) if fault.is_not_found() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let bytes = file.length().await.trying("measure", &path)?;
        let entries = u32::try_from(bytes / u64::from(E::BYTES)).unwrap_or(u32::MAX);
        if bytes % u64::from(E::BYTES) != 0 {
            return Ok(None);
        }
        let last = match entries.checked_sub(1) {
            Some(last) => index::read_entries::<E>(&file, &path, base, last, 1).await?.pop(),
            None => None,
        };
        Ok(Some(Index::in_file(base, entries, last)))
    }
}

/// The offset behind the last batch between `start` and `bytes`.
async fn end_of(file: &FileHandle, path: &Path, start: u64, bytes: u64, base: Offset) -> Result<Offset, StorageFault> {
    let mut walk = Walk::new(file, path, start, bytes, LOOK_UP);
    let mut end = base;
    loop {
        match walk.header().await? {
            Step::Batch { position, header } => {
                scan::check_offsets(&header, base, end).map_err(|why| StorageFault::damaged(path, position, why))?;
                end = header.next_offset();
            }
            Step::End => return Ok(end),
            Step::Bad { position, reason } => return Err(StorageFault::damaged(path, position, reason)),
        }
    }
}
