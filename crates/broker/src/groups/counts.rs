//! What is counted of all groups of this broker, whichever machine did it and however often one was read anew.

use std::sync::atomic::{AtomicU64, Ordering};

use ottla_coordinator::Tally;

/// Numbers since the broker's start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    classic_rebalances: AtomicU64,
    consumer_rebalances: AtomicU64,
    offsets_committed: AtomicU64,
    offsets_expired: AtomicU64,
    offsets_deleted: AtomicU64,
}

impl Counts {
    /// Adds what a machine counted.
    pub(super) fn add(&self, tally: Tally) {
        if tally == Tally::default() {
            return;
        }
        for (sum, number) in [
            (&self.classic_rebalances, tally.classic_rebalances),
            (&self.consumer_rebalances, tally.consumer_rebalances),
            (&self.offsets_committed, tally.offsets_committed),
            (&self.offsets_expired, tally.offsets_expired),
            (&self.offsets_deleted, tally.offsets_deleted),
        ] {
            sum.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// The sums so far.
    pub(crate) fn sums(&self) -> Tally {
        let sum = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Tally {
            classic_rebalances: sum(&self.classic_rebalances),
            consumer_rebalances: sum(&self.consumer_rebalances),
            offsets_committed: sum(&self.offsets_committed),
            offsets_expired: sum(&self.offsets_expired),
            offsets_deleted: sum(&self.offsets_deleted),
        }
    }
}
