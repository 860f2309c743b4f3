//! Where tasks run.

use crate::BoxFuture;

/// Which of the broker's executors a task belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Connections and what they wait for.
    Data,
    /// The metadata quorum and other housekeeping: kept apart so that load never costs an election.
    Control,
    /// What computes for long without anybody waiting for it: compaction. It must not hold up the others.
    Background,
}

/// Starts tasks.
pub trait Spawn: Send + Sync + 'static {
    /// Runs `task` to its end, or until the executor stops.
    fn spawn(&self, lane: Lane, task: BoxFuture<'static, ()>);

    /// Does what keeps a thread for milliseconds, here and now. An executor of several threads lets another one do
    /// meanwhile what this one would do.
    fn compute(&self, work: &mut dyn FnMut()) {
        work();
    }
}
