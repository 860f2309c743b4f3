//! A log's files copied into another directory while the log is written: piece by piece, so that who asks for it decides
//! how fast.
//!
//! What is copied are files, and not batches: offsets, compaction's gaps and indexes stay as they are. A closed segment is
//! copied in this order: its `.log`, durably; its indexes, each replaced as a whole; of these the time index last. So a
//! segment that has its time index is whole, and a copy that was interrupted goes on behind it; other segments begin anew.
//! The active segment follows what is written. What only a log that is closed has in order, [`LogCopy::finish`] copies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_types::Offset;

use super::Log;
use super::truncate::remove;
use crate::checkpoint;
use crate::disk::{Disk, FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::partition_metadata;
use crate::segment::{Kind, SegmentFiles};
use crate::sown::{self, Bug};

/// The indexes of a segment, in the order in which they are copied.
const INDEXES: [Kind; 3] = [Kind::OffsetIndex, Kind::TransactionIndex, Kind::TimeIndex];

/// A copy under way.
pub(crate) struct LogCopy {
    disk: Arc<dyn Disk>,
    source: Arc<Log>,
    target: Arc<Path>,
    /// What is there of each segment.
    copied: BTreeMap<Offset, Copied>,
    /// Cuts of the source's end that the copy knows of.
    cuts: u64,
    /// Everything below is in the copy. Counted by segments, and whenever all was copied that was written.
    end: Offset,
}

struct Copied {
    /// Of the source: another object for the same base is another segment.
    files: Arc<SegmentFiles>,
    /// The copy, while it grows.
    file: Option<FileHandle>,
    bytes: u64,
    is_whole: bool,
}

/// A segment of the source, as it was a moment ago.
struct Seen {
    files: Arc<SegmentFiles>,
    written: u64,
    is_active: bool,
}

impl LogCopy {
    /// Begins or resumes a copy of `source` in the directory `target`, which is made if it is not there.
    pub(crate) async fn begin(source: Arc<Log>, target: &Path) -> Result<Self, StorageFault> {
        let disk = source.disk.clone();
        disk.create_directory(target).await.trying("make", target)?;
        let cuts = source.state.lock().cuts;
        let end = source.log_start_offset();
        let mut copy = Self { disk, source, target: target.into(), copied: BTreeMap::new(), cuts, end };
        copy.resume().await?;
        Ok(copy)
    }

    /// Believes the segments that are whole and the source still has; removes all else.
    async fn resume(&mut self) -> Result<(), StorageFault> {
        let names = self.disk.list(&self.target).await.trying("list", &self.target)?;
        let bytes_of = |name: &str| names.iter().find(|entry| entry.name == name).map(|entry| entry.bytes);
        let (seen, _) = self.seen();
        for Seen { files, written, is_active } in seen {
            let has_time_index = bytes_of(&Kind::TimeIndex.name(files.base())).is_some();
            if !is_active && has_time_index && bytes_of(&Kind::Log.name(files.base())) == Some(written) {
                let whole = Copied { files: files.clone(), file: None, bytes: written, is_whole: true };
                self.copied.insert(files.base(), whole);
            }
        }
        for entry in names.iter().filter(|entry| !entry.is_directory) {
            let is_kept = Kind::parse(&entry.name).is_some_and(|(_, base)| self.copied.contains_key(&base));
            if !is_kept && entry.name != partition_metadata::FILE {
                remove(&*self.disk, &self.target.join(&entry.name)).await?;
            }
        }
        Ok(())
    }

    /// The source's segments and the end of what they hold, and the number of its cuts.
    fn seen(&self) -> (Vec<Seen>, (Offset, u64)) {
        let state = self.source.state.lock();
        // Closed is a segment once the next one's files are there: its indexes were written before.
        let is_closed = |i: usize| state.segments.get(i + 1).is_some_and(|next| next.created);
        let seen = state.segments.iter().enumerate().filter(|(_, segment)| segment.created).map(|(i, segment)| Seen {
            files: segment.files.clone(),
            written: segment.written,
            is_active: !is_closed(i) || segment.written < segment.bytes,
        });
        (seen.collect(), (state.written, state.cuts))
    }

    /// Copies up to `bytes_max` bytes; answers how many. 0: all that is written is there.
    pub(crate) async fn step(&mut self, bytes_max: usize) -> Result<u64, StorageFault> {
        let (seen, (end, cuts)) = self.seen();
        if self.cuts != cuts {
            self.cuts = cuts;
            self.forget(&[]).await?;
        }
        self.forget(&seen).await?;
        for Seen { files, written, is_active } in &seen {
            let base = files.base();
            self.end = self.end.max(base);
            let bytes = self.copied.get(&base).map_or(0, |copied| copied.bytes);
            if bytes < *written || !self.copied.contains_key(&base) {
                let length = self.copy_piece(files, bytes, (*written - bytes).min(bytes_max as u64)).await?;
                if length > 0 {
                    return Ok(length);
                }
            }
            if !is_active {
                self.complete(base).await?;
            }
        }
        self.end = end;
        Ok(0)
    }

    /// Removes the copies of segments that the source does not have any more.
    async fn forget(&mut self, kept: &[Seen]) -> Result<(), StorageFault> {
        let is_kept = |copied: &Copied| kept.iter().any(|seen| Arc::ptr_eq(&seen.files, &copied.files));
        let gone: Vec<Offset> =
            self.copied.iter().filter(|(_, copied)| !is_kept(copied)).map(|(base, _)| *base).collect();
        for base in gone {
            self.copied.remove(&base);
            for kind in Kind::ALL {
                remove(&*self.disk, &self.target.join(kind.name(base))).await?;
            }
        }
        Ok(())
    }

    async fn copy_piece(&mut self, files: &Arc<SegmentFiles>, at: u64, length: u64) -> Result<u64, StorageFault> {
        let path = self.target.join(Kind::Log.name(files.base()));
        match self.copied.get_mut(&files.base()) {
            None => {
                let file = self.disk.open(&path, Open::Truncate).await.trying("make", &path)?;
                let begun = Copied { files: files.clone(), file: Some(file), bytes: 0, is_whole: false };
                self.copied.insert(files.base(), begun);
            }
            Some(copied) if copied.file.is_none() => {
                // It was closed, and is written again: the segment that was to follow it found no room.
                copied.is_whole = false;
                remove(&*self.disk, &self.target.join(Kind::TimeIndex.name(files.base()))).await?;
                copied.file = Some(self.disk.open(&path, Open::Write).await.trying("open", &path)?);
            }
            Some(_) => {}
        }
        if length == 0 {
            return Ok(0);
        }
        let from = files.path(Kind::Log);
        let piece = files.log().await?.read(at, length as usize).await.trying("read", &from)?;
        if piece.is_empty() {
            return Err(StorageFault::damaged(&from, at, "the file ends here, expected more"));
        }
        let copied = self.copied.get_mut(&files.base()).expect("it was made above");
        let file = copied.file.as_ref().expect("it was opened above");
        let length = piece.len() as u64;
        file.write(at, vec![piece]).await.trying("write", &path)?;
        copied.bytes += length;
        Ok(length)
    }

    /// Makes a closed segment's copy whole.
    async fn complete(&mut self, base: Offset) -> Result<(), StorageFault> {
        let Some(copied) = self.copied.get_mut(&base).filter(|copied| !copied.is_whole) else { return Ok(()) };
        let path = self.target.join(Kind::Log.name(base));
        if let Some(file) = copied.file.take()
            && !sown::is(Bug::CopyNotSynced)
        {
            file.sync().await.trying("sync", &path)?;
        }
        for kind in INDEXES {
            copy_small(&*self.disk, &copied.files.path(kind), &self.target.join(kind.name(base))).await?;
        }
        copied.is_whole = true;
        Ok(())
    }

    /// Makes durable what was copied by now, so that finishing has little to do.
    pub(crate) async fn sync(&self) -> Result<(), StorageFault> {
        for (base, copied) in &self.copied {
            if let Some(file) = &copied.file {
                file.sync().await.trying("sync", &self.target.join(Kind::Log.name(*base)))?;
            }
        }
        Ok(())
    }

    /// Bytes that are written and not in the copy.
    pub(crate) fn remaining(&self) -> u64 {
        let (seen, _) = self.seen();
        let copied = |seen: &Seen| self.copied.get(&seen.files.base()).map_or(0, |copied| copied.bytes);
        seen.iter().map(|seen| seen.written.saturating_sub(copied(seen))).sum()
    }

    /// Copies what is left of a log that is closed, and makes everything durable. From here on the copy is the log.
    pub(crate) async fn finish(&mut self) -> Result<(), StorageFault> {
        while self.step(usize::MAX >> 1).await? > 0 {}
        let bases: Vec<Offset> = self.copied.keys().copied().collect();
        for base in bases {
            self.complete(base).await?;
        }
        let directory = self.source.directory();
        for entry in self.disk.list(directory).await.trying("list", directory)? {
            let is_copied = match Kind::parse(&entry.name) {
                Some((Kind::Snapshot, _)) => false,
                Some(_) => true,
                None => entry.is_directory || [".tmp", ".deleted"].iter().any(|ending| entry.name.ends_with(ending)),
            };
            if !is_copied {
                copy_small(&*self.disk, &directory.join(&entry.name), &self.target.join(&entry.name)).await?;
            }
        }
        self.disk.sync_directory(&self.target).await.trying("sync", &self.target)
    }

    /// Bytes of batches that are there.
    pub(crate) fn bytes(&self) -> u64 {
        self.copied.values().map(|copied| copied.bytes).sum()
    }

    /// Everything below is there.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.target.to_path_buf()
    }
}

impl std::fmt::Debug for LogCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogCopy({} of {:?}, {} bytes)", self.target.display(), self.source, self.bytes())
    }
}

/// Copies a file as a whole, durably; fine if it is not there.
async fn copy_small(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), StorageFault> {
    match checkpoint::read(disk, from).await? {
        Some(content) => checkpoint::replace(disk, to, content).await,
        None => Ok(()),
    }
}
