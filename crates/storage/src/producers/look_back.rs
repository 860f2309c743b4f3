//! The batches that a snapshot does not hold: it keeps one of each producer, and a client may send five again.
//!
//! After a clean stop nobody does: whoever had sent something was answered. After a crash all five may come again, and if a
//! snapshot was written just before it, four of them would be strangers. So the log is read a little way back from there,
//! headers only. Kafka does not, and refuses them with OUT_OF_ORDER_SEQUENCE_NUMBER.

use ottla_types::Offset;

use super::replay::Source;
use super::{ProducerEntry, Producers};
use crate::disk::Open;
use crate::fault::{StorageFault, Trying};
use crate::index;
use crate::offset_index::OffsetEntry;
use crate::segment::{Kind, Segment};
use crate::walk::{LOOK_UP, Step, Walk};

/// How many index entries to go back: as many batches if they are large, and 256 KiB of small ones with the default
/// `index.interval.bytes`.
const ENTRIES: u32 = 64;

impl Source<'_> {
    /// Gives `producers`, as the snapshot at `at` has them, the batches before their last ones.
    pub(super) async fn look_back(&self, producers: &mut Producers, at: Offset) -> Result<(), StorageFault> {
        if producers.entries.is_empty() {
            return Ok(());
        }
        let mut seen = Producers::default();
        let before = self.segments.partition_point(|segment| segment.base < at);
        // The last one may just have begun.
        for segment in &self.segments[before.saturating_sub(2)..before] {
            self.go_through(segment, at, &mut seen).await?;
        }
        producers.remember(seen);
        Ok(())
    }

    /// Has `seen` go through the last batches of a segment that are below `at`.
    async fn go_through(&self, segment: &Segment, at: Offset, seen: &mut Producers) -> Result<(), StorageFault> {
        let file = segment.files.log().await?;
        let path = segment.files.path(Kind::Log);
        let mut walk = Walk::new(&file, &path, self.back_from(segment, at).await?, segment.written, LOOK_UP);
        while let Step::Batch { header, .. } = walk.header().await? {
            if header.last_offset() >= at {
                break;
            }
            if !header.attributes.is_control() {
                seen.record(&header, &[]);
            }
        }
        Ok(())
    }

    /// A position some way before `at` in a segment.
    async fn back_from(&self, segment: &Segment, at: Offset) -> Result<u64, StorageFault> {
        let entries = segment.offsets.entries_in_file();
        if entries <= ENTRIES {
            return Ok(0);
        }
        let path = segment.files.path(Kind::OffsetIndex);
        let file = self.disk.open(&path, Open::Read).await.trying("open", &path)?;
        let is_behind = |entry: &OffsetEntry| entry.offset >= at;
        let behind = index::first_where(&file, &path, segment.base, entries, is_behind).await?;
        let Some(first) = behind.map_or(entries, |(number, _)| number).checked_sub(ENTRIES) else { return Ok(0) };
        let entry = index::read_entries::<OffsetEntry>(&file, &path, segment.base, first, 1).await?;
        Ok(entry.first().map_or(0, |entry| u64::from(entry.position)))
    }
}

impl Producers {
    /// Takes from `seen`, which went through the batches up to here, those that lead up to the last one of each producer.
    fn remember(&mut self, mut seen: Self) {
        for (id, entry) in &mut self.entries {
            if let Some(seen) = seen.entries.remove(id).filter(|seen| ends_alike(entry, seen)) {
                entry.batches = seen.batches;
            }
        }
    }
}

fn ends_alike(one: &ProducerEntry, other: &ProducerEntry) -> bool {
    let end = |entry: &ProducerEntry| entry.batches.last().map(|last| (last.last_sequence, last.last_offset));
    one.epoch == other.epoch && end(one).is_some() && end(one) == end(other)
}
