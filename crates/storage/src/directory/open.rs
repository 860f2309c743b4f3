//! Opening a log directory: whatever partitions are in it, on several threads if there are many.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_types::{Offset, TopicPartition};
use parking_lot::Mutex;

use super::checkpoints::{HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use super::cleaning::CLEANED;
use super::cleanings::Cleanings;
use super::moves::future_of;
use super::threads::for_each;
use super::{ClaimedDirectory, LogDirectory, Partition, Turns, clean_stop};
use crate::checkpoint::{self, PartitionOffsets};
use crate::disk::{Disk, block_on};
use crate::fault::{StorageFault, Trying};
use crate::flush::DirtyLogs;
use crate::log::{Log, LogConfig, Recovery, SavedPoint};
use crate::meta_properties::MetaProperties;
use crate::partition_metadata;

/// A real Kafka's log of metadata. It is no partition, and none of ours to touch.
const KAFKAS_METADATA: &str = "__cluster_metadata-0";

/// How a log directory is opened.
pub struct OpenOptions<'a> {
    /// Whose it must be; a directory that does not say yet is marked so.
    pub meta: MetaProperties,
    /// The configuration of a partition's log.
    pub config: &'a (dyn Fn(&TopicPartition) -> LogConfig + Sync),
    /// On how many threads logs are opened (`num.recovery.threads.per.data.dir`). With 1 they are opened one after the
    /// other in the caller's own task, as a simulation wants it; with more the caller's thread blocks until all are.
    pub recovery_threads: usize,
}

impl LogDirectory {
    /// Opens several directories, each with its own options and on its own threads, side by side. Answers in their order.
    pub async fn open_several(
        disk: &Arc<dyn Disk>,
        directories: Vec<(PathBuf, OpenOptions<'_>)>,
    ) -> Vec<Result<Self, StorageFault>> {
        if directories.len() == 1 || directories.iter().any(|(_, options)| options.recovery_threads <= 1) {
            let mut opened = Vec::new();
            for (path, options) in directories {
                opened.push(Self::open(disk.clone(), path, options).await);
            }
            return opened;
        }
        std::thread::scope(|scope| {
            let open = |(path, options)| scope.spawn(|| block_on(Self::open(disk.clone(), path, options)));
            let threads: Vec<_> = directories.into_iter().map(open).collect();
            threads.into_iter().map(|thread| thread.join().expect("opening a directory does not panic")).collect()
        })
    }

    /// Opens the directory at `path`, which is made if it is not there, and every log in it. A fault is the directory's;
    /// a log that cannot be opened is left closed ([`LogDirectory::faulty`]).
    pub async fn open(
        disk: Arc<dyn Disk>,
        path: impl AsRef<Path>,
        options: OpenOptions<'_>,
    ) -> Result<Self, StorageFault> {
        let claimed = ClaimedDirectory::claim(&*disk, path, options.meta).await?;
        let path = claimed.path();
        let was_clean = clean_stop::exists(&*disk, path).await?;
        let mut saved = saved_points(&*disk, path).await?;
        let high_watermarks = offsets(&*disk, path, HIGH_WATERMARKS).await?;
        let mut cleaned = offsets(&*disk, path, CLEANED).await?;
        let (names, futures) = partitions_in(&*disk, path).await?;
        let todo: Vec<Todo> = names
            .into_iter()
            .map(|name| {
                let (saved, cleaned) = (saved.get(&name).copied(), cleaned.get(&name).copied());
                Todo { config: (options.config)(&name), saved, cleaned, name }
            })
            .collect();
        let opened = open_all(&disk, path, &todo, was_clean, options.recovery_threads).await?;
        if was_clean {
            clean_stop::remove(&*disk, path).await?;
        }
        // Points of partitions that are gone must not meet a namesake.
        saved.retain(|name, _| todo.binary_search_by(|todo| todo.name.cmp(name)).is_ok());
        cleaned.retain(|name, _| todo.binary_search_by(|todo| todo.name.cmp(name)).is_ok());
        let directory = Self {
            disk,
            claimed,
            was_clean,
            partitions: Mutex::default(),
            faulty: Mutex::default(),
            futures: Mutex::new(futures),
            saved: Mutex::new(saved),
            cleaned: Mutex::new(cleaned),
            cleanings: Cleanings::default(),
            high_watermarks,
            dirty: Arc::new(DirtyLogs::default()),
            turns: Turns::default(),
            threads: options.recovery_threads,
        };
        for (todo, opened) in todo.into_iter().zip(opened) {
            match opened {
                Ok(partition) => directory.adopt(&todo.name, partition.log, partition.topic_id),
                Err(fault) => {
                    tracing::error!(partition = %todo.name, %fault, "the partition cannot be opened; it is offline");
                    directory.faulty.lock().insert(todo.name, fault);
                }
            }
        }
        Ok(directory)
    }
}

/// The offsets of a checkpoint file. One that is damaged counts as empty, as for Kafka: recovery then reads more than it
/// must, and a log begins with its first segment.
async fn offsets(disk: &dyn Disk, path: &Path, name: &str) -> Result<PartitionOffsets, StorageFault> {
    let path = path.join(name);
    let Some(text) = checkpoint::read(disk, &path).await? else { return Ok(PartitionOffsets::new()) };
    Ok(checkpoint::decode_offsets(&text, &path).unwrap_or_else(|fault| {
        tracing::warn!(%fault, "the checkpoint is passed over");
        PartitionOffsets::new()
    }))
}

async fn saved_points(disk: &dyn Disk, path: &Path) -> Result<BTreeMap<TopicPartition, SavedPoint>, StorageFault> {
    const NOTHING: SavedPoint = SavedPoint { recovery_point: Offset::ZERO, log_start_offset: Offset::ZERO };
    let mut saved: BTreeMap<TopicPartition, SavedPoint> = BTreeMap::new();
    for (name, log_start_offset) in offsets(disk, path, LOG_STARTS).await? {
        saved.entry(name).or_insert(NOTHING).log_start_offset = log_start_offset;
    }
    for (name, recovery_point) in offsets(disk, path, RECOVERY_POINTS).await? {
        saved.entry(name).or_insert(NOTHING).recovery_point = recovery_point;
    }
    Ok(saved)
}

/// The partitions whose directories are there, sorted, and those that were being moved here. Deleted ones are removed on
/// the way, and of several copies of one partition all but the first.
async fn partitions_in(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(Vec<TopicPartition>, BTreeMap<TopicPartition, PathBuf>), StorageFault> {
    let (mut names, mut futures) = (Vec::new(), BTreeMap::new());
    for entry in disk.list(path).await.trying("list", path)? {
        if !entry.is_directory || entry.name == KAFKAS_METADATA {
            continue;
        }
        let future = future_of(&entry.name);
        let is_second = future.as_ref().is_some_and(|future| futures.contains_key(future));
        if entry.name.ends_with("-delete") || is_second {
            let deleted = path.join(&entry.name);
            disk.remove_directory(&deleted).await.trying("remove", &deleted)?;
        } else if let Some(future) = future {
            futures.insert(future, path.join(&entry.name));
        } else {
            names.extend(TopicPartition::from_directory(&entry.name));
        }
    }
    names.sort();
    Ok((names, futures))
}

/// How a partition is to be opened, by what the checkpoint files say.
fn recovery(saved: Option<&SavedPoint>, cleaned: Option<Offset>, clean: bool) -> Recovery {
    let compacted = cleaned.unwrap_or(Offset::ZERO);
    match saved {
        Some(SavedPoint { recovery_point, log_start_offset }) => {
            Recovery { recovery_point: *recovery_point, log_start_offset: *log_start_offset, compacted, clean }
        }
        None => Recovery { compacted, clean, ..Recovery::UNKNOWN },
    }
}

/// A partition to open.
struct Todo {
    name: TopicPartition,
    config: LogConfig,
    saved: Option<SavedPoint>,
    cleaned: Option<Offset>,
}

/// Opens each. What recovery repaired is synced together at the end: before that nobody is served.
async fn open_all(
    disk: &Arc<dyn Disk>,
    path: &Path,
    todo: &[Todo],
    clean: bool,
    threads: usize,
) -> Result<Vec<Result<Partition, StorageFault>>, StorageFault> {
    let opened = for_each(todo.len(), threads, |i| Box::pin(open_one(disk, path, &todo[i], clean))).await;
    if !clean && !todo.is_empty() {
        disk.sync_all(path).await.trying("sync", path)?;
    }
    Ok(opened)
}

async fn open_one(disk: &Arc<dyn Disk>, path: &Path, todo: &Todo, clean: bool) -> Result<Partition, StorageFault> {
    let directory = path.join(todo.name.to_string());
    let topic_id = partition_metadata::read(&**disk, &directory).await?;
    let recovery = recovery(todo.saved.as_ref(), todo.cleaned, clean);
    let log = Log::open_unsynced(disk.clone(), &directory, todo.config, recovery).await?;
    Ok(Partition { log, topic_id })
}
