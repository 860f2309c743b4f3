//! The mark of a clean stop (`.kafka_cleanshutdown`): its being there says that all logs were closed in order.

use std::path::Path;

use bytes::Bytes;

use crate::checkpoint;
use crate::disk::Disk;
use crate::fault::{StorageFault, Trying};
use crate::sown::{self, Bug};

const FILE: &str = ".kafka_cleanshutdown";
/// Kafka keeps its broker epoch here (KIP-966); -1 says that none is known.
const CONTENT: &str = r#"{"version":0,"brokerEpoch":-1}"#;

/// Whether the mark is there.
pub(super) async fn exists(disk: &dyn Disk, directory: &Path) -> Result<bool, StorageFault> {
    Ok(checkpoint::read(disk, &directory.join(FILE)).await?.is_some())
}

/// Leaves the mark, durably.
pub(super) async fn write(disk: &dyn Disk, directory: &Path) -> Result<(), StorageFault> {
    checkpoint::replace(disk, &directory.join(FILE), Bytes::from_static(CONTENT.as_bytes())).await
}

/// Removes the mark, durably: from here on a crash is one.
pub(super) async fn remove(disk: &dyn Disk, directory: &Path) -> Result<(), StorageFault> {
    let path = directory.join(FILE);
    if sown::is(Bug::CleanMarkStays) {
        return Ok(());
    }
    disk.remove(&path).await.trying("remove", &path)?;
    disk.sync_directory(directory).await.trying("sync", directory)
}
