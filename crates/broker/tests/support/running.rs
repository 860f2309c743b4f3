//! A broker on a simulated disk: started, stopped, killed and started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ottla_broker::{Broker, RunFault, StartFault};
use ottla_config::BrokerConfig;
use ottla_runtime::{Runtime, SeededRandom, TokioClock, WallClock, system};
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::Timestamp;

use super::{Client, Loggers, panics};

/// The date, for the broker: it stands still, unless a test moves it.
pub(crate) const WALL: Timestamp = Timestamp(1_700_000_000_000);

/// What every test's broker has in its `server.properties`.
const PROPERTIES: &str = "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/kafka\nottla.http.listener=\n";

/// How many brokers were made: each has threads of its own name.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A broker and the disk that outlives it. None of its tasks may panic.
pub(crate) struct Running {
    pub(crate) disk: Arc<SimulatedDisk>,
    properties: String,
    seed: u64,
    /// What its threads are called.
    threads: String,
    /// By how much the calendar was moved on, in milliseconds.
    later_ms: Arc<AtomicI64>,
    alive: Option<Alive>,
}

/// One run of the broker.
struct Alive {
    executor: tokio::runtime::Runtime,
    broker: Broker,
}

impl Running {
    /// A broker on an empty disk.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// The same, with more lines of `server.properties`.
    pub(crate) fn with(properties: &str) -> Self {
        Self::on(SimulatedDisk::new(1), properties)
    }

    /// The same, on a given disk.
    pub(crate) fn on(disk: Arc<SimulatedDisk>, properties: &str) -> Self {
        let mut running = Self::stopped(disk, properties);
        running.start_again();
        running
    }

    /// The same, not started yet.
    pub(crate) fn stopped(disk: Arc<SimulatedDisk>, properties: &str) -> Self {
        panics::watch();
        let threads = format!("broker-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let properties = format!("{PROPERTIES}{properties}");
        Self { disk, properties, seed: 0, threads, later_ms: Arc::default(), alive: None }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.alive.as_ref().expect("it runs").broker.addresses()[0].1
    }

    /// Where the listener of this name listens.
    pub(crate) fn address_of(&self, listener: &str) -> SocketAddr {
        let addresses = self.alive.as_ref().expect("it runs").broker.addresses();
        addresses.iter().find(|(name, _)| name == listener).expect("a listener").1
    }

    /// Moves the calendar on. Timers do not notice.
    pub(crate) fn pass_wall_time(&self, ms: i64) {
        self.later_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// What the HTTP port answers on `path`: the status and the body. It must have been asked for.
    pub(crate) fn http(&self, path: &str) -> (u16, String) {
        let address = self.alive.as_ref().expect("it runs").broker.http_address().expect("it serves HTTP");
        super::http_get(address, path)
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Asks the broker to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        let Alive { executor, broker } = self.alive.take().expect("it runs");
        executor.block_on(broker.stop()).expect("a clean stop");
    }

    /// Asks the broker to stop while something of it cannot be saved; returns what it says.
    pub(crate) fn stop_failing(&mut self) -> StartFault {
        let Alive { executor, broker } = self.alive.take().expect("it runs");
        executor.block_on(broker.stop()).expect_err("something is lost")
    }

    /// The process dies, with all its tasks; the kernel keeps what it was given.
    pub(crate) fn kill(&mut self) {
        self.disk.set_faults(Faults::process_death());
        self.alive = None;
        self.disk.crash();
        self.disk.set_faults(Faults::default());
    }

    /// The power goes: with the process goes what was not synced.
    pub(crate) fn lose_power(&mut self) {
        // First the power, then the process: what it still writes on its way down must not count.
        self.disk.crash_after(0);
        self.alive = None;
        self.disk.crash();
    }

    /// Starts on the disk as it is.
    pub(crate) fn start_again(&mut self) {
        self.try_start().expect("the broker starts");
    }

    /// The same, if it starts.
    pub(crate) fn try_start(&mut self) -> Result<(), StartFault> {
        assert!(self.alive.is_none(), "one broker at a time");
        self.seed += 1;
        let executor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(&self.threads)
            .enable_all()
            .build()
            .expect("the test's executor");
        let (config, _) = BrokerConfig::from_layers(Some(&self.properties), &[]).expect("the test's properties");
        let runtime = {
            let _entered = executor.enter();
            let seams = system::runtime(executor.handle().clone(), executor.handle().clone());
            let clock = Arc::new(TokioClock::start(StillWall(self.later_ms.clone())));
            Runtime { clock, random: Arc::new(SeededRandom::new(self.seed)), ..seams }
        };
        let loggers = Arc::new(Loggers::default());
        let broker = Broker::start_logging(config, runtime, self.disk.clone(), loggers);
        let broker = executor.block_on(broker)?;
        self.alive = Some(Alive { executor, broker });
        Ok(())
    }

    /// Waits until the broker says that it cannot go on, and why.
    pub(crate) fn failed(&self) -> RunFault {
        let Alive { executor, broker } = self.alive.as_ref().expect("it runs");
        executor.block_on(broker.failed())
    }

    /// Asks the broker to stop on another thread: what it waits for is up to the test.
    pub(crate) fn begin_stop(&mut self) -> std::thread::JoinHandle<()> {
        let Alive { executor, broker } = self.alive.take().expect("it runs");
        std::thread::spawn(move || executor.block_on(broker.stop()).expect("a clean stop"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.alive = None;
        let panics = panics::take(&self.threads);
        assert!(panics.is_empty() || std::thread::panicking(), "the broker panicked: {}", panics.join("; "));
    }
}

/// A calendar on which it is always the same moment, unless a test moves it.
struct StillWall(Arc<AtomicI64>);

impl WallClock for StillWall {
    fn wall(&self, _since_start: Duration) -> Timestamp {
        Timestamp(WALL.0 + self.0.load(Ordering::SeqCst))
    }
}
