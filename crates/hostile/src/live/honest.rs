//! An honest client: writes a record and reads it, again and again, and remembers how long that took at worst.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_record::{Batches, Codec, Scratch};
use ottla_types::Timestamp;

use super::now;
use super::peer::Peer;

/// Its topic.
pub(super) const TOPIC: &str = "honest";
/// The last versions that name topics by their names.
pub(super) const PRODUCE: i16 = 12;
pub(super) const FETCH: i16 = 12;
pub(super) const CREATE: i16 = 7;
/// How often it writes.
const PACE: Duration = Duration::from_millis(20);

/// The client at work.
pub(super) struct Honest {
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    rounds: AtomicU64,
    worst_us: AtomicU64,
    failed: Mutex<Option<String>>,
}

/// What it has seen since it was asked last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// Records written and read.
    pub(super) rounds: u64,
    /// The longest that one took.
    pub(super) worst: Duration,
}

impl Honest {
    pub(super) fn begin(address: SocketAddr) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("the honest client cannot begin: {error}");
        create(&mut Peer::connect(address).map_err(told)?, TOPIC)?;
        let mut peer = Peer::connect(address).map_err(told)?;
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let thread = std::thread::spawn(move || {
            while !shared.stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                if let Err(why) = round(&mut peer) {
                    *shared.failed.lock().expect("nobody panics with it") =
                        Some(format!("the honest client was not served: {why}"));
                    return;
                }
                shared.rounds.fetch_add(1, Ordering::Relaxed);
                let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                shared.worst_us.fetch_max(took_us, Ordering::Relaxed);
                std::thread::park_timeout(PACE);
            }
        });
        Ok(Self { seen, thread: Some(thread) })
    }

    /// How it was served since this was asked last.
    pub(super) fn service(&self) -> Result<Served, String> {
        if let Some(why) = self.seen.failed.lock().expect("nobody panics with it").clone() {
            return Err(why);
        }
        let rounds = self.seen.rounds.swap(0, Ordering::Relaxed);
        Ok(Served { rounds, worst: Duration::from_micros(self.seen.worst_us.swap(0, Ordering::Relaxed)) })
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Creates a topic with one partition.
pub(super) fn create(peer: &mut Peer, name: &str) -> Result<(), String> {
    let topic =
        CreatableTopic { name: name.to_owned(), num_partitions: 1, replication_factor: 1, ..CreatableTopic::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    let answer = peer.ask(CREATE, &request).map_err(|error| format!("{name} cannot be created: {error}"))?;
    match answer.topics.first().map(|topic| topic.error_code) {
        // It is there already.
        Some(0 | 36) => Ok(()),
        code => Err(format!("{name} cannot be created: error {code:?}")),
    }
}

/// Records for partition 0 of a topic.
pub(super) fn produce(topic: &str, acks: i16, records: bytes::Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(records) }];
    let topic = TopicProduceData { name: topic.to_owned(), partition_data, ..TopicProduceData::default() };
    ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// A fetch of partition 0 of a topic.
pub(super) fn fetch(topic: &str, from: i64, max_wait_ms: i32) -> FetchRequest {
    let one =
        FetchPartition { partition: 0, fetch_offset: from, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![one], ..FetchTopic::default() };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// Writes one record and reads it.
fn round(peer: &mut Peer) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let batch = ottla_hostile::bombs::one_record(Codec::None, 100, Timestamp(now()));
    let written = peer.ask(PRODUCE, &produce(TOPIC, -1, batch)).map_err(told)?;
    let written = &written.responses[0].partition_responses[0];
    if written.error_code != 0 {
        return Err(format!("a produce was answered with {}: {:?}", written.error_code, written.error_message));
    }
    let read = peer.ask(FETCH, &fetch(TOPIC, written.base_offset, 0)).map_err(told)?;
    let read = &read.responses[0].partitions[0];
    let records = read.records.as_deref().unwrap_or_default();
    let first = Batches::new(records).flatten().next().ok_or(format!("nothing to read, error {}", read.error_code))?;
    let mut scratch = Scratch::default();
    let count = first.records(&mut scratch, 1 << 20).map_err(|error| error.to_string())?.flatten().count();
    if count == 1 { Ok(()) } else { Err(format!("{count} records where one was written")) }
}
