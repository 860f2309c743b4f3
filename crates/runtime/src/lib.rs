//! The seams to the world but for the disk: clock, randomness, task spawning and network.
//!
//! Whatever is not a pure decision takes a [`Runtime`] and reaches the world only through it. [`system`] is the world
//! itself; the `sim` crate has the other implementation, where time jumps, randomness comes from a seed and the network
//! is a list in memory. The disk's seam is in `storage`.
//!
//! Tokio stays the executor on both sides. Its timers are part of the seam: a simulation runs them on paused time. Two
//! rules keep a run repeatable: `select!` is always `biased`, and nothing iterates over a hash map.

mod clock;
mod network;
mod random;
mod spawn;
pub mod system;
mod timeouts;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use clock::{Clock, TokioClock, WallClock};
pub use network::{ListenOptions, Listener, Network, Socket, send_all, send_file_all};
pub use random::{Random, SeededRandom};
pub use spawn::{Lane, Spawn};

/// A future on the heap: what the object-safe seams return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The four seams together. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    /// Monotonic and wall time.
    pub clock: Arc<dyn Clock>,
    /// Random bits.
    pub random: Arc<dyn Random>,
    /// Where tasks run.
    pub tasks: Arc<dyn Spawn>,
    /// Sockets.
    pub network: Arc<dyn Network>,
}

impl Runtime {
    /// Starts a task on `lane`. It ends by itself; nobody waits for it.
    pub fn spawn(&self, lane: Lane, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(lane, Box::pin(task));
    }

    /// Does what keeps a thread for milliseconds, without keeping other tasks from being done. It costs some ten
    /// microseconds more.
    pub fn compute<T>(&self, work: impl FnOnce() -> T) -> T {
        let (mut work, mut done) = (Some(work), None);
        self.tasks.compute(&mut || done = work.take().map(|work| work()));
        done.expect("it is done once, before this returns")
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}
