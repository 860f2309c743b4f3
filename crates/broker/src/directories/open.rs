//! Opening the log directories at the start: whose they are, which can be used, and that they agree.
//!
//! As Kafka: what cannot be read takes its directory offline; what is read and contradicts another directory or the
//! configuration stops the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::{BrokerConfig, Origin};
use ottla_runtime::Runtime;
use ottla_storage::disk::Disk;
use ottla_storage::{ClaimedDirectory, KnownDirectories, LogDirectory, MetaProperties, OpenOptions, StorageFault};
use ottla_types::{TopicPartition, Uuid};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Directories, Preferred, Slot, State};
use crate::partition;
use crate::takeover;

/// Why the log directories cannot be used together.
#[derive(Debug, Error)]
pub enum DirectoriesFault {
    /// A directory that belongs to somebody else, or is in use; or the metadata's, which nothing can stand in for.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// None can be used.
    #[error("none of log.dirs can be used: {0}")]
    None(String),
    /// A partition is in two of them.
    #[error(
        "{partition} is both in {} and in {}: one of them failed earlier, perhaps while the partition was moved. Remove \
         {partition} from the one that is known to have failed",
        first.display(),
        second.display()
    )]
    Twice {
        /// The partition.
        partition: TopicPartition,
        /// A directory that has it.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Two have the same id, as after a copy.
    #[error("directory.id={id} is both in {} and in {}: one is a copy of the other", first.display(), second.display())]
    SameId {
        /// The id.
        id: Uuid,
        /// A directory that has it.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// There are partitions, but no metadata log that knows them.
    #[error(
        "{} holds partitions, but the cluster's metadata is not in {}, where metadata.log.dir or the first of log.dirs says \
         it is: mount its disk and start again, or have log.dirs name the directory that holds {folder}",
        holder.display(),
        expected.display()
    )]
    MetadataNowhere {
        /// Where it should be.
        expected: PathBuf,
        /// The folder's name.
        folder: String,
        /// A directory that holds partitions.
        holder: PathBuf,
    },
    /// The metadata log is in another directory than the configuration says.
    #[error(
        "the cluster's metadata is in {}, and not in {}, where metadata.log.dir or the first of log.dirs says it is",
        found.display(),
        expected.display()
    )]
    MetadataElsewhere {
        /// Where it is.
        found: PathBuf,
        /// Where it should be.
        expected: PathBuf,
    },
}

impl Directories {
    /// Opens all that can be opened, and every log in them; new ones join the cluster of the others, or found one.
    /// `metadata_folder` is the metadata log's, within its directory; `stop` ends the loops of all directories.
    pub(crate) async fn open(
        config: &BrokerConfig,
        runtime: &Runtime,
        disk: &Arc<dyn Disk>,
        metadata_folder: &str,
        stop: &CancellationToken,
    ) -> Result<Self, DirectoriesFault> {
        let paths: Vec<PathBuf> = config.log_dirs.iter().map(|path| absolute(path)).collect();
        let metadata_path = absolute(&config.metadata_log_dir);
        metadata_is_where_it_should_be(&**disk, &paths, &metadata_path, metadata_folder).await?;
        let random_id = || Uuid::from_random(runtime.random.wide_bits());
        let known = known_cluster(&**disk, std::iter::once(&metadata_path).chain(&paths)).await;
        let cluster_id = known.unwrap_or_else(|| random_id().to_string());
        let meta = || MetaProperties {
            cluster_id: cluster_id.clone(),
            node_id: config.node_id,
            directory_id: Some(random_id()),
        };
        let metadata = match paths.contains(&metadata_path) {
            true => None,
            false => Some(ClaimedDirectory::claim(&**disk, &metadata_path, meta()).await?),
        };
        // What a topic says of its own is known only later. Of that a recovery would need the index's interval.
        let defaults = partition::log_config(&config.topic_defaults);
        let log_config = |_: &TopicPartition| defaults;
        let recovery_threads = recovery_threads(config);
        let options = || OpenOptions { meta: meta(), config: &log_config, recovery_threads };
        let wanted = paths.iter().map(|path| (path.clone(), options())).collect();
        let opened = open_known(disk, wanted, &metadata_path.join(metadata_folder)).await?;
        let slots = slots(paths, opened, &metadata_path, stop)?;
        let lost = slots.iter().filter(|slot| slot.online().is_none()).count();
        let (lost, _) = watch::channel(lost);
        let (cordoned, preferred) = (ArcSwap::default(), Preferred::default());
        let all = Self { slots, _metadata: metadata, cluster_id, cordoned, preferred, lost };
        all.cordon(&config.cordoned_log_dirs);
        all.agree(runtime).await?;
        Ok(all)
    }

    /// Notes in the metadata's folder which directories there are. One that is offline stays as it was known.
    pub(crate) async fn remember(&self, disk: &dyn Disk, metadata: &Path) {
        let known = KnownDirectories::read(disk, metadata).await.unwrap_or_default();
        let id = |slot: &Slot| match slot.online() {
            Some(directory) => directory.meta().directory_id,
            None => known.0.get(&slot.path).copied(),
        };
        let now = KnownDirectories(self.slots.iter().filter_map(|slot| Some((slot.path.clone(), id(slot)?))).collect());
        if now != known
            && let Err(fault) = now.write(disk, metadata).await
        {
            warn!(%fault, "which log directories there are could not be noted: one that is not mounted may pass for a new one");
        }
    }

    /// Whether no two have the same id or the same partition. A partition that a move left in two is removed where it came
    /// from.
    async fn agree(&self, runtime: &Runtime) -> Result<(), DirectoriesFault> {
        let mut ids: BTreeMap<Uuid, PathBuf> = BTreeMap::new();
        let mut seen: BTreeMap<TopicPartition, (Arc<LogDirectory>, Option<Uuid>)> = BTreeMap::new();
        for directory in self.online() {
            let second = directory.path().to_owned();
            if let Some(id) = directory.meta().directory_id
                && let Some(first) = ids.insert(id, second.clone())
            {
                return Err(DirectoriesFault::SameId { id, first, second });
            }
            let open = directory.partitions().into_iter().map(|(name, partition)| (name, partition.topic_id));
            for (partition, topic_id) in open.chain(directory.faulty_partitions().into_iter().map(|name| (name, None)))
            {
                let Some((other, other_id)) = seen.insert(partition.clone(), (directory.clone(), topic_id)) else {
                    continue;
                };
                // Two topics of one name, of which one was deleted while its directory was offline: which one, the
                // cluster's image says.
                let are_different = topic_id.is_some() && other_id.is_some() && topic_id != other_id;
                if are_different {
                    continue;
                }
                let random = runtime.random.wide_bits();
                if settle(&partition, &directory, &other, random).await? {
                    continue;
                }
                if settle(&partition, &other, &directory, random).await? {
                    seen.insert(partition, (other, other_id));
                    continue;
                }
                return Err(DirectoriesFault::Twice { partition, first: other.path().to_owned(), second });
            }
        }
        Ok(())
    }
}

/// Ends a move from `old` to `new` that a crash interrupted behind its turning point. Whether it was that.
async fn settle(
    partition: &TopicPartition,
    new: &LogDirectory,
    old: &LogDirectory,
    random: u128,
) -> Result<bool, StorageFault> {
    if new.get(partition).is_none() || !new.supersedes(partition, old).await? {
        return Ok(false);
    }
    info!(%partition, from = %old.path().display(), to = %new.path().display(), "was moved; the old copy goes");
    let retired = old.delete(partition, random).await?;
    old.remove_deleted(&retired).await?;
    new.forget_origin(partition).await?;
    Ok(true)
}

/// Opens the directories, but for those that were log directories and hold nothing now: what a broker takes for a new disk
/// may be the place where one is not mounted, and partitions made there anew would be another truth. Answers in their
/// order.
async fn open_known(
    disk: &Arc<dyn Disk>,
    wanted: Vec<(PathBuf, OpenOptions<'_>)>,
    metadata: &Path,
) -> Result<Vec<Result<LogDirectory, StorageFault>>, StorageFault> {
    let known = match KnownDirectories::read(&**disk, metadata).await {
        // Something else stands where the metadata's directory should be; claiming it says so.
        Err(StorageFault::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Ok(Default::default())
        }
        known => known,
    }?;
    let (mut present, mut vanished) = (Vec::new(), Vec::new());
    for (at, (path, options)) in wanted.into_iter().enumerate() {
        match known.0.get(&path) {
            Some(id) if matches!(MetaProperties::read(&**disk, &path).await, Ok(None)) => {
                vanished.push((at, StorageFault::Vanished { path, id: *id, known: KnownDirectories::path(metadata) }));
            }
            _ => present.push((path, options)),
        }
    }
    let mut opened: Vec<_> = LogDirectory::open_several(disk, present).await;
    for (at, fault) in vanished {
        opened.insert(at, Err(fault));
    }
    Ok(opened)
}

/// `num.recovery.threads.per.data.dir` if somebody set it, otherwise one for each CPU where there are more: nothing else is
/// done yet, and checking a log computes.
fn recovery_threads(config: &BrokerConfig) -> usize {
    let wanted = config.recovery_threads_per_dir;
    match config.settings.origin("num.recovery.threads.per.data.dir") {
        Origin::Default => std::thread::available_parallelism().map_or(wanted, usize::from).max(wanted),
        _ => wanted,
    }
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The directories that could be opened and those that could not; a fault if nothing can be served.
fn slots(
    paths: Vec<PathBuf>,
    opened: Vec<Result<LogDirectory, StorageFault>>,
    metadata_path: &Path,
    stop: &CancellationToken,
) -> Result<Vec<Slot>, DirectoriesFault> {
    let mut slots = Vec::with_capacity(paths.len());
    for (path, opened) in paths.into_iter().zip(opened) {
        let state = match opened {
            Ok(directory) => State::Online(Arc::new(directory)),
            Err(fault @ (StorageFault::Mismatch { .. } | StorageFault::Locked { .. })) => return Err(fault.into()),
            Err(fault) if path == metadata_path => return Err(fault.into()),
            Err(fault) => {
                error!(directory = %path.display(), %fault, "the log directory cannot be used; its partitions are offline");
                State::Offline(fault)
            }
        };
        slots.push(Slot { path, state: Mutex::new(state), stop: stop.child_token() });
    }
    if slots.iter().all(|slot| slot.online().is_none()) {
        let each = |slot: &Slot| slot.fault().map(|fault| fault.to_string());
        return Err(DirectoriesFault::None(slots.iter().filter_map(each).collect::<Vec<_>>().join("; ")));
    }
    Ok(slots)
}

/// The cluster that the first of these directories belongs to that says so. What cannot be read is told of later.
async fn known_cluster(disk: &dyn Disk, paths: impl Iterator<Item = &PathBuf>) -> Option<String> {
    for path in paths {
        if let Ok(Some(found)) = MetaProperties::read(disk, path).await {
            return Some(found.cluster_id);
        }
    }
    None
}

/// A broker that found no metadata where it looks, and founded a cluster on partitions of another, would serve none of
/// them. So it looks around first.
async fn metadata_is_where_it_should_be(
    disk: &dyn Disk,
    paths: &[PathBuf],
    expected: &Path,
    folder: &str,
) -> Result<(), DirectoriesFault> {
    if disk.list(&expected.join(folder)).await.is_ok() {
        return Ok(());
    }
    for path in paths {
        if disk.list(&path.join(folder)).await.is_ok() {
            return Err(DirectoriesFault::MetadataElsewhere { found: path.clone(), expected: expected.to_owned() });
        }
    }
    // A Kafka's is taken over.
    if disk.list(&expected.join(takeover::FOLDER)).await.is_ok() {
        return Ok(());
    }
    for path in paths {
        let entries = disk.list(path).await.unwrap_or_default();
        if entries.iter().any(|entry| entry.is_directory && TopicPartition::from_directory(&entry.name).is_some()) {
            let (expected, folder, holder) = (expected.to_owned(), folder.to_owned(), path.clone());
            return Err(DirectoriesFault::MetadataNowhere { expected, folder, holder });
        }
    }
    Ok(())
}
