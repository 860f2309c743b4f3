//! Drives the machine of one partition of `__consumer_offsets`: questions in, facts to the log, answers out. No decision
//! is made here.
//!
//! What the questions of one pass want remembered goes into the log together. When an append fails, everybody who waits is
//! told, and the log is read anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_coordinator::{AppendId, Fact, Input, Now, Output, Reply, RequestId, Shard, TopicsChanged};
use ottla_quorum::Quorum;
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Codec, Compressor};
use ottla_runtime::{BoxFuture, Runtime};
use ottla_storage::Batch;
use ottla_types::{ErrorCode, Offset, Sequence};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Told;
use super::counts::Counts;
use super::limits::limits;
use crate::partition::{Acks, Partition, Place};
use crate::settings::Settings;

/// The most that one pass takes from the channel.
const PASS_MAX: usize = 1000;
/// Facts that are appended at once, in bytes; what a single answer needs may be more, up to the machine's own bound.
const BATCH_BYTES: usize = 1 << 18;
/// How long a log that cannot be read or written is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// An append is waited for as long as the log lives.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the loop of one partition works with.
pub(super) struct Host {
    pub(super) partition: Arc<Partition>,
    pub(super) settings: Arc<Settings>,
    pub(super) runtime: Runtime,
    /// Tells which topics there are.
    pub(super) quorum: Arc<Quorum>,
    pub(super) counts: Arc<Counts>,
    /// Whether questions are taken.
    pub(super) loaded: Arc<AtomicBool>,
    /// Told when they are.
    pub(super) moved: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

/// Why a machine is given up.
enum End {
    /// The partition is not led here any longer, or the broker stops.
    Closed,
    /// An append failed.
    Failed(String),
}

/// A machine at work.
struct Work<'a> {
    at: &'a Host,
    machine: Shard,
    answers: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    next_id: u64,
    gathered: Gathered,
    appended: VecDeque<(AppendId, Place)>,
    /// Waits for the first of these.
    safe: Option<BoxFuture<'static, Result<(), ErrorCode>>>,
}

/// Facts that are decided and not appended.
#[derive(Default)]
struct Gathered {
    facts: Vec<Fact>,
    /// What they take in a batch.
    bytes: usize,
    /// The last append that they belong to.
    last: AppendId,
}

impl Host {
    /// Runs until the partition is not led here any longer, or the broker stops.
    pub(super) async fn run(self, mut told: mpsc::Receiver<Told>) {
        loop {
            let began = self.runtime.clock.now();
            let limits = limits(&self.settings.present(), &self.quorum.image());
            let stop = self.stop.clone();
            let loaded = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                loaded = super::load::load(&self.partition, limits, self.settings.present().groups.load_bytes) => loaded,
            };
            let end = match loaded {
                Err(fault) => End::Failed(fault),
                Ok((machine, records)) => {
                    if records > 0 {
                        let ms = self.runtime.clock.now().since(began).as_millis();
                        info!(partition = %self.partition.name, records, ms = %ms, "groups are loaded");
                    }
                    self.loaded.store(true, Ordering::Release);
                    self.moved.notify_waiters();
                    self.serve(machine, &mut told).await
                }
            };
            self.loaded.store(false, Ordering::Release);
            match end {
                End::Closed => return,
                End::Failed(fault) => {
                    if self.partition.is_closed() {
                        return;
                    }
                    error!(partition = %self.partition.name, fault, "groups cannot be served; their log is read again");
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return,
                        () = self.runtime.clock.sleep_until(self.runtime.clock.now() + PAUSE) => {}
                    }
                }
            }
        }
    }

    async fn serve(&self, machine: Shard, told: &mut mpsc::Receiver<Told>) -> End {
        let mut work = Work {
            at: self,
            machine,
            answers: BTreeMap::new(),
            next_id: 0,
            gathered: Gathered::default(),
            appended: VecDeque::new(),
            safe: None,
        };
        let end = work.run(told).await;
        let Work { machine, mut answers, .. } = work;
        for (id, reply) in machine.give_up(ErrorCode::NotCoordinator) {
            if let Some(answer) = answers.remove(&id) {
                // Who does not wait any longer has lost nothing.
                drop(answer.send(reply));
            }
        }
        end
    }

    fn now(&self) -> Now {
        Now { instant: self.runtime.clock.now(), date: self.runtime.clock.wall() }
    }
}

impl Work<'_> {
    async fn run(&mut self, told: &mut mpsc::Receiver<Told>) -> End {
        let topics = TopicsChanged { image: (*self.at.quorum.image()).clone(), changed: Arc::default(), has_new: true };
        self.machine.handle(self.at.now(), Input::Topics(topics));
        self.machine.start(self.at.now());
        // Nobody reaches that offset: it wakes when the partition is closed.
        let (at, closed) = (self.at, Arc::new(Notify::new()));
        loop {
            let _registered = at.partition.watch(Offset(i64::MAX), &closed);
            if at.partition.is_closed() {
                return End::Closed;
            }
            if let Err(fault) = self.append_gathered() {
                return End::Failed(fault);
            }
            let deadline = self.machine.deadline();
            tokio::select! {
                biased;
                () = at.stop.cancelled() => return End::Closed,
                () = closed.notified() => {}
                outcome = first_safe(&mut self.safe) => {
                    self.safe = None;
                    if let Err(error) = outcome {
                        return if at.partition.is_closed() { End::Closed } else { End::Failed(error.to_string()) };
                    }
                    self.committed();
                }
                Some(first) = told.recv() => {
                    let mut next = Some(first);
                    for _ in 0..PASS_MAX {
                        let Some(one) = next.take().or_else(|| told.try_recv().ok()) else { break };
                        if let Err(fault) = self.take(one) {
                            return End::Failed(fault);
                        }
                    }
                }
                () = at.runtime.clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    if let Err(fault) = self.tell(Input::TimePassed) {
                        return End::Failed(fault);
                    }
                }
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Question(request, answer) => {
                let id = RequestId(self.next_id);
                self.next_id += 1;
                self.answers.insert(id, answer);
                self.tell(Input::Request(id, request))
            }
            Told::Settings => {
                let limits = limits(&self.at.settings.present(), &self.at.quorum.image());
                self.tell(Input::Settings(Box::new(limits)))
            }
            Told::Census(positions_max, answer) => {
                // Who does not wait any longer has lost nothing.
                drop(answer.send(self.machine.census(positions_max)));
                Ok(())
            }
            Told::Topics(topics) => self.tell(Input::Topics(topics)),
            Told::TopicsDeleted(topics) => self.tell(Input::TopicsDeleted(topics.to_vec())),
        }
    }

    /// Hands the machine an input and does what it wants done; what it wants appended is gathered.
    fn tell(&mut self, input: Input) -> Result<(), String> {
        self.machine.handle(self.at.now(), input);
        self.at.counts.add(self.machine.take_tally());
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Append(id, facts) => {
                    self.gathered.bytes += facts.iter().map(Fact::size_at_most).sum::<usize>();
                    self.gathered.facts.extend(facts);
                    self.gathered.last = id;
                    if self.gathered.bytes > BATCH_BYTES {
                        self.append_gathered()?;
                    }
                }
                Output::Reply(id, reply) => {
                    if let Some(answer) = self.answers.remove(&id) {
                        // Who does not wait any longer has lost nothing.
                        drop(answer.send(reply));
                    }
                }
            }
        }
        Ok(())
    }

    fn append_gathered(&mut self) -> Result<(), String> {
        let Gathered { facts, last: id, .. } = std::mem::take(&mut self.gathered);
        if facts.is_empty() {
            return Ok(());
        }
        let at = self.at;
        let now = at.now();
        let batch =
            batch_of(&facts, now, at.settings.present().groups.offsets_codec).map_err(|fault| fault.to_string())?;
        // The log may be on its way to another directory; then it is read from there, soon.
        let place = at.partition.append(batch, now.date).map_err(|refusal| refusal.to_string())?;
        at.partition.start_writing(&at.runtime);
        self.appended.push_back((id, place));
        self.await_first();
        Ok(())
    }

    /// Has the first append be waited for.
    fn await_first(&mut self) {
        if self.safe.is_some() {
            return;
        }
        let Some((_, place)) = self.appended.front() else { return };
        let (partition, runtime, place) = (self.at.partition.clone(), self.at.runtime.clone(), place.clone());
        let deadline = runtime.clock.now() + FOREVER;
        let wait = async move { partition.acknowledged(&place, Acks::All, &runtime, deadline).await };
        self.safe = Some(Box::pin(wait));
    }

    /// The first append is safe, and so are those behind it that the high watermark has passed.
    fn committed(&mut self) {
        let high_watermark = self.at.partition.high_watermark();
        let mut last = self.appended.pop_front().map(|(id, _)| id);
        while let Some((id, _)) = self
            .appended
            .pop_front_if(|(_, place)| place.appended.last_offset < high_watermark && !place.was_taken_back())
        {
            last = Some(id);
        }
        self.await_first();
        if let Some(last) = last {
            self.tell(Input::Committed(last))
                .unwrap_or_else(|fault| warn!(fault, "an answer's facts are not appended"));
        }
    }
}

/// Completes when the append that is waited for is safe; never without one.
async fn first_safe(safe: &mut Option<BoxFuture<'static, Result<(), ErrorCode>>>) -> Result<(), ErrorCode> {
    match safe {
        Some(safe) => safe.await,
        None => std::future::pending().await,
    }
}

/// One batch of the facts' records.
fn batch_of(facts: &[Fact], now: Now, codec: u8) -> Result<Batch, Box<dyn std::error::Error>> {
    let codec = Codec::from_id(codec).ok_or("there is no such codec")?;
    // As Kafka's, which says nothing with it.
    let mut builder = BatchBuilder::new(BatchOptions { codec, base_sequence: Sequence(0), ..BatchOptions::default() });
    for fact in facts {
        let (key, value) = fact.to_record()?;
        builder.append(now.date, Some(&key), value.as_deref(), &[])?;
    }
    let bytes = builder.build(&mut Compressor::default())?;
    Ok(Batch { header: BatchHeader::parse(&bytes)?, bytes })
}
