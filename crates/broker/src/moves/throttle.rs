//! How fast moves may copy, all of them together (`replica.alter.log.dirs.io.max.bytes.per.second`). Pure.

use std::time::Duration;

use ottla_types::Instant;

/// One piece at most: a write of that size does not stall a device for long.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// One piece at least, so that a low rate does not become a rain of tiny writes.
const PIECE_BYTES_MIN: u64 = 4 << 10;
/// What may be left to copy while the log is closed, where no rate says less.
const REST_BYTES_MAX: u64 = 4 << 20;
/// A piece is worth about a tenth of a second, so that a new rate is soon felt.
const PIECES_PER_SECOND: u64 = 10;

/// Bytes that may be copied in one go under a bound of `rate` bytes per second.
pub(super) fn piece_bytes(rate: Option<u64>) -> usize {
    let bytes = rate.map_or(PIECE_BYTES_MAX, |rate| (rate / PIECES_PER_SECOND).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX));
    usize::try_from(bytes).expect("a piece is small")
}

/// Bytes that may be left to copy while the log is closed: nobody waits for the rate then. A log that is written all the
/// time is never wholly copied before.
pub(super) fn rest_bytes(rate: Option<u64>) -> u64 {
    rate.map_or(REST_BYTES_MAX, |rate| piece_bytes(Some(rate)) as u64)
}

/// When the next piece may be copied.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    free_at: Instant,
}

impl Throttle {
    /// Notes that `bytes` were copied at `rate` bytes per second, above 0. Whoever did so goes on at the answer.
    pub(super) fn copied(&mut self, now: Instant, bytes: u64, rate: u64) -> Instant {
        self.free_at = self.free_at.max(now) + Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        self.free_at
    }

    /// What an earlier rate held back is held back no more.
    pub(super) fn forget(&mut self) {
        self.free_at = Instant::START;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_share_one_rate_and_a_rest_earns_nothing() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut throttle = Throttle::default();
        assert_eq!(throttle.copied(at(0), 100, 1000), at(100));
        assert_eq!(throttle.copied(at(0), 100, 1000), at(200), "behind the other's");
        assert_eq!(throttle.copied(at(900), 100, 1000), at(1000), "no burst after a rest");
        throttle.forget();
        assert_eq!(throttle.copied(at(950), 50, 1000), at(1000), "another rate begins at once");
    }

    #[test]
    fn pieces_follow_the_rate_within_bounds() {
        let rates = [None, Some(0), Some(100_000), Some(5 << 20), Some(1 << 40)];
        assert_eq!(rates.map(piece_bytes), [1 << 20, 4096, 10_000, 524_288, 1 << 20]);
    }
}
