//! Read: which bytes of which file a reader gets.
//!
//! The answer is a range, not bytes: the caller sends it from the page cache or reads it. It starts at the batch that
//! holds the offset asked for and may end within a batch, as Kafka's may, but never beyond the reader's bound.

use std::sync::Arc;

use ottla_record::BATCH_HEADER_BYTES;
use ottla_types::{ErrorCode, Offset};

use super::{Log, State};
use crate::disk::{FileHandle, Open, Submitted};
use crate::fault::{StorageFault, Trying};
use crate::index;
use crate::offset_index::OffsetEntry;
use crate::segment::{Kind, Place, SegmentFiles};
use crate::walk::{self, Step, Walk};

/// A range of one segment's file. As long as it is held the bytes stay readable, even if the segment is deleted.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The segment's file.
    pub file: FileHandle,
    /// Where the range starts, in bytes: at a batch.
    pub position: u64,
    /// Its length in bytes, at least 1.
    pub bytes: usize,
    /// The segment's base offset.
    pub segment_base: Offset,
    /// What tells the segment from one that takes its place.
    files: Arc<SegmentFiles>,
}

impl Slice {
    /// Whether compaction has put another segment in the place of the one that this is of. The bytes stay readable; what
    /// the log says of its transactions may be of the other one.
    pub(crate) fn is_replaced(&self) -> bool {
        self.files.is_replaced()
    }

    /// Reads the range into memory.
    pub fn read(&self) -> Submitted<bytes::Bytes> {
        self.file.read(self.position, self.bytes)
    }
}

/// Why nothing can be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadRefusal {
    /// The log does not hold the offset.
    #[error("offset {offset} is outside of {start} to {end}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log's first offset.
        start: Offset,
        /// The log's end.
        end: Offset,
    },
    /// The disk failed, or what is on it is damaged.
    #[error(transparent)]
    Fault(#[from] StorageFault),
}

impl ReadRefusal {
    /// What the reader is answered.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Fault(fault) => fault.error_code(),
        }
    }
}

/// What the state says about a read, before any look into a file.
struct Plan {
    files: Arc<SegmentFiles>,
    base: Offset,
    start: Place,
    /// Where the reader's bound lies.
    limit: Limit,
    /// Bytes in the file.
    written: u64,
    /// Where the next segment begins, if there is one.
    next: Option<Offset>,
}

#[derive(Clone, Copy)]
enum Limit {
    /// At this byte.
    At(u64),
    /// Within the segment, at this offset, of which memory knows this much.
    Offset(Offset, Place),
}

impl Log {
    /// The range of batches from the one that holds `from` on: at most `max_bytes`, nothing at or above `up_to`, and
    /// nothing that is not written. `None` if there is nothing of that to read yet. With `at_least_one` the first batch
    /// is whole, however small `max_bytes` is; without, nothing is read if it does not fit. Later ones may be cut.
    pub async fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        up_to: Offset,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ReadRefusal> {
        let mut at = from;
        loop {
            let Some(plan) = self.state.lock().plan_read(at, up_to)? else { return Ok(None) };
            if max_bytes == 0 && !at_least_one {
                return Ok(None);
            }
            let found = self.slice(&plan, at, max_bytes, at_least_one).await;
            if plan.files.is_replaced() {
                continue;
            }
            match found {
                Ok(Some(slice)) => return Ok((slice.bytes > 0).then_some(slice)),
                // The segment ends before the offset, as compaction may leave it: the next one has it.
                Ok(None) => match plan.next {
                    Some(next) => at = next,
                    None => return Ok(None),
                },
                // Deleted between the look and the open, if the log begins later now.
                Err(fault) => {
                    self.state.lock().plan_read(from, up_to)?;
                    return Err(fault.into());
                }
            }
        }
    }

    async fn slice(
        &self,
        plan: &Plan,
        from: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Slice>, StorageFault> {
        let file = plan.files.log().await?;
        let Some((position, first_bytes)) = self.resolve(plan, &file, from, plan.start).await? else { return Ok(None) };
        if position >= plan.written && plan.next.is_some() {
            // Compaction has left nothing of it.
            return Ok(None);
        }
        let mut wanted = max_bytes as u64;
        if wanted < plan.written.saturating_sub(position) {
            let first_bytes = match first_bytes {
                Some(bytes) => bytes,
                None => first_batch_bytes(&file, &plan.files.path(Kind::Log), position, plan.written).await?,
            };
            match at_least_one {
                true => wanted = wanted.max(first_bytes),
                false if wanted < first_bytes => wanted = 0,
                false => {}
            }
        }
        let limit = match plan.limit {
            Limit::At(limit) => limit,
            Limit::Offset(_, Place::From(near)) if position + wanted <= near => near,
            Limit::Offset(offset, place) => {
                self.resolve(plan, &file, offset, place).await?.map_or(plan.written, |(limit, _)| limit)
            }
        };
        let bytes = limit.saturating_sub(position).min(wanted) as usize;
        Ok(Some(Slice { file, position, bytes, segment_base: plan.base, files: plan.files.clone() }))
    }

    /// From what memory knows of a place to the place itself, with the batch's size where it is known.
    async fn resolve(
        &self,
        plan: &Plan,
        file: &FileHandle,
        offset: Offset,
        place: Place,
    ) -> Result<Option<(u64, Option<u64>)>, StorageFault> {
        let near = match place {
            Place::At { position, bytes } => return Ok(Some((position, bytes))),
            Place::From(near) => near,
            Place::InFile { entries } => self.search_offsets(&plan.files, plan.base, entries, offset).await?,
        };
        let path = plan.files.path(Kind::Log);
        let found = walk::find_batch(file, &path, near, plan.written, offset).await?;
        Ok(found.map(|(position, header)| (position, Some(header.size_in_bytes() as u64))))
    }

    /// Where to begin to look for `offset`, by the file of the offset index.
    pub(super) async fn search_offsets(
        &self,
        files: &SegmentFiles,
        base: Offset,
        entries: u32,
        offset: Offset,
    ) -> Result<u64, StorageFault> {
        let path = files.path(Kind::OffsetIndex);
        let file = self.disk.open(&path, Open::Read).await.trying("open", &path)?;
        let entry = index::search::<OffsetEntry>(&file, &path, base, entries, offset.0).await?;
        Ok(entry.map_or(0, |entry| u64::from(entry.position)))
    }
}

async fn first_batch_bytes(
    file: &FileHandle,
    path: &std::path::Path,
    position: u64,
    end: u64,
) -> Result<u64, StorageFault> {
    match Walk::new(file, path, position, end, BATCH_HEADER_BYTES).header().await? {
        Step::Batch { header, .. } => Ok(header.size_in_bytes() as u64),
        Step::End => Ok(0),
        Step::Bad { position, reason } => Err(StorageFault::damaged(path, position, reason)),
    }
}

impl State {
    fn plan_read(&self, from: Offset, up_to: Offset) -> Result<Option<Plan>, ReadRefusal> {
        if from < self.log_start || from > self.end {
            return Err(ReadRefusal::OutOfRange { offset: from, start: self.log_start, end: self.end });
        }
        let up_to = up_to.min(self.written);
        if from >= up_to {
            return Ok(None);
        }
        let i = self.floor(from);
        let segment = &self.segments[i];
        let next = self.segments.get(i + 1).map(|next| next.base);
        let limit = if up_to >= self.written || next.is_some_and(|next| up_to >= next) {
            Limit::At(segment.written)
        } else {
            Limit::Offset(up_to, self.place_in(i, up_to))
        };
        let (files, base, written) = (segment.files.clone(), segment.base, segment.written);
        Ok(Some(Plan { files, base, start: self.place_in(i, from), limit, written, next }))
    }

    /// Where the first batch of segment `i` lies that ends at `offset` or later.
    fn place_in(&self, i: usize, offset: Offset) -> Place {
        let is_active = i + 1 == self.segments.len();
        let recent = if is_active { self.recent.place(offset) } else { None };
        recent.unwrap_or_else(|| self.segments[i].place(offset))
    }
}
