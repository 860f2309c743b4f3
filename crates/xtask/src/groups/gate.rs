//! Where scenarios that share a broker wait for each other, so that it is restarted once for all.
//!
//! Each comes to the gate once or is gone; whoever restarts the broker waits for all, and opens.

use std::sync::{Condvar, Mutex, MutexGuard};

/// Who is still on the way.
#[derive(Debug)]
struct State {
    /// Scenarios that have neither come nor gone.
    expected: usize,
    /// Whether the broker was restarted.
    open: bool,
}

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// A closed gate for so many scenarios.
    pub(super) fn new(expected: usize) -> Self {
        Self { state: Mutex::new(State { expected, open: false }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the gate in hands")
    }

    /// A scenario has come, or will never come. Once for each.
    pub(super) fn arrive(&self) {
        self.state().expected -= 1;
        self.changed.notify_all();
    }

    /// Waits until all have come or gone.
    pub(super) fn all_arrived(&self) {
        let state = self.state();
        drop(self.changed.wait_while(state, |state| state.expected > 0));
    }

    /// Lets all go on.
    pub(super) fn open(&self) {
        self.state().open = true;
    }

    /// Whether a scenario may go on.
    pub(super) fn is_open(&self) -> bool {
        self.state().open
    }
}
