//! A runtime on one thread and paused time, with random numbers from a seed: what the tests of this crate run on.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_metadata::{FACTS_VERSION, Fact};
use ottla_quorum::{Options, Quorum, QuorumFault, Term};
use ottla_runtime::{BoxFuture, Lane, Runtime, SeededRandom, Spawn, TokioClock, WallClock};
use ottla_storage::disk::Disk;
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::{BrokerId, Timestamp, TopicId, TopicName, Uuid};

/// Where the tests keep the log.
pub(crate) const DIRECTORY: &str = "/logs/ottla-metadata";

/// Runs `test` to its end, on paused time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    executor.expect("an executor").block_on(test)
}

/// The seams of a world that begins at `seed`. To be called within [`run`].
pub(crate) fn runtime(seed: u64) -> Runtime {
    Runtime {
        clock: Arc::new(TokioClock::start(FixedWall)),
        random: Arc::new(SeededRandom::new(seed)),
        tasks: Arc::new(SameThread),
        network: ottla_runtime::system::runtime(tokio::runtime::Handle::current(), tokio::runtime::Handle::current())
            .network,
    }
}

struct FixedWall;

impl WallClock for FixedWall {
    fn wall(&self, since_start: Duration) -> Timestamp {
        Timestamp(1_800_000_000_000 + i64::try_from(since_start.as_millis()).expect("a short test"))
    }
}

struct SameThread;

impl Spawn for SameThread {
    fn spawn(&self, _: Lane, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

/// Options for node 1 with a snapshot every `entries` entries, none of which stays in the log for others, and segments of a few
/// entries.
pub(crate) fn options(entries: u64) -> Options {
    Options { snapshot_entries: entries, keep_entries: 0, segment_bytes: 512, ..Options::new(BrokerId(1)) }
}

/// An empty disk with the directory that the broker's logs lie in.
pub(crate) fn disk(seed: u64, faults: Faults) -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::with_faults(seed, faults);
    disk.create_directory(Path::new("/logs")).wait().expect("made");
    disk.sync_directory(Path::new("/")).wait().expect("synced");
    disk
}

/// Opens the quorum in [`DIRECTORY`].
pub(crate) async fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Quorum, Arc<QuorumFault>> {
    open_in(disk, &PathBuf::from(DIRECTORY), options).await
}

/// Opens the quorum in `directory`.
pub(crate) async fn open_in(
    disk: Arc<dyn Disk>,
    directory: &Path,
    options: Options,
) -> Result<Quorum, Arc<QuorumFault>> {
    Quorum::open(&runtime(7), disk, directory, options).await
}

/// The term in which the quorum leads now.
pub(crate) fn term(quorum: &Quorum) -> Term {
    quorum.watch().borrow().leading.expect("a quorum of one leads")
}

/// What the first entry of every log must say.
pub(crate) fn level() -> Fact {
    Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: 1 }
}

/// A topic's creation; the same number, the same topic.
pub(crate) fn topic(number: u8) -> Fact {
    let id: TopicId = Uuid([number.wrapping_add(1); 16]);
    Fact::TopicCreated { id, name: TopicName::new(&format!("topic-{number}")).expect("a legal name") }
}
