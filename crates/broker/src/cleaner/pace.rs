//! How fast workers may read and write, all of them together (`log.cleaner.io.max.bytes.per.second`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ottla_storage::Pace;
use ottla_types::Instant;
use parking_lot::Mutex;

use super::LogCleaner;

/// How long a worker sleeps before it looks whether it should go on, and at which rate.
const NAP: Duration = Duration::from_secs(1);

/// When the next bytes may be moved.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Instant>);

impl Throttle {
    /// Notes that `bytes` were moved at `rate` bytes per second, above 0. Whoever did so goes on at the answer.
    fn moved(&self, now: Instant, bytes: u64, rate: f64) -> Instant {
        let mut free_at = self.0.lock();
        // A rate of next to nothing must not overflow the clock.
        let time = Duration::from_secs_f64((bytes as f64 / rate).min(1e6));
        *free_at = (*free_at).max(now) + time;
        *free_at
    }

    /// What an earlier rate held back is held back no more.
    fn forget(&self) {
        *self.0.lock() = Instant::START;
    }
}

/// What holds a worker back. While it is at it, it also looks whether there are to be more workers: a round can take days.
pub(super) struct WorkersPace<'a>(pub(super) &'a Arc<LogCleaner>);

impl WorkersPace<'_> {
    fn rate(&self) -> Option<f64> {
        self.0.settings.present().cleaner.io_bytes_per_second.map(|rate| rate.max(1.0))
    }

    async fn wait(&self, bytes: u64) -> bool {
        let LogCleaner { throttle, stop, runtime, .. } = &**self.0;
        let clock = &*runtime.clock;
        self.0.start_workers();
        let Some(rate) = self.rate() else {
            throttle.forget();
            tokio::task::yield_now().await;
            return !stop.is_cancelled();
        };
        let next = throttle.moved(clock.now(), bytes, rate);
        while clock.now() < next && !stop.is_cancelled() {
            if self.rate() != Some(rate) {
                throttle.forget();
                break;
            }
            self.0.start_workers();
            let until = next.min(clock.now() + NAP);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = clock.sleep_until(until) => {}
            }
        }
        !stop.is_cancelled()
    }
}

impl Pace for WorkersPace<'_> {
    fn moved(&self, bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.wait(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_one_rate_and_a_rest_earns_nothing() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let throttle = Throttle::default();
        assert_eq!(throttle.moved(at(0), 100, 1000.0), at(100));
        assert_eq!(throttle.moved(at(0), 100, 1000.0), at(200), "behind the other's");
        assert_eq!(throttle.moved(at(900), 100, 1000.0), at(1000), "no burst after a rest");
        throttle.forget();
        assert_eq!(throttle.moved(at(950), 50, 1000.0), at(1000), "another rate begins at once");
        assert_eq!(throttle.moved(at(0), u64::MAX, f64::MIN_POSITIVE), at(1_000_001_000), "there is an end to it");
    }
}
