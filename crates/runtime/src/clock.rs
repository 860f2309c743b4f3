//! Time as it passes, and time as a calendar has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ottla_types::{Instant, Timestamp};

use crate::BoxFuture;
use crate::timeouts::Timeouts;

/// Reads both kinds of time, and waits.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time since the process (or the simulation) started.
    fn now(&self) -> Instant;

    /// The date, in milliseconds.
    fn wall(&self) -> Timestamp;

    /// Completes once [`Clock::now`] has reached `deadline`.
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;

    /// The same for the end of somebody's patience, which is seldom reached: to wait for it and to give it up again costs
    /// no wake-up of a thread.
    fn patience_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;
}

/// Where a [`TokioClock`] takes the date from, given the time since it started.
pub trait WallClock: Send + Sync + 'static {
    /// The date now, in milliseconds since 1970.
    fn wall(&self, since_start: Duration) -> Timestamp;
}

/// A clock on tokio's time, which a simulation pauses and moves.
pub struct TokioClock<W> {
    start: tokio::time::Instant,
    wall: W,
    timeouts: Arc<Timeouts>,
}

impl<W: WallClock> TokioClock<W> {
    /// A clock that starts now. In a simulation, to be called inside it.
    pub fn start(wall: W) -> Self {
        Self { start: tokio::time::Instant::now(), wall, timeouts: Arc::default() }
    }
}

impl<W: WallClock> Clock for TokioClock<W> {
    fn now(&self) -> Instant {
        Instant::after_start(self.start.elapsed())
    }

    fn wall(&self) -> Timestamp {
        self.wall.wall(self.start.elapsed())
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(self.start + deadline.since_start()))
    }

    fn patience_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(self.timeouts.at(self.start + deadline.since_start()))
    }
}

impl<W> fmt::Debug for TokioClock<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokioClock")
    }
}
