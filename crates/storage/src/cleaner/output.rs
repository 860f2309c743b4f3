//! A segment that a round writes: `.cleaned` files, until the log takes them in.

use std::path::PathBuf;

use bytes::BytesMut;
use ottla_record::BatchHeader;
use ottla_types::{Offset, Timestamp};

use crate::disk::{FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::log::{CLEANED, CleanedSegment, Log};
use crate::segment::{Kind, Segment};
use crate::sown::{self, Bug};

/// A segment being written.
pub(super) struct Output {
    pub(super) segment: Segment,
    file: FileHandle,
    /// What is not written yet, behind `written` bytes.
    pub(super) pending: BytesMut,
    written: u64,
}

impl Output {
    /// Adds a batch; what is wrong with it, if it cannot be added.
    pub(super) fn push(&mut self, header: &BatchHeader, bytes: &[u8], interval: u32) -> Result<(), &'static str> {
        if self.segment.bytes + bytes.len() as u64 > i32::MAX as u64 {
            // Messages of old formats grow as they become batches.
            return Err("with it the cleaned segment would be larger than 2 GiB");
        }
        self.segment.push(header, interval);
        self.pending.extend_from_slice(bytes);
        Ok(())
    }
}

impl Log {
    fn cleaned_path(&self, kind: Kind, base: Offset) -> PathBuf {
        self.directory().join(kind.name_with(base, CLEANED))
    }

    /// Makes the file of a segment, empty.
    pub(super) async fn begin_cleaned(&self, base: Offset) -> Result<Output, StorageFault> {
        let path = self.cleaned_path(Kind::Log, base);
        let file = self.disk().open(&path, Open::Truncate).await.trying("make", &path)?;
        let mut segment = Segment::planned(self.files_of_cleaned(base), Timestamp::NONE);
        segment.created = true;
        Ok(Output { segment, file, pending: BytesMut::new(), written: 0 })
    }

    /// Writes what is pending; answers how many bytes.
    pub(super) async fn write_cleaned(&self, output: &mut Output) -> Result<u64, StorageFault> {
        if output.pending.is_empty() {
            return Ok(0);
        }
        let bytes = output.pending.split().freeze();
        let length = bytes.len();
        let path = self.cleaned_path(Kind::Log, output.segment.base);
        output.file.write(output.written, vec![bytes]).await.trying("write", &path)?;
        output.written += length as u64;
        // The same memory again, now that nobody else has it.
        output.pending.reserve(length);
        Ok(length as u64)
    }

    /// Makes a written segment whole and durable: its indexes, its time, its names.
    pub(super) async fn complete_cleaned(
        &self,
        output: Output,
        modified: Timestamp,
    ) -> Result<CleanedSegment, StorageFault> {
        let Output { mut segment, file, written, .. } = output;
        segment.close_times();
        (segment.written, segment.flushed, segment.reserved) = (written, written, written);
        segment.modified_at = modified;
        let mut kinds = vec![Kind::Log];
        let indexes = [Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex];
        for (kind, write) in indexes.into_iter().zip(segment.index_writes()) {
            if kind == Kind::TransactionIndex && write.is_none() {
                continue;
            }
            let path = self.cleaned_path(kind, segment.base);
            let index = self.disk().open(&path, Open::Truncate).await.trying("make", &path)?;
            if let Some(write) = write {
                index.write(0, vec![write.bytes]).await.trying("write", &path)?;
            }
            if !sown::is(Bug::SwapNotSynced) {
                index.sync().await.trying("sync", &path)?;
            }
            kinds.push(kind);
        }
        let path = self.cleaned_path(Kind::Log, segment.base);
        if modified > Timestamp::NONE {
            file.set_modified(modified).await.trying("date", &path)?;
        }
        if !sown::is(Bug::SwapNotSynced) {
            file.sync().await.trying("sync", &path)?;
        }
        self.disk().sync_directory(self.directory()).await.trying("sync", self.directory())?;
        segment.files.hold(file);
        Ok(CleanedSegment { segment, kinds })
    }

    /// Removes what was written in vain.
    pub(super) async fn remove_cleaned(&self, base: Offset) -> Result<(), StorageFault> {
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex] {
            crate::log::remove(&**self.disk(), &self.cleaned_path(kind, base)).await?;
        }
        Ok(())
    }
}
