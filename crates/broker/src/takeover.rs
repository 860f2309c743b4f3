//! The takeover of a directory in which a Kafka ran: what its metadata log says becomes what this cluster begins with.
//!
//! It happens once, before the cluster has its id, in the entry that founds it: all of it or nothing. Kafka's own folder
//! is only read, and left as it is. What its records mean is told in the `kraft` crate; here are the files.

use std::path::{Path, PathBuf};

use ottla_kraft::{Cluster, NotAlone, Reading, Unreadable};
use ottla_metadata::{Fact, Image, ImpossibleFact};
use ottla_storage::disk::{Disk, Open};
use ottla_types::{BrokerId, Offset};
use thiserror::Error;
use tracing::{info, warn};

/// Where Kafka keeps its metadata, within its metadata log directory.
pub(crate) const FOLDER: &str = "__cluster_metadata-0";

/// Why a Kafka's directory cannot be taken over.
#[derive(Debug, Error)]
pub enum TakeoverFault {
    /// A file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {error}", path = path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: Unreadable,
    },
    /// The cluster was more than this node.
    #[error("{folder}: {error}", folder = folder.display())]
    NotAlone {
        /// Kafka's metadata.
        folder: PathBuf,
        /// Why one node cannot go on alone.
        error: NotAlone,
    },
    /// The metadata contradicts itself.
    #[error("{folder}: {error}", folder = folder.display())]
    Impossible {
        /// Kafka's metadata.
        folder: PathBuf,
        /// What cannot be.
        error: ImpossibleFact,
    },
}

/// What the cluster begins with: what a Kafka left in `metadata_directory`, or nothing where none ran, or where the
/// cluster (`image`) has begun.
pub(crate) async fn founding(
    disk: &dyn Disk,
    metadata_directory: &Path,
    node: BrokerId,
    image: &Image,
) -> Result<Vec<Fact>, TakeoverFault> {
    let folder = metadata_directory.join(FOLDER);
    if image.cluster_id().is_some() {
        return Ok(Vec::new());
    }
    let names = match disk.list(&folder).await {
        Ok(entries) => entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TakeoverFault::File { path: folder, error }),
    };
    let cluster = read(disk, &folder, &names).await?;
    let facts = cluster.facts(node).map_err(|error| TakeoverFault::NotAlone { folder: folder.clone(), error })?;
    // Folded here once, so that what is impossible stops the start and not the controller.
    let mut trial = Image::default();
    for fact in ottla_controller::founding_features().iter().chain(&facts) {
        trial.apply(fact).map_err(|error| TakeoverFault::Impossible { folder: folder.clone(), error })?;
    }
    tell(&folder, &cluster);
    Ok(facts)
}

/// Reads the newest snapshot and the segments; what the snapshot has of these is passed over.
async fn read(disk: &dyn Disk, folder: &Path, names: &[String]) -> Result<Cluster, TakeoverFault> {
    let mut reading = Reading::new();
    let snapshots = names.iter().filter_map(|name| Some((snapshot_end(name)?, name)));
    if let Some((end, name)) = snapshots.max() {
        let path = folder.join(name);
        let bytes = whole(disk, &path).await?;
        reading.snapshot(&bytes, end).map_err(|error| TakeoverFault::Content { path, error })?;
    }
    // Listed by name, which is by offset.
    for name in names.iter().filter(|name| name.ends_with(".log")) {
        let path = folder.join(name);
        let bytes = whole(disk, &path).await?;
        reading.segment(&bytes).map_err(|error| TakeoverFault::Content { path, error })?;
    }
    Ok(reading.finish())
}

async fn whole(disk: &dyn Disk, path: &Path) -> Result<bytes::Bytes, TakeoverFault> {
    let read = async {
        let file = disk.open(path, Open::Read).await?;
        let length = usize::try_from(file.length().await?).unwrap_or(usize::MAX);
        file.read(0, length).await
    };
    read.await.map_err(|error| TakeoverFault::File { path: path.to_owned(), error })
}

/// The end of the log that a snapshot covers, from its name: `00000000000000000042-0000000003.checkpoint`.
fn snapshot_end(name: &str) -> Option<Offset> {
    let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    epoch.parse::<i32>().ok()?;
    end.parse().ok().map(Offset)
}

fn tell(folder: &Path, cluster: &Cluster) {
    let partitions: usize = cluster.topics.values().map(|topic| topic.partitions.len()).sum();
    let settings: usize = cluster.configs.values().map(|overrides| overrides.len()).sum();
    info!(
        folder = %folder.display(),
        topics = cluster.topics.len(),
        partitions,
        settings,
        metadata_version = cluster.features.get("metadata.version"),
        "taken over from a Kafka"
    );
    for (what, records) in &cluster.passed_over {
        warn!(records, "not taken over: {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_s_name_says_where_it_ends() {
        assert_eq!(snapshot_end("00000000000000000042-0000000003.checkpoint"), Some(Offset(42)));
        for other in
            ["bootstrap.checkpoint", "00000000000000000042.log", "00000000000000000042-0000000003.checkpoint.part"]
        {
            assert_eq!(snapshot_end(other), None, "{other}");
        }
    }
}
