//! What the clients do in a life, step by step; each step is tried until it is done.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_client::{
    Address, Admin, ClientError, ClientSettings, Cluster, ConfigChange, ConfigOperation, ConfigResource, NewTopic,
    OffsetSpec, Producer, ProducerSettings, Record,
};
use ottla_protocol::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest};
use ottla_protocol::describe_log_dirs::DescribeLogDirsRequest;
use ottla_storage::disk::simulated::SimulatedDisk;
use ottla_types::{Offset, Timestamp, TopicId};

use super::compacted::Kept;
use super::{ONE_THREAD, Shared};
use crate::history::Acknowledged;
use crate::scenario::Note;
use crate::world;

/// The topic that lives.
pub(super) const TOPIC: &str = "life";
/// One that does not.
pub(super) const GONE: &str = "gone";
/// Milliseconds between two records, in their timestamps: several make a segment old.
const APART_MS: i64 = 1000;
/// The timestamp of record 0. Old enough for no record to be from the future.
const FIRST_MS: i64 = 1_700_000_000_000;
/// A pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// What the client was told, and what it asked for and does not know whether it was done.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) cluster: Cluster,
    pub(super) admin: Admin,
    /// Every record that was acknowledged, or was read: neither may vanish.
    pub(super) known: Vec<Acknowledged>,
    /// For each partition, below which offset it was asked to delete.
    pub(super) delete_asked: BTreeMap<i32, Offset>,
    /// The same, once it was answered.
    pub(super) deleted: BTreeMap<i32, Offset>,
    pub(super) id: Option<TopicId>,
    pub(super) partitions: i32,
    /// Once segments may leave by size.
    pub(super) retention_asked: bool,
    /// The topic's `retention.bytes`, where it is known.
    pub(super) retention: Option<&'static str>,
    pub(super) is_gone: bool,
    /// For each partition the start of the broker and the leader's epoch seen then.
    pub(super) epochs: BTreeMap<i32, (u64, i32)>,
    /// The start after which everything was looked at.
    pub(super) looked_at: u64,
    next: u64,
    pub(super) kept: Kept,
}

/// Lives.
pub(super) async fn run(shared: Arc<Shared>, disk: Arc<SimulatedDisk>) -> Result<(), Box<dyn Error>> {
    let runtime = world::runtime(!shared.seed);
    let settings = ClientSettings {
        request_timeout: Duration::from_secs(1),
        retry_backoff: Duration::from_millis(20),
        retry_backoff_max: Duration::from_millis(100),
        ..ClientSettings::default()
    };
    let bootstrap = Address::parse_list("broker:9092")?;
    let cluster = loop {
        match Cluster::connect(runtime.clone(), bootstrap.clone(), settings.clone()).await {
            Ok(cluster) => break cluster,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    };
    let mut client = Client {
        admin: Admin::new(cluster.clone()),
        shared: shared.clone(),
        cluster,
        known: Vec::new(),
        delete_asked: BTreeMap::new(),
        deleted: BTreeMap::new(),
        id: None,
        partitions: 3,
        retention_asked: false,
        retention: None,
        is_gone: false,
        epochs: BTreeMap::new(),
        looked_at: 0,
        next: 0,
        kept: Kept::default(),
    };
    client.live(&disk).await?;
    shared.acknowledged.store(client.known.len() as u64, Ordering::SeqCst);
    Ok(())
}

impl Client {
    async fn live(&mut self, disk: &Arc<SimulatedDisk>) -> Result<(), Box<dyn Error>> {
        self.create(TOPIC, self.partitions).await?;
        let batches = ProducerSettings { batch_bytes: 200, linger: Duration::ZERO, ..ProducerSettings::default() };
        let producer = Producer::start(self.cluster.clone(), batches).await?;
        self.produce(&producer, 24).await?;
        self.delete_records(0, Offset(4)).await?;
        self.create(GONE, 1).await?;
        self.create_kept().await?;
        self.keep(&producer, 6).await?;
        self.start_move(2, "/b").await?;
        self.produce(&producer, 12).await?;
        self.until_moved(2, "/b").await?;
        self.delete(GONE).await?;
        self.retain("300").await?;
        self.until_segments_left().await?;
        self.retain("-1").await?;
        self.look_if_started().await?;
        self.until_compacted().await?;
        self.restart().await?;
        self.keep(&producer, 4).await?;
        self.grow(4).await?;
        self.produce(&producer, 16).await?;
        self.start_move(2, "/a").await?;
        self.delete_records(1, Offset(12)).await?;
        self.until_moved(2, "/a").await?;
        self.produce(&producer, 4).await?;
        self.until_compacted().await?;
        self.look_if_started().await?;
        producer.close().await?;
        self.shared.operations.store(disk.operations(), Ordering::SeqCst);
        let starts = self.starts();
        self.shared.wants_power_failure.store(true, Ordering::SeqCst);
        while self.starts() == starts {
            tokio::time::sleep(PAUSE).await;
        }
        self.look().await
    }

    pub(super) fn starts(&self) -> u64 {
        self.shared.starts.load(Ordering::SeqCst)
    }

    /// Whatever the broker was started again for: everything must be there.
    pub(super) async fn look_if_started(&mut self) -> Result<(), Box<dyn Error>> {
        if self.starts() > self.looked_at { self.look().await } else { Ok(()) }
    }

    async fn create(&mut self, name: &str, partitions: i32) -> Result<(), Box<dyn Error>> {
        let configs = [("segment.ms", "4000"), ("retention.ms", "-1"), ("file.delete.delay.ms", "50")];
        let configs = configs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let topic = NewTopic { name: name.to_owned(), partitions: Some(partitions), replication_factor: None, configs };
        loop {
            match self.admin.create_topic(&topic).await {
                Ok(created) if name == TOPIC => self.id = Some(created.id),
                Ok(_) => {}
                Err(error) => self.shared.note(format_args!("{name} was not created: {error}")),
            }
            // An attempt that the power cut short may have made it.
            if self.admin.describe_topic(name).await.is_ok() {
                self.shared.note(format_args!("{name} is there"));
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn produce(&mut self, producer: &Producer, count: u64) -> Result<(), Box<dyn Error>> {
        self.look_if_started().await?;
        let mut deliveries = Vec::new();
        for number in self.next..self.next + count {
            let mut value = number.to_be_bytes().to_vec();
            value.resize(100, number as u8);
            let partition = i32::try_from(number)? % self.partitions;
            let timestamp = Some(timestamp(number));
            let record = Record { partition: Some(partition), value: Some(&value), timestamp, ..Record::to(TOPIC) };
            deliveries.push((number, producer.send(record).await?));
        }
        self.next += count;
        for (number, delivery) in deliveries {
            match delivery.wait().await {
                Ok(delivered) => {
                    let (partition, offset) = (delivered.partition, delivered.offset);
                    let acknowledged = Acknowledged { number, partition, offset };
                    self.shared.note(acknowledged);
                    self.known.push(acknowledged);
                }
                Err(error) => self.shared.find(format!("record {number} was never acknowledged: {error}")),
            }
        }
        Ok(())
    }

    async fn delete_records(&mut self, partition: i32, before: Offset) -> Result<(), Box<dyn Error>> {
        self.delete_asked.insert(partition, before);
        let start =
            self.until("delete records", async |it| it.admin.delete_records(TOPIC, partition, Some(before)).await);
        let start = start.await;
        self.deleted.insert(partition, start);
        self.look_if_started().await
    }

    async fn delete(&mut self, name: &str) -> Result<(), Box<dyn Error>> {
        let deleted = self.until("delete the topic", async |it| match it.admin.delete_topic(name).await {
            // An attempt whose answer was lost.
            Err(ClientError::UnknownTopic(_)) => Ok(()),
            other => other,
        });
        deleted.await;
        self.is_gone = true;
        self.look_if_started().await
    }

    async fn retain(&mut self, bytes: &'static str) -> Result<(), Box<dyn Error>> {
        self.retention_asked |= bytes != "-1";
        self.retention = None;
        let name = "retention.bytes".to_owned();
        let change = ConfigChange { name, operation: ConfigOperation::Set(bytes.to_owned()) };
        let topic = ConfigResource::Topic(TOPIC.to_owned());
        self.until("change the settings", async |it| {
            it.admin.alter_configs(&topic, std::slice::from_ref(&change), false).await
        })
        .await;
        self.retention = Some(bytes);
        self.look_if_started().await
    }

    async fn until_segments_left(&mut self) -> Result<(), Box<dyn Error>> {
        self.until("wait for retention", async |it| {
            let starts = it.cluster.offsets(TOPIC, &[(1, OffsetSpec::Earliest), (2, OffsetSpec::Earliest)]).await?;
            if starts.values().all(|start| *start > Offset::ZERO) { Ok(()) } else { Err(not_yet("segments are there")) }
        })
        .await;
        Ok(())
    }

    async fn start_move(&mut self, partition: i32, to: &str) -> Result<(), Box<dyn Error>> {
        let topics = vec![AlterReplicaLogDirTopic { name: TOPIC.to_owned(), partitions: vec![partition] }];
        let dirs = vec![AlterReplicaLogDir { path: to.to_owned(), topics }];
        let request = AlterReplicaLogDirsRequest { dirs };
        self.until("begin a move", async |it| {
            let answer = it.cluster.ask_any(&request).await?;
            let codes = answer.results.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
            if codes.max() == Some(0) { Ok(()) } else { Err(not_yet("the move is refused")) }
        })
        .await;
        self.shared.note(format_args!("partition {partition} is to go to {to}"));
        Ok(())
    }

    /// Waits until the partition is in that directory alone. A move that failed is asked for again.
    async fn until_moved(&mut self, partition: i32, to: &str) -> Result<(), Box<dyn Error>> {
        for attempt in 1.. {
            let places = self.places(partition).await;
            if places == [(to.to_owned(), false)] {
                break;
            }
            if attempt % 50 == 0 {
                self.start_move(partition, to).await?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.shared.note(format_args!("partition {partition} is in {to}"));
        self.look_if_started().await
    }

    /// The directories in which a partition is, and whether it is on its way there.
    pub(super) async fn places(&mut self, partition: i32) -> Vec<(String, bool)> {
        self.until("describe the directories", async |it| {
            let answer = it.cluster.ask_any(&DescribeLogDirsRequest { topics: None }).await?;
            let mut places = Vec::new();
            for directory in answer.results {
                let topics = directory.topics.into_iter().filter(|topic| topic.name == TOPIC);
                let found = topics.flat_map(|topic| topic.partitions).filter(|one| one.partition_index == partition);
                places.extend(found.map(|one| (directory.log_dir.clone(), one.is_future_key)));
            }
            Ok(places)
        })
        .await
    }

    async fn grow(&mut self, partitions: i32) -> Result<(), Box<dyn Error>> {
        self.until("add partitions", async |it| {
            let _ = it.admin.create_partitions(TOPIC, partitions).await;
            let there = it.admin.describe_topic(TOPIC).await?.partitions.len();
            if there == usize::try_from(partitions).unwrap_or_default() { Ok(()) } else { Err(not_yet("too few")) }
        })
        .await;
        self.partitions = partitions;
        self.look_if_started().await
    }

    /// Has the broker stop in order, and waits until it serves again.
    async fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        let starts = self.starts();
        self.shared.stop.notify_one();
        while self.starts() == starts {
            tokio::time::sleep(PAUSE).await;
        }
        self.look_if_started().await
    }

    /// Tries until it is done.
    pub(super) async fn until<T>(
        &mut self,
        what: &str,
        mut attempt: impl AsyncFnMut(&mut Self) -> Result<T, ClientError>,
    ) -> T {
        loop {
            match attempt(self).await {
                Ok(done) => {
                    self.shared.note(format_args!("{what}: done"));
                    return done;
                }
                Err(error) => self.shared.note(format_args!("{what}: {error}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The timestamp of a record, by its number.
pub(super) fn timestamp(number: u64) -> Timestamp {
    Timestamp(FIRST_MS + APART_MS * i64::try_from(number).expect(ONE_THREAD))
}

pub(super) fn not_yet(what: &'static str) -> ClientError {
    ClientError::TimedOut { what, after: Duration::ZERO, last: String::from("not yet") }
}
