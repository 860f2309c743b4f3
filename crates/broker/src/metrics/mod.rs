//! What the broker counts of its own work, and how it is told to whoever asks `/metrics`.
//!
//! On the way of a request there are only relaxed additions to numbers that the request's own parts hold: [`traffic`] in
//! each partition, [`requests`] in a slot for each API. No name is looked up there. Everything else is read when somebody
//! asks: [`scrape`] walks the broker and writes the text of [`exposition`]. Every name is described in `docs/metrics.md`;
//! a test compares the page with a running broker.

mod errors;
mod exposition;
mod flushes;
mod histogram;
mod requests;
mod scrape;
mod traffic;

pub(crate) use errors::ErrorCounts;
pub(crate) use flushes::Flushes;
pub(crate) use requests::{Requests, Times};
pub(crate) use scrape::scrape;
pub(crate) use traffic::Traffic;

use std::sync::Arc;

use ottla_types::Instant;

use crate::cleaner::CleanerStats;

/// What is counted for the whole broker.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) requests: Requests,
    /// Of all partitions together, those that are gone included.
    pub(crate) traffic: Traffic,
    pub(crate) flushes: Arc<Flushes>,
    pub(crate) cleaner: Arc<CleanerStats>,
}

impl Metrics {
    /// For so many APIs, in the order of the handlers' table. The flushes are counted already, and so is compaction.
    pub(crate) fn new(apis: usize, (flushes, cleaner): (Arc<Flushes>, Arc<CleanerStats>)) -> Self {
        Self { requests: Requests::new(apis), traffic: Traffic::default(), flushes, cleaner }
    }
}

/// Microseconds from `earlier` to `later`.
fn micros(earlier: Instant, later: Instant) -> u64 {
    u64::try_from(later.since(earlier).as_micros()).unwrap_or(u64::MAX)
}
