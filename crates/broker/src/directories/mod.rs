//! The log directories of this broker (`log.dirs`): which of them can be used, what is in them, where new partitions go.
//!
//! Each has its own lock, identity, checkpoint files and flush; files of one device share threads with nobody else's. A
//! directory that cannot be used at the start, or whose own files fail later, is offline until the next start: its
//! partitions answer KAFKA_STORAGE_ERROR, the others stay. A log whose write or sync fails is offline alone; its
//! directory is then made to prove itself by writing its checkpoint files. A broker without any directory ends.
//!
//! `open` brings them up, `place` decides where what is new goes, `preferred` keeps what clients wish of that. The loops of a directory are in `flusher.rs` and
//! `checkpoints.rs`.

mod open;
mod place;
mod preferred;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_storage::{ClaimedDirectory, Log, LogDirectory, NewPartition, PartitionOffsets, StorageFault};
use ottla_types::{TopicId, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use open::DirectoriesFault;
use preferred::Preferred;

/// All log directories, in the order of `log.dirs`.
pub(crate) struct Directories {
    slots: Vec<Slot>,
    /// `metadata.log.dir`, where it is none of `log.dirs`.
    _metadata: Option<ClaimedDirectory>,
    cluster_id: String,
    /// `cordoned.log.dirs`, absolute, or `*`: they get no new partitions (KIP-1066).
    cordoned: ArcSwap<Vec<PathBuf>>,
    preferred: Preferred,
    /// How many are offline.
    lost: watch::Sender<usize>,
}

/// One of `log.dirs`.
pub(crate) struct Slot {
    /// As configured, made absolute: clients call it so.
    pub(crate) path: PathBuf,
    state: Mutex<State>,
    /// Cancelled when the directory is offline or the broker stops: its loops end.
    pub(crate) stop: CancellationToken,
}

enum State {
    Online(Arc<LogDirectory>),
    Offline(StorageFault),
}

/// What the directories hold of a partition.
pub(crate) enum Found {
    /// Its log.
    Open(Arc<Log>),
    /// It is there and cannot be opened.
    Faulty(StorageFault),
    /// No directory that is online has it.
    Nowhere,
}

impl Slot {
    /// The directory, unless it is offline.
    pub(crate) fn online(&self) -> Option<Arc<LogDirectory>> {
        match &*self.state.lock() {
            State::Online(directory) => Some(directory.clone()),
            State::Offline(_) => None,
        }
    }

    /// Why it is offline, if it is.
    pub(crate) fn fault(&self) -> Option<StorageFault> {
        match &*self.state.lock() {
            State::Online(_) => None,
            State::Offline(fault) => Some(fault.clone()),
        }
    }
}

impl Directories {
    /// The id of the cluster that they belong to.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// All, online or not.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Those that are online.
    pub(crate) fn online(&self) -> impl Iterator<Item = Arc<LogDirectory>> {
        self.slots.iter().filter_map(Slot::online)
    }

    /// The directory at `path`, if it is one of them and online.
    pub(crate) fn online_at(&self, path: &Path) -> Option<Arc<LogDirectory>> {
        self.slots.iter().find(|slot| slot.path == path)?.online()
    }

    /// The directory in which a partition is open.
    pub(crate) fn holder(&self, name: &TopicPartition) -> Option<Arc<LogDirectory>> {
        self.online().find(|directory| directory.get(name).is_some())
    }

    /// Notes where a partition is to be made that is not there yet.
    pub(crate) fn prefer(&self, name: &TopicPartition, path: &Path) {
        if !self.preferred.note(name, path) {
            warn!(partition = %name, "too many directories were chosen for partitions that are not there");
        }
    }

    /// Whether one is offline. Then a partition that is nowhere may be there.
    pub(crate) fn has_lost(&self) -> bool {
        *self.lost.borrow() > 0
    }

    /// Tells when another directory is lost: how many are.
    pub(crate) fn watch_lost(&self) -> watch::Receiver<usize> {
        self.lost.subscribe()
    }

    /// Whether a log lies in a directory that is offline.
    pub(crate) fn has_lost_log(&self, log: &Log) -> bool {
        let parent = log.directory().parent();
        self.slots.iter().any(|slot| Some(slot.path.as_path()) == parent && slot.online().is_none())
    }

    /// Takes a directory offline, with all its logs, because of `fault`.
    pub(crate) fn take_offline(&self, path: &Path, fault: &StorageFault) {
        let Some(slot) = self.slots.iter().find(|slot| slot.path == path) else { return };
        let directory = {
            let mut state = slot.state.lock();
            match std::mem::replace(&mut *state, State::Offline(fault.clone())) {
                State::Online(directory) => directory,
                earlier @ State::Offline(_) => {
                    *state = earlier;
                    return;
                }
            }
        };
        error!(directory = %path.display(), %fault, "the log directory is offline until the next start");
        slot.stop.cancel();
        directory.fail(fault);
        self.lost.send_modify(|lost| *lost += 1);
    }

    /// Completes when all are offline: the last one's fault.
    pub(crate) async fn all_lost(&self) -> StorageFault {
        let mut lost = self.watch_lost();
        // The sender lives as long as `self`.
        let _ = lost.wait_for(|lost| *lost == self.slots.len()).await;
        self.slots.iter().find_map(Slot::fault).expect("all are offline, and there is at least one")
    }

    /// What is there of a partition. A log of another topic of the same name, one that is gone, is set aside under another
    /// name, made unique by `random`: data is never removed on the strength of a mismatch.
    pub(crate) async fn find(&self, name: &TopicPartition, topic_id: TopicId, random: u128) -> Found {
        let mut found = Found::Nowhere;
        for directory in self.online() {
            match directory.get(name) {
                Some(open) if open.topic_id.is_none_or(|id| id == topic_id) => found = Found::Open(open.log),
                Some(open) => {
                    error!(partition = %name, found = ?open.topic_id, wanted = %topic_id, "a log of another topic is set aside");
                    if let Err(fault) = directory.set_aside(name, random).await {
                        found = Found::Faulty(fault);
                    }
                }
                None => {
                    if let Some(fault) = directory.faulty(name) {
                        found = Found::Faulty(fault);
                    }
                }
            }
        }
        found
    }

    /// Deletes partitions wherever they are, their files too; what could not be deleted, and why. `random` makes names
    /// unique that they have meanwhile.
    pub(crate) async fn delete(
        &self,
        partitions: &[(TopicPartition, TopicId)],
        random: impl Fn() -> u128,
    ) -> Vec<(TopicPartition, StorageFault)> {
        let mut failed = Vec::new();
        for directory in self.online() {
            let is_meant = |name: &TopicPartition, topic_id: TopicId| match directory.get(name) {
                Some(open) => open.topic_id.is_none_or(|id| id == topic_id),
                None => directory.faulty(name).is_some(),
            };
            let meant = partitions.iter().filter(|(name, topic_id)| is_meant(name, *topic_id));
            let meant: Vec<_> = meant.map(|(name, _)| (name.clone(), random())).collect();
            for ((name, _), retired) in meant.iter().zip(directory.delete_all(&meant).await) {
                let removed = match retired {
                    Ok(retired) => directory.remove_deleted(&retired).await,
                    Err(fault) => Err(fault),
                };
                failed.extend(removed.err().map(|fault| (name.clone(), fault)));
            }
        }
        failed
    }

    /// Makes new partitions, each where a client wished it, else in the directory with the fewest; where that one fails, in
    /// the next. Answers in their order.
    pub(crate) async fn create(&self, new: Vec<NewPartition>) -> Vec<Result<Arc<Log>, StorageFault>> {
        let mut answers: Vec<Option<Result<Arc<Log>, StorageFault>>> = vec![None; new.len()];
        let mut tried: Vec<PathBuf> = Vec::new();
        let mut wished: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (i, new) in new.iter().enumerate() {
            if let Some(path) = self.preferred.take(&new.name) {
                wished.entry(path).or_default().push(i);
            }
        }
        for (path, chosen) in wished {
            if let Some(directory) = self.online_at(&path) {
                self.create_in(&directory, &new, chosen, &mut answers, &mut tried).await;
            }
        }
        loop {
            let open: Vec<usize> = (0..new.len()).filter(|i| !matches!(answers[*i], Some(Ok(_)))).collect();
            let candidates: Vec<_> =
                self.candidates().into_iter().filter(|d| !tried.iter().any(|t| t == d.path())).collect();
            if open.is_empty() || candidates.is_empty() {
                break;
            }
            let counts: Vec<usize> = candidates.iter().map(|directory| directory.count()).collect();
            for (directory, chosen) in candidates.iter().zip(place::spread(counts, &open)) {
                self.create_in(directory, &new, chosen, &mut answers, &mut tried).await;
            }
        }
        let nowhere = || Err(StorageFault::NoDirectory);
        answers.into_iter().map(|answer| answer.unwrap_or_else(nowhere)).collect()
    }

    /// Makes the `chosen` of `new` in one directory, which joins those that were `tried` if it fails.
    async fn create_in(
        &self,
        directory: &LogDirectory,
        new: &[NewPartition],
        chosen: Vec<usize>,
        answers: &mut [Option<Result<Arc<Log>, StorageFault>>],
        tried: &mut Vec<PathBuf>,
    ) {
        let batch: Vec<NewPartition> = chosen.iter().map(|i| new[*i].clone()).collect();
        let made = directory.create_all(&batch).await;
        if let Some(Err(fault)) = made.iter().find(|made| made.is_err()) {
            tried.push(directory.path().to_owned());
            if fault.is_the_devices() {
                self.take_offline(directory.path(), fault);
            }
        }
        for (i, made) in chosen.into_iter().zip(made) {
            answers[i] = Some(made);
        }
    }

    /// Where new partitions may go. If all are cordoned, the first: that a partition has no place would be worse.
    fn candidates(&self) -> Vec<Arc<LogDirectory>> {
        let online: Vec<_> = self.online().collect();
        let free: Vec<_> = online.iter().filter(|directory| !self.is_cordoned(directory.path())).cloned().collect();
        if free.is_empty() { online.into_iter().take(1).collect() } else { free }
    }

    /// From now on these take no new partitions, and all others do: `cordoned.log.dirs`.
    pub(crate) fn cordon(&self, paths: &[String]) {
        let named = |path: &String| if path == "*" { PathBuf::from(path) } else { open::absolute(Path::new(path)) };
        self.cordoned.store(Arc::new(paths.iter().map(named).collect()));
    }

    /// Whether a directory takes no new partitions.
    pub(crate) fn is_cordoned(&self, path: &Path) -> bool {
        self.cordoned.load().iter().any(|cordoned| cordoned == path || cordoned.as_os_str() == "*")
    }

    /// Makes durable where some partitions' logs start. Answers those of which it could not be done.
    pub(crate) async fn save_log_starts(&self, names: &[TopicPartition]) -> Vec<TopicPartition> {
        let mut left = names.to_vec();
        for directory in self.online() {
            let here: Vec<_> = left.extract_if(.., |name| directory.get(name).is_some()).collect();
            if here.is_empty() {
                continue;
            }
            if let Err(fault) = directory.save_log_starts(&here).await {
                error!(directory = %directory.path().display(), %fault, "log starts could not be saved");
                if fault.is_the_devices() {
                    self.take_offline(directory.path(), &fault);
                }
                left.extend(here);
            }
        }
        left
    }

    /// Closes those that are online. All are closed, whatever happens with one; the first fault is answered.
    pub(crate) async fn close(&self, high_watermarks: &PartitionOffsets) -> Result<(), StorageFault> {
        let mut answer = Ok(());
        for directory in self.online() {
            let closed = directory.close(high_watermarks).await;
            answer = answer.and(closed);
        }
        answer
    }
}
