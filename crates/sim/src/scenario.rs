//! What happens in a run: a client writes numbered records while the broker's computer loses its power again and again;
//! in the end it reads everything back.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_broker::Broker;
use ottla_client::{
    Admin, ClientSettings, Cluster, Consumer, ConsumerSettings, NewTopic, Producer, ProducerSettings, Record, Start,
};
use ottla_config::BrokerConfig;
use ottla_runtime::{Random, SeededRandom};
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::Offset;

use crate::delay::SimulatedDelay;
use crate::history::{Acknowledged, Finding, check};
use crate::world;

const TOPIC: &str = "numbers";
/// Bytes of a record: enough for the log to roll within a run.
const RECORD_BYTES: usize = 1500;
/// Records that are sent before the first of them is waited for.
const WINDOW: u64 = 100;
/// A run that takes longer, in simulated time, is stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a run is made of. The same options give the same run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where all chance comes from.
    pub seed: u64,
    /// How often the power fails.
    pub crashes: u32,
    /// Partitions written to.
    pub partitions: i32,
    /// What a power failure does to what was not synced.
    pub faults: Faults,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every event of the run and every operation of the disk, in order, as text.
    pub trace: Vec<String>,
    /// Records that were acknowledged.
    pub acknowledged: usize,
    /// What must not be.
    pub findings: Vec<Finding>,
    /// Why the run did not come to its end: a host failed, or nothing went on.
    pub failure: Option<String>,
}

/// What the hosts of a run share, beyond the network.
struct Run {
    options: Options,
    events: Mutex<Vec<String>>,
    /// Set after the last crash: the client may come to its end.
    calm: AtomicBool,
    /// How often the broker was started: each start has random bits of its own.
    starts: AtomicU64,
    acknowledged: Mutex<Vec<Acknowledged>>,
    findings: Mutex<Vec<Finding>>,
}

/// Keeps what happens, in order, with its moment.
pub(crate) trait Note {
    /// Where it is kept.
    fn events(&self) -> &Mutex<Vec<String>>;

    /// Takes a note.
    fn note(&self, event: impl Display) {
        let now = turmoil::sim_elapsed().unwrap_or_default().as_micros();
        lock(self.events()).push(format!("{now:>10}us {event}"));
    }
}

impl Note for Run {
    fn events(&self) -> &Mutex<Vec<String>> {
        &self.events
    }
}

/// Runs the scenario to its end.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let run = Arc::new(Run {
        options: options.clone(),
        events: Mutex::default(),
        calm: AtomicBool::new(options.crashes == 0),
        starts: AtomicU64::new(0),
        acknowledged: Mutex::default(),
        findings: Mutex::default(),
    });
    let disk = SimulatedDisk::with_delay(options.seed, options.faults.clone(), Arc::new(SimulatedDelay));
    disk.start_trace();
    let mut sim = turmoil::Builder::new()
        .rng_seed(options.seed)
        .simulation_duration(PATIENCE)
        .max_message_latency(Duration::from_millis(2))
        .tcp_capacity(1 << 16)
        .build();
    let (broker_run, broker_disk) = (run.clone(), disk.clone());
    sim.host("broker", move || broker(broker_run.clone(), broker_disk.clone()));
    sim.client("client", client(run.clone()));
    let chance = SeededRandom::new(options.seed);
    let mut crashes = 0;
    let mut next_crash = wait(&chance);
    let failure = loop {
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break None,
            Err(error) => break Some(error.to_string()),
        }
        if crashes < options.crashes && sim.elapsed() >= next_crash {
            crashes += 1;
            lock(&run.events).push(format!("{:>10}us power fails, {crashes}", sim.elapsed().as_micros()));
            sim.crash("broker");
            disk.crash();
            sim.bounce("broker");
            next_crash = sim.elapsed() + wait(&chance);
            run.calm.store(crashes == options.crashes, Ordering::SeqCst);
        }
    };
    drop(sim);
    let mut trace = lock(&run.events).clone();
    trace.extend(disk.trace().into_iter().map(|operation| format!("disk: {operation}")));
    let (acknowledged, findings) = (lock(&run.acknowledged).len(), lock(&run.findings).clone());
    Outcome { trace, acknowledged, findings, failure }
}

/// Between two power failures: 50 to 450 ms, so that some meet the broker while it recovers.
fn wait(chance: &SeededRandom) -> Duration {
    Duration::from_micros(50_000 + chance.bits() % 400_000)
}

async fn broker(run: Arc<Run>, disk: Arc<SimulatedDisk>) -> Result<(), Box<dyn Error>> {
    let start = run.starts.fetch_add(1, Ordering::SeqCst);
    let runtime = world::runtime(run.options.seed.wrapping_mul(31).wrapping_add(start));
    let settings = [
        ("listeners", "PLAINTEXT://:9092"),
        ("advertised.listeners", "PLAINTEXT://broker:9092"),
        ("log.dirs", "/data"),
        ("ottla.http.listener", ""),
        ("log.segment.bytes", "1048576"),
        ("num.recovery.threads.per.data.dir", "1"),
        ("log.flush.offset.checkpoint.interval.ms", "100"),
    ];
    let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let (config, _notices) = BrokerConfig::from_layers(None, &settings)?;
    let broker = Broker::start(config, runtime, disk).await?;
    run.note(format_args!("broker serves, start {start}"));
    // Held until the power fails.
    std::future::pending::<()>().await;
    drop(broker);
    Ok(())
}

async fn client(run: Arc<Run>) -> Result<(), Box<dyn Error>> {
    let runtime = world::runtime(!run.options.seed);
    let bootstrap = ottla_client::Address::parse_list("broker:9092")?;
    let settings = ClientSettings { request_timeout: Duration::from_secs(2), ..ClientSettings::default() };
    let cluster = loop {
        // The broker may not be up yet, or down again.
        match Cluster::connect(runtime.clone(), bootstrap.clone(), settings.clone()).await {
            Ok(cluster) => break cluster,
            Err(error) => run.note(format_args!("no connection: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    create_topic(&run, &cluster).await;
    produce(&run, &cluster).await?;
    let logs = read_all(&run, &cluster).await?;
    let findings = check(&lock(&run.acknowledged), &logs);
    findings.iter().for_each(|finding| run.note(format_args!("FOUND: {finding}")));
    *lock(&run.findings) = findings;
    Ok(())
}

async fn create_topic(run: &Run, cluster: &Cluster) {
    let topic = NewTopic {
        name: TOPIC.to_owned(),
        partitions: Some(run.options.partitions),
        replication_factor: None,
        configs: Vec::new(),
    };
    // Until it is there: an attempt that a power failure cut short may have made it.
    loop {
        let created = Admin::new(cluster.clone()).create_topic(&topic).await;
        match created {
            Ok(_) => break run.note("topic created"),
            Err(error) => run.note(format_args!("topic not created: {error}")),
        }
        if Admin::new(cluster.clone()).describe_topic(TOPIC).await.is_ok() {
            break run.note("topic is there");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends numbered records until the power has failed for the last time and a window after it is acknowledged.
async fn produce(run: &Run, cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    let settings = ProducerSettings { batch_bytes: 16 * 1024, ..ProducerSettings::default() };
    let producer = Producer::start(cluster.clone(), settings).await?;
    let mut next = 0;
    loop {
        let calm = run.calm.load(Ordering::SeqCst);
        let mut deliveries = Vec::new();
        for number in next..next + WINDOW {
            let mut value = number.to_be_bytes().to_vec();
            value.resize(RECORD_BYTES, number as u8);
            let partition = i32::try_from(number)? % run.options.partitions;
            let record = Record { partition: Some(partition), value: Some(&value), ..Record::to(TOPIC) };
            deliveries.push((number, producer.send(record).await?));
        }
        next += WINDOW;
        for (number, delivery) in deliveries {
            match delivery.wait().await {
                Ok(delivered) => {
                    let partition = delivered.partition;
                    let acknowledged = Acknowledged { number, partition, offset: delivered.offset };
                    run.note(acknowledged);
                    lock(&run.acknowledged).push(acknowledged);
                }
                Err(error) => run.note(format_args!("record {number} was not acknowledged: {error}")),
            }
        }
        if calm {
            producer.close().await?;
            return Ok(());
        }
    }
}

/// Reads every partition from its first record to its end.
async fn read_all(run: &Run, cluster: &Cluster) -> Result<BTreeMap<i32, Vec<(Offset, u64)>>, Box<dyn Error>> {
    let mut consumer = Consumer::new(cluster.clone(), ConsumerSettings::default());
    let mut logs = BTreeMap::new();
    for partition in 0..run.options.partitions {
        consumer.assign(TOPIC, partition, Start::Earliest).await?;
        logs.insert(partition, Vec::new());
    }
    let mut unfinished: Vec<i32> = (0..run.options.partitions).collect();
    while !unfinished.is_empty() {
        let Some(fetched) = consumer.poll(Duration::from_secs(5)).await? else {
            // A partition without any record says nothing of itself.
            break;
        };
        let log = logs.entry(fetched.partition).or_default();
        for record in fetched.records() {
            let record = record?;
            let value = record.value.unwrap_or_default();
            let number = value.first_chunk().map_or(u64::MAX, |number| u64::from_be_bytes(*number));
            log.push((record.offset, number));
        }
        if fetched.next >= fetched.high_watermark {
            unfinished.retain(|partition| *partition != fetched.partition);
        }
    }
    for (partition, log) in &logs {
        run.note(format_args!("partition {partition} has {} records", log.len()));
    }
    Ok(logs)
}

/// Everything runs on one thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("one thread, and nothing panics while it holds the lock")
}
