//! Compaction: a log keeps the last record of each key.
//!
//! A round goes over a log twice. Over its dirty part, to learn the last offset of every key ([`offset_map`]), as far as
//! memory reaches; then over everything up to there, to write what stays ([`filter`]) into new segments, several old ones
//! into one where that fits ([`plan`]). Each takes the place of the old ones when it is whole and durable
//! (`log/compact`). Appends and reads go on meanwhile; whoever cuts, moves or deletes the log ends the round.
//!
//! ```text
//! 0 ........ first dirty ........ end of the map ........ end ........ active segment
//!   cleaned before       mapped, cleaned now      next round    young, undecided
//! ```
//!
//! [`plan`], [`filter`], [`transactions`] and [`offset_map`] are pure: time comes as an argument. This page and `round` do
//! what they say, through the disk. Which log is cleaned when, and how fast, the caller decides (the broker's cleaner);
//! how far each was cleaned stands in its directory (`directory/cleaning`).
//!
//! What is left equals what Kafka 4.3.1 leaves, but for what docs/deviations.md says.

mod filter;
mod offset_map;
mod output;
mod plan;
mod round;
#[cfg(test)]
mod tests;
mod transactions;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ottla_record::{Compressor, Scratch};
use ottla_types::{Offset, Timestamp};

pub(crate) use filter::LastRecord;
pub use offset_map::MapMemory;
use offset_map::OffsetMap;
pub use plan::{Cleanable, CompactionRules};
use plan::{Piece, Standing};

use crate::fault::StorageFault;
use crate::log::{Log, Retired, View};
use crate::scan;
use crate::segment::Kind;

/// What one cleaner may use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CleanerMemory {
    /// For the keys' last offsets.
    pub map: MapMemory,
    /// Bytes read or written at a time; a batch that is larger is read as a whole all the same.
    pub io_bytes: usize,
}

/// Holds a round back and ends it. Called between pieces of work, without any lock held.
pub trait Pace: Send + Sync {
    /// `bytes` more were read or written. Completes when the round may go on; with `false` it ends.
    fn moved(&self, bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// Why a round ended early. What it had put in place stays.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stopped {
    /// Its [`Pace`] said so, or the log was cut, closed or lost a segment meanwhile.
    #[error("something else is done with the log")]
    Changed,
    /// The disk failed, or what is on it cannot be cleaned.
    #[error(transparent)]
    Fault(#[from] StorageFault),
}

/// What a round did.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// The files that it put others in the place of: still to be removed.
    pub retired: Vec<Retired>,
    /// Bytes read to learn the keys.
    pub mapped_bytes: u64,
    /// Bytes of batches that were gone through.
    pub read_bytes: u64,
    /// Bytes of batches that stay.
    pub written_bytes: u64,
    /// Records that were gone through, but for those of batches that went without a look.
    pub read_records: u64,
    /// Records that stay.
    pub written_records: u64,
    /// Records without a key, which were dropped.
    pub keyless_records: u64,
    /// How full the map was, of 1.
    pub map_utilization: f64,
}

/// Cleans logs, one after the other, with memory of its own.
pub struct Cleaner {
    map: OffsetMap,
    io_bytes: usize,
    scratch: Scratch,
    compressor: Compressor,
}

impl Cleaner {
    /// A cleaner with so much memory, which the system gives it as it is used. `hash_keys` are drawn by chance. `None` if
    /// the memory holds no key.
    #[must_use]
    pub fn new(memory: CleanerMemory, hash_keys: (u64, u64)) -> Option<Self> {
        let map = OffsetMap::new(memory.map, hash_keys)?;
        let (scratch, compressor) = (Scratch::default(), Compressor::default());
        Some(Self { map, io_bytes: memory.io_bytes.max(1), scratch, compressor })
    }

    /// Cleans a log, of which `cleanable` was found out, and answers the offset below which it is clean. `cleaned` is told
    /// what was done, even if the round ends early.
    pub(crate) async fn clean(
        &mut self,
        log: &Arc<Log>,
        cleanable: &Cleanable,
        (rules, now): (&CompactionRules, Timestamp),
        pace: &dyn Pace,
        cleaned: &mut Cleaned,
    ) -> Result<Offset, Stopped> {
        log.date_segments().await?;
        let view = log.durable_view().await?;
        let answer = round::Round { cleaner: self, log, view: &view, cleanable, rules, now, pace, cleaned }.run().await;
        self.map.clear();
        match answer {
            // What could not be read may have left with its segment.
            Err(Stopped::Fault(_)) if !log.is_as(&view) => Err(Stopped::Changed),
            other => other,
        }
    }
}

impl std::fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cleaner({} keys)", self.map.len())
    }
}

/// What of a log a round at `now` may clean. `stable` is its last stable offset, `cleaned` up to where it was cleaned.
pub(crate) async fn find_out(
    log: &Arc<Log>,
    stable: Offset,
    cleaned: Option<Offset>,
    rules: &CompactionRules,
    now: Timestamp,
) -> Result<Cleanable, StorageFault> {
    let view = log.view();
    let mut pieces = pieces(&view);
    // Only then does anybody look at them: they cost a read of each.
    if rules.max_lag_ms < now.0 {
        let first_dirty = cleaned.unwrap_or(view.log_start);
        let first = view.segments.partition_point(|segment| segment.base <= first_dirty).saturating_sub(1);
        let closed = view.segments.split_last().map_or(&[][..], |(_, closed)| closed);
        for (segment, piece) in closed.iter().zip(&mut pieces).skip(first) {
            if piece.first_timestamp.is_none() && segment.bytes > 0 {
                let (file, path) = (segment.files.log().await?, segment.files.path(Kind::Log));
                let found = scan::first_header(&file, &path, segment.written).await?;
                piece.first_timestamp = found.map(|header| header.max_timestamp);
            }
        }
    }
    let standing = Standing { log_start: view.log_start, log_end: view.log_end, stable, cleaned };
    Ok(plan::cleanable(&pieces, &standing, rules, now))
}

fn pieces(view: &View) -> Vec<Piece> {
    view.segments.iter().map(piece).collect()
}

fn piece(segment: &crate::segment::Segment) -> Piece {
    let entries = segment.entries();
    Piece {
        base: segment.base,
        bytes: segment.bytes,
        max_timestamp: segment.largest.map_or(Timestamp::NONE, |largest| largest.timestamp),
        first_timestamp: segment.first_timestamp,
        // Of Kafka's sizes: 8 bytes an offset, 12 a time.
        index_bytes: (u64::from(entries.offsets) * 8, u64::from(entries.times) * 12),
    }
}
