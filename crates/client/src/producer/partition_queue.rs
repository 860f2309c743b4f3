//! The batches of one partition, from the first record to the last word about them: a small machine without I/O.
//!
//! ```text
//! open ──full or due──▶ (taken) ──▶ in flight ──answer──▶ settled
//!                          ▲            │
//!                          └── waiting ◀┘ what a retry may mend
//! ```
//!
//! Invariants:
//! - batches are in the order of their sequences; only the last may be open;
//! - sequences have no gap: each batch begins where the one before it ends;
//! - nothing is taken while a later batch is in flight, so that a retried batch never comes after one that it precedes;
//! - with idempotence the first batch goes alone: a broker that knows nothing of a producer takes any sequence from it,
//!   so one behind a refused first batch would be taken, and the first then be out of order for good;
//! - with idempotence a batch that fails for good ends the partition, for those behind it would leave a gap.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_record::{BatchBuilder, BatchOptions, Header};
use ottla_types::{ErrorCode, Instant, Offset, Sequence, Timestamp};

use super::outcome::{BatchResult, Outcome, ProduceError};
use crate::error::{Refusal, is_retriable};

/// What all partitions of a producer have in common.
#[derive(Clone, Debug)]
pub(crate) struct QueueRules {
    /// Codec, producer id and epoch; the base sequence is the queue's.
    pub options: BatchOptions,
    /// Where a batch is full, in bytes before compression.
    pub batch_bytes: usize,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// Unanswered batches at a time.
    pub in_flight_max: usize,
    /// From its first record to its failure.
    pub delivery_timeout: Duration,
}

impl QueueRules {
    fn is_idempotent(&self) -> bool {
        self.options.producer_id != ottla_types::ProducerId::NONE
    }
}

/// A batch's content: while records may join, and once it was built.
#[derive(Debug)]
pub(crate) enum Content {
    Records(Box<BatchBuilder>),
    Built(Bytes),
}

impl Content {
    pub(crate) fn size_in_bytes(&self) -> usize {
        match self {
            Self::Records(builder) => builder.size_in_bytes(),
            Self::Built(bytes) => bytes.len(),
        }
    }
}

/// A batch that leaves for the broker. What comes of it is told to [`PartitionQueue::answered`].
#[derive(Debug)]
pub(crate) struct Departure {
    pub id: u64,
    pub content: Content,
}

/// What a broker, or the way to it, says of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Written, at this offset if it says so.
    Appended(Option<Offset>),
    /// Refused.
    Refused(Refusal),
    /// Nobody knows: the connection was lost, or there was none.
    Lost(String),
}

/// What a call ended: bytes of memory that are free again, and the failures among the batches.
#[derive(Default, Debug)]
pub(crate) struct Freed {
    pub bytes: usize,
    pub failed_records: u64,
    pub failure: Option<ProduceError>,
}

#[derive(Debug)]
enum Phase {
    /// Records may join.
    Open(Box<BatchBuilder>),
    /// To be sent (again).
    Waiting(Content),
    InFlight,
}

#[derive(Debug)]
struct Batch {
    id: u64,
    phase: Phase,
    records: i32,
    /// What its records were counted as against the producer's memory.
    memory: usize,
    opened_at: Instant,
    /// To be sent without waiting for more records.
    hurried: bool,
    last_error: Option<String>,
    outcome: Arc<Outcome>,
}

/// The batches of one partition in order.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    name: Arc<str>,
    index: i32,
    batches: VecDeque<Batch>,
    next_id: u64,
    next_sequence: Sequence,
    retry_at: Option<Instant>,
    /// The broker has taken a batch, and with it the sequences.
    acknowledged: bool,
    ended: Option<ProduceError>,
}

impl PartitionQueue {
    pub(crate) fn new(topic: &str, index: i32) -> Self {
        Self {
            name: format!("{topic}-{index}").into(),
            index,
            batches: VecDeque::new(),
            next_id: 0,
            next_sequence: Sequence(0),
            retry_at: None,
            acknowledged: false,
            ended: None,
        }
    }

    /// Whether a record of `bytes` could join the open batch.
    pub(crate) fn has_room(&self, bytes: usize, rules: &QueueRules) -> bool {
        match self.batches.back().map(|batch| &batch.phase) {
            Some(Phase::Open(builder)) => builder.size_in_bytes() + bytes <= rules.batch_bytes,
            _ => false,
        }
    }

    /// Appends a record to the open batch, or to a new one. Returns its batch's outcome, its place there, and whether
    /// the sender should look: a batch was begun or has become full.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        record: &super::Record<'_>,
        timestamp: Timestamp,
        headers: &[Header<'_>],
        memory: usize,
        rules: &QueueRules,
    ) -> Result<(Arc<Outcome>, i32, bool), ProduceError> {
        if self.ended.is_some() {
            return Err(ProduceError::EarlierFailed { partition: Arc::clone(&self.name) });
        }
        let mut look = false;
        if !self.has_room(memory, rules) {
            self.seal();
            self.open(now, rules);
            look = true;
        }
        let batch = self.batches.back_mut().expect("there is an open batch, or one was just opened");
        let Phase::Open(builder) = &mut batch.phase else { unreachable!("the last batch is open") };
        let too_large = ProduceError::RecordTooLarge { bytes: memory, bytes_max: i32::MAX as usize };
        let index = builder.append(timestamp, record.key, record.value, headers).map_err(|_| too_large)?;
        batch.memory += memory;
        batch.records += 1;
        look |= builder.size_in_bytes() >= rules.batch_bytes;
        self.next_sequence = self.next_sequence.plus(1);
        Ok((Arc::clone(&batch.outcome), index, look))
    }

    fn open(&mut self, now: Instant, rules: &QueueRules) {
        let base_sequence = if rules.is_idempotent() { self.next_sequence } else { Sequence::NONE };
        let builder = BatchBuilder::new(BatchOptions { base_sequence, ..rules.options });
        self.batches.push_back(Batch {
            id: self.next_id,
            phase: Phase::Open(Box::new(builder)),
            records: 0,
            memory: 0,
            opened_at: now,
            hurried: false,
            last_error: None,
            outcome: Outcome::new(self.index),
        });
        self.next_id += 1;
    }

    /// No more records join the open batch.
    fn seal(&mut self) {
        if let Some(batch) = self.batches.back_mut()
            && matches!(batch.phase, Phase::Open(_))
        {
            let Phase::Open(builder) = std::mem::replace(&mut batch.phase, Phase::InFlight) else { return };
            batch.phase = Phase::Waiting(Content::Records(builder));
        }
    }

    /// Everything that is here goes as soon as it can. Returns the outcomes to wait for.
    pub(crate) fn hurry(&mut self) -> impl Iterator<Item = Arc<Outcome>> + '_ {
        self.batches.iter_mut().map(|batch| {
            batch.hurried = true;
            Arc::clone(&batch.outcome)
        })
    }

    /// The place of the batch that may be sent now.
    fn ready(&self, now: Instant, rules: &QueueRules) -> Option<usize> {
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let at = self.batches.iter().position(|batch| !matches!(batch.phase, Phase::InFlight))?;
        let (batch, behind) = (&self.batches[at], self.batches.iter().skip(at + 1));
        let due = match &batch.phase {
            Phase::Open(builder) => {
                batch.hurried || builder.size_in_bytes() >= rules.batch_bytes || now >= batch.opened_at + rules.linger
            }
            _ => true,
        };
        let in_order = !behind.into_iter().any(|batch| matches!(batch.phase, Phase::InFlight));
        let in_flight_max = if self.acknowledged || !rules.is_idempotent() { rules.in_flight_max } else { 1 };
        (due && in_order && at < in_flight_max).then_some(at)
    }

    /// The size of what [`take`](Self::take) would yield, before compression.
    pub(crate) fn ready_bytes(&self, now: Instant, rules: &QueueRules) -> Option<usize> {
        self.ready(now, rules).map(|at| match &self.batches[at].phase {
            Phase::Open(builder) => builder.size_in_bytes(),
            Phase::Waiting(content) => content.size_in_bytes(),
            Phase::InFlight => 0,
        })
    }

    /// The next batch to send.
    pub(crate) fn take(&mut self, now: Instant, rules: &QueueRules) -> Option<Departure> {
        let at = self.ready(now, rules)?;
        self.retry_at = None;
        let batch = &mut self.batches[at];
        let content = match std::mem::replace(&mut batch.phase, Phase::InFlight) {
            Phase::Open(builder) => Content::Records(builder),
            Phase::Waiting(content) => content,
            Phase::InFlight => return None,
        };
        Some(Departure { id: batch.id, content })
    }

    /// When to look again, if nothing happens before. What is due already waits for an answer, not for a time; it must
    /// not hide what is to come.
    pub(crate) fn deadline(&self, now: Instant, rules: &QueueRules) -> Option<Instant> {
        let expiry = self
            .batches
            .front()
            .filter(|batch| !matches!(batch.phase, Phase::InFlight))
            .map(|batch| batch.opened_at + rules.delivery_timeout);
        let open = self.batches.back().filter(|batch| matches!(batch.phase, Phase::Open(_)));
        let linger = open.map(|batch| batch.opened_at + rules.linger);
        [expiry, linger, self.retry_at].into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Takes the verdict on batch `id`, whose `bytes` come back for the case that it is sent again, which is not
    /// before `retry_at`.
    pub(crate) fn answered(
        &mut self,
        id: u64,
        bytes: Bytes,
        verdict: Verdict,
        retry_at: Instant,
        rules: &QueueRules,
    ) -> Freed {
        // A batch of a partition that has ended is settled already.
        let Some(at) = self.batches.iter().position(|batch| batch.id == id) else { return Freed::default() };
        let refusal = match verdict {
            Verdict::Appended(offset) => return self.settle(at, Ok(offset)),
            // The broker has it, and no longer knows where.
            Verdict::Refused(refusal) if refusal.code == ErrorCode::DuplicateSequenceNumber => {
                return self.settle(at, Ok(None));
            }
            Verdict::Lost(reason) => {
                self.wait(at, bytes, reason, retry_at);
                return Freed::default();
            }
            Verdict::Refused(refusal) => refusal,
        };
        // Out of order behind a batch that is not settled means only that that one is not there yet.
        let early = refusal.code == ErrorCode::OutOfOrderSequenceNumber && rules.is_idempotent() && at > 0;
        if early || is_retriable(refusal.code) {
            self.wait(at, bytes, refusal.to_string(), retry_at);
            return Freed::default();
        }
        let error = ProduceError::Refused { partition: Arc::clone(&self.name), refusal };
        self.fail(at, error, rules)
    }

    fn wait(&mut self, at: usize, bytes: Bytes, reason: String, retry_at: Instant) {
        let batch = &mut self.batches[at];
        batch.phase = Phase::Waiting(Content::Built(bytes));
        batch.last_error = Some(reason);
        self.retry_at = Some(retry_at);
    }

    /// Gives up what has waited too long.
    pub(crate) fn expire(&mut self, now: Instant, rules: &QueueRules) -> Freed {
        let Some(batch) = self.batches.front() else { return Freed::default() };
        if matches!(batch.phase, Phase::InFlight) || now < batch.opened_at + rules.delivery_timeout {
            return Freed::default();
        }
        let last = batch.last_error.clone().unwrap_or_else(|| "the partition has no leader".to_owned());
        let error = ProduceError::TimedOut { partition: Arc::clone(&self.name), last };
        self.fail(0, error, rules)
    }

    /// Fails everything, as when the producer is closed in a hurry.
    pub(crate) fn fail_all(&mut self, error: &ProduceError) -> Freed {
        let mut freed = Freed::default();
        while !self.batches.is_empty() {
            freed.add(self.settle(0, Err(error.clone())));
        }
        self.ended.get_or_insert_with(|| error.clone());
        freed
    }

    fn fail(&mut self, at: usize, error: ProduceError, rules: &QueueRules) -> Freed {
        let mut freed = self.settle(at, Err(error.clone()));
        if rules.is_idempotent() {
            self.ended = Some(error);
            freed.add(self.fail_all(&ProduceError::EarlierFailed { partition: Arc::clone(&self.name) }));
        }
        freed
    }

    fn settle(&mut self, at: usize, result: BatchResult) -> Freed {
        let Some(batch) = self.batches.remove(at) else { return Freed::default() };
        let failure = result.as_ref().err().cloned();
        let failed_records = if failure.is_some() { batch.records as u64 } else { 0 };
        self.acknowledged |= failure.is_none();
        batch.outcome.settle(result);
        Freed { bytes: batch.memory, failed_records, failure }
    }
}

impl Freed {
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.failed_records += other.failed_records;
        if self.failure.is_none() {
            self.failure = other.failure;
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_record::{BatchHeader, Compressor};
    use ottla_types::{ProducerEpoch, ProducerId};

    use super::*;
    use crate::producer::Record;

    const START: Instant = Instant::START;

    fn rules(idempotent: bool) -> QueueRules {
        let id = if idempotent { (ProducerId(7), ProducerEpoch(0)) } else { (ProducerId::NONE, ProducerEpoch::NONE) };
        QueueRules {
            options: BatchOptions { producer_id: id.0, producer_epoch: id.1, ..BatchOptions::default() },
            batch_bytes: 200,
            linger: Duration::from_millis(5),
            in_flight_max: 5,
            delivery_timeout: Duration::from_secs(120),
        }
    }

    fn after(ms: u64) -> Instant {
        START + Duration::from_millis(ms)
    }

    /// A queue with `batches` full batches of one record each, whose broker has taken others before.
    fn queue(batches: usize, rules: &QueueRules) -> (PartitionQueue, Vec<Arc<Outcome>>) {
        let (mut queue, outcomes) = new_queue(batches, rules);
        queue.acknowledged = true;
        (queue, outcomes)
    }

    fn new_queue(batches: usize, rules: &QueueRules) -> (PartitionQueue, Vec<Arc<Outcome>>) {
        let mut queue = PartitionQueue::new("t", 0);
        let value = [b'x'; 150];
        let record = Record { value: Some(&value), ..Record::to("t") };
        let append =
            |queue: &mut PartitionQueue| queue.append(START, &record, Timestamp(0), &[], 160, rules).unwrap().0;
        let outcomes = (0..batches).map(|_| append(&mut queue)).collect();
        assert_eq!(queue.hurry().count(), batches);
        (queue, outcomes)
    }

    /// Takes what may go, and tells ids and sequences.
    fn send(queue: &mut PartitionQueue, now: Instant, rules: &QueueRules) -> Vec<(u64, i32, Bytes)> {
        std::iter::from_fn(|| queue.take(now, rules))
            .map(|departure| {
                let bytes = match departure.content {
                    Content::Records(builder) => builder.build(&mut Compressor::default()).unwrap(),
                    Content::Built(bytes) => bytes,
                };
                (departure.id, BatchHeader::parse(&bytes).unwrap().base_sequence.0, bytes)
            })
            .collect()
    }

    fn ids(sent: &[(u64, i32, Bytes)]) -> Vec<(u64, i32)> {
        sent.iter().map(|(id, sequence, _)| (*id, *sequence)).collect()
    }

    fn refused(code: ErrorCode) -> Verdict {
        Verdict::Refused(Refusal { code, message: None })
    }

    #[test]
    fn at_most_five_batches_are_in_flight_with_sequences_that_follow() {
        let rules = rules(true);
        let (mut queue, _) = queue(7, &rules);
        let sent = send(&mut queue, START, &rules);
        assert_eq!(ids(&sent), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
        let freed = queue.answered(0, sent[0].2.clone(), Verdict::Appended(Some(Offset(9))), START, &rules);
        assert_eq!((freed.bytes, freed.failed_records), (160, 0));
        assert_eq!(ids(&send(&mut queue, START, &rules)), [(5, 5)]);
    }

    #[test]
    fn the_first_batch_goes_alone_until_it_is_taken() {
        let rules = rules(true);
        let (mut queue, _) = new_queue(3, &rules);
        let first = send(&mut queue, START, &rules);
        assert_eq!(ids(&first), [(0, 0)]);
        drop(queue.answered(0, first[0].2.clone(), refused(ErrorCode::NotLeaderOrFollower), after(1), &rules));
        assert_eq!(ids(&send(&mut queue, after(1), &rules)), [(0, 0)]);
        drop(queue.answered(0, first[0].2.clone(), Verdict::Appended(Some(Offset(0))), after(2), &rules));
        assert_eq!(ids(&send(&mut queue, after(2), &rules)), [(1, 1), (2, 2)]);
    }

    #[test]
    fn after_a_lost_connection_the_same_bytes_go_again_in_order() {
        let rules = rules(true);
        let (mut queue, _) = queue(3, &rules);
        let sent = send(&mut queue, START, &rules);
        for (id, _, bytes) in &sent[..2] {
            drop(queue.answered(*id, bytes.clone(), Verdict::Lost("gone".into()), after(100), &rules));
        }
        // The third is still in flight: a retry now could come after it.
        assert!(send(&mut queue, after(100), &rules).is_empty());
        drop(queue.answered(2, sent[2].2.clone(), Verdict::Lost("gone".into()), after(120), &rules));
        assert!(send(&mut queue, after(119), &rules).is_empty(), "not before the pause is over");
        assert_eq!(send(&mut queue, after(120), &rules), sent);
    }

    #[test]
    fn out_of_order_is_retried_behind_an_unsettled_batch_and_final_at_the_front() {
        let rules = rules(true);
        let (mut queue, outcomes) = queue(3, &rules);
        let sent = send(&mut queue, START, &rules);
        let bytes = |i: usize| sent[i].2.clone();
        drop(queue.answered(0, bytes(0), refused(ErrorCode::NotLeaderOrFollower), START, &rules));
        drop(queue.answered(1, bytes(1), refused(ErrorCode::OutOfOrderSequenceNumber), START, &rules));
        drop(queue.answered(2, bytes(2), refused(ErrorCode::OutOfOrderSequenceNumber), START, &rules));
        assert_eq!(send(&mut queue, START, &rules), sent);
        let freed = queue.answered(0, bytes(0), refused(ErrorCode::OutOfOrderSequenceNumber), START, &rules);
        assert_eq!((freed.bytes, freed.failed_records), (480, 3));
        let error = |i: usize| outcomes[i].result.get().cloned().unwrap().unwrap_err();
        assert_eq!(error(0).code(), Some(ErrorCode::OutOfOrderSequenceNumber));
        assert!(matches!(error(2), ProduceError::EarlierFailed { .. }));
        let record = Record::to("t");
        assert!(queue.append(START, &record, Timestamp(0), &[], 10, &rules).is_err());
        // Late answers to what has ended change nothing.
        assert_eq!(queue.answered(1, bytes(1), Verdict::Appended(None), START, &rules).bytes, 0);
    }

    #[test]
    fn without_idempotence_a_refused_batch_fails_alone() {
        let rules = rules(false);
        let (mut queue, outcomes) = queue(2, &rules);
        let sent = send(&mut queue, START, &rules);
        assert_eq!(ids(&sent), [(0, -1), (1, -1)]);
        let freed = queue.answered(0, sent[0].2.clone(), refused(ErrorCode::MessageTooLarge), START, &rules);
        assert_eq!(freed.failed_records, 1);
        drop(queue.answered(1, sent[1].2.clone(), Verdict::Appended(Some(Offset(3))), START, &rules));
        assert_eq!(outcomes[1].result.get(), Some(&Ok(Some(Offset(3)))));
    }

    #[test]
    fn a_duplicate_counts_as_written_without_an_offset() {
        let rules = rules(true);
        let (mut queue, outcomes) = queue(1, &rules);
        let sent = send(&mut queue, START, &rules);
        drop(queue.answered(0, sent[0].2.clone(), refused(ErrorCode::DuplicateSequenceNumber), START, &rules));
        assert_eq!(outcomes[0].result.get(), Some(&Ok(None)));
    }

    #[test]
    fn a_batch_waits_for_more_records_until_its_linger_is_over() {
        let rules = rules(true);
        let mut queue = PartitionQueue::new("t", 0);
        let record = Record { value: Some(b"v"), ..Record::to("t") };
        let look = |queue: &mut PartitionQueue| queue.append(START, &record, Timestamp(0), &[], 10, &rules).unwrap().2;
        assert_eq!((look(&mut queue), look(&mut queue)), (true, false));
        assert_eq!(queue.deadline(START, &rules), Some(after(5)));
        assert!(queue.take(after(4), &rules).is_none());
        let sent = send(&mut queue, after(5), &rules);
        assert_eq!(BatchHeader::parse(&sent[0].2).unwrap().record_count, 2);
        assert_eq!(queue.deadline(after(5), &rules), None);
    }

    #[test]
    fn a_retry_to_come_is_not_hidden_by_a_batch_that_is_due() {
        let rules = rules(true);
        let (mut queue, _) = new_queue(2, &rules);
        let sent = send(&mut queue, START, &rules);
        drop(queue.answered(0, sent[0].2.clone(), Verdict::Lost("gone".into()), after(100), &rules));
        // The second batch, still open, has been due since its linger.
        assert_eq!(queue.deadline(after(10), &rules), Some(after(100)));
    }

    #[test]
    fn what_cannot_be_sent_expires_with_the_last_error() {
        let rules = rules(true);
        let (mut queue, outcomes) = queue(2, &rules);
        let sent = send(&mut queue, START, &rules);
        assert_eq!(queue.expire(after(120_000), &rules).bytes, 0, "in flight: the answer decides");
        for (id, _, bytes) in sent {
            drop(queue.answered(id, bytes, Verdict::Lost("gone".into()), after(1), &rules));
        }
        assert_eq!(queue.expire(after(119_999), &rules).bytes, 0);
        assert_eq!(queue.expire(after(120_000), &rules).bytes, 320);
        let error = outcomes[0].result.get().cloned().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "t-0: not delivered in time; the last error was: gone");
    }
}
