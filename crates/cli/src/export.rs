//! `ottla export`: a copy of a stopped broker's data, with Kafka's own metadata, on which a Kafka 4.3 starts.
//!
//! The logs are Kafka's already and are copied as they are; so are the checkpoint files and the mark of the clean stop.
//! Ottla's metadata becomes a `bootstrap.checkpoint`. Nothing of the broker's own directories is changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_config::BrokerConfig;
use ottla_kraft::{Export, bootstrap_checkpoint};
use ottla_metadata::Image;
use ottla_storage::MetaProperties;
use ottla_storage::disk::system::SystemDisk;
use ottla_storage::disk::{Disk, Lock};
use ottla_types::{BrokerId, Timestamp, TopicPartition, Uuid};

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::start::{StartArgs, configuration};

/// What a broker leaves that was stopped in order.
const CLEAN_STOP: &str = ".kafka_cleanshutdown";

/// Copies, and says how to start.
pub(crate) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let start = StartArgs { config: args.config.clone(), settings: args.settings.clone() };
    let (config, _) = configuration(&start)?;
    if fs::read_dir(&args.into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!("{}: something is there already", args.into.display())));
    }
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let executor = executor.map_err(|error| Failure::new(format!("no executor: {error}")))?;
    executor.block_on(async {
        let disk = SystemDisk::inline();
        let _locks = lock(&*disk, &config).await?;
        let handle = executor.handle().clone();
        let runtime = ottla_runtime::system::runtime(handle.clone(), handle);
        let image = ottla_broker::image_of(&config, &runtime, disk.clone()).await;
        let image = image.map_err(|fault| Failure::new(format!("the metadata cannot be read: {fault}")))?;
        let copied = copy(&*disk, &config, &image, &args.into).await?;
        tell(&copied, &config)
    })
}

/// Locks the directories, so that no broker starts meanwhile; each must have been left in order.
async fn lock(disk: &dyn Disk, config: &BrokerConfig) -> Result<Vec<Lock>, Failure> {
    let mut locks = Vec::new();
    for directory in &config.log_dirs {
        let lock = disk.lock(&directory.join(".lock")).await.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                Failure::new(format!("{}: a broker runs there; stop it first", directory.display()))
            }
            _ => failed(directory, &error),
        });
        locks.push(lock?);
        if !directory.join(CLEAN_STOP).exists() {
            let why = "was not stopped in order; start it and stop it once, so that its logs are whole";
            return Err(Failure::new(format!("{}: the broker {why}", directory.display())));
        }
    }
    Ok(locks)
}

/// What was copied.
struct Copied {
    /// The new log directories.
    directories: Vec<PathBuf>,
    partitions: usize,
}

async fn copy(disk: &dyn Disk, config: &BrokerConfig, image: &Image, into: &Path) -> Result<Copied, Failure> {
    let known: BTreeMap<String, TopicPartition> = image
        .topics()
        .flat_map(|topic| {
            topic.partitions().map(|(index, _)| TopicPartition { topic: topic.name.clone(), partition: index })
        })
        .map(|name| (name.to_string(), name))
        .collect();
    let alone = config.log_dirs.len() == 1;
    let (mut directories, mut found) = (Vec::new(), BTreeMap::new());
    for (number, from) in (1..).zip(&config.log_dirs) {
        let to = if alone { into.to_owned() } else { into.join(number.to_string()) };
        let read = MetaProperties::read(disk, from).await;
        let meta = read.map_err(|fault| Failure::new(fault.to_string()))?;
        let meta = meta.ok_or_else(|| Failure::new(format!("{}: no broker was here", from.display())))?;
        let id = meta.directory_id.unwrap_or(Uuid::ZERO);
        for name in copy_directory(from, &to, &known).map_err(|error| failed(from, &error))? {
            found.insert(name, id);
        }
        directories.push(to);
    }
    let directory = |name: &TopicPartition| found.get(name).copied().unwrap_or(Uuid::ZERO);
    let export = Export { image, node: config.node_id, directory: &directory, now: now() };
    let bytes = bootstrap_checkpoint(&export).map_err(|error| Failure::new(error.to_string()))?;
    let path = directories[0].join("bootstrap.checkpoint");
    fs::write(&path, bytes).map_err(|error| failed(&path, &error))?;
    Ok(Copied { directories, partitions: found.len() })
}

/// Copies one log directory: its small files, and the partitions that the cluster has.
fn copy_directory(from: &Path, to: &Path, known: &BTreeMap<String, TopicPartition>) -> io::Result<Vec<TopicPartition>> {
    fs::create_dir_all(to)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(text) = name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            let Some(partition) = known.get(text) else { continue };
            copy_files(&entry.path(), &to.join(text))?;
            found.push(partition.clone());
        } else if text == CLEAN_STOP || text == "meta.properties" || text.ends_with("-checkpoint") {
            fs::copy(entry.path(), to.join(text))?;
        }
    }
    Ok(found)
}

/// Copies the files of a partition but those that wait to be removed.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_file() && path.extension() != Some(OsStr::new("deleted")) {
            fs::copy(&path, to.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// The settings with which a Kafka starts on the copy.
fn tell(copied: &Copied, config: &BrokerConfig) -> Result<(), Failure> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
    let directories: Vec<String> = copied.directories.iter().map(absolute).collect();
    let mut output = Output::stdout();
    output.write(properties(config.node_id, &directories, copied.partitions).as_bytes())?;
    output.flush()
}

fn properties(node: BrokerId, directories: &[String], partitions: usize) -> String {
    format!(
        "# {partitions} partitions copied. A Kafka 4.3 starts on them with these settings; change the addresses at will.\n\
         process.roles=broker,controller\n\
         node.id={node}\n\
         controller.quorum.voters={node}@localhost:9093\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
         log.dirs={}\n",
        directories.join(",")
    )
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
