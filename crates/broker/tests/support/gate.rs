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

    /// Does what was kept, and all that follows at once.
    pub(crate) fn open(&self) {
        let kept = {
            let mut kept = self.0.lock().expect("no test panics in here");
            kept.is_closed = false;
            mem::take(&mut kept.operations)
        };
        kept.into_iter().for_each(|operation| operation());
    }
}

impl Delay for Gate {
    fn schedule(&self, _after: Duration, run: Operation) {
        let mut kept = self.0.lock().expect("no test panics in here");
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
