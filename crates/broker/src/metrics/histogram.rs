//! How long things took lately: counts in buckets that grow with the time, a sum, and quantiles out of them.
//!
//! Kafka tells quantiles of a sample that fades within minutes. Here the counts of the present minute and of the one
//! before are kept, so that a quantile speaks of the last one to two minutes. Adding is three relaxed additions and no
//! lock; two threads that begin a minute together may lose a few counts of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ottla_types::Instant;

/// Buckets for each doubling: a quantile is at most an eighth too high.
const STEPS: u64 = 8;
const STEPS_LOG: u32 = STEPS.ilog2();
/// The last bucket takes everything from about an hour on.
const BUCKETS: usize = (32 - STEPS_LOG as usize) * STEPS as usize;
const WINDOW: Duration = Duration::from_secs(60);

/// A histogram of microseconds.
#[derive(Debug)]
pub(crate) struct Histogram {
    sum_us: AtomicU64,
    /// One for even minutes, one for odd ones.
    windows: [Window; 2],
}

#[derive(Debug)]
struct Window {
    /// The minute since the start, counted from 1; 0 for none yet.
    minute: AtomicU64,
    counts: [AtomicU32; BUCKETS],
}

impl Default for Window {
    fn default() -> Self {
        Self { minute: AtomicU64::new(0), counts: [const { AtomicU32::new(0) }; BUCKETS] }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { sum_us: AtomicU64::new(0), windows: [Window::default(), Window::default()] }
    }
}

fn minute_of(now: Instant) -> u64 {
    now.since_start().as_secs() / WINDOW.as_secs() + 1
}

/// Small numbers have a bucket each; from [`STEPS`] on every doubling has so many.
fn bucket_of(us: u64) -> usize {
    if us < STEPS {
        return usize::try_from(us).expect("below eight");
    }
    let doubling = us.ilog2() - STEPS_LOG;
    let step = (us >> doubling) - STEPS;
    let bucket = u64::from(doubling + 1) * STEPS + step;
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The largest number in the bucket.
fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (doubling, step) = (bucket / STEPS - 1, bucket % STEPS);
    ((STEPS + step + 1) << doubling) - 1
}

impl Histogram {
    /// Something took `us` microseconds and ended `now`.
    pub(crate) fn add(&self, now: Instant, us: u64) {
        let minute = minute_of(now);
        let window = &self.windows[usize::from(!minute.is_multiple_of(2))];
        if window.minute.load(Ordering::Relaxed) != minute && window.minute.swap(minute, Ordering::Relaxed) != minute {
            window.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        }
        window.counts[bucket_of(us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The sum of all times so far, in microseconds.
    pub(crate) fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }

    /// For each share of `quantiles` (in order, from 0 to 1), a time in microseconds that so many did not exceed; `None`
    /// if there was nothing lately.
    pub(crate) fn quantiles<const N: usize>(&self, now: Instant, quantiles: [f64; N]) -> Option<[u64; N]> {
        let minute = minute_of(now);
        let fresh = |window: &&Window| window.minute.load(Ordering::Relaxed) + 1 >= minute;
        let windows: Vec<&Window> = self.windows.iter().filter(fresh).collect();
        let counts: Vec<u64> = (0..BUCKETS)
            .map(|bucket| windows.iter().map(|window| u64::from(window.counts[bucket].load(Ordering::Relaxed))).sum())
            .collect();
        let all: u64 = counts.iter().sum();
        if all == 0 {
            return None;
        }
        Some(quantiles.map(|quantile| {
            let wanted = (quantile * all as f64).ceil().max(1.0) as u64;
            let mut seen = 0;
            let bucket = counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            highest_in(bucket.unwrap_or(BUCKETS - 1))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let mut last = 0;
        for us in 0..200_000 {
            let bucket = bucket_of(us);
            assert!(bucket == last || bucket == last + 1, "{us}");
            assert!(us <= highest_in(bucket) && (us == 0 || bucket == 0 || us > highest_in(bucket - 1)), "{us}");
            assert!(highest_in(bucket) - us <= us / STEPS, "{us}");
            last = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_the_last_minutes() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantiles(at(0), [0.5]), None);
        for us in 1..=1000 {
            histogram.add(at(5), us);
        }
        let [half, most, all] = histogram.quantiles(at(6), [0.5, 0.99, 1.0]).expect("a thousand");
        assert!((500..=562).contains(&half) && (990..=1114).contains(&most) && (1000..=1125).contains(&all));
        histogram.add(at(61), 7);
        assert_eq!(histogram.quantiles(at(119), [0.0, 1.0]), Some([1, all]), "the minute before still counts");
        assert_eq!(histogram.quantiles(at(121), [0.0, 1.0]), Some([7, 7]), "and then no more");
        assert_eq!(histogram.quantiles(at(500), [0.5]), None);
        assert_eq!(histogram.sum_us(), 1000 * 1001 / 2 + 7);
    }
}
