//! The producers of a log as of an offset: a snapshot, and the batches between it and that offset. And which transactions
//! were aborted between two offsets, where no index says it.

use std::path::Path;

use ottla_record::BATCH_HEADER_BYTES;
use ottla_types::Offset;

use super::{Producers, snapshot};
use crate::checkpoint;
use crate::disk::{Disk, Open};
use crate::fault::{StorageFault, Trying};
use crate::index;
use crate::offset_index::OffsetEntry;
use crate::segment::{Kind, Place, Segment};
use crate::transaction_index::AbortedTransaction;
use crate::walk::{self, LOOK_UP, SCAN, Step, Walk};

/// Where to read from.
pub(crate) struct Source<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) directory: &'a Path,
    /// By rising base.
    pub(crate) segments: &'a [Segment],
    /// Whether producers may send again what is older than a snapshot's last batches.
    pub(crate) looks_back: bool,
}

impl Source<'_> {
    /// The producers as of `end`, and the offset of the snapshot that was used; of the first segment, from where all
    /// batches were gone through, if none of `snapshots` could be. What is there below the log's start counts as well: a
    /// restart forgets no producer. Snapshots that are damaged are passed over.
    pub(crate) async fn producers_at(
        &self,
        snapshots: &[Offset],
        end: Offset,
    ) -> Result<(Producers, Offset), StorageFault> {
        for at in snapshots.iter().rev().filter(|at| **at <= end) {
            match self.snapshot(*at).await {
                Ok(Some(mut producers)) => {
                    if self.looks_back {
                        self.look_back(&mut producers, *at).await?;
                    }
                    self.replay(&mut producers, *at, end).await?;
                    return Ok((producers, *at));
                }
                Ok(None) => {}
                Err(fault @ StorageFault::Damaged { .. }) => tracing::warn!(%fault, "snapshot passed over"),
                Err(fault) => return Err(fault),
            }
        }
        let start = self.segments.first().map_or(Offset::ZERO, |first| first.base);
        let mut producers = Producers::default();
        self.replay(&mut producers, start, end).await?;
        Ok((producers, start))
    }

    /// The transactions that markers from `from` up to `end` aborted.
    pub(crate) async fn aborted_between(
        &self,
        snapshots: &[Offset],
        from: Offset,
        end: Offset,
    ) -> Result<Vec<AbortedTransaction>, StorageFault> {
        let (mut producers, _) = self.producers_at(snapshots, from).await?;
        self.replay(&mut producers, from, end).await
    }

    /// Whether there is a snapshot at that offset, and all of it.
    pub(crate) async fn has_snapshot(&self, at: Offset) -> Result<bool, StorageFault> {
        match self.snapshot(at).await {
            Err(StorageFault::Damaged { .. }) => Ok(false),
            found => found.map(|found| found.is_some()),
        }
    }

    async fn snapshot(&self, at: Offset) -> Result<Option<Producers>, StorageFault> {
        let path = self.directory.join(Kind::Snapshot.name(at));
        match checkpoint::read(self.disk, &path).await? {
            Some(bytes) => snapshot::decode(&bytes, &path).map(Some),
            None => Ok(None),
        }
    }

    /// Has `producers` go through the batches from `from` up to `end`. Answers the transactions that these aborted.
    async fn replay(
        &self,
        producers: &mut Producers,
        from: Offset,
        end: Offset,
    ) -> Result<Vec<AbortedTransaction>, StorageFault> {
        let mut aborted = Vec::new();
        let first = self.segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        for segment in self.segments.iter().skip(first).take_while(|segment| segment.base < end) {
            if from < end && segment.bytes > 0 {
                self.replay_segment(segment, producers, &mut aborted, from, end).await?;
            }
        }
        Ok(aborted)
    }

    async fn replay_segment(
        &self,
        segment: &Segment,
        producers: &mut Producers,
        aborted: &mut Vec<AbortedTransaction>,
        from: Offset,
        end: Offset,
    ) -> Result<(), StorageFault> {
        let file = segment.files.log().await?;
        let path = segment.files.path(Kind::Log);
        let start = walk::sound_start(&file, &path, self.start(segment, from).await?, segment.written, from).await?;
        let mut walk = Walk::over_headers(&file, &path, start, segment.written, piece(start, segment.written));
        loop {
            let (position, header) = match walk.header().await? {
                Step::Batch { position, header } => (position, header),
                Step::End => return Ok(()),
                Step::Bad { position, reason } => return Err(StorageFault::damaged(walk.path(), position, reason)),
            };
            if header.last_offset() >= end {
                return Ok(());
            }
            if header.last_offset() < from || !header.has_producer_id() {
                continue;
            }
            if header.attributes.is_control() {
                let bytes = walk.whole(position, &header).await?;
                let recorded = producers.record(&header, &bytes[BATCH_HEADER_BYTES..]);
                aborted.extend(recorded.and_then(|recorded| recorded.aborted));
            } else {
                producers.record(&header, &[]);
            }
        }
    }

    /// Where in a segment to begin to look for `from`.
    async fn start(&self, segment: &Segment, from: Offset) -> Result<u64, StorageFault> {
        match segment.place(from) {
            Place::At { position, .. } | Place::From(position) => Ok(position),
            Place::InFile { entries } => {
                let path = segment.files.path(Kind::OffsetIndex);
                let file = self.disk.open(&path, Open::Read).await.trying("open", &path)?;
                let entry = index::search::<OffsetEntry>(&file, &path, segment.base, entries, from.0).await?;
                Ok(entry.map_or(0, |entry| u64::from(entry.position)))
            }
        }
    }
}

/// Bytes per read: small where little is left.
fn piece(start: u64, end: u64) -> usize {
    if end - start <= LOOK_UP as u64 { LOOK_UP } else { SCAN }
}
