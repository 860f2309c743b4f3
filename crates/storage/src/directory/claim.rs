//! Taking a directory for this process: made if it is not there, locked, and its identity checked or written.
//!
//! What is in it is not looked at; `open` does that. A directory that holds something else than partitions, such as the
//! metadata log alone, is only claimed.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, Lock};
use crate::fault::{StorageFault, Trying};
use crate::meta_properties::MetaProperties;

const LOCK: &str = ".lock";

/// A directory that this process holds.
#[derive(Debug)]
pub struct ClaimedDirectory {
    path: PathBuf,
    meta: MetaProperties,
    _lock: Lock,
}

impl ClaimedDirectory {
    /// Claims the directory at `path`: it must be `expected`'s, or nobody's, and then is marked so.
    pub async fn claim(
        disk: &dyn Disk,
        path: impl AsRef<Path>,
        expected: MetaProperties,
    ) -> Result<Self, StorageFault> {
        let path = path.as_ref().to_owned();
        match disk.create_directory(&path).await {
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
                return Err(StorageFault::NoDirectoryThere { path });
            }
            made => made.trying("make", &path)?,
        }
        let lock = lock(disk, &path).await?;
        let meta = identify(disk, &path, expected).await?;
        Ok(Self { path, meta, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    #[must_use]
    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }
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
        return match found.directory_id {
            Some(_) => Ok(found),
            // From before directories had ids (KIP-858): it gets one, as Kafka gives it one.
            None => expected.write(disk, path).await.map(|()| expected),
        };
    }
    // New: its own name must last, and those of the directories above that were made with it.
    expected.write(disk, path).await?;
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_directory(above).await.trying("sync", above)?;
    }
    Ok(expected)
}
