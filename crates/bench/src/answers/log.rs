//! One partition: how many records it was sent, and where in a file they are, if they are kept.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ottla_record::BatchHeader;
use rustix::fs::{FallocateFlags, fallocate};

use crate::Outcome;
use crate::topics::lock;

/// A log. Without a file it only counts.
#[derive(Default)]
pub(crate) struct Log {
    kept: Option<Arc<File>>,
    /// Bytes that the file grows by.
    reserve: u64,
    end: Mutex<End>,
}

/// Where a log ends.
#[derive(Default)]
struct End {
    next_offset: i64,
    bytes: u64,
    reserved: u64,
    /// The first offset of each batch, and where it is.
    batches: Vec<(i64, u64)>,
}

/// Records in a file.
pub(crate) struct Range {
    pub(crate) file: Arc<File>,
    pub(crate) position: u64,
    pub(crate) length: usize,
}

impl Log {
    /// A log that is kept in a new file.
    pub(crate) fn create(path: impl AsRef<Path>, reserve: u64) -> Outcome<Self> {
        let path = path.as_ref();
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { kept: Some(Arc::new(file)), reserve, end: Mutex::default() })
    }

    /// The offset that the next record gets.
    pub(crate) fn next_offset(&self) -> i64 {
        lock(&self.end).next_offset
    }

    /// Gives the batches their offsets, keeps them, and answers the first offset. Their checksums are not of the offset.
    pub(crate) fn append(&self, records: &mut [u8]) -> Outcome<i64> {
        let end = &mut *lock(&self.end);
        let (first, mut at) = (end.next_offset, 0);
        while at < records.len() {
            let batch = &mut records[at..];
            let header = BatchHeader::parse_any(batch).map_err(|error| format!("a batch: {error}"))?;
            batch[..size_of::<i64>()].copy_from_slice(&end.next_offset.to_be_bytes());
            if self.kept.is_some() {
                end.batches.push((end.next_offset, end.bytes + at as u64));
            }
            end.next_offset += i64::from(header.last_offset_delta) + 1;
            at += header.size_in_bytes();
        }
        if let Some(file) = &self.kept {
            self.write(file, end, records).map_err(|error| format!("a partition's file: {error}"))?;
        }
        Ok(first)
    }

    fn write(&self, file: &File, end: &mut End, records: &[u8]) -> std::io::Result<()> {
        let after = end.bytes + records.len() as u64;
        while after > end.reserved {
            fallocate(file, FallocateFlags::KEEP_SIZE, end.reserved, self.reserve)?;
            end.reserved += self.reserve;
        }
        file.write_all_at(records, end.bytes)?;
        end.bytes = after;
        Ok(())
    }

    /// What there is from `offset` on: about `bytes_max`, but its first batch in any case. None at the end.
    pub(crate) fn read(&self, offset: i64, bytes_max: usize) -> Option<Range> {
        let file = self.kept.as_ref()?;
        let end = lock(&self.end);
        if offset >= end.next_offset {
            return None;
        }
        let next = end.batches.partition_point(|(first, _)| *first <= offset);
        let position = end.batches.get(next.checked_sub(1)?)?.1;
        let first_bytes = end.batches.get(next).map_or(end.bytes, |(_, position)| *position) - position;
        let length = (end.bytes - position).min((bytes_max as u64).max(first_bytes));
        Some(Range { file: file.clone(), position, length: usize::try_from(length).ok()? })
    }
}
