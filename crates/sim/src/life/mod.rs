//! A whole life of a broker with two directories, and one trouble at one operation of its disk: the power fails, or the
//! operation does.
//!
//! In that life topics are made, changed and deleted, segments roll, leave by retention and for DeleteRecords, a partition
//! is moved there and back, another is compacted, checkpoints and snapshots are written, the broker stops in order and starts again; meanwhile an
//! idempotent producer writes. After each start, and at the end after one more power failure, everything is read and
//! held against what clients were told: [`verify`]. What happens in which order is in [`steps`]; here is the world.
//!
//! `live` with `at: None` tells how many operations there are; with each number below that as `at`, each of them meets
//! the trouble once. What a life cannot have: a log that is cut at its end (a lone leader cuts none), and a metadata log
//! long enough for a snapshot. The crash tests of `storage` and `quorum` have them.

mod compacted;
mod steps;
mod verify;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla_broker::Broker;
use ottla_config::BrokerConfig;
use ottla_storage::disk::simulated::{Failure, Faults, SimulatedDisk};
use tokio::sync::Notify;

use crate::delay::SimulatedDelay;
use crate::scenario::Note;
use crate::world;

/// A life that takes longer, in simulated time, is stuck.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the broker goes on after an operation of its disk failed, before its power does, too.
const GOES_ON: Duration = Duration::from_millis(300);
/// What the broker is told.
const SETTINGS: [(&str, &str); 12] = [
    ("listeners", "PLAINTEXT://:9092"),
    ("advertised.listeners", "PLAINTEXT://broker:9092"),
    ("log.dirs", "/a,/b"),
    ("ottla.http.listener", ""),
    ("num.recovery.threads.per.data.dir", "1"),
    ("log.flush.offset.checkpoint.interval.ms", "300"),
    ("log.retention.check.interval.ms", "200"),
    ("log.initial.task.delay.ms", "100"),
    ("file.delete.delay.ms", "50"),
    ("log.cleaner.backoff.ms", "100"),
    ("log.cleaner.dedupe.buffer.size", "2097152"),
    ("log.cleaner.io.buffer.size", "10000"),
];

/// What an operation meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The power fails at it.
    PowerFailure,
    /// It fails. A little later the power does.
    Failure(Failure),
}

/// What a life is made of. The same life twice is the same, operation by operation.
#[derive(Clone, Debug)]
pub struct Life {
    /// Where all chance comes from.
    pub seed: u64,
    /// What a power failure does to what was not synced.
    pub faults: Faults,
    /// The trouble, and the number of the operation that meets it, from 0 on.
    pub trouble: Option<(u64, Trouble)>,
}

/// What came of a life.
#[derive(Clone, Debug)]
pub struct Lived {
    /// Every event, as text.
    pub trace: Vec<String>,
    /// The disk's operations up to the end of what clients did.
    pub operations: u64,
    /// How often the broker was started.
    pub starts: u64,
    /// How often everything was read and compared.
    pub looks: u64,
    /// Records that were acknowledged.
    pub acknowledged: usize,
    /// What must not be.
    pub findings: Vec<String>,
    /// Why the life did not come to its end.
    pub failure: Option<String>,
}

/// What the hosts of a life share, beyond the network.
#[derive(Default)]
struct Shared {
    seed: u64,
    events: Mutex<Vec<String>>,
    starts: AtomicU64,
    looks: AtomicU64,
    /// The process of the broker has ended, in order or not: another is to be started.
    ended: AtomicBool,
    /// Asks the broker to stop in order.
    stop: Notify,
    /// The client wants the power to fail once more.
    wants_power_failure: AtomicBool,
    /// Operations when the client had done all.
    operations: AtomicU64,
    acknowledged: AtomicU64,
    findings: Mutex<Vec<String>>,
}

impl Note for Shared {
    fn events(&self) -> &Mutex<Vec<String>> {
        &self.events
    }
}

impl Shared {
    /// Something that must not be.
    fn find(&self, finding: String) {
        self.note(format_args!("FOUND: {finding}"));
        self.findings.lock().expect(ONE_THREAD).push(finding);
    }
}

const ONE_THREAD: &str = "one thread, and nothing panics while it holds the lock";

/// Lives it to its end.
#[must_use]
pub fn live(life: &Life) -> Lived {
    let shared = Arc::new(Shared { seed: life.seed, ..Shared::default() });
    let mut faults = life.faults.clone();
    if let Some((at, Trouble::Failure(failure))) = life.trouble {
        faults.fail_at = Some((at + 1, failure));
    }
    let disk = SimulatedDisk::with_delay(life.seed, faults.clone(), Arc::new(SimulatedDelay));
    lie_in_wait(&disk, life);
    let mut sim = turmoil::Builder::new()
        .rng_seed(life.seed)
        .simulation_duration(PATIENCE)
        .max_message_latency(Duration::from_millis(1))
        .tcp_capacity(1 << 16)
        .build();
    let (host_shared, host_disk) = (shared.clone(), disk.clone());
    sim.host("broker", move || host(host_shared.clone(), host_disk.clone()));
    sim.client("client", steps::run(shared.clone(), disk.clone()));
    let mut fails_later = matches!(life.trouble, Some((_, Trouble::Failure(_))));
    let mut power_fails_at = None;
    let failure = loop {
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break None,
            Err(error) => break Some(error.to_string()),
        }
        if let (true, Some((at, _))) = (fails_later, life.trouble)
            && disk.operations() > at
        {
            fails_later = false;
            power_fails_at = Some(sim.elapsed() + GOES_ON);
        }
        let is_due = power_fails_at.is_some_and(|at| sim.elapsed() >= at);
        let fails = !disk.has_power() || is_due || shared.wants_power_failure.swap(false, Ordering::SeqCst);
        if fails || shared.ended.swap(false, Ordering::SeqCst) {
            power_fails_at = power_fails_at.filter(|_| !is_due);
            sim.crash("broker");
            // Without a power failure it is a process that ends: what it wrote stays.
            disk.set_faults(Faults { lose_unsynced: fails, ..faults.clone() });
            disk.crash();
            disk.set_faults(faults.clone());
            lie_in_wait(&disk, life);
            sim.bounce("broker");
        }
    };
    drop(sim);
    let trace = shared.events.lock().expect(ONE_THREAD).clone();
    let findings = shared.findings.lock().expect(ONE_THREAD).clone();
    let number = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    Lived {
        trace,
        operations: number(&shared.operations),
        starts: number(&shared.starts),
        looks: number(&shared.looks),
        acknowledged: number(&shared.acknowledged) as usize,
        findings,
        failure,
    }
}

/// Has the power fail at its operation, if that is still to come.
fn lie_in_wait(disk: &SimulatedDisk, life: &Life) {
    if let Some((at, Trouble::PowerFailure)) = life.trouble
        && let Some(left) = at.checked_sub(disk.operations())
    {
        disk.crash_after(left);
    }
}

/// One process of the broker, until it ends.
async fn host(shared: Arc<Shared>, disk: Arc<SimulatedDisk>) -> Result<(), Box<dyn std::error::Error>> {
    let start = shared.starts.fetch_add(1, Ordering::SeqCst);
    let runtime = world::runtime(shared.seed.wrapping_mul(31).wrapping_add(start));
    let settings: Vec<_> = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let (config, _notices) = BrokerConfig::from_layers(None, &settings)?;
    match Broker::start(config, runtime, disk).await {
        Ok(broker) => {
            shared.note(format_args!("broker serves, start {start}"));
            tokio::select! {
                biased;
                () = shared.stop.notified() => match broker.stop().await {
                    Ok(()) => shared.note("broker stopped in order"),
                    Err(fault) => shared.note(format_args!("broker stopped: {fault}")),
                },
                fault = broker.failed() => shared.note(format_args!("broker cannot go on: {fault}")),
            }
        }
        Err(fault) => {
            shared.note(format_args!("broker does not start: {fault}"));
            // Who starts it again takes a moment for it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    shared.ended.store(true, Ordering::SeqCst);
    std::future::pending().await
}
