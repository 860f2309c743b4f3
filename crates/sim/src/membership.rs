//! What happens to a group: members read numbered records together, while the broker's computer loses its power and
//! members die, pause, leave and come back.
//!
//! Three things must hold. What was acknowledged to the producer is read by somebody. Whoever takes a partition over
//! begins where it was committed last or behind that, though the power failed in between. And as long as all members
//! behave, no two read a partition at the same time; one that died or was silent may still read what is another's
//! already, until it hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_broker::Broker;
use ottla_client::{
    Admin, ClientSettings, Cluster, GroupConsumer, GroupEvent, GroupProtocol, GroupSettings, NewTopic, OffsetReset,
    Producer, ProducerSettings, Record,
};
use ottla_config::BrokerConfig;
use ottla_runtime::{Random, SeededRandom};
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};

use crate::delay::SimulatedDelay;
use crate::scenario::lock;
use crate::world;

pub use ottla_client::Assignor;

const TOPIC: &str = "numbers";
const GROUP: &str = "readers";
/// A run that takes longer, in simulated time, is stuck.
const PATIENCE: Duration = Duration::from_secs(900);
/// How long the group may take, after all is calm, to have read everything.
const CALM_POLL: Duration = Duration::from_secs(1);

/// So long members come and go at least.
const RESTLESS: Duration = Duration::from_secs(30);

/// What a run is made of. The same options give the same run.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Where all chance comes from.
    pub seed: u64,
    /// How the members speak with the coordinator.
    pub protocol: GroupProtocol,
    /// How members of the classic protocol divide the partitions.
    pub assignors: Vec<Assignor>,
    /// How many members there are at the most.
    pub members: usize,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Records that are written.
    pub records: u64,
    /// How often the power fails.
    pub power_failures: u32,
    /// How often a member dies.
    pub deaths: u32,
}

/// What must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfair {
    /// An acknowledged record was read by nobody.
    Unread(u64),
    /// Two members read a partition at once.
    Shared(i32, usize, usize),
    /// A member began before what was committed.
    Back(i32, i64, i64),
}

impl fmt::Display for Unfair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(number) => write!(f, "record {number} was acknowledged and read by nobody"),
            Self::Shared(partition, one, other) => {
                write!(f, "members {one} and {other} both read partition {partition}")
            }
            Self::Back(partition, at, committed) => {
                write!(f, "partition {partition} was read again from {at}, though {committed} was committed")
            }
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What happened, in order.
    pub events: Vec<String>,
    /// How often a partition was given to a member.
    pub given: usize,
    /// What must not be.
    pub findings: Vec<Unfair>,
    /// Why the run did not come to its end.
    pub failure: Option<String>,
}

#[derive(Default)]
struct Book {
    events: Vec<String>,
    findings: Vec<Unfair>,
    given: usize,
    acknowledged: BTreeSet<u64>,
    /// All is written, and nothing fails any more.
    calm: bool,
    written: bool,
    read: BTreeSet<u64>,
    owners: BTreeMap<i32, usize>,
    committed: BTreeMap<i32, i64>,
    starts: u64,
}

struct Run {
    options: Membership,
    book: Mutex<Book>,
}

impl Run {
    fn note(&self, event: impl fmt::Display) {
        let now = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        lock(&self.book).events.push(format!("{now:>7} ms {event}"));
    }

    fn find(&self, finding: Unfair) {
        self.note(format_args!("FOUND: {finding}"));
        lock(&self.book).findings.push(finding);
    }

    fn is_done(&self) -> bool {
        let book = lock(&self.book);
        book.calm && book.written && book.acknowledged.is_subset(&book.read)
    }

    fn start(&self) -> u64 {
        let mut book = lock(&self.book);
        book.starts += 1;
        self.options.seed.wrapping_mul(1009).wrapping_add(book.starts)
    }
}

/// Runs a group to its end.
#[must_use]
pub fn share(options: &Membership) -> Shared {
    let run = Arc::new(Run { options: options.clone(), book: Mutex::default() });
    let disk = SimulatedDisk::with_delay(options.seed, Faults::adverse(), Arc::new(SimulatedDelay));
    let mut sim = turmoil::Builder::new()
        .rng_seed(options.seed)
        .simulation_duration(PATIENCE)
        .tick_duration(Duration::from_millis(2))
        .max_message_latency(Duration::from_millis(4))
        .tcp_capacity(1 << 16)
        .build();
    let (broker_run, broker_disk) = (run.clone(), disk.clone());
    sim.host("broker", move || broker(broker_run.clone(), broker_disk.clone()));
    for number in 0..options.members {
        let run = run.clone();
        sim.host(format!("member{number}"), move || member(run.clone(), number));
    }
    sim.client("writer", writer(run.clone()));
    let chance = SeededRandom::new(options.seed);
    let (mut failures, mut deaths) = (options.power_failures, options.deaths);
    let mut next = pause(&chance);
    let failure = loop {
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break None,
            Err(error) => break Some(error.to_string()),
        }
        if failures + deaths == 0 {
            lock(&run.book).calm |= sim.elapsed() >= next.max(RESTLESS);
            continue;
        }
        if sim.elapsed() < next {
            continue;
        }
        next = sim.elapsed() + pause(&chance);
        if chance.bits() % u64::from(failures + deaths) < u64::from(failures) {
            failures -= 1;
            lock(&run.book).events.push("           power fails".to_owned());
            sim.crash("broker");
            disk.crash();
            sim.bounce("broker");
        } else {
            deaths -= 1;
            let number = (chance.bits() % options.members as u64) as usize;
            lock(&run.book).events.push(format!("           member {number} dies"));
            lock(&run.book).owners.retain(|_, owner| *owner != number);
            sim.crash(format!("member{number}"));
            sim.bounce(format!("member{number}"));
        }
    };
    drop(sim);
    let mut book = lock(&run.book);
    let unread: Vec<u64> = book.acknowledged.difference(&book.read).copied().collect();
    book.findings.extend(unread.into_iter().map(Unfair::Unread));
    Shared { events: book.events.clone(), given: book.given, findings: book.findings.clone(), failure }
}

/// Between two things that go wrong: one to nine seconds.
fn pause(chance: &SeededRandom) -> Duration {
    Duration::from_millis(1000 + chance.bits() % 8000)
}

async fn broker(run: Arc<Run>, disk: Arc<SimulatedDisk>) -> Result<(), Box<dyn Error>> {
    let runtime = world::runtime(run.start());
    let settings = [
        ("listeners", "PLAINTEXT://:9092"),
        ("advertised.listeners", "PLAINTEXT://broker:9092"),
        ("log.dirs", "/data"),
        ("ottla.http.listener", ""),
        ("num.recovery.threads.per.data.dir", "1"),
        ("offsets.topic.num.partitions", "2"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.consumer.heartbeat.interval.ms", "5000"),
    ];
    let settings: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let (config, _notices) = BrokerConfig::from_layers(None, &settings)?;
    let broker = Broker::start(config, runtime, disk).await?;
    run.note("broker serves");
    // Held until the power fails.
    std::future::pending::<()>().await;
    drop(broker);
    Ok(())
}

async fn connect(run: &Run) -> Result<Cluster, Box<dyn Error>> {
    let bootstrap = ottla_client::Address::parse_list("broker:9092")?;
    let settings = ClientSettings { request_timeout: Duration::from_secs(2), ..ClientSettings::default() };
    let runtime = world::runtime(run.start());
    loop {
        // The broker may not be up yet, or down again.
        if let Ok(cluster) = Cluster::connect(runtime.clone(), bootstrap.clone(), settings.clone()).await {
            return Ok(cluster);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Writes all records, a few at a time, and ends once they are read.
async fn writer(run: Arc<Run>) -> Result<(), Box<dyn Error>> {
    let cluster = connect(&run).await?;
    let admin = Admin::new(cluster.clone());
    let topic = NewTopic {
        name: TOPIC.to_owned(),
        partitions: Some(run.options.partitions),
        replication_factor: None,
        configs: Vec::new(),
    };
    while let (Err(error), Err(_)) = (admin.create_topic(&topic).await, admin.describe_topic(TOPIC).await) {
        run.note(format_args!("no topic: {error}"));
    }
    let producer = Producer::start(cluster, ProducerSettings::default()).await?;
    for number in 0..run.options.records {
        let partition = i32::try_from(number)? % run.options.partitions;
        let value = number.to_be_bytes();
        let record = Record { partition: Some(partition), value: Some(&value), ..Record::to(TOPIC) };
        match producer.send(record).await?.wait().await {
            Ok(_) => drop(lock(&run.book).acknowledged.insert(number)),
            Err(error) => run.note(format_args!("record {number} was not acknowledged: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    producer.close().await?;
    lock(&run.book).written = true;
    run.note("all is written");
    while !run.is_done() {
        tokio::time::sleep(CALM_POLL).await;
    }
    Ok(())
}

/// A member's lives, one after the other: each reads for a while, commits now and then, and leaves.
async fn member(run: Arc<Run>, number: usize) -> Result<(), Box<dyn Error>> {
    let chance = SeededRandom::new(run.start());
    let cluster = connect(&run).await?;
    let mut settings = GroupSettings::new(GROUP);
    settings.protocol = run.options.protocol;
    settings.assignors.clone_from(&run.options.assignors);
    settings.session_timeout = Duration::from_secs(10);
    settings.auto_commit = None;
    settings.consumer.offset_reset = OffsetReset::Earliest;
    loop {
        tokio::time::sleep(Duration::from_millis(chance.bits() % 3000)).await;
        let mut life = Life { run: Arc::clone(&run), number, owned: BTreeSet::new(), fresh: BTreeSet::new() };
        let mut consumer = GroupConsumer::new(cluster.clone(), settings.clone());
        consumer.subscribe(&[TOPIC]);
        let polls = 5 + chance.bits() % 200;
        run.note(format_args!("member {number} joins"));
        for poll in 0.. {
            // In the calm at the end everybody stays.
            if poll >= polls && !lock(&run.book).calm {
                break;
            }
            match consumer.poll(Duration::from_millis(100)).await {
                Ok(Some(event)) => life.take(&event)?,
                Ok(None) => {}
                Err(error) => {
                    run.note(format_args!("member {number}: {error}"));
                    break;
                }
            }
            if chance.bits().is_multiple_of(3) {
                life.commit(&mut consumer).await;
            }
        }
        life.commit(&mut consumer).await;
        life.release();
        run.note(format_args!("member {number} leaves"));
        consumer.close().await?;
    }
}

struct Life {
    run: Arc<Run>,
    number: usize,
    owned: BTreeSet<i32>,
    /// What it has not read anything of yet.
    fresh: BTreeSet<i32>,
}

impl Life {
    fn take(&mut self, event: &GroupEvent) -> Result<(), Box<dyn Error>> {
        match event {
            GroupEvent::Records(fetched) => {
                for record in fetched.records() {
                    let record = record?;
                    let number = record.value.and_then(|value| value.first_chunk());
                    lock(&self.run.book).read.insert(number.map_or(u64::MAX, |number| u64::from_be_bytes(*number)));
                    if self.fresh.remove(&fetched.partition) {
                        let committed = lock(&self.run.book).committed.get(&fetched.partition).copied().unwrap_or(0);
                        if record.offset.0 < committed {
                            self.run.find(Unfair::Back(fetched.partition, record.offset.0, committed));
                        }
                    }
                }
            }
            GroupEvent::Assigned(partitions) => {
                for partition in partitions.iter().map(|(_, partition)| *partition) {
                    self.run.note(format_args!("member {} reads {partition}", self.number));
                    let before = {
                        let mut book = lock(&self.run.book);
                        book.given += 1;
                        book.owners.insert(partition, self.number)
                    };
                    self.owned.insert(partition);
                    self.fresh.insert(partition);
                    if let Some(other) = before.filter(|other| *other != self.number && self.run.options.deaths == 0) {
                        self.run.find(Unfair::Shared(partition, other, self.number));
                    }
                }
            }
            GroupEvent::Revoking(partitions) => self.give_up("gives up", partitions.iter().map(|(_, index)| *index)),
            GroupEvent::Lost(partitions) => self.give_up("has lost", partitions.iter().map(|(_, index)| *index)),
        }
        Ok(())
    }

    fn give_up(&mut self, how: &str, partitions: impl Iterator<Item = i32>) {
        for partition in partitions {
            self.run.note(format_args!("member {} {how} {partition}", self.number));
            self.owned.remove(&partition);
            let mut book = lock(&self.run.book);
            if book.owners.get(&partition) == Some(&self.number) {
                book.owners.remove(&partition);
            }
        }
    }

    fn release(&mut self) {
        let owned = std::mem::take(&mut self.owned);
        self.give_up("leaves", owned.into_iter());
    }

    /// Commits, and remembers what is committed for sure.
    async fn commit(&self, consumer: &mut GroupConsumer) {
        let positions = consumer.positions().clone();
        match consumer.commit().await {
            Ok(()) => {
                let mut book = lock(&self.run.book);
                for ((_, partition), offset) in positions {
                    let committed = book.committed.entry(partition).or_default();
                    // A zombie's commit would be refused: what counts is the last.
                    *committed = offset.0.max(*committed);
                }
            }
            Err(error) => self.run.note(format_args!("member {} did not commit: {error}", self.number)),
        }
    }
}
