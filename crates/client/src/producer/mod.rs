//! The producer: records in, batches to the leaders of their partitions, one answer for each record.
//!
//! Read in this order: this file is what users see; `accumulator` says which partition a record goes to;
//! `partition_queue` is the machine that keeps batches, sequences and retries in order; `sender` is the task that talks
//! to brokers; `outcome` is how an answer gets back to who waits for it.
//!
//! Idempotent by default, as Kafka's (KIP-98, KIP-679): every batch carries a producer id and a sequence, a broker
//! takes each once and in order, and a batch that is sent again has the bytes of the first time. A batch that fails for
//! good ends its partition for this producer. Kafka's client would start over with a new epoch there; this one leaves
//! that to its user, who makes another producer. No transactions.

mod accumulator;
mod outcome;
mod partition_queue;
mod sender;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ottla_protocol::init_producer_id::InitProducerIdRequest;
use ottla_record::{BATCH_HEADER_BYTES, BatchOptions, Codec, Header};
use ottla_runtime::Lane;
use ottla_types::{Instant, ProducerEpoch, ProducerId, Timestamp};
use tokio::sync::{Notify, Semaphore};

use crate::cluster::Cluster;
use crate::error::{ClientError, Refusal};
use accumulator::{Accumulator, AppendError};
pub use outcome::{Delivered, Delivery, ProduceError};
use partition_queue::{Freed, QueueRules};

/// Batches of one partition, and requests to one broker, that may be unanswered: what a broker remembers of a producer
/// (`max.in.flight.requests.per.connection`).
const IN_FLIGHT_MAX: usize = 5;

/// What a record takes in a batch beside its content, at most.
const RECORD_OVERHEAD: usize = 26;
/// The same for a header.
const HEADER_OVERHEAD: usize = 10;

/// Who must have a record before it counts as written (`acks`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Acks {
    /// All replicas in sync.
    #[default]
    All,
    /// The leader.
    Leader,
    /// Nobody: a record counts as written when it is on its way.
    None,
}

impl Acks {
    const fn wire(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
            Self::None => 0,
        }
    }
}

/// Settings of a producer, with Kafka's names for them. Defaults are Kafka's unless said otherwise.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: each record is written once, in order. Needs [`Acks::All`]; without that it is off.
    pub idempotent: bool,
    /// `compression.type`.
    pub codec: Codec,
    /// `compression.<codec>.level`.
    pub compression_level: Option<i32>,
    /// `batch.size`: where a batch is full, in bytes before compression. 256 KiB instead of 16: it costs nothing until
    /// there are records for it.
    pub batch_bytes: usize,
    /// `linger.ms`: how long a batch waits for more records.
    pub linger: Duration,
    /// `buffer.memory`: bytes of records that are not answered yet; more wait.
    pub memory_bytes: usize,
    /// `max.request.size`: the largest request, and so the largest record.
    pub request_bytes_max: usize,
    /// `delivery.timeout.ms`: after which a record that could not be delivered fails.
    pub delivery_timeout: Duration,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            codec: Codec::None,
            compression_level: None,
            batch_bytes: 256 << 10,
            linger: Duration::from_millis(5),
            memory_bytes: 32 << 20,
            request_bytes_max: 1 << 20,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// A record to be sent. Borrowed: it is copied into its batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` leaves it to the key, or to chance without one.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` deletes the key from a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers, in order (KIP-82).
    pub headers: &'a [Header<'a>],
    /// The record's time; `None` for now.
    pub timestamp: Option<Timestamp>,
}

impl<'a> Record<'a> {
    /// A record for `topic` with nothing in it yet.
    #[must_use]
    pub const fn to(topic: &'a str) -> Self {
        Self { topic, partition: None, key: None, value: None, headers: &[], timestamp: None }
    }

    /// What it takes in a batch, at most.
    fn bytes_max(&self) -> usize {
        let part = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|header| HEADER_OVERHEAD + header.key.len() + part(header.value));
        RECORD_OVERHEAD + part(self.key) + part(self.value) + headers.sum::<usize>()
    }
}

/// Sends records. All of it may be used from several tasks at once.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
}

/// What the producer and its sender have in common.
struct Shared {
    cluster: Cluster,
    settings: ProducerSettings,
    accumulator: Mutex<Accumulator>,
    /// Free bytes of `memory_bytes`.
    memory: Semaphore,
    /// Rouses the sender.
    wake: Notify,
}

impl Producer {
    /// A producer for `cluster`; asks it for a producer id if it is idempotent.
    pub async fn start(cluster: Cluster, mut settings: ProducerSettings) -> Result<Self, ClientError> {
        settings.idempotent &= settings.acks == Acks::All;
        let (producer_id, producer_epoch) =
            if settings.idempotent { producer_id(&cluster).await? } else { (ProducerId::NONE, ProducerEpoch::NONE) };
        let rules = QueueRules {
            options: BatchOptions {
                codec: settings.codec,
                level: settings.compression_level,
                producer_id,
                producer_epoch,
                ..BatchOptions::default()
            },
            batch_bytes: settings.batch_bytes.min(settings.request_bytes_max),
            linger: settings.linger,
            in_flight_max: IN_FLIGHT_MAX,
            delivery_timeout: settings.delivery_timeout,
        };
        let shared = Arc::new(Shared {
            memory: Semaphore::new(settings.memory_bytes),
            cluster: cluster.clone(),
            settings,
            accumulator: Mutex::new(Accumulator::new(rules)),
            wake: Notify::new(),
        });
        cluster.runtime().spawn(Lane::Data, sender::run(Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Takes a record, once there is memory for it, and says how to hear what became of it.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        let memory = record.bytes_max();
        let bytes_max = self.shared.settings.request_bytes_max.min(self.shared.settings.memory_bytes);
        if memory + BATCH_HEADER_BYTES > bytes_max {
            return Err(ProduceError::RecordTooLarge { bytes: memory, bytes_max });
        }
        // The limit above is far below u32::MAX, or the memory is.
        let asked = u32::try_from(memory).unwrap_or(u32::MAX);
        let Ok(room) = self.shared.memory.acquire_many(asked).await else { return Err(ProduceError::Closed) };
        loop {
            match self.shared.append(&record, memory) {
                Ok(delivery) => {
                    // Given back when its batch is settled.
                    room.forget();
                    return Ok(delivery);
                }
                Err(AppendError::Refused(error)) => return Err(error),
                Err(AppendError::TopicNotKnown) => self.learn(&record).await?,
            }
        }
    }

    /// Makes the record's topic known, or says why it cannot be written to.
    async fn learn(&self, record: &Record<'_>) -> Result<(), ProduceError> {
        let mut topic = self.shared.cluster.topic(record.topic).await?;
        if let Some(partition) = record.partition
            && topic.partition(partition).is_err()
        {
            // Partitions may have been added.
            self.shared.cluster.refresh(&[record.topic]).await?;
            topic = self.shared.cluster.topic(record.topic).await?;
            topic.partition(partition)?;
        }
        self.shared.lock().learn(&topic);
        Ok(())
    }

    /// Sends what is there without waiting for more, and waits until all of it is settled. The error is the first of
    /// those that happened since the last flush.
    pub async fn flush(&self) -> Result<(), ProduceError> {
        let outcomes = self.shared.lock().hurry();
        self.shared.wake.notify_one();
        for outcome in outcomes {
            let _ = outcome.wait().await;
        }
        let (_, failure) = self.shared.lock().take_failures();
        failure.map_or(Ok(()), Err)
    }

    /// The first failure since the last [`flush`](Self::flush), with the number of records that failed, without
    /// waiting: for a caller who does not look at every delivery. Asking forgets it.
    #[must_use]
    pub fn failures(&self) -> Option<(u64, ProduceError)> {
        let (records, failure) = self.shared.lock().take_failures();
        failure.map(|failure| (records, failure))
    }

    /// Flushes and ends the producer. Dropping it instead drops what is not sent yet.
    pub async fn close(self) -> Result<(), ProduceError> {
        self.flush().await
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let mut accumulator = self.shared.lock();
        accumulator.closed = true;
        accumulator.with_all(|queue, _| queue.fail_all(&ProduceError::Closed));
        drop(accumulator);
        self.shared.memory.close();
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Accumulator> {
        self.accumulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.cluster.runtime().clock.now()
    }

    fn append(&self, record: &Record<'_>, memory: usize) -> Result<Delivery, AppendError> {
        let runtime = self.cluster.runtime();
        let timestamp = record.timestamp.unwrap_or_else(|| runtime.clock.wall());
        let random = || runtime.random.bits();
        let appended = self.lock().append(self.now(), record, timestamp, record.headers, memory, random);
        let (delivery, look) = appended?;
        if look {
            self.wake.notify_one();
        }
        Ok(delivery)
    }

    /// Handles something in every queue and gives back the memory that becomes free.
    fn with_all(&self, handle: impl FnMut(&mut partition_queue::PartitionQueue, &QueueRules) -> Freed) {
        let freed = self.lock().with_all(handle);
        self.memory.add_permits(freed);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.cluster)
    }
}

/// Asks for a producer id (KIP-98).
async fn producer_id(cluster: &Cluster) -> Result<(ProducerId, ProducerEpoch), ClientError> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    cluster
        .retry("asking for a producer id", async || {
            let response = cluster.ask_any(&request).await?;
            Refusal::check(response.error_code, None)?;
            Ok((ProducerId(response.producer_id), ProducerEpoch(response.producer_epoch)))
        })
        .await
}
