//! Partitions on their way from one log directory to another (KIP-113): which, how far, and what a request changes.
//!
//! A move that was asked for is noted on the target's disk at once, so that it goes on after a restart. Requests and
//! deletions take turns; the moves themselves are carried out by a few workers, which take one after the other. At most
//! one move of a partition is under way: a request for another directory replaces it, one for the directory that the
//! partition is in cancels it.
//!
//! How one move goes is in `carry.rs`, how fast in `throttle.rs`; what is copied, and what a crash leaves, in `storage`.

mod carry;
mod throttle;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ottla_metadata::Image;
use ottla_runtime::Runtime;
use ottla_storage::{LogDirectory, StorageFault};
use ottla_types::{ErrorCode, Offset, TopicId, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::directories::Directories;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::settings::Settings;
use throttle::Throttle;

/// All moves of this broker.
pub(crate) struct Moves {
    runtime: Runtime,
    settings: Arc<Settings>,
    directories: Arc<Directories>,
    partitions: Arc<Partitions>,
    /// Held by whoever asks for a move or gives one up.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<BTreeMap<TopicPartition, Known>>,
    throttle: Mutex<Throttle>,
    /// There is a move that no worker has.
    wanted: Notify,
}

/// A move that waits or is under way.
struct Known {
    underway: Arc<Underway>,
    /// A worker has it.
    taken: bool,
}

/// What is known of a move while it goes on.
pub(crate) struct Underway {
    name: TopicPartition,
    topic_id: TopicId,
    target: PathBuf,
    /// Bytes of the copy.
    bytes: AtomicU64,
    /// Below this offset the copy has everything.
    end: AtomicI64,
    /// It is not wanted any more.
    cancelled: CancellationToken,
    /// Its worker has let go of it.
    over: CancellationToken,
}

impl Underway {
    /// Bytes of the copy, and the offset below which it has everything.
    pub(crate) fn progress(&self) -> (u64, Offset) {
        (self.bytes.load(Ordering::Relaxed), Offset(self.end.load(Ordering::Relaxed)))
    }

    /// Where it goes.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }
}

impl Moves {
    pub(crate) fn new(
        runtime: Runtime,
        settings: Arc<Settings>,
        directories: Arc<Directories>,
        partitions: Arc<Partitions>,
    ) -> Self {
        Self {
            runtime,
            settings,
            directories,
            partitions,
            turn: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            throttle: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    /// The move of a partition that waits or is under way.
    pub(crate) fn underway(&self, name: &TopicPartition) -> Option<Arc<Underway>> {
        self.known.lock().get(name).map(|known| known.underway.clone())
    }

    /// Has a partition that is served here moved to `target`. What was asked for before no longer counts.
    pub(crate) async fn ask(
        &self,
        partition: &Partition,
        topic_id: TopicId,
        target: &Arc<LogDirectory>,
    ) -> Result<(), ErrorCode> {
        let name = &partition.name;
        let _turn = self.turn.lock().await;
        let is_asked_already = |underway: &Arc<Underway>| underway.target() == target.path();
        if !self.underway(name).as_ref().is_some_and(is_asked_already) {
            self.cancel(name).await;
            self.remove_futures(name).await;
        }
        // Only now: the one that was cancelled may have come to its end first.
        let Some(source) = self.directories.holder(name) else { return Err(ErrorCode::KafkaStorageError) };
        if source.path() == target.path() || self.underway(name).is_some() {
            return Ok(());
        }
        // As Kafka: the partition may be half moved to a directory that nobody can look into.
        if self.directories.has_lost() || partition.log().failed().is_some() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let planned = target.plan_future(name, topic_id, self.runtime.random.wide_bits()).await;
        planned.map_err(|fault| {
            warn!(partition = %name, %fault, "the move cannot begin");
            fault.error_code()
        })?;
        info!(partition = %name, from = %source.path().display(), to = %target.path().display(), "to be moved");
        self.add(name, topic_id, target.path(), partition.bounds().log_start);
        Ok(())
    }

    /// Gives up whatever was begun for a partition that is about to be deleted.
    pub(crate) async fn give_up(&self, name: &TopicPartition) {
        let _turn = self.turn.lock().await;
        self.cancel(name).await;
        self.remove_futures(name).await;
    }

    /// Takes up the moves that were begun before the broker started. Copies of what is no longer wanted go.
    pub(crate) async fn resume(&self, image: &Image) {
        let _turn = self.turn.lock().await;
        for directory in self.directories.online() {
            for name in directory.futures() {
                let topic_id = image.topic_by_name(name.topic.as_str()).and_then(|topic| {
                    topic.partition(name.partition)?;
                    Some(topic.id)
                });
                match self.is_wanted(&directory, &name, topic_id).await {
                    Some((topic_id, start)) => self.add(&name, topic_id, directory.path(), start),
                    None if topic_id.is_some() && self.directories.holder(&name).is_none() => {
                        warn!(partition = %name, "its move waits until the directory is back that it leaves");
                    }
                    None => {
                        info!(partition = %name, directory = %directory.path().display(), "a move is given up");
                        give_up_future(&directory, &name).await;
                    }
                }
            }
        }
    }

    /// The topic and the log's start, if a copy is one of a partition that is served elsewhere.
    async fn is_wanted(
        &self,
        directory: &LogDirectory,
        name: &TopicPartition,
        topic_id: Option<TopicId>,
    ) -> Option<(TopicId, Offset)> {
        let topic_id = topic_id?;
        let is_its = matches!(directory.future_topic(name).await, Ok(Some(copied)) if copied == topic_id);
        let source = self.directories.holder(name)?;
        if !is_its || source.path() == directory.path() || self.underway(name).is_some() {
            return None;
        }
        let partition = self.partitions.get(topic_id, name.partition)?;
        Some((topic_id, partition.bounds().log_start))
    }

    fn add(&self, name: &TopicPartition, topic_id: TopicId, target: &Path, start: Offset) {
        let underway = Underway {
            name: name.clone(),
            topic_id,
            target: target.to_owned(),
            bytes: AtomicU64::new(0),
            end: AtomicI64::new(start.0),
            cancelled: CancellationToken::new(),
            over: CancellationToken::new(),
        };
        self.known.lock().insert(name.clone(), Known { underway: Arc::new(underway), taken: false });
        self.wanted.notify_one();
    }

    /// Ends a move, and waits until no worker has it any more.
    async fn cancel(&self, name: &TopicPartition) {
        let taken = {
            let mut known = self.known.lock();
            match known.get(name) {
                Some(Known { underway, taken: true }) => Some(underway.clone()),
                _ => {
                    known.remove(name);
                    None
                }
            }
        };
        if let Some(underway) = taken {
            underway.cancelled.cancel();
            underway.over.cancelled().await;
        }
    }

    async fn remove_futures(&self, name: &TopicPartition) {
        for directory in self.directories.online() {
            give_up_future(&directory, name).await;
        }
    }

    fn take_next(&self) -> Option<Arc<Underway>> {
        let mut known = self.known.lock();
        let next = known.values_mut().find(|known| !known.taken)?;
        next.taken = true;
        Some(next.underway.clone())
    }

    /// Its worker is done with it.
    fn forget(&self, underway: &Arc<Underway>) {
        self.known.lock().remove(&underway.name);
        underway.over.cancel();
    }
}

/// Removes what was copied of a partition. What cannot be removed now is by the next start.
async fn give_up_future(directory: &LogDirectory, name: &TopicPartition) {
    let removed: Result<(), StorageFault> = directory.remove_future(name).await;
    if let Err(fault) = removed {
        warn!(partition = %name, %fault, "what was copied of it could not be removed");
    }
}
