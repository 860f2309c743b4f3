//! openraft's own tests of log stores and state machines, run on ours.

use std::path::PathBuf;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use ottla_runtime::Clock;
use ottla_storage::disk::Disk;
use ottla_storage::disk::simulated::SimulatedDisk;
use ottla_storage::disk::system::SystemDisk;
use parking_lot::Mutex;

use crate::fault::FirstFault;
use crate::journal::Journal;
use crate::log_store::LogStore;
use crate::machine::{Machine, Published};
use crate::raft::{Types, seeded};
use crate::snapshot::SnapshotFile;
use crate::vote::VoteFile;

/// Makes a store in a directory of its own for each test.
struct Stores {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    clock: Arc<dyn Clock>,
    made: Mutex<u32>,
}

impl Stores {
    fn next_directory(&self) -> PathBuf {
        let mut made = self.made.lock();
        *made += 1;
        self.root.join(format!("store-{made}"))
    }
}

impl StoreBuilder<Types, LogStore, Machine> for Stores {
    async fn build(&self) -> Result<((), LogStore, Machine), StorageError<Types>> {
        let (disk, directory) = (self.disk.clone(), self.next_directory());
        let faults = FirstFault::default();
        disk.create_directory(&directory).await.expect("made");
        let journal = Journal::open(disk.clone(), &directory, 1024, 0, self.clock.clone()).await.expect("opened");
        let vote_file = VoteFile::new(disk.clone(), &directory);
        let log_store = LogStore::open(journal, vote_file, &directory, faults.clone()).await.expect("opened");
        let log_store = log_store.that_begins_anywhere().await;
        let machine = Machine::new(Published::new(), SnapshotFile::new(disk, &directory), faults);
        Ok(((), log_store, machine))
    }
}

async fn run(disk: Arc<dyn Disk>, root: PathBuf) {
    let executor = tokio::runtime::Handle::current();
    let clock = ottla_runtime::system::runtime(executor.clone(), executor).clock;
    let stores = Stores { disk, root, clock, made: Mutex::new(0) };
    seeded(1, Suite::<Types, LogStore, Machine, Stores, ()>::test_all(stores)).await.expect("every test passes");
}

#[tokio::test(start_paused = true)]
async fn openrafts_storage_tests_pass_on_the_simulated_disk() {
    run(SimulatedDisk::new(1), PathBuf::from("/stores")).await;
}

#[tokio::test(start_paused = true)]
async fn openrafts_storage_tests_pass_on_the_systems_disk() {
    let root = tempfile::tempdir().expect("a directory");
    run(SystemDisk::inline(), root.path().to_owned()).await;
}
