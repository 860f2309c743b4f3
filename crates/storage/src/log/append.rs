//! Append: everything is decided here, under the lock, and nothing is written.

use std::path::Path;

use bytes::Bytes;
use ottla_record::{BATCH_HEADER_BYTES, BatchHeader, TimestampType};
use ottla_types::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::queue::{Queued, Roll};
use super::{Log, State};
use crate::fault::StorageFault;
use crate::producers::{Verdict, snapshot};
use crate::segment::{Segment, SegmentFiles};

/// A batch that has been checked (`ottla_record::check_batch`).
#[derive(Clone, Debug)]
pub struct Batch {
    /// The header as it is to be stored; base offset and leader epoch are filled in by [`Log::append`].
    pub header: BatchHeader,
    /// The whole batch. [`Log::append`] puts `header` in place of its first 61 bytes.
    pub bytes: Bytes,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record. The append is as durable as this offset is.
    pub last_offset: Offset,
    /// With LogAppendTime the time that the batch got, of a duplicate its largest timestamp, else [`Timestamp::NONE`].
    pub append_time: Timestamp,
    /// The log's first offset at that moment.
    pub log_start_offset: Offset,
    /// The producer had sent it before: the offsets are those that it got then.
    pub duplicate: bool,
    /// How often the log had taken appends back before: tells this append from a later one that got the same offsets.
    /// See [`Log::was_taken_back`].
    pub takes_back: u64,
}

/// Why a batch is not appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendRefusal {
    /// The producer's records do not follow its last ones.
    #[error("producer {producer} epoch {epoch}: sequence {got} does not follow {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer: ProducerId,
        /// The epoch that it used.
        epoch: ProducerEpoch,
        /// The first sequence of the batch.
        got: Sequence,
        /// The last sequence in the log; -1 if the log knows none of that epoch.
        last: Sequence,
    },
    /// A newer incarnation of the producer has written already.
    #[error("producer {producer}: epoch {got} is older than {current}")]
    StaleProducerEpoch {
        /// The producer.
        producer: ProducerId,
        /// The epoch that it used.
        got: ProducerEpoch,
        /// The newest epoch in the log.
        current: ProducerEpoch,
    },
    /// The producer has a transaction open, and the batch does not belong to it.
    #[error("producer {producer} has a transaction open")]
    TransactionOpen {
        /// The producer.
        producer: ProducerId,
    },
    /// The batch is larger than a segment may be.
    #[error("a batch of {bytes} bytes does not fit a segment of {segment_bytes}")]
    LargerThanSegment {
        /// Bytes of the batch.
        bytes: usize,
        /// `segment.bytes`
        segment_bytes: u32,
    },
    /// A batch that brings its own offsets does not lie behind the log's end.
    #[error("the batch starts at offset {got}, expected {expected} or later")]
    UnexpectedOffset {
        /// The batch's base offset.
        got: Offset,
        /// The log's end.
        expected: Offset,
    },
    /// The disk was full a moment ago. The log tries again by itself.
    #[error("the disk is full: {0}")]
    DiskFull(StorageFault),
    /// The log is offline.
    #[error("the log is offline: {0}")]
    Offline(StorageFault),
}

impl AppendRefusal {
    /// What the producer is answered.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            // Since 2.7 a producer is told so instead of PRODUCER_FENCED, so that it may abort and go on.
            Self::StaleProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::TransactionOpen { .. } => ErrorCode::InvalidTxnState,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::UnexpectedOffset { .. } => ErrorCode::UnknownServerError,
            Self::DiskFull(_) | Self::Offline(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl Log {
    /// Appends a producer's batch as the partition's leader: checks its sequence, gives it offsets and `epoch`, and
    /// queues it. Does no I/O; call [`write_queued`](Self::write_queued) next. `now` ages a segment whose records have
    /// no timestamps.
    pub fn append(&self, batch: Batch, epoch: LeaderEpoch, now: Timestamp) -> Result<Appended, AppendRefusal> {
        let mut header = batch.header;
        let mut state = self.state.lock();
        state.admit(&batch, now, &self.directory)?;
        if header.has_producer_id()
            && let Verdict::Duplicate(of) = state.producers.check(&header)?
        {
            return Ok(Appended {
                base_offset: of.first_offset(),
                last_offset: of.last_offset,
                append_time: of.timestamp,
                log_start_offset: state.log_start,
                duplicate: true,
                takes_back: state.room.takes_back(),
            });
        }
        header.base_offset = state.end;
        header.partition_leader_epoch = epoch;
        Ok(state.place(header, Some(header.to_bytes()), batch.bytes, now, |base| self.segment_files(base)))
    }

    /// Appends a batch that has its offsets and epoch already: a follower's, or an entry of the metadata's log. Its
    /// producer is not checked, only remembered. Gaps are allowed, going back is not.
    pub fn append_given(&self, batch: Batch, now: Timestamp) -> Result<Appended, AppendRefusal> {
        let mut state = self.state.lock();
        state.admit(&batch, now, &self.directory)?;
        let (got, expected) = (batch.header.base_offset, state.end);
        if got < expected {
            return Err(AppendRefusal::UnexpectedOffset { got, expected });
        }
        Ok(state.place(batch.header, None, batch.bytes, now, |base| self.segment_files(base)))
    }
}

impl State {
    /// What holds for every batch, whoever sends it.
    fn admit(&mut self, batch: &Batch, now: Timestamp, directory: &Path) -> Result<(), AppendRefusal> {
        assert_eq!(batch.header.size_in_bytes(), batch.bytes.len(), "the header must be the batch's own");
        if let Some(fault) = &self.offline {
            return Err(AppendRefusal::Offline(fault.clone()));
        }
        if self.sealed {
            return Err(AppendRefusal::Offline(StorageFault::Closed { path: directory.to_path_buf() }));
        }
        let (bytes, segment_bytes) = (batch.bytes.len(), self.config.segment_bytes);
        if bytes as u64 > u64::from(segment_bytes) {
            return Err(AppendRefusal::LargerThanSegment { bytes, segment_bytes });
        }
        self.room.admit(now).map_err(AppendRefusal::DiskFull)
    }

    /// Puts a batch behind the others. From here on it is in the log, though not on disk.
    fn place(
        &mut self,
        header: BatchHeader,
        header_bytes: Option<[u8; BATCH_HEADER_BYTES]>,
        bytes: Bytes,
        now: Timestamp,
        files: impl FnOnce(Offset) -> SegmentFiles,
    ) -> Appended {
        self.assign_epoch(header.partition_leader_epoch, header.base_offset);
        let config = self.config;
        if self.active().created_at == Timestamp::NONE {
            // Made or found at a start, which has no clock.
            self.active().created_at = now;
        }
        if self.flushed == self.end {
            self.unflushed_since = now;
        }
        let must_roll = self.active().must_roll(&header, &config, now);
        let roll = must_roll.then(|| {
            // The new segment begins where the log ends, so that recovery sees what is missing in between. Only a gap
            // that its indexes cannot express makes it begin further on.
            let fits = header.last_offset().0 - self.end.0 <= i64::from(i32::MAX);
            let base = if fits { self.end } else { header.base_offset };
            self.roll(Segment::planned(files(base), now))
        });
        let recorded = self.producers.record(&header, &bytes[BATCH_HEADER_BYTES..]);
        let (undo, aborted) = recorded.map_or((None, None), |recorded| (Some(recorded.undo), recorded.aborted));
        self.end = header.next_offset();
        let segment = self.active();
        let mark = segment.mark();
        segment.modified_at = now;
        let position = segment.push(&header, config.index_interval_bytes);
        if let Some(aborted) = aborted {
            segment.aborted.push(aborted);
        }
        let segment = segment.base;
        self.recent.push(header.base_offset, header.last_offset(), position, header.size_in_bytes() as u64);
        self.queue.push(Queued { segment, position, header: header_bytes, bytes, end: self.end, roll, mark, undo });
        Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            append_time: match header.attributes.timestamp_type() {
                TimestampType::CreateTime => Timestamp::NONE,
                TimestampType::LogAppendTime => header.max_timestamp,
            },
            log_start_offset: self.log_start,
            duplicate: false,
            takes_back: self.room.takes_back(),
        }
    }

    /// Closes the active segment and makes `next` the active one. The files follow when the queue is written.
    fn roll(&mut self, next: Segment) -> Roll {
        let active = self.active();
        let times = active.times.mark();
        active.close_times();
        let closes = active.base;
        self.recent.clear();
        self.segments.push(next);
        Roll { closes, times, snapshot: snapshot::encode(&self.producers) }
    }
}
