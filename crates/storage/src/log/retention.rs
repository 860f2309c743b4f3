//! Which segments are too old or too many: a decision, without looking at a disk or a clock.
//!
//! The oldest segments leave, as many as one reason after the other allows, in Kafka's order (`UnifiedLog.deleteOldSegments`):
//! what lies wholly below the log's start, then by size, then by time. Whatever the reason, a segment stays while it
//! reaches beyond the high watermark, and so does a last segment that is empty. The active segment may leave with all
//! others; a new one is begun first.
//!
//! Time is the records': a segment is as old as its largest timestamp says, and one with a record dated in the future
//! stays. Only a segment without any timestamp is as old as its file.

use ottla_types::{Offset, Timestamp};

/// How long records are kept (`cleanup.policy`, `retention.ms`, `retention.bytes`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Whether records leave for their age and number at all: the policy holds `delete`.
    pub delete: bool,
    /// Segments leave whose records are all older than this, in milliseconds; `None` keeps them for good.
    pub ms: Option<i64>,
    /// Segments leave as long as what stays has at least so many bytes; `None` does not limit it.
    pub bytes: Option<u64>,
}

impl Default for Retention {
    /// Kafka's default: a week.
    fn default() -> Self {
        Self { delete: true, ms: Some(7 * 24 * 60 * 60 * 1000), bytes: None }
    }
}

/// One segment as retention sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSummary {
    /// The offset that names it.
    pub base: Offset,
    /// Bytes of batches.
    pub bytes: u64,
    /// The largest timestamp of its records, if it has any with one.
    pub max_timestamp: Option<Timestamp>,
    /// When it was last written, if that is known.
    pub modified: Option<Timestamp>,
}

/// What the decision needs to know besides the segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) log_start: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) log_end: Offset,
}

/// How many of the oldest segments leave, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Leaving {
    pub(crate) by_log_start: usize,
    pub(crate) by_size: usize,
    pub(crate) by_time: usize,
}

impl Leaving {
    pub(crate) fn count(self) -> usize {
        self.by_log_start + self.by_size + self.by_time
    }
}

/// Decides which of `segments`, oldest first, leave at the time `now`.
pub(crate) fn decide(segments: &[SegmentSummary], rules: &Retention, bounds: &Bounds, now: Timestamp) -> Leaving {
    let next_base = |i: usize| segments.get(i + 1).map(|next| next.base);
    let may_leave = |i: usize| {
        let is_empty_end = next_base(i).is_none() && segments[i].bytes == 0;
        next_base(i).unwrap_or(bounds.log_end) <= bounds.high_watermark && !is_empty_end
    };
    let count = |from: usize, mut leaves: Box<dyn FnMut(usize) -> bool + '_>| {
        (from..segments.len()).take_while(|i| may_leave(*i) && leaves(*i)).count()
    };
    let below_start = |i| next_base(i).is_some_and(|next| next <= bounds.log_start);
    let by_log_start = count(0, Box::new(below_start));
    let mut leaving = Leaving { by_log_start, ..Leaving::default() };
    if !rules.delete {
        return leaving;
    }
    let total: u64 = segments[by_log_start..].iter().map(|segment| segment.bytes).sum();
    if let Some(mut surplus) = rules.bytes.and_then(|limit| total.checked_sub(limit)) {
        let fits = |i: usize| {
            let rest = surplus.checked_sub(segments[i].bytes);
            surplus = rest.unwrap_or(surplus);
            rest.is_some()
        };
        leaving.by_size = count(by_log_start, Box::new(fits));
    }
    if let Some(limit) = rules.ms {
        let age = |segment: &SegmentSummary| segment.max_timestamp.or(segment.modified).map(|at| now.0 - at.0);
        let is_old = |i: usize| age(&segments[i]).is_some_and(|age| age > limit);
        leaving.by_time = count(leaving.count(), Box::new(is_old));
    }
    leaving
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_GOOD: Retention = Retention { delete: true, ms: None, bytes: None };

    /// Segments of ten offsets each: bytes, largest timestamp (negative: none, written at its amount).
    fn segments(of: &[(u64, i64)]) -> Vec<SegmentSummary> {
        let each = |(i, (bytes, time)): (usize, &(u64, i64))| SegmentSummary {
            base: Offset(10 * i as i64),
            bytes: *bytes,
            max_timestamp: (*time >= 0).then_some(Timestamp(*time)),
            modified: Some(Timestamp(time.abs())),
        };
        of.iter().enumerate().map(each).collect()
    }

    fn leave(of: &[(u64, i64)], rules: Retention, start: i64, high_watermark: i64) -> (usize, usize, usize) {
        let end = 10 * of.len() as i64;
        let bounds =
            Bounds { log_start: Offset(start), high_watermark: Offset(high_watermark.min(end)), log_end: Offset(end) };
        let leaving = decide(&segments(of), &rules, &bounds, Timestamp(1000));
        (leaving.by_log_start, leaving.by_size, leaving.by_time)
    }

    #[test]
    fn by_time_the_oldest_leave_up_to_the_first_that_is_young() {
        let rules = Retention { ms: Some(100), ..FOR_GOOD };
        // 900 is exactly as old as is allowed.
        assert_eq!(leave(&[(1, 100), (1, 899), (1, 900), (1, 100)], rules, 0, 99), (0, 0, 2));
        assert_eq!(leave(&[(1, 5000), (1, 100)], rules, 0, 99), (0, 0, 0), "dated in the future");
        assert_eq!(leave(&[(1, -100), (1, -950)], rules, 0, 99), (0, 0, 1), "as old as the file");
        assert_eq!(leave(&[(1, 100), (1, 100)], rules, 0, 99), (0, 0, 2), "the active one too");
        assert_eq!(leave(&[(1, 100), (0, 100)], rules, 0, 99), (0, 0, 1), "but not an empty one");
        assert_eq!(leave(&[(1, 100), (1, 100)], Retention { ms: Some(0), ..FOR_GOOD }, 0, 19), (0, 0, 1));
    }

    #[test]
    fn by_size_as_much_leaves_as_leaves_enough() {
        let rules = |bytes| Retention { bytes: Some(bytes), ..FOR_GOOD };
        let of = [(10, 1000), (10, 1000), (10, 1000)];
        let sizes = [(31, 0), (30, 0), (21, 0), (20, 1), (11, 1), (10, 2), (1, 2), (0, 3)];
        for (limit, expected) in sizes {
            assert_eq!(leave(&of, rules(limit), 0, 99), (0, expected, 0), "{limit}");
        }
        // What leaves for its place does not count, and the rest may still be too old.
        let all = Retention { ms: Some(100), bytes: Some(25), ..FOR_GOOD };
        assert_eq!(leave(&[(10, 0), (10, 0), (10, 0), (10, 950)], all, 10, 99), (1, 0, 2));
    }

    #[test]
    fn below_the_log_start_segments_leave_whatever_the_policy() {
        let compacted = Retention { delete: false, ms: Some(0), bytes: Some(0) };
        let of = [(1, 0), (1, 0), (1, 0)];
        for (start, expected) in [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (30, 2)] {
            assert_eq!(leave(&of, compacted, start, 99), (expected, 0, 0), "{start}");
        }
    }

    #[test]
    fn nothing_leaves_that_reaches_beyond_the_high_watermark() {
        let nothing_stays = Retention { ms: Some(0), bytes: Some(0), ..FOR_GOOD };
        let of = [(1, 0), (1, 0), (1, 0)];
        for (high_watermark, expected) in [(0, 0), (9, 0), (10, 1), (29, 2), (30, 3)] {
            assert_eq!(leave(&of, nothing_stays, 0, high_watermark), (0, expected, 0), "{high_watermark}");
        }
    }
}
