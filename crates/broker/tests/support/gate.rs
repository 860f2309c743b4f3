//! A disk that can be held: while its gate is closed nothing that is asked of it completes.

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_storage::disk::simulated::{Delay, Faults, SimulatedDisk};

/// Completes operations at once while it is open; keeps them while it is closed.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Kept>);

type Operation = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Kept {
    is_closed: bool,
    /// So many operations pass before it closes by itself.
    closes_after: Option<usize>,
    operations: Vec<Operation>,
}

impl Gate {
    /// A disk behind an open gate.
    pub(crate) fn with_disk() -> (Arc<Self>, Arc<SimulatedDisk>) {
        let gate = Arc::new(Self::default());
        let disk = SimulatedDisk::with_delay(1, Faults::default(), gate.clone());
        (gate, disk)
    }

    pub(crate) fn close(&self) {
        self.0.lock().expect("no test panics in here").is_closed = true;
    }

    /// Lets `operations` more pass and closes then.
    pub(crate) fn close_after(&self, operations: usize) {
        self.0.lock().expect("no test panics in here").closes_after = Some(operations);
    }

    /// Whether something waits for it to be opened.
    pub(crate) fn holds_something(&self) -> bool {
        !self.0.lock().expect("no test panics in here").operations.is_empty()
    }

    /// Does what was kept, and all that follows at once.
    pub(crate) fn open(&self) {
        let kept = {
            let mut kept = self.0.lock().expect("no test panics in here");
            kept.is_closed = false;
            kept.closes_after = None;
            mem::take(&mut kept.operations)
        };
        kept.into_iter().for_each(|operation| operation());
    }
}

impl Delay for Gate {
    fn schedule(&self, _after: Duration, run: Operation) {
        let mut kept = self.0.lock().expect("no test panics in here");
        if let Some(left) = kept.closes_after {
            kept.closes_after = left.checked_sub(1);
            kept.is_closed |= left == 0;
        }
        if kept.is_closed {
            kept.operations.push(run);
            return;
        }
        drop(kept);
        run();
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}
