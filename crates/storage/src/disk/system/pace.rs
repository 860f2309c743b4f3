//! Whether a write is done where it is submitted or handed to its device's writer thread: a small machine, no clock.
//!
//! Handing over costs two switches of thread; doing it inline costs, on a device that throttles, a thread that runs
//! tasks. So writes go inline while the device is fast. A write that was slow, or one under way that should long be
//! done, sends what follows to the thread, until the thread's own writes show that the device is fast again.

use std::time::{Duration, Instant};

/// The largest write done inline, in bytes: Kafka's default for the largest batch (1,048,588) fits.
///
/// Measured with `benches/disk.rs` (4 cores shared with other work, ext4; CPU of the whole process): 1 MiB appended
/// inline 257–314 µs, mean 283; through the thread 276–407 µs, mean 331; nine medians each, in alternating order, for the
/// order moves a figure by more than the difference. The bare hand-over is 8 µs while the thread is busy and some 50
/// when it has to be woken. So inline is cheaper by a seventh still at 1 MiB, and by more than half at 64 KiB. Above,
/// the hand-over is lost in the copying, while the thread that submits is kept for longer and longer.
pub(super) const INLINE_BYTES_MAX: usize = (1 << 20) + (4 << 10);

/// A write that takes longer is a stall: some seven times what [`INLINE_BYTES_MAX`] take on a fast device. A thread that
/// lost its core for as long looks the same; then some writes are handed over in vain.
pub(super) const SLOW: Duration = Duration::from_millis(2);

/// How long after a stall writes stay on the thread at least.
pub(super) const REST: Duration = Duration::from_millis(100);

/// How many writes in a row the thread must have done without a stall before writes are inline again.
pub(super) const FAST_WRITES: u32 = 8;

/// Where a write is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In the thread that submits it.
    Inline,
    /// On the device's writer thread.
    Writer,
}

/// How fast one device was lately.
///
/// `inline_writes > 0` ⇔ `oldest_progress` is there.
#[derive(Default, Debug)]
pub(super) struct Pace {
    /// When the last slow write ended; none while the device counts as fast.
    stalled: Option<Instant>,
    /// Writes that the thread did since then without a stall.
    fast_writes: u32,
    /// Inline writes under way.
    inline_writes: u32,
    /// Since when inline writes are under way and none has ended.
    oldest_progress: Option<Instant>,
}

impl Pace {
    /// Where a write of `bytes` that is submitted at `now` is done. An inline one is under way from here on.
    pub(super) fn place(&mut self, now: Instant, bytes: usize) -> Place {
        if bytes > INLINE_BYTES_MAX || !self.is_fast(now) {
            return Place::Writer;
        }
        self.inline_writes += 1;
        self.oldest_progress.get_or_insert(now);
        Place::Inline
    }

    /// Takes note of a write that took from `began` to `now`.
    pub(super) fn ended(&mut self, place: Place, began: Instant, now: Instant) {
        if place == Place::Inline {
            self.inline_writes = self.inline_writes.saturating_sub(1);
            self.oldest_progress = (self.inline_writes > 0).then_some(now);
        }
        if now.saturating_duration_since(began) > SLOW {
            self.stalled = Some(now);
            self.fast_writes = 0;
        } else if place == Place::Writer {
            self.fast_writes = self.fast_writes.saturating_add(1);
        }
    }

    fn is_fast(&self, now: Instant) -> bool {
        let hangs = self.oldest_progress.is_some_and(|since| now.saturating_duration_since(since) > SLOW);
        let recovered = self
            .stalled
            .is_none_or(|stalled| self.fast_writes >= FAST_WRITES && now.saturating_duration_since(stalled) >= REST);
        recovered && !hangs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = 100;

    /// What happens, at a millisecond: a write is submitted (and where it must go), or ends (and when it began).
    enum Step {
        Submit(u64, usize, Place),
        End(u64, Place, u64),
    }
    use Place::{Inline, Writer};
    use Step::{End, Submit};

    fn run(name: &str, steps: impl IntoIterator<Item = Step>) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Submit(ms, bytes, expected) => {
                    assert_eq!(pace.place(at(ms), bytes), expected, "{name}, step {number}");
                }
                End(ms, place, began) => pace.ended(place, at(began), at(ms)),
            }
        }
    }

    #[test]
    fn decides_by_size_and_by_the_device_s_last_writes() {
        run("a device is fast until it was slow", [Submit(0, SMALL, Inline)]);
        run("the limit itself is inline", [Submit(0, INLINE_BYTES_MAX, Inline)]);
        run("more goes to the thread", [Submit(0, INLINE_BYTES_MAX + 1, Writer)]);
        run("2 ms are not slow", [Submit(0, SMALL, Inline), End(2, Inline, 0), Submit(2, SMALL, Inline)]);
        run("3 ms are", [Submit(0, SMALL, Inline), End(3, Inline, 0), Submit(3, SMALL, Writer)]);
        run(
            "a large write on the thread tells too",
            [Submit(0, 9 << 20, Writer), End(30, Writer, 0), Submit(30, SMALL, Writer)],
        );
        run("time alone proves nothing", [Submit(0, SMALL, Inline), End(3, Inline, 0), Submit(100_000, SMALL, Writer)]);
    }

    #[test]
    fn a_write_that_hangs_sends_the_next_ones_to_the_thread() {
        run(
            "one hangs",
            [
                Submit(0, SMALL, Inline),
                Submit(2, SMALL, Inline),
                Submit(3, SMALL, Writer),
                End(4, Inline, 2),
                // The other has made no sound yet, but something moved.
                Submit(5, SMALL, Inline),
                Submit(7, SMALL, Writer),
            ],
        );
    }

    /// A stall that ended at 3 ms, then `writes` fast ones on the thread.
    fn recovery(writes: u32) -> Vec<Step> {
        let mut steps = vec![Submit(0, SMALL, Inline), End(3, Inline, 0)];
        for _ in 0..writes {
            steps.push(Submit(4, SMALL, Writer));
            steps.push(End(5, Writer, 4));
        }
        steps
    }

    #[test]
    fn a_device_is_fast_again_after_a_rest_and_some_fast_writes() {
        let rested = 3 + REST.as_millis() as u64;
        run("both", recovery(FAST_WRITES).into_iter().chain([Submit(rested, SMALL, Inline)]));
        run("no rest", recovery(FAST_WRITES).into_iter().chain([Submit(rested - 1, SMALL, Writer)]));
        run("one too few", recovery(FAST_WRITES - 1).into_iter().chain([Submit(rested, SMALL, Writer)]));
        let relapse = [End(100, Writer, 50), Submit(rested + 200, SMALL, Writer)];
        run("slow again", recovery(FAST_WRITES).into_iter().chain(relapse));
    }
}
