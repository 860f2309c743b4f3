//! Finding records by their timestamps (ListOffsets).

use std::sync::Arc;

use ottla_record::{BatchHeader, RecordBatch, Scratch, TimestampType};
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use super::Log;
use crate::disk::{FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::index::{self, Entry, Found};
use crate::segment::{Kind, Place, Segment, SegmentFiles};
use crate::time_index::TimeEntry;
use crate::walk::{self, LOOK_UP, Step, Walk};

/// The most that a batch may have when uncompressed, in bytes. What was appended was checked against less.
const RECORDS_BYTES_MAX: usize = 1 << 30;

/// A record found by its timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// A segment in which to look.
struct Candidate {
    files: Arc<SegmentFiles>,
    base: Offset,
    written: u64,
    /// The time index's entry from where on to look, as far as memory knows.
    times: Found<TimeEntry>,
}

impl Log {
    /// The first record, from the log's start on, whose timestamp is `timestamp` or later; `None` if there is none
    /// among what is written. A segment may be late for nothing but records below the log's start: then it is sought in
    /// the next one, where Kafka gives up.
    pub async fn find_by_timestamp(&self, timestamp: Timestamp) -> Result<Option<TimestampedOffset>, StorageFault> {
        let mut from = Offset::ZERO;
        while let Some((candidate, log_start)) = self.late_segment(from, timestamp) {
            let found = self.find_in(&candidate, timestamp, log_start).await;
            if candidate.files.is_replaced() {
                // Compaction: what was found, or not, was in files that are gone.
                continue;
            }
            if let Some(found) = found? {
                return Ok(Some(found));
            }
            from = candidate.base.plus(1);
        }
        Ok(None)
    }

    /// The first segment whose base is `from` or above that has something at `timestamp` or later, and the log's start.
    fn late_segment(&self, from: Offset, timestamp: Timestamp) -> Option<(Candidate, Offset)> {
        let state = self.state.lock();
        let first = state.floor(state.log_start).max(state.segments.partition_point(|segment| segment.base < from));
        let late = |segment: &&Segment| segment.largest.is_some_and(|largest| largest.timestamp >= timestamp);
        let found = state.segments[first..].iter().find(late)?;
        Some((candidate(found, timestamp), state.log_start))
    }

    /// The first record of a segment at `log_start` and `timestamp` or later.
    async fn find_in(
        &self,
        candidate: &Candidate,
        timestamp: Timestamp,
        log_start: Offset,
    ) -> Result<Option<TimestampedOffset>, StorageFault> {
        let near = self.search_times(candidate, timestamp).await?;
        let start = self.position_near(candidate, near.max(log_start)).await?;
        let file = candidate.files.log().await?;
        let path = candidate.files.path(Kind::Log);
        let mut walk = Walk::new(&file, &path, start, candidate.written, LOOK_UP);
        loop {
            match walk.header().await? {
                Step::Batch { position, header } if header.max_timestamp >= timestamp => {
                    let wanted = |offset, at| offset >= log_start && at >= timestamp;
                    let found = first_record(&mut walk, position, &header, wanted).await?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Step::Batch { .. } => {}
                Step::End => return Ok(None),
                Step::Bad { position, reason } => return Err(StorageFault::damaged(&path, position, reason)),
            }
        }
    }

    /// The first record with the largest timestamp of the log (ListOffsets with -3, KIP-734); `None` if no record has a
    /// timestamp.
    pub async fn max_timestamp_offset(&self) -> Result<Option<TimestampedOffset>, StorageFault> {
        loop {
            let Some((candidate, largest)) = self.latest_candidate() else { return Ok(None) };
            let found = self.find_largest(&candidate, largest).await;
            if !candidate.files.is_replaced() {
                return found;
            }
        }
    }

    /// The segment that has the largest timestamp.
    fn latest_candidate(&self) -> Option<(Candidate, TimeEntry)> {
        let state = self.state.lock();
        let mut latest: Option<(&Segment, TimeEntry)> = None;
        for segment in &state.segments {
            let Some(largest) = segment.largest else { continue };
            if latest.is_none_or(|(_, so_far)| largest.timestamp > so_far.timestamp) {
                latest = Some((segment, largest));
            }
        }
        latest.map(|(segment, largest)| (candidate(segment, largest.timestamp), largest))
    }

    async fn find_largest(
        &self,
        candidate: &Candidate,
        largest: TimeEntry,
    ) -> Result<Option<TimestampedOffset>, StorageFault> {
        let start = self.position_near(candidate, largest.offset).await?;
        let file = candidate.files.log().await?;
        let path = candidate.files.path(Kind::Log);
        let mut walk = Walk::new(&file, &path, start, candidate.written, LOOK_UP);
        loop {
            match walk.header().await? {
                Step::Batch { position, header } if header.max_timestamp == largest.timestamp => {
                    return first_record(&mut walk, position, &header, |_, at| at == largest.timestamp).await;
                }
                Step::Batch { .. } => {}
                // Not written yet.
                Step::End => return Ok(None),
                Step::Bad { position, reason } => return Err(StorageFault::damaged(&path, position, reason)),
            }
        }
    }

    /// An offset below which no batch has a timestamp above `timestamp`.
    async fn search_times(&self, candidate: &Candidate, timestamp: Timestamp) -> Result<Offset, StorageFault> {
        let entry = match candidate.times {
            Found::Entry(entry) => Some(entry),
            Found::None => None,
            Found::InFile { entries } => {
                let path = candidate.files.path(Kind::TimeIndex);
                let file = self.open_to_read(&path).await?;
                index::search::<TimeEntry>(&file, &path, candidate.base, entries, timestamp.0).await?
            }
        };
        Ok(entry.map_or(candidate.base, |entry| entry.offset()))
    }

    async fn position_near(&self, candidate: &Candidate, offset: Offset) -> Result<u64, StorageFault> {
        let place = {
            let mut state = self.state.lock();
            state.segment(candidate.base).map_or(Place::From(0), |segment| segment.place(offset))
        };
        let near = match place {
            Place::At { position, .. } => return Ok(position),
            Place::From(position) => position,
            Place::InFile { entries } => self.search_offsets(&candidate.files, candidate.base, entries, offset).await?,
        };
        let (file, path) = (candidate.files.log().await?, candidate.files.path(Kind::Log));
        walk::sound_start(&file, &path, near, candidate.written, offset).await
    }

    async fn open_to_read(&self, path: &std::path::Path) -> Result<FileHandle, StorageFault> {
        self.disk.open(path, Open::Read).await.trying("open", path)
    }
}

fn candidate(segment: &Segment, timestamp: Timestamp) -> Candidate {
    let times = segment.times.floor(timestamp.0);
    Candidate { files: segment.files.clone(), base: segment.base, written: segment.written, times }
}

/// The first record of a batch that is wanted, by offset and timestamp.
async fn first_record(
    walk: &mut Walk<'_>,
    position: u64,
    header: &BatchHeader,
    wanted: impl Fn(Offset, Timestamp) -> bool,
) -> Result<Option<TimestampedOffset>, StorageFault> {
    let leader_epoch = header.partition_leader_epoch;
    // Where a compressed message of an old format begins, only its content says.
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime
        && header.record_count > 0
        && wanted(header.base_offset, header.max_timestamp)
    {
        let (offset, timestamp) = (header.base_offset, header.max_timestamp);
        return Ok(Some(TimestampedOffset { offset, timestamp, leader_epoch }));
    }
    let bytes = walk.whole(position, header).await?;
    let damaged = |error: ottla_record::BatchError| StorageFault::damaged(walk.path(), position, error.to_string());
    let batch = RecordBatch::parse(&bytes).map_err(damaged)?;
    let mut scratch = Scratch::default();
    for record in batch.records(&mut scratch, RECORDS_BYTES_MAX).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        if wanted(record.offset, record.timestamp) {
            return Ok(Some(TimestampedOffset { offset: record.offset, timestamp: record.timestamp, leader_epoch }));
        }
    }
    Ok(None)
}
