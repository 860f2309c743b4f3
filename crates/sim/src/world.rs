//! The seams of one simulated computer: time that jumps, bits from a seed, tasks on one thread.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::{BoxFuture, Lane, Runtime, SeededRandom, Spawn, TokioClock, WallClock};
use ottla_types::Timestamp;

use crate::network::SimulatedNetwork;

/// The date on which every simulation begins: 2025-01-01 00:00 UTC, in milliseconds.
const BEGINNING_MS: i64 = 1_735_689_600_000;

/// The seams of the host on which it is called; `seed` is this host's own.
pub(crate) fn runtime(seed: u64) -> Runtime {
    Runtime {
        clock: Arc::new(TokioClock::start(SimulatedWall)),
        random: Arc::new(SeededRandom::new(seed)),
        tasks: Arc::new(SimulatedTasks),
        network: Arc::new(SimulatedNetwork),
    }
}

/// A calendar that starts on the same day in every run and goes on through crashes of the host.
struct SimulatedWall;

impl WallClock for SimulatedWall {
    fn wall(&self, _since_start: Duration) -> Timestamp {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        Timestamp(BEGINNING_MS + i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Both lanes are the host's one thread.
struct SimulatedTasks;

impl Spawn for SimulatedTasks {
    fn spawn(&self, _lane: Lane, task: BoxFuture<'static, ()>) {
        drop(tokio::spawn(task));
    }
}
