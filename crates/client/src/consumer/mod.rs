//! The consumer by assigned partitions: the caller says which, and where to start; records come in the order of each
//! partition. What belongs to a group is in `group`, on top of this.
//!
//! One fetch to each leader is under way at a time, in a task that also decompresses, so that the next records come
//! while the caller works on the last ones. What is held is bounded: an answer for each leader, plus what the caller
//! has not taken yet of another. Reads everything below the high watermark, of open and aborted transactions too.

mod fetch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ottla_record::{BatchError, BatchHeader, Record, Records};
use ottla_runtime::Lane;
use ottla_types::{BrokerId, ErrorCode, Instant, Offset, Timestamp};
use tokio::sync::mpsc;

use crate::cluster::Cluster;
use crate::error::{ClientError, Refusal, is_retriable};
use crate::offsets::OffsetSpec;
use fetch::{FetchedPart, Outcome, WantedPart};

/// Where to start reading a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At the first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// At an offset.
    Offset(Offset),
    /// At the first record that is not older.
    Timestamp(Timestamp),
}

/// What to do about an offset that is not in the log (`auto.offset.reset`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OffsetReset {
    /// Go on at the first record that is there.
    Earliest,
    /// Go on behind the last one.
    Latest,
    /// Fail.
    #[default]
    Error,
}

/// Settings of a consumer, with Kafka's names for them. Defaults are Kafka's unless said otherwise.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// `fetch.min.bytes`: a broker waits for so many.
    pub bytes_min: i32,
    /// `fetch.max.bytes`: the most in one answer, but for a single batch that is larger.
    pub bytes_max: i32,
    /// `max.partition.fetch.bytes`: the same for one partition. 4 MiB instead of 1.
    pub partition_bytes_max: i32,
    /// `fetch.max.wait.ms`: how long a broker waits for `bytes_min`.
    pub wait_max: Duration,
    /// `auto.offset.reset`, for offsets that are gone.
    pub offset_reset: OffsetReset,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// The most that one batch may have when decompressed, in bytes. Kafka has no such limit.
    pub batch_bytes_max: usize,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            bytes_min: 1,
            bytes_max: 50 << 20,
            partition_bytes_max: 4 << 20,
            wait_max: Duration::from_millis(500),
            offset_reset: OffsetReset::Error,
            check_crcs: true,
            batch_bytes_max: 256 << 20,
        }
    }
}

/// What was fetched of one partition at once. May hold no record, where only the position moved.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The first offset that was wanted; batches may begin before it.
    pub from: Offset,
    /// Where reading goes on.
    pub next: Offset,
    /// The offset behind the last record that can be read.
    pub high_watermark: Offset,
    batches: Vec<(BatchHeader, bytes::Bytes)>,
}

impl Fetched {
    /// The records in order. A batch that is broken within ends the iteration with an error.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<'_>, BatchError>> {
        let from = self.from;
        let records = self.batches.iter().flat_map(|(header, records)| Records::new(header, records));
        records.filter(move |record| record.as_ref().map_or(true, |record| record.offset >= from))
    }
}

type PartitionKey = (Arc<str>, i32);

/// Where reading of a partition stands.
#[derive(Debug)]
struct Position {
    at: At,
    /// The fetch under way asks for it.
    fetching: bool,
    /// Not to be asked for before that.
    retry_at: Option<Instant>,
    /// Failures one after the other.
    attempts: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// To be looked up.
    Start(Start),
    Offset(Offset),
}

/// Reads partitions.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    settings: ConsumerSettings,
    positions: BTreeMap<PartitionKey, Position>,
    /// Leaders with a fetch under way.
    asked: BTreeSet<BrokerId>,
    ready: VecDeque<Fetched>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    report: mpsc::UnboundedSender<Outcome>,
    /// Topics whose leaders are to be asked for again.
    stale: BTreeSet<Arc<str>>,
}

impl Consumer {
    /// A consumer of `cluster` that reads nothing yet.
    #[must_use]
    pub fn new(cluster: Cluster, settings: ConsumerSettings) -> Self {
        let (report, outcomes) = mpsc::unbounded_channel();
        Self {
            cluster,
            settings,
            positions: BTreeMap::new(),
            asked: BTreeSet::new(),
            ready: VecDeque::new(),
            outcomes,
            report,
            stale: BTreeSet::new(),
        }
    }

    /// Reads a partition, from `start` on. A partition that is read already goes on from there.
    pub async fn assign(&mut self, topic: &str, partition: i32, start: Start) -> Result<(), ClientError> {
        let topic = self.cluster.topic(topic).await?;
        topic.partition(partition)?;
        let at = match start {
            Start::Offset(offset) => At::Offset(offset),
            other => At::Start(other),
        };
        let key = (Arc::clone(&topic.name), partition);
        self.ready.retain(|fetched| (&fetched.topic, fetched.partition) != (&key.0, key.1));
        self.positions.insert(key, Position { at, fetching: false, retry_at: None, attempts: 0 });
        Ok(())
    }

    /// Reads a partition no more. What was fetched of it and not taken is forgotten.
    pub fn unassign(&mut self, topic: &str, partition: i32) {
        self.ready.retain(|fetched| (&*fetched.topic, fetched.partition) != (topic, partition));
        self.positions.retain(|key, _| (&*key.0, key.1) != (topic, partition));
    }

    /// Looks up the offsets of all positions that are not known yet, and returns them all.
    pub async fn positions(&mut self) -> Result<BTreeMap<(Arc<str>, i32), Offset>, ClientError> {
        self.look_up().await?;
        let known = self.positions.iter().filter_map(|(key, position)| match position.at {
            At::Offset(offset) => Some((key.clone(), offset)),
            At::Start(_) => None,
        });
        Ok(known.collect())
    }

    /// The next records of some partition; `None` if there are none within `wait`.
    pub async fn poll(&mut self, wait: Duration) -> Result<Option<Fetched>, ClientError> {
        let clock = Arc::clone(&self.cluster.runtime().clock);
        let deadline = clock.now() + wait;
        loop {
            if let Some(fetched) = self.ready.pop_front() {
                return Ok(Some(fetched));
            }
            self.look_up().await?;
            self.refresh().await?;
            let look_again = self.ask(clock.now()).map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                biased;
                Some(outcome) = self.outcomes.recv() => self.take(outcome)?,
                () = clock.sleep_until(look_again) => {
                    if clock.now() >= deadline {
                        return Ok(None);
                    }
                }
            }
            // Ask for more at once: it comes while the caller works on this.
            self.ask(clock.now());
        }
    }

    /// Finds the offsets of positions that are given by place or time.
    async fn look_up(&mut self) -> Result<(), ClientError> {
        let mut wanted: BTreeMap<Arc<str>, Vec<(i32, OffsetSpec)>> = BTreeMap::new();
        for ((topic, index), position) in &self.positions {
            let spec = match position.at {
                At::Offset(_) => continue,
                At::Start(Start::Offset(_) | Start::Earliest) => OffsetSpec::Earliest,
                At::Start(Start::Latest) => OffsetSpec::Latest,
                At::Start(Start::Timestamp(timestamp)) => OffsetSpec::Timestamp(timestamp),
            };
            wanted.entry(Arc::clone(topic)).or_default().push((*index, spec));
        }
        for (topic, partitions) in wanted {
            for (index, offset) in self.cluster.offsets(&topic, &partitions).await? {
                if let Some(position) = self.positions.get_mut(&(Arc::clone(&topic), index)) {
                    position.at = At::Offset(offset);
                }
            }
        }
        Ok(())
    }

    /// Asks for the leaders again where they were found wrong. A topic that is gone is an error.
    async fn refresh(&mut self) -> Result<(), ClientError> {
        for name in std::mem::take(&mut self.stale) {
            match self.cluster.refresh(&[&name]).await {
                Ok(()) => drop(self.cluster.topic(&name).await?),
                // Nobody answers now; partitions are tried again after their pause, and so is this.
                Err(error) if error.is_retriable() => tracing::debug!(%error, "no fresh metadata"),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a fetch to every leader that has none under way. Returns when a partition may be tried again.
    fn ask(&mut self, now: Instant) -> Option<Instant> {
        let mut by_leader: BTreeMap<BrokerId, Vec<WantedPart>> = BTreeMap::new();
        let mut look_again: Option<Instant> = None;
        for (key, position) in &mut self.positions {
            let At::Offset(offset) = position.at else { continue };
            if position.fetching {
                continue;
            }
            if let Some(at) = position.retry_at.filter(|at| now < *at) {
                look_again = Some(look_again.map_or(at, |other| other.min(at)));
                continue;
            }
            let topic = self.cluster.known_topic(&key.0);
            let leader = topic.as_ref().and_then(|topic| {
                let partition = topic.partition(key.1).ok()?;
                Some((partition.leader?, partition.leader_epoch))
            });
            let (Some(topic), Some((leader, leader_epoch))) = (topic, leader) else {
                self.stale.insert(Arc::clone(&key.0));
                look_again = Some(position.hold(&self.cluster, now));
                continue;
            };
            if self.asked.contains(&leader) {
                continue;
            }
            let part = WantedPart { key: key.clone(), topic_id: topic.id, offset, leader_epoch };
            by_leader.entry(leader).or_default().push(part);
            position.fetching = true;
        }
        for (leader, parts) in by_leader {
            self.asked.insert(leader);
            let fetch = fetch::run(self.cluster.clone(), self.settings.clone(), leader, parts, self.report.clone());
            self.cluster.runtime().spawn(Lane::Data, fetch);
        }
        look_again
    }

    /// Takes what a fetch brought.
    fn take(&mut self, outcome: Outcome) -> Result<(), ClientError> {
        self.asked.remove(&outcome.leader);
        for part in &outcome.parts {
            if let Some(position) = self.positions.get_mut(&part.key) {
                position.fetching = false;
            }
        }
        let now = self.cluster.runtime().clock.now();
        let fetched = match outcome.result {
            Ok(fetched) => fetched,
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, leader = %outcome.leader, "fetch failed");
                for part in outcome.parts {
                    self.stale.insert(Arc::clone(&part.key.0));
                    if let Some(position) = self.positions.get_mut(&part.key) {
                        position.hold(&self.cluster, now);
                    }
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // A leader that has nothing makes its client wait. One that answers at once all the same is not asked at once
        // again, lest the two keep each other busy with nothing.
        let nothing = outcome.parts.iter().zip(&fetched).all(|(part, fetched)| fetched.is_nothing(part.offset));
        let waited_until = outcome.asked_at + self.settings.wait_max;
        let idle = nothing && now < waited_until;
        for (part, fetched) in outcome.parts.into_iter().zip(fetched) {
            let key = part.key.clone();
            self.take_part(part, fetched, now)?;
            if let Some(position) = self.positions.get_mut(&key).filter(|_| idle) {
                let pause_over = position.hold(&self.cluster, now);
                position.retry_at = Some(pause_over.min(waited_until));
            }
        }
        Ok(())
    }

    fn take_part(&mut self, part: WantedPart, fetched: FetchedPart, now: Instant) -> Result<(), ClientError> {
        let Some(position) = self.positions.get_mut(&part.key) else { return Ok(()) };
        if position.at != At::Offset(part.offset) {
            // Assigned anew meanwhile.
            return Ok(());
        }
        match fetched {
            FetchedPart::Records { next, high_watermark, batches } => {
                position.attempts = 0;
                position.retry_at = None;
                if next > part.offset {
                    position.at = At::Offset(next);
                    let (topic, partition) = part.key;
                    self.ready.push_back(Fetched {
                        topic,
                        partition,
                        from: part.offset,
                        next,
                        high_watermark,
                        batches,
                    });
                }
                Ok(())
            }
            FetchedPart::Broken { offset, fault } => {
                let (topic, partition) = (part.key.0.to_string(), part.key.1);
                Err(ClientError::Batch { topic, partition, offset, fault })
            }
            FetchedPart::Refused(refusal) if refusal.code == ErrorCode::OffsetOutOfRange => self.reset(&part),
            FetchedPart::Refused(refusal) if is_retriable(refusal.code) => {
                tracing::debug!(partition = ?part.key, %refusal, "partition not fetched");
                position.hold(&self.cluster, now);
                self.stale.insert(part.key.0);
                Ok(())
            }
            FetchedPart::Refused(Refusal { code, message }) => {
                let message = Some(message.unwrap_or_else(|| format!("{}-{}", part.key.0, part.key.1)));
                Err(Refusal { code, message }.into())
            }
        }
    }

    /// Does what the policy says about an offset that is not in the log.
    fn reset(&mut self, part: &WantedPart) -> Result<(), ClientError> {
        let Some(position) = self.positions.get_mut(&part.key) else { return Ok(()) };
        let start = match self.settings.offset_reset {
            OffsetReset::Earliest => Start::Earliest,
            OffsetReset::Latest => Start::Latest,
            OffsetReset::Error => {
                let (topic, partition) = (part.key.0.to_string(), part.key.1);
                return Err(ClientError::OffsetOutOfRange { topic, partition, offset: part.offset });
            }
        };
        tracing::debug!(partition = ?part.key, offset = %part.offset, ?start, "offset out of range, starting over");
        position.at = At::Start(start);
        Ok(())
    }
}

impl Position {
    /// Leaves the partition alone for a while. Returns until when.
    fn hold(&mut self, cluster: &Cluster, now: Instant) -> Instant {
        let at = now + cluster.settings().backoff(self.attempts, cluster.runtime().random.bits());
        self.attempts += 1;
        self.retry_at = Some(at);
        at
    }
}
