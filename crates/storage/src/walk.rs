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
use crate::sown::{self, Bug};

/// Bytes per read of a look-up: what an index entry covers, and a little.
pub(crate) const LOOK_UP: usize = 8 << 10;
/// Bytes per read of a scan.
pub(crate) const SCAN: usize = 1 << 20;
/// Behind a batch from this size on, who looks at headers only reads no more than a look-up does.
const HOP: u64 = 64 << 10;

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
    /// Whether what lies behind a large batch's header is passed over unread.
    hops: bool,
    /// Bytes of the batch that [`header`](Self::header) found last.
    last_bytes: u64,
}

impl<'a> Walk<'a> {
    /// A walk from `at`, where a batch starts, to `end`, reading `piece_bytes` at a time.
    pub(crate) fn new(file: &'a FileHandle, path: &'a Path, at: u64, end: u64, piece_bytes: usize) -> Self {
        Self { file, path, at, end, piece_bytes, piece: Bytes::new(), piece_at: at, hops: false, last_bytes: 0 }
    }

    /// A walk of someone who looks at headers, and seldom at a batch: between large ones it hops.
    pub(crate) fn over_headers(file: &'a FileHandle, path: &'a Path, at: u64, end: u64, piece_bytes: usize) -> Self {
        Self { hops: true, ..Self::new(file, path, at, end, piece_bytes) }
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
        self.last_bytes = size;
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
        let piece_bytes = if self.hops && self.last_bytes >= HOP { LOOK_UP } else { self.piece_bytes };
        let wanted = piece_bytes.max(length).min(left);
        let spent = std::mem::take(&mut self.piece);
        self.piece = self.file.read_again(position, wanted, spent).await.trying("read", self.path)?;
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

/// The first batch that ends at `offset` or later; `None` if there is none before `end`. An index says that it is at or
/// behind `at`. If what is there cannot be what the index says, the file is gone through from its beginning.
pub(crate) async fn find_batch(
    file: &FileHandle,
    path: &Path,
    at: u64,
    end: u64,
    offset: Offset,
) -> Result<Option<(u64, BatchHeader)>, StorageFault> {
    let mut walk = Walk::new(file, path, at, end, LOOK_UP);
    let mut step = walk.header().await?;
    if at > 0 && !step.may_lead_to(offset) {
        tracing::warn!(file = %path.display(), %offset, at, "an index points to another place; it is passed over");
        walk = Walk::new(file, path, 0, end, LOOK_UP);
        step = walk.header().await?;
    }
    loop {
        match step {
            Step::Batch { position, header } if header.last_offset() >= offset => return Ok(Some((position, header))),
            Step::Batch { .. } => {}
            Step::End => return Ok(None),
            Step::Bad { position, reason } => return Err(StorageFault::damaged(path, position, reason)),
        }
        step = walk.header().await?;
    }
}

/// `at`, where an index says that a walk to `offset` may begin, or the beginning if that cannot be.
pub(crate) async fn sound_start(
    file: &FileHandle,
    path: &Path,
    at: u64,
    end: u64,
    offset: Offset,
) -> Result<u64, StorageFault> {
    let is_sound = at == 0 || Walk::new(file, path, at, end, BATCH_HEADER_BYTES).header().await?.may_lead_to(offset);
    if !is_sound {
        tracing::warn!(file = %path.display(), %offset, at, "an index points to another place; it is passed over");
    }
    Ok(if is_sound { at } else { 0 })
}

impl Step {
    /// Whether a walk that begins with this meets the batch that holds `offset`: it begins at or below it.
    fn may_lead_to(&self, offset: Offset) -> bool {
        match self {
            _ if sown::is(Bug::IndexNotChecked) => true,
            Self::Batch { header, .. } => header.base_offset <= offset,
            Self::End => true,
            Self::Bad { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_types::LeaderEpoch;

    use super::*;
    use crate::disk::simulated::SimulatedDisk;
    use crate::disk::{Disk, Open, block_on};
    use crate::testing::{batch, stored};

    #[test]
    fn an_index_that_points_elsewhere_is_passed_over() {
        block_on(async {
            let path = Path::new("/x.log");
            let file = SimulatedDisk::new(1).open(path, Open::Create).await.expect("made");
            let batches = [(0, batch(1, 3, 10)), (3, batch(1, 3, 10)), (6, batch(1, 3, 10))];
            let bytes: Vec<u8> = batches.iter().flat_map(|(at, it)| stored(it, Offset(*at), LeaderEpoch(0))).collect();
            let (end, size) = (bytes.len() as u64, bytes.len() as u64 / 3);
            file.write(0, vec![bytes.into()]).await.expect("written");
            // Right, too far on, within a batch, behind the end.
            for at in [0, size, 2 * size, size + 1, end + 1] {
                let found = find_batch(&file, path, at, end, Offset(4)).await.expect("read").expect("there");
                assert_eq!((found.0, found.1.base_offset), (size, Offset(3)), "from {at}");
                let start = sound_start(&file, path, at, end, Offset(4)).await.expect("read");
                assert_eq!(start, if at == size { size } else { 0 }, "from {at}");
            }
            assert_eq!(find_batch(&file, path, end, end, Offset(9)).await.expect("the end"), None);
        });
    }
}
