//! The world itself: the system's clock, its random bits, tokio's executors, TCP.

mod network;
mod resources;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla_types::Timestamp;
use tokio::runtime::Handle;

pub use network::SystemNetwork;
pub use resources::{Usage, memory_bytes, usage};

use crate::clock::{TokioClock, WallClock};
use crate::random::Random;
use crate::spawn::{Lane, Spawn};
use crate::{BoxFuture, Runtime};

/// The seams onto the system, with tasks on the given executors; those of the background are on `data`. To be called with
/// an executor entered.
#[must_use]
pub fn runtime(data: Handle, control: Handle) -> Runtime {
    runtime_with_background(data.clone(), control, data)
}

/// The same with an executor for the background.
#[must_use]
pub fn runtime_with_background(data: Handle, control: Handle, background: Handle) -> Runtime {
    Runtime {
        clock: Arc::new(TokioClock::start(SystemWall)),
        random: Arc::new(SystemRandom),
        tasks: Arc::new(SystemTasks { data, control, background }),
        network: Arc::new(SystemNetwork),
    }
}

/// The computer's calendar.
struct SystemWall;

impl WallClock for SystemWall {
    fn wall(&self, _since_start: Duration) -> Timestamp {
        // A clock set before 1970 reads as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The kernel's random bits.
struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        let mut bytes = [0u8; 8];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        assert_eq!(filled, Ok(bytes.len()), "eight random bytes never fail once the kernel has started");
        u64::from_ne_bytes(bytes)
    }
}

/// Tokio executors.
struct SystemTasks {
    data: Handle,
    control: Handle,
    background: Handle,
}

impl Spawn for SystemTasks {
    fn spawn(&self, lane: Lane, task: BoxFuture<'static, ()>) {
        let executor = match lane {
            Lane::Data => &self.data,
            Lane::Control => &self.control,
            Lane::Background => &self.background,
        };
        drop(executor.spawn(task));
    }
}
