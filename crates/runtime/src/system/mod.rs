//! The world itself: the system's clock, its random bits, tokio's executors, TCP.

mod network;
mod resources;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla_types::Timestamp;
use tokio::runtime::{Handle, RuntimeFlavor};

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

    fn compute(&self, work: &mut dyn FnMut()) {
        match Handle::try_current().map(|executor| executor.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_computes_for_long_keeps_no_other_task_from_being_done() {
        let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let handle = executor.handle().clone();
        let computes = executor.spawn(async move {
            let runtime = runtime(handle.clone(), handle);
            let (done, is_done) = mpsc::channel();
            runtime.spawn(Lane::Data, async move { done.send(7).unwrap() });
            runtime.compute(|| is_done.recv_timeout(Duration::from_secs(60)))
        });
        assert_eq!(executor.block_on(computes).unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn where_there_is_one_thread_it_is_done_there() {
        let runtime = runtime(Handle::current(), Handle::current());
        assert_eq!(runtime.compute(|| 7), 7);
    }
}
