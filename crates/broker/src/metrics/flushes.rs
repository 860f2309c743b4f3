//! How many flushes there were, and how long they took. One is what the logs of a directory flush together.

use std::sync::atomic::{AtomicU64, Ordering};

use ottla_types::Instant;

use super::histogram::Histogram;
use super::micros;

/// The flushes of all directories.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    count: AtomicU64,
    pub(super) times: Histogram,
}

impl Flushes {
    /// One began and ended.
    pub(crate) fn add(&self, began: Instant, ended: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.times.add(ended, micros(began, ended));
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
