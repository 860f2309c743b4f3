//! Where the newest batches of the active segment lie: a reader that follows the end needs neither index nor disk.

use std::collections::VecDeque;

use ottla_types::Offset;

use crate::segment::Place;

/// Batches remembered; 24 bytes each, for a log that is written.
const BATCHES_KEPT: usize = 128;

#[derive(Clone, Copy, Debug)]
struct RecentBatch {
    last_offset: Offset,
    position: u64,
    bytes: u64,
}

/// The newest batches, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    batches: VecDeque<RecentBatch>,
    /// The last offset below the oldest batch here; what is above it is known.
    below: Option<Offset>,
}

impl Recent {
    /// Notes a batch behind the others.
    pub(crate) fn push(&mut self, first_offset: Offset, last_offset: Offset, position: u64, bytes: u64) {
        self.below.get_or_insert(first_offset.plus(-1));
        if self.batches.len() == BATCHES_KEPT {
            self.below = self.batches.pop_front().map(|oldest| oldest.last_offset);
        }
        self.batches.push_back(RecentBatch { last_offset, position, bytes });
    }

    /// Where the first batch lies that ends at `offset` or later; `None` if it is older than what is kept.
    pub(crate) fn place(&self, offset: Offset) -> Option<Place> {
        if self.below.is_none_or(|below| offset <= below) {
            return None;
        }
        let i = self.batches.partition_point(|batch| batch.last_offset < offset);
        self.batches.get(i).map(|batch| Place::At { position: batch.position, bytes: Some(batch.bytes) })
    }

    /// Forgets all: another segment is active now, or the log was cut.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(recent: &Recent, offset: i64) -> Option<u64> {
        match recent.place(Offset(offset))? {
            Place::At { position, .. } => Some(position),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn finds_the_batch_that_ends_at_or_after_an_offset() {
        let mut recent = Recent::default();
        assert_eq!(position(&recent, 0), None);
        // Two records per batch, and a gap of ten before the third batch.
        for (first, at) in [(100, 0), (102, 50), (114, 100)] {
            recent.push(Offset(first), Offset(first + 1), at, 50);
        }
        let expected =
            [(99, None), (100, Some(0)), (101, Some(0)), (103, Some(50)), (104, Some(100)), (115, Some(100))];
        for (offset, at) in expected {
            assert_eq!(position(&recent, offset), at, "{offset}");
        }
        assert_eq!(position(&recent, 116), None);
    }

    #[test]
    fn forgets_the_oldest() {
        let mut recent = Recent::default();
        for i in 0..200 {
            recent.push(Offset(i), Offset(i), i as u64, 1);
        }
        assert_eq!(position(&recent, 71), None);
        assert_eq!(position(&recent, 72), Some(72));
    }
}
