//! Opening a log directory: lock, identity, and every partition in it, on several threads if there are many.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_types::TopicPartition;
use parking_lot::Mutex;

use super::{HIGH_WATERMARKS, LOG_STARTS, LogDirectory, Partition, RECOVERY_POINTS, Turns, clean_stop, recovery};
use crate::checkpoint::{self, PartitionOffsets};
use crate::disk::{Disk, Lock, block_on};
use crate::fault::{StorageFault, Trying};
use crate::flush::DirtyLogs;
use crate::log::{Log, LogConfig, SavedPoint};
use crate::meta_properties::MetaProperties;
use crate::partition_metadata;

/// A real Kafka's log of metadata. It is no partition, and none of ours to touch.
const KAFKAS_METADATA: &str = "__cluster_metadata-0";
const LOCK: &str = ".lock";

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
    /// Opens the directory at `path`, which is made if it is not there, and every log in it.
    pub async fn open(
        disk: Arc<dyn Disk>,
        path: impl AsRef<Path>,
        options: OpenOptions<'_>,
    ) -> Result<Self, StorageFault> {
        let path = path.as_ref().to_owned();
        disk.create_directory(&path).await.trying("make", &path)?;
        let lock = lock(&*disk, &path).await?;
        let meta = identify(&*disk, &path, options.meta).await?;
        let was_clean = clean_stop::exists(&*disk, &path).await?;
        let saved = saved_points(&*disk, &path).await?;
        let high_watermarks = offsets(&*disk, &path, HIGH_WATERMARKS).await?;
        let names = partitions_in(&*disk, &path).await?;
        let todo: Vec<Todo> = names
            .into_iter()
            .map(|name| Todo { config: (options.config)(&name), saved: saved.get(&name).copied(), name })
            .collect();
        let opened = open_all(&disk, &path, &todo, was_clean, options.recovery_threads).await?;
        if was_clean {
            clean_stop::remove(&*disk, &path).await?;
        }
        let directory = Self {
            disk,
            path,
            meta,
            was_clean,
            partitions: Mutex::default(),
            saved: Mutex::new(saved),
            high_watermarks,
            dirty: Arc::new(DirtyLogs::default()),
            turns: Turns::default(),
            _lock: lock,
        };
        for (todo, partition) in todo.iter().zip(opened) {
            directory.adopt(&todo.name, partition.log, partition.topic_id);
        }
        // Points of partitions that are gone must not meet a namesake.
        directory.saved.lock().retain(|name, _| todo.iter().any(|todo| todo.name == *name));
        Ok(directory)
    }
}

/// A partition to open.
struct Todo {
    name: TopicPartition,
    config: LogConfig,
    saved: Option<SavedPoint>,
}

async fn lock(disk: &dyn Disk, path: &Path) -> Result<Lock, StorageFault> {
    let file = path.join(LOCK);
    match disk.lock(&file).await {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(StorageFault::Locked { path: path.to_owned() }),
        other => other.trying("lock", &file),
    }
}

/// Checks whose directory it is, or says so if nobody has.
async fn identify(disk: &dyn Disk, path: &Path, expected: MetaProperties) -> Result<MetaProperties, StorageFault> {
    if let Some(found) = MetaProperties::read(disk, path).await? {
        found.must_be(&expected, path)?;
        return Ok(found);
    }
    // New: its own name must last, and those of the directories above that were made with it.
    expected.write(disk, path).await?;
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_directory(above).await.trying("sync", above)?;
    }
    Ok(expected)
}

async fn offsets(disk: &dyn Disk, path: &Path, name: &str) -> Result<PartitionOffsets, StorageFault> {
    let path = path.join(name);
    match checkpoint::read(disk, &path).await? {
        Some(text) => checkpoint::decode_offsets(&text, &path),
        None => Ok(PartitionOffsets::new()),
    }
}

async fn saved_points(
    disk: &dyn Disk,
    path: &Path,
) -> Result<std::collections::BTreeMap<TopicPartition, SavedPoint>, StorageFault> {
    let recovery_points = offsets(disk, path, RECOVERY_POINTS).await?;
    let log_starts = offsets(disk, path, LOG_STARTS).await?;
    let mut saved: std::collections::BTreeMap<_, _> = log_starts
        .into_iter()
        .map(|(name, log_start_offset)| {
            (name, SavedPoint { recovery_point: ottla_types::Offset::ZERO, log_start_offset })
        })
        .collect();
    for (name, recovery_point) in recovery_points {
        let nothing = SavedPoint { recovery_point, log_start_offset: ottla_types::Offset::ZERO };
        saved.entry(name).or_insert(nothing).recovery_point = recovery_point;
    }
    Ok(saved)
}

/// The partitions whose directories are there. Deleted ones are removed on the way.
async fn partitions_in(disk: &dyn Disk, path: &Path) -> Result<Vec<TopicPartition>, StorageFault> {
    let mut names = Vec::new();
    for entry in disk.list(path).await.trying("list", path)? {
        if !entry.is_directory || entry.name == KAFKAS_METADATA {
            continue;
        }
        if entry.name.ends_with("-delete") {
            let deleted = path.join(&entry.name);
            disk.remove_directory(&deleted).await.trying("remove", &deleted)?;
        } else {
            names.extend(TopicPartition::from_directory(&entry.name));
        }
    }
    Ok(names)
}

async fn open_all(
    disk: &Arc<dyn Disk>,
    path: &Path,
    todo: &[Todo],
    clean: bool,
    threads: usize,
) -> Result<Vec<Partition>, StorageFault> {
    if threads <= 1 {
        let mut opened = Vec::with_capacity(todo.len());
        for todo in todo {
            opened.push(open_one(disk, path, todo, clean).await?);
        }
        return Ok(opened);
    }
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<Result<Partition, StorageFault>>>> = todo.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(todo.len()) {
            scope.spawn(|| {
                while let Some(i) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < todo.len()) {
                    *slots[i].lock() = Some(block_on(open_one(disk, path, &todo[i], clean)));
                }
            });
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().expect("every partition was opened by one of the threads")).collect()
}

async fn open_one(disk: &Arc<dyn Disk>, path: &Path, todo: &Todo, clean: bool) -> Result<Partition, StorageFault> {
    let directory = path.join(todo.name.to_string());
    let topic_id = partition_metadata::read(&**disk, &directory).await?;
    let log = Log::open(disk.clone(), &directory, todo.config, recovery(todo.saved.as_ref(), clean)).await?;
    Ok(Partition { log, topic_id })
}
