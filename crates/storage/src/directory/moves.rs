//! Moving a partition from one directory to another on the same broker (KIP-113).
//!
//! ```text
//! target/<topic>-<n>.<id>-future     planned, with the topic's id in it; grows, while the log is served from where it is
//!   the log is closed, the rest is copied, all is durable and was opened once to see that it can be
//!   target/…-future/moved-from       names the directory that it leaves
//!   …-future becomes <topic>-<n>     from here on the copy is the partition
//!   source/<topic>-<n> becomes <topic>-<n>.<id>-delete
//!   moved-from is removed
//! ```
//!
//! A crash before the renaming leaves the partition where it was, and the copy goes on at the next start. A crash behind
//! it may leave the partition in both: then `moved-from` says which of them is the copy, and the other one goes
//! ([`LogDirectory::supersedes`]). Without it nobody could tell, and the start would stop, as Kafka's does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::{Offset, TopicId, TopicPartition, Uuid};

use super::cleanings::Pause;
use super::retire::{NAME_BYTES_MAX, retired_name};
use super::{LogDirectory, Partition};
use crate::checkpoint;
use crate::fault::{StorageFault, Trying};
use crate::log::{Log, LogConfig, LogCopy, Recovery, SavedPoint, remove};
use crate::partition_metadata;
use crate::sown::{self, Bug};

/// The ending of a partition's directory that is being filled.
pub(super) const FUTURE: &str = "future";
/// Within a partition's directory: the id of the directory that it was moved from, while the old one may be there.
const MOVED_FROM: &str = "moved-from";

/// A partition on its way.
#[derive(Debug)]
pub struct Move {
    name: TopicPartition,
    topic_id: Option<TopicId>,
    source: Arc<LogDirectory>,
    target: Arc<LogDirectory>,
    config: LogConfig,
    log: Arc<Log>,
    copy: LogCopy,
    /// Compaction would have segments copied again and again.
    pause: Pause,
}

/// A partition that was moved, while what it has left is still there.
#[must_use = "the old files stay until they are left"]
#[derive(Debug)]
pub struct Moved {
    /// The log that serves from now on.
    pub log: Arc<Log>,
    name: TopicPartition,
    source: Arc<LogDirectory>,
    target: Arc<LogDirectory>,
    /// Until the old files are left.
    _pause: Pause,
}

/// How a move ended that could not be finished.
#[derive(Debug)]
pub struct MoveFailed {
    /// Why.
    pub fault: StorageFault,
    /// The log, opened again where it was; `None` if it is unknown which of the two a restart would find.
    pub log: Option<Arc<Log>>,
}

/// Whether a partition's name leaves room for what a move adds to it.
#[must_use]
pub fn can_be_moved(partition: &TopicPartition) -> bool {
    let added = format!("-{}.{:032x}-{FUTURE}", partition.partition, 0).len();
    partition.topic.as_str().len() + added <= NAME_BYTES_MAX
}

/// The partition that a directory of that name is being filled for.
pub(super) fn future_of(name: &str) -> Option<TopicPartition> {
    let (partition, _id) = name.strip_suffix("-future")?.rsplit_once('.')?;
    TopicPartition::from_directory(partition)
}

impl Move {
    /// Begins to move a partition that is in `source`, or goes on with it if `target` has a part of it. `random` makes the
    /// copy's name unique.
    pub async fn begin(
        source: Arc<LogDirectory>,
        target: Arc<LogDirectory>,
        name: &TopicPartition,
        random: u128,
    ) -> Result<Self, StorageFault> {
        let Some(Partition { log, topic_id }) = source.get(name) else {
            return Err(StorageFault::Partition { path: source.directory_of(name), state: "is not there" });
        };
        // Left by an earlier move, it would speak against this one.
        source.forget_origin(name).await?;
        let path = {
            let mut futures = target.futures.lock();
            let fresh = || target.path().join(retired_name(name, random, FUTURE));
            futures.entry(name.clone()).or_insert_with(fresh).clone()
        };
        let pause = source.cleanings.pause(name).await;
        let copy = LogCopy::begin(log.clone(), &path).await?;
        Ok(Self { name: name.clone(), topic_id, source, target, config: log.config(), log, copy, pause })
    }

    /// Copies up to `bytes_max` bytes; answers how many. 0: the copy has all that is written by now.
    pub async fn step(&mut self, bytes_max: usize) -> Result<u64, StorageFault> {
        self.copy.step(bytes_max).await
    }

    /// Bytes of the copy.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.copy.bytes()
    }

    /// Everything below is in the copy; what lies in a segment that is being copied does not count yet.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.copy.end()
    }

    /// Bytes that are written and not in the copy.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.copy.remaining()
    }

    /// Makes durable what was copied by now: the log is closed for less long then.
    pub async fn sync(&self) -> Result<(), StorageFault> {
        self.copy.sync().await
    }

    /// Closes the log, copies the rest, and puts the copy in its place. From the answer on the copy is the partition;
    /// what it has left is still there.
    pub async fn finish(mut self) -> Result<Moved, MoveFailed> {
        // Before the log is closed: whoever writes the directory's checkpoints may be at it for long.
        let target = self.target.clone();
        let turn = target.turns.next().await;
        if let Err(fault) = self.prepare().await {
            return Err(self.stay(fault).await);
        }
        let log = match self.replace().await {
            Ok(log) => log,
            Err(fault) => return Err(MoveFailed { fault, log: None }),
        };
        drop(turn);
        let Self { name, source, target, pause, .. } = self;
        Ok(Moved { log, name, source, target, _pause: pause })
    }

    /// Everything that is done before the copy counts.
    async fn prepare(&mut self) -> Result<(), StorageFault> {
        let closed = self.log.close().await?;
        self.config = self.log.config();
        self.copy.finish().await?;
        let path = self.copy.path();
        let disk = &self.target.disk;
        let tried = Log::open(disk.clone(), &path, self.config, recovery(&closed)).await?;
        if tried.ends().log_end != closed.recovery_point {
            let reason = format!("the copy ends at {}, expected {}", tried.ends().log_end, closed.recovery_point);
            return Err(StorageFault::damaged(&path, 0, reason));
        }
        drop(tried);
        if let Some(id) = self.source.meta().directory_id.filter(|_| !sown::is(Bug::CopyWithoutOrigin)) {
            checkpoint::replace(&**disk, &path.join(MOVED_FROM), Bytes::from(id.to_string())).await?;
        }
        self.target.saved.lock().insert(self.name.clone(), closed);
        self.target.write_points().await?;
        self.target.set_cleaned(&self.name, self.source.cleaned_up_to(&self.name)).await
    }

    /// Gives the copy the partition's name. Once this was begun, only a restart can tell which of the two it finds.
    async fn replace(&self) -> Result<Arc<Log>, StorageFault> {
        let (target, disk) = (&self.target, &self.target.disk);
        let (future, path) = (self.copy.path(), target.directory_of(&self.name));
        disk.rename(&future, &path).await.trying("rename", &future)?;
        disk.sync_directory(target.path()).await.trying("sync", target.path())?;
        let opened = self.open_copy(&path).await;
        // Only now: who asks what is in this directory finds one of the two at any moment.
        target.futures.lock().remove(&self.name);
        opened
    }

    /// Opens the copy under the partition's name, and has the directory serve it.
    async fn open_copy(&self, path: &Path) -> Result<Arc<Log>, StorageFault> {
        let target = &self.target;
        let point = target.saved.lock().get(&self.name).copied();
        let point = point.expect("it was saved before, and nobody else knows the partition here");
        let log = Log::open(target.disk.clone(), path, self.config, recovery(&point)).await?;
        log.remember_producers_of(&self.log);
        target.adopt(&self.name, log.clone(), self.topic_id);
        Ok(log)
    }

    /// The move failed while the partition still is where it was: it is served from there again.
    async fn stay(self, fault: StorageFault) -> MoveFailed {
        let path = self.source.directory_of(&self.name);
        let ends = self.log.ends();
        let point = SavedPoint { recovery_point: ends.flushed, log_start_offset: ends.log_start };
        let is_closed = matches!(self.log.failed(), Some(StorageFault::Closed { .. }));
        if !is_closed {
            // It failed for itself: what is on the device is for a restart to find out.
            return MoveFailed { fault, log: Some(self.log) };
        }
        match Log::open(self.source.disk.clone(), &path, self.config, recovery(&point)).await {
            Ok(log) => {
                self.source.adopt(&self.name, log.clone(), self.topic_id);
                MoveFailed { fault, log: Some(log) }
            }
            Err(again) => {
                tracing::error!(partition = %self.name, fault = %again, "the log cannot be opened again");
                MoveFailed { fault, log: None }
            }
        }
    }
}

impl Moved {
    /// Takes the old files out of the way, and answers where they are, for [`LogDirectory::remove_deleted`]; none if that
    /// could not be done. Who still reads the old log may find that its files are gone.
    pub async fn leave(self, random: u128) -> Option<PathBuf> {
        match self.set_old_aside(random).await {
            Ok(retired) => Some(retired),
            Err(fault) => {
                tracing::warn!(partition = %self.name, %fault, "moved, but the old files are still there");
                None
            }
        }
    }

    async fn set_old_aside(&self, random: u128) -> Result<PathBuf, StorageFault> {
        let retired = self.source.delete(&self.name, random).await?;
        self.target.forget_origin(&self.name).await?;
        Ok(retired)
    }
}

/// As after a clean stop: the log was closed in order.
fn recovery(point: &SavedPoint) -> Recovery {
    let SavedPoint { recovery_point, log_start_offset } = *point;
    Recovery { recovery_point, log_start_offset, clean: true, ..Recovery::UNKNOWN }
}

impl LogDirectory {
    /// The partitions that are being moved here.
    #[must_use]
    pub fn futures(&self) -> Vec<TopicPartition> {
        self.futures.lock().keys().cloned().collect()
    }

    /// Whether a partition is being moved here, or is to be.
    #[must_use]
    pub fn is_moving_here(&self, partition: &TopicPartition) -> bool {
        self.futures.lock().contains_key(partition)
    }

    /// Notes, durably, that a partition is to be moved here. `random` makes the copy's name unique.
    pub async fn plan_future(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        random: u128,
    ) -> Result<(), StorageFault> {
        if self.futures.lock().contains_key(partition) {
            return Ok(());
        }
        let path = self.path().join(retired_name(partition, random, FUTURE));
        self.disk.create_directory(&path).await.trying("make", &path)?;
        partition_metadata::write(&*self.disk, &path, topic_id).await?;
        self.disk.sync_directory(self.path()).await.trying("sync", self.path())?;
        self.futures.lock().insert(partition.clone(), path);
        Ok(())
    }

    /// The topic whose partition is being moved here under that name; `None` if it does not say.
    pub async fn future_topic(&self, partition: &TopicPartition) -> Result<Option<TopicId>, StorageFault> {
        let Some(path) = self.futures.lock().get(partition).cloned() else { return Ok(None) };
        partition_metadata::read(&*self.disk, &path).await
    }

    /// Whether the partition here was moved from `other` and takes the place of the one there.
    pub async fn supersedes(&self, partition: &TopicPartition, other: &Self) -> Result<bool, StorageFault> {
        let path = self.directory_of(partition).join(MOVED_FROM);
        let Some(text) = checkpoint::read(&*self.disk, &path).await? else { return Ok(false) };
        let id: Option<Uuid> = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        Ok(id.is_some() && id == other.meta().directory_id)
    }

    /// The old one is gone: the partition here is a partition like any other.
    pub async fn forget_origin(&self, partition: &TopicPartition) -> Result<(), StorageFault> {
        let directory = self.directory_of(partition);
        let path = directory.join(MOVED_FROM);
        if checkpoint::read(&*self.disk, &path).await?.is_none() {
            return Ok(());
        }
        remove(&*self.disk, &path).await?;
        self.disk.sync_directory(&directory).await.trying("sync", &directory)
    }

    /// Gives up a move to here: what was copied goes.
    pub async fn remove_future(&self, partition: &TopicPartition) -> Result<(), StorageFault> {
        let Some(path) = self.futures.lock().remove(partition) else { return Ok(()) };
        match self.disk.remove_directory(&path).await.trying("remove", &path) {
            Err(fault) if fault.is_not_found() => Ok(()),
            other => other,
        }
    }
}
