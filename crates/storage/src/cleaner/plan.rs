//! Which part of a log a round may clean, how urgent that is, and which segments become one. Pure.
//!
//! As Kafka 4.3.1 (`LogCleanerManager.cleanableOffsets`, `LogToClean`, `Cleaner.groupSegmentsBySize`). Sizes count whole
//! segments, as there.

use ottla_types::{Offset, Timestamp};

/// What a topic wants of compaction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CompactionRules {
    /// `min.cleanable.dirty.ratio`: a log is cleaned once more than this share of it is dirty.
    pub min_cleanable_ratio: f64,
    /// `min.compaction.lag.ms`: a segment with a younger record is not cleaned.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`: a log with an older dirty segment is cleaned, whatever the ratio.
    pub max_lag_ms: i64,
    /// `delete.retention.ms`: how long tombstones, and markers of transactions, stay once a round has met them.
    pub delete_retention_ms: i64,
}

/// A segment as the plan sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) base: Offset,
    pub(crate) bytes: u64,
    pub(crate) max_timestamp: Timestamp,
    /// The largest timestamp of its first batch; `None` where nobody needs it, or there is none.
    pub(crate) first_timestamp: Option<Timestamp>,
    /// Bytes of its index of offsets, and of that of times.
    pub(crate) index_bytes: (u64, u64),
}

/// Where a log stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    /// Nothing at or above is decided and safe: the last stable offset.
    pub(crate) stable: Offset,
    /// Up to where the log was cleaned, if that is known.
    pub(crate) cleaned: Option<Offset>,
}

/// A log that has something to clean, or will have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cleanable {
    /// Below it all was cleaned.
    pub first_dirty: Offset,
    /// The round may clean up to the segment that begins here.
    pub end: Offset,
    /// Bytes of the segments that were cleaned.
    pub clean_bytes: u64,
    /// Bytes of the segments that the round may clean.
    pub dirty_bytes: u64,
    /// For how many milliseconds a record has been waiting longer than `max.compaction.lag.ms`.
    pub overdue_ms: i64,
    /// What was known of the part that was cleaned cannot be: the log was cut, or its start was raised.
    pub starts_anew: bool,
}

impl Cleanable {
    /// The dirty share of what the round would go through.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.dirty_bytes as f64 / (self.clean_bytes + self.dirty_bytes) as f64
    }

    /// Whether the topic wants it cleaned now.
    #[must_use]
    pub fn is_due(&self, rules: &CompactionRules) -> bool {
        self.clean_bytes + self.dirty_bytes > 0
            && (self.ratio() > rules.min_cleanable_ratio || (self.overdue_ms > 0 && self.dirty_bytes > 0))
    }
}

/// What of a log with these segments, oldest first and the active one last, a round at `now` may clean.
pub(crate) fn cleanable(pieces: &[Piece], standing: &Standing, rules: &CompactionRules, now: Timestamp) -> Cleanable {
    let cleaned = standing.cleaned.unwrap_or(standing.log_start);
    let starts_anew = cleaned < standing.log_start || cleaned > standing.log_end;
    let first_dirty = if starts_anew { standing.log_start } else { cleaned };
    let (active, closed) = pieces.split_last().expect("a log has a segment");
    let dirty = if first_dirty >= active.base { &[] } else { from(closed, first_dirty) };
    let is_young = |piece: &&Piece| piece.max_timestamp.0 > now.0 - rules.min_lag_ms;
    let young = dirty.iter().find(|piece| rules.min_lag_ms > 0 && is_young(piece)).map(|piece| piece.base);
    let bound = standing.stable.min(active.base).min(young.unwrap_or(active.base)).max(first_dirty);
    // A segment is cleaned as a whole or not at all.
    let end =
        if bound >= active.base { active.base } else { from(closed, bound).first().map_or(active.base, |p| p.base) };
    let bytes = |pieces: &[Piece]| pieces.iter().map(|piece| piece.bytes).sum();
    let clean_bytes = bytes(&pieces[..pieces.partition_point(|piece| piece.base < first_dirty)]);
    let before_end = &pieces[..pieces.partition_point(|piece| piece.base < end)];
    let dirty_bytes = if first_dirty < end { bytes(from(before_end, first_dirty)) } else { 0 };
    let clean_until = now.0.saturating_sub(rules.max_lag_ms.max(0));
    let times = dirty.iter().filter_map(|piece| piece.first_timestamp).filter(|first| first.0 > 0);
    let overdue_ms = times.min().map_or(0, |earliest| clean_until.saturating_sub(earliest.0).max(0));
    Cleanable { first_dirty, end, clean_bytes, dirty_bytes, overdue_ms, starts_anew }
}

/// The pieces from the one on that holds `offset`, which lies before the end of the last.
fn from(closed: &[Piece], offset: Offset) -> &[Piece] {
    let first = closed.partition_point(|piece| piece.base <= offset).saturating_sub(1);
    &closed[first..]
}

/// How large a segment may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupBounds {
    pub(crate) segment_bytes: u64,
    pub(crate) index_bytes: u64,
    /// Where the part ends that is cleaned.
    pub(crate) end: Offset,
}

/// Divides pieces, oldest first, into groups of which each fits one segment as it is. Answers how many each holds.
pub(crate) fn group(pieces: &[Piece], bounds: &GroupBounds) -> Vec<usize> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let (first, mut bytes, mut index_bytes) = (at, pieces[at].bytes, pieces[at].index_bytes);
        at += 1;
        while let Some(next) = pieces.get(at) {
            let last_offset = pieces.get(at + 1).map_or(bounds.end, |behind| behind.base).0 - 1;
            let spans = next.bytes > 0 && last_offset - pieces[first].base.0 > i64::from(i32::MAX);
            let sums = (index_bytes.0 + next.index_bytes.0, index_bytes.1 + next.index_bytes.1);
            let is_large =
                bytes + next.bytes > bounds.segment_bytes || sums.0 > bounds.index_bytes || sums.1 > bounds.index_bytes;
            if spans || is_large {
                break;
            }
            (bytes, index_bytes) = (bytes + next.bytes, sums);
            at += 1;
        }
        groups.push(at - first);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const EAGER: CompactionRules =
        CompactionRules { min_cleanable_ratio: 0.5, min_lag_ms: 0, max_lag_ms: i64::MAX, delete_retention_ms: 0 };

    /// Segments of ten offsets and so many bytes each; the last is the active one. Times are ten times the base.
    fn pieces(of: &[u64]) -> Vec<Piece> {
        let each = |(i, bytes): (usize, &u64)| Piece {
            base: Offset(10 * i as i64),
            bytes: *bytes,
            max_timestamp: Timestamp(100 * i as i64 + 90),
            first_timestamp: Some(Timestamp(100 * i as i64)),
            index_bytes: (8, 12),
        };
        of.iter().enumerate().map(each).collect()
    }

    fn standing(stable: i64, cleaned: Option<i64>) -> Standing {
        let (log_start, log_end) = (Offset::ZERO, Offset(40));
        Standing { log_start, log_end, stable: Offset(stable), cleaned: cleaned.map(Offset) }
    }

    /// First dirty offset, end, clean and dirty bytes.
    fn told(found: &Cleanable) -> (i64, i64, u64, u64) {
        (found.first_dirty.0, found.end.0, found.clean_bytes, found.dirty_bytes)
    }

    #[test]
    fn closed_segments_below_the_stable_offset_are_cleaned_as_a_whole() {
        let log = pieces(&[1, 2, 4, 8]);
        let ask = |stable, cleaned| told(&cleanable(&log, &standing(stable, cleaned), &EAGER, Timestamp(1000)));
        assert_eq!(ask(40, None), (0, 30, 0, 7), "never the active one");
        assert_eq!(ask(25, None), (0, 20, 0, 3), "not the one that holds the stable offset");
        assert_eq!(ask(20, None), (0, 20, 0, 3));
        assert_eq!(ask(5, None), (0, 0, 0, 0));
        assert_eq!(ask(40, Some(10)), (10, 30, 1, 6));
        assert_eq!(ask(40, Some(15)), (15, 30, 3, 6), "the segment that is half clean counts as both");
        assert_eq!(ask(40, Some(30)), (30, 30, 7, 0));
        assert_eq!(ask(40, Some(35)), (35, 30, 15, 0));
        assert_eq!(ask(0, Some(20)), (20, 20, 3, 0));
    }

    #[test]
    fn a_checkpoint_that_cannot_be_is_passed_over() {
        let log = pieces(&[1, 2, 4, 8]);
        let ask = |log_start, cleaned| {
            let standing = Standing { log_start: Offset(log_start), ..standing(40, Some(cleaned)) };
            let found = cleanable(&log, &standing, &EAGER, Timestamp(1000));
            (found.starts_anew, found.first_dirty.0)
        };
        assert_eq!(ask(0, 40), (false, 40));
        assert_eq!(ask(0, 41), (true, 0));
        assert_eq!(ask(12, 11), (true, 12));
        assert_eq!(ask(12, 12), (false, 12));
    }

    #[test]
    fn lags_spare_the_young_and_hurry_the_old() {
        let log = pieces(&[1, 2, 4, 8]);
        let ask = |min_lag_ms, max_lag_ms| {
            let rules = CompactionRules { min_lag_ms, max_lag_ms, ..EAGER };
            cleanable(&log, &standing(40, Some(10)), &rules, Timestamp(300))
        };
        // The second was last written at 190, the third at 290.
        assert_eq!(
            [ask(10, 500).end.0, ask(11, 500).end.0, ask(110, 500).end.0, ask(111, 500).end.0],
            [30, 20, 20, 10]
        );
        assert_eq!(ask(0, 200).overdue_ms, 0, "it began at 100");
        assert_eq!(ask(0, 150).overdue_ms, 50);
        let rules = CompactionRules { min_cleanable_ratio: 0.99, ..EAGER };
        assert!(ask(0, 150).is_due(&rules) && !ask(0, 200).is_due(&rules));
        // A seventh is clean.
        assert!(ask(0, 500).is_due(&CompactionRules { min_cleanable_ratio: 0.85, ..EAGER }));
        assert!(!ask(0, 500).is_due(&CompactionRules { min_cleanable_ratio: 0.86, ..EAGER }));
    }

    #[test]
    fn segments_are_grouped_as_far_as_one_may_grow() {
        let bounds = GroupBounds { segment_bytes: 10, index_bytes: 1000, end: Offset(40) };
        assert_eq!(group(&pieces(&[4, 6, 5, 6]), &bounds), [2, 1, 1]);
        assert_eq!(group(&pieces(&[20, 0, 10, 0]), &bounds), [1, 3], "as large as it is, it is alone");
        assert_eq!(group(&pieces(&[1, 1, 1, 1]), &GroupBounds { index_bytes: 24, ..bounds }), [2, 2]);
        assert_eq!(group(&pieces(&[1, 1, 1, 1]), &GroupBounds { index_bytes: 16, ..bounds }), [1, 1, 1, 1]);
        assert!(group(&[], &bounds).is_empty());
    }

    #[test]
    fn a_group_spans_no_more_offsets_than_an_index_can_say() {
        let mut log = pieces(&[1, 1, 1]);
        (log[1].base, log[2].base) = (Offset(5), Offset(i64::from(i32::MAX) + 1));
        let bounds = GroupBounds { segment_bytes: 10, index_bytes: 1000, end: Offset(i64::from(i32::MAX) + 2) };
        assert_eq!(group(&log, &bounds), [2, 1]);
        log[2].bytes = 0;
        assert_eq!(group(&log, &bounds), [3], "an empty one has no offsets");
    }
}
