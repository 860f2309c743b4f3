//! One round over one log: what `plan` and `filter` decide, done through the disk.

use std::sync::Arc;

use ottla_record::RecordBatch;
use ottla_types::{Offset, Timestamp};

use super::filter::{Filter, Kept, RECORDS_BYTES_MAX, RecordCounts, RoundRules, control};
use super::output::Output;
use super::plan::{GroupBounds, group};
use super::transactions::Transactions;
use super::{Cleanable, Cleaned, Cleaner, CompactionRules, Pace, Stopped, piece};
use crate::fault::StorageFault;
use crate::log::{CleanedSegment, Log, View};
use crate::segment::{Kind, Segment};
use crate::sown::{self, Bug};
use crate::walk::{Step, Walk};

pub(super) struct Round<'a> {
    pub(super) cleaner: &'a mut Cleaner,
    pub(super) log: &'a Arc<Log>,
    pub(super) view: &'a View,
    pub(super) cleanable: &'a Cleanable,
    pub(super) rules: &'a CompactionRules,
    pub(super) now: Timestamp,
    pub(super) pace: &'a dyn Pace,
    pub(super) cleaned: &'a mut Cleaned,
}

impl Round<'_> {
    pub(super) async fn run(mut self) -> Result<Offset, Stopped> {
        self.build_map().await?;
        self.cleaned.map_utilization = self.cleaner.map.utilization();
        let Some(latest) = self.cleaner.map.latest() else { return Ok(self.cleanable.first_dirty) };
        let end = latest.plus(1);
        let segments = &self.view.segments;
        let count = segments.partition_point(|segment| segment.base < end.min(self.cleanable.end));
        let pieces: Vec<_> = segments[..count].iter().map(piece).collect();
        let config = &self.view.config;
        let bounds = GroupBounds {
            segment_bytes: u64::from(config.segment_bytes),
            index_bytes: u64::from(config.segment_index_bytes),
            end: self.cleanable.end,
        };
        let (mut transactions, mut rest) = (Transactions::default(), &segments[..count]);
        for length in group(&pieces, &bounds) {
            let (old, behind) = rest.split_at(length);
            transactions = self.clean_group(old, transactions).await?;
            rest = behind;
        }
        Ok(end)
    }

    async fn go_on(&self, bytes: u64) -> Result<(), Stopped> {
        if self.pace.moved(bytes).await { Ok(()) } else { Err(Stopped::Changed) }
    }

    /// Learns the last offset of each key from the first dirty offset on, as far as memory reaches.
    async fn build_map(&mut self) -> Result<(), Stopped> {
        self.cleaner.map.clear();
        let Cleanable { first_dirty, end, .. } = *self.cleanable;
        let segments = &self.view.segments;
        let first = segments.partition_point(|segment| segment.base <= first_dirty).saturating_sub(1);
        let dirty = segments[first..].iter().take_while(|segment| segment.base < end && first_dirty < end);
        let mut transactions = Transactions::default();
        transactions.add(self.log.aborted_between(&segments[first..], first_dirty, end).await?);
        for (i, segment) in dirty.enumerate() {
            if self.map_segment(segment, &mut transactions).await? {
                break;
            }
            // Where compaction has left a hole there is nothing to learn.
            let next = segments[first + i + 1].base;
            self.cleaner.map.reached(next.plus(-1));
        }
        Ok(())
    }

    /// Answers whether the map is full.
    async fn map_segment(&mut self, segment: &Segment, transactions: &mut Transactions) -> Result<bool, Stopped> {
        let first_dirty = self.cleanable.first_dirty;
        let file = segment.files.log().await?;
        let path = segment.files.path(Kind::Log);
        let start = self.log.place_in_closed(segment, &file, first_dirty).await?;
        let mut walk = Walk::new(&file, &path, start, segment.written, self.cleaner.io_bytes);
        let mut since = 0;
        loop {
            let (position, header) = match walk.header().await? {
                Step::Batch { position, header } => (position, header),
                Step::End => break,
                Step::Bad { position, reason } => return Err(StorageFault::damaged(&path, position, reason).into()),
            };
            let bytes = walk.whole(position, &header).await?;
            let damaged = |error: ottla_record::BatchError| StorageFault::damaged(&path, position, error.to_string());
            let batch = RecordBatch::parse(&bytes).map_err(damaged)?;
            if header.is_current() && header.attributes.is_control() {
                transactions.control(&header, control(&batch));
            } else if (!transactions.batch(&header) || sown::is(Bug::AbortedSupersede))
                && !map_batch(self.cleaner, &batch, first_dirty).map_err(damaged)?
            {
                return Ok(true);
            }
            if header.last_offset() >= first_dirty {
                self.cleaner.map.reached(header.last_offset());
            }
            let size = header.size_in_bytes() as u64;
            self.cleaned.mapped_bytes += size;
            since += size;
            if since >= self.cleaner.io_bytes as u64 {
                self.go_on(std::mem::take(&mut since)).await?;
            }
        }
        self.go_on(since).await?;
        Ok(false)
    }

    /// Writes what stays of some segments into one, and has it take their place. `transactions` are as of the segments
    /// before, and are answered as of these.
    async fn clean_group(&mut self, old: &[Segment], transactions: Transactions) -> Result<Transactions, Stopped> {
        let base = old.first().expect("a group has a segment").base;
        let written = self.write_group(old, transactions).await;
        let exchanged = match written {
            Ok((cleaned, transactions)) => match self.log.exchange(self.view, old, cleaned).await {
                Ok(Some(retired)) => {
                    self.cleaned.retired.push(retired);
                    return Ok(transactions);
                }
                Ok(None) => Stopped::Changed,
                Err(fault) => fault.into(),
            },
            Err(stopped) => stopped,
        };
        // If they cannot be removed a start does it.
        let _ = self.log.remove_cleaned(base).await;
        Err(exchanged)
    }

    async fn write_group(
        &mut self,
        old: &[Segment],
        transactions: Transactions,
    ) -> Result<(CleanedSegment, Transactions), Stopped> {
        let base = old[0].base;
        let mut output = self.log.begin_cleaned(base).await?;
        let rules =
            RoundRules { now: self.now, delete_retention_ms: self.rules.delete_retention_ms, end: self.cleanable.end };
        let horizon = self.old_tombstones_horizon();
        let Cleaner { map, io_bytes, scratch, compressor } = &mut *self.cleaner;
        let mut filter = Filter {
            map,
            rules,
            last_records: &self.view.last_records,
            transactions,
            keeps_old_tombstones: false,
            aborted: Vec::new(),
            counts: RecordCounts::default(),
            scratch,
            compressor,
        };
        for segment in old {
            let next = next_base(self.view, segment);
            filter.transactions.add(self.log.aborted_between(from(self.view, segment), segment.base, next).await?);
            // Where no time is known they stay, and are told one by this round.
            filter.keeps_old_tombstones = segment.modified_at == Timestamp::NONE || segment.modified_at > horizon;
            let into = Into {
                log: self.log,
                pace: self.pace,
                io_bytes: *io_bytes,
                interval: self.view.config.index_interval_bytes,
            };
            into.clean(segment, &mut filter, &mut output, self.cleaned).await?;
        }
        let Filter { transactions, aborted, counts, .. } = filter;
        self.cleaned.read_records += counts.read;
        self.cleaned.written_records += counts.kept;
        self.cleaned.keyless_records += counts.keyless;
        for aborted in aborted {
            output.segment.aborted.push(aborted);
        }
        let modified = old.last().map_or(Timestamp::NONE, |last| last.modified_at);
        Ok((self.log.complete_cleaned(output, modified).await?, transactions))
    }

    /// Up to this time of their segment tombstones of magic 0 and 1 may go.
    fn old_tombstones_horizon(&self) -> Timestamp {
        let clean = self.view.segments.partition_point(|segment| segment.base < self.cleanable.first_dirty);
        let last = self.view.segments[..clean].last();
        last.map_or(Timestamp(0), |last| Timestamp(last.modified_at.0.saturating_sub(self.rules.delete_retention_ms)))
    }
}

/// Notes the keys of a batch. Answers whether there was room for all.
fn map_batch(cleaner: &mut Cleaner, batch: &RecordBatch<'_>, first: Offset) -> Result<bool, ottla_record::BatchError> {
    for record in batch.records(&mut cleaner.scratch, RECORDS_BYTES_MAX)? {
        let record = record?;
        let Some(key) = record.key.filter(|_| record.offset >= first) else { continue };
        if !cleaner.map.put(key, record.offset) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where the segment behind this one begins.
fn next_base(view: &View, segment: &Segment) -> Offset {
    let next = view.segments.partition_point(|other| other.base <= segment.base);
    view.segments[next].base
}

fn from<'a>(view: &'a View, segment: &Segment) -> &'a [Segment] {
    &view.segments[view.segments.partition_point(|other| other.base < segment.base)..]
}

/// How one segment is gone through.
struct Into<'a> {
    log: &'a Arc<Log>,
    pace: &'a dyn Pace,
    io_bytes: usize,
    interval: u32,
}

impl Into<'_> {
    async fn clean(
        &self,
        segment: &Segment,
        filter: &mut Filter<'_>,
        output: &mut Output,
        cleaned: &mut Cleaned,
    ) -> Result<(), Stopped> {
        let file = segment.files.log().await?;
        let path = segment.files.path(Kind::Log);
        let mut walk = Walk::new(&file, &path, 0, segment.written, self.io_bytes);
        let mut since = 0;
        loop {
            let (position, header) = match walk.header().await? {
                Step::Batch { position, header } => (position, header),
                Step::End => break,
                Step::Bad { position, reason } => return Err(StorageFault::damaged(&path, position, reason).into()),
            };
            let bytes = walk.whole(position, &header).await?;
            let damaged = |error: ottla_record::BatchError| StorageFault::damaged(&path, position, error.to_string());
            let batch = RecordBatch::parse(&bytes).map_err(damaged)?;
            let size = header.size_in_bytes() as u64;
            cleaned.read_bytes += size;
            since += size;
            match filter.batch(&batch).map_err(damaged)? {
                Kept::Nothing => {}
                Kept::AsItIs => output
                    .push(&header, &bytes, self.interval)
                    .map_err(|why| StorageFault::damaged(&path, position, why))?,
                Kept::Rewritten(header, bytes) => {
                    output
                        .push(&header, &bytes, self.interval)
                        .map_err(|why| StorageFault::damaged(&path, position, why))?;
                }
            }
            if output.pending.len() >= self.io_bytes {
                let written = self.log.write_cleaned(output).await?;
                cleaned.written_bytes += written;
                since += written;
            }
            if since >= self.io_bytes as u64 && !self.pace.moved(std::mem::take(&mut since)).await {
                return Err(Stopped::Changed);
            }
        }
        let written = self.log.write_cleaned(output).await?;
        cleaned.written_bytes += written;
        if self.pace.moved(since + written).await { Ok(()) } else { Err(Stopped::Changed) }
    }
}
