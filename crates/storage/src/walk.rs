//! Walking over the batches of a segment's file from a position on.
//!
//! Batches of magic 2, and messages of magic 0 and 1 that an older Kafka left: nothing here tells them apart, as a message
//! has the one offset, the last one, that a log is searched by ([`BatchHeader::parse_any`]).
//!
//! Reads in pieces and keeps one piece in memory. What cannot be a batch ends the walk as [`Step::Bad`]: recovery cuts
//! there, a look-up calls it damage. CRCs are the caller's business.

use std::path::Path;

use bytes::Bytes;
use ottla_record::{BATCH_HEADER_BYTES, BatchHeader};
use ottla_types::Offset;

use crate::disk::FileHandle;
use crate::fault::{StorageFault, Trying};

/// Bytes per read of a look-up: what an index entry covers, and a little.
pub(crate) const LOOK_UP: usize = 8 << 10;
/// Bytes per read of a scan.
pub(crate) const SCAN: usize = 1 << 20;

/// What comes next in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A batch.
    Batch {
        /// Where it starts.
        position: u64,
        /// Its header.
        header: BatchHeader,
    },
    /// The end, between two batches.
    End,
    /// Something that is no whole batch.
    Bad {
        /// Where it starts.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A walk over the bytes up to `end`.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    file: &'a FileHandle,
    path: &'a Path,
    at: u64,
    end: u64,
    piece_bytes: usize,
    piece: Bytes,
    piece_at: u64,
}

impl<'a> Walk<'a> {
    /// A walk from `at`, where a batch starts, to `end`, reading `piece_bytes` at a time.
    pub(crate) fn new(file: &'a FileHandle, path: &'a Path, at: u64, end: u64, piece_bytes: usize) -> Self {
        Self { file, path, at, end, piece_bytes, piece: Bytes::new(), piece_at: at }
    }

    /// The next batch, of which only the header is looked at.
    pub(crate) async fn header(&mut self) -> Result<Step, StorageFault> {
        let position = self.at;
        // An index whose file was damaged may point anywhere.
        let Some(left) = self.end.checked_sub(position) else {
            return Ok(Step::Bad { position, reason: format!("the log ends at byte {}", self.end) });
        };
        if left == 0 {
            return Ok(Step::End);
        }
        // A message of magic 0 or 1 may be shorter than the header of a batch.
        let bytes = self.bytes(position, left.min(BATCH_HEADER_BYTES as u64) as usize).await?;
        let header = match BatchHeader::parse_any(&bytes) {
            Ok(header) => header,
            Err(error) => return Ok(Step::Bad { position, reason: error.to_string() }),
        };
        let size = header.size_in_bytes() as u64;
        if size > left {
            return Ok(Step::Bad { position, reason: format!("a batch of {size} bytes in {left}") });
        }
        if header.last_offset_delta < 0 || header.base_offset.0 < 0 {
            let reason = format!("offsets from {} and {} on", header.base_offset, header.last_offset_delta);
            return Ok(Step::Bad { position, reason });
        }
        self.at += size;
        Ok(Step::Batch { position, header })
    }

    /// All bytes of a batch that [`header`](Self::header) found.
    pub(crate) async fn whole(&mut self, position: u64, header: &BatchHeader) -> Result<Bytes, StorageFault> {
        self.bytes(position, header.size_in_bytes()).await
    }

    /// `length` bytes at `position`, which are known to lie before the end.
    async fn bytes(&mut self, position: u64, length: usize) -> Result<Bytes, StorageFault> {
        let start =
            position.checked_sub(self.piece_at).filter(|start| start + length as u64 <= self.piece.len() as u64);
        if let Some(start) = start {
            return Ok(self.piece.slice(start as usize..start as usize + length));
        }
        let left = usize::try_from(self.end - position).unwrap_or(usize::MAX);
        let wanted = self.piece_bytes.max(length).min(left);
        self.piece = self.file.read(position, wanted).await.trying("read", self.path)?;
        self.piece_at = position;
        if self.piece.len() < length {
            let reason = format!("the file ends after {} of {length} bytes", self.piece.len());
            return Err(StorageFault::damaged(self.path, position, reason));
        }
        Ok(self.piece.slice(..length))
    }

    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }
}

/// The first batch at or behind `at` that ends at `offset` or later; `None` if there is none before `end`.
pub(crate) async fn find_batch(
    file: &FileHandle,
    path: &Path,
    at: u64,
    end: u64,
    offset: Offset,
) -> Result<Option<(u64, BatchHeader)>, StorageFault> {
    let mut walk = Walk::new(file, path, at, end, LOOK_UP);
    loop {
        match walk.header().await? {
            Step::Batch { position, header } if header.last_offset() >= offset => return Ok(Some((position, header))),
            Step::Batch { .. } => {}
            Step::End => return Ok(None),
            Step::Bad { position, reason } => return Err(StorageFault::damaged(path, position, reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;
    use crate::disk::{Disk, Open, block_on};

    #[test]
    fn an_index_that_points_behind_the_end_is_a_fault_of_the_log() {
        block_on(async {
            let path = Path::new("/x.log");
            let file = SimulatedDisk::new(1).open(path, Open::Create).await.expect("made");
            let fault = find_batch(&file, path, 101, 100, Offset(5)).await.expect_err("nothing is there");
            assert!(fault.to_string().contains("the log ends at byte 100"), "{fault}");
            assert_eq!(find_batch(&file, path, 100, 100, Offset(5)).await.expect("the end"), None);
        });
    }
}
