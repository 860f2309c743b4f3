//! Files that are there whole or not at all: written aside, synced, renamed, and the directory synced.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_storage::disk::{Disk, Open};

use crate::QuorumFault;

/// Largest part that one write is asked for.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// Replaces the file `directory`/`name` by one with these bytes. Once this returns, a power loss leaves the new bytes;
/// before, the old ones or the new.
pub(crate) async fn replace(disk: &dyn Disk, directory: &Path, name: &str, bytes: Bytes) -> Result<(), QuorumFault> {
    let path = directory.join(name);
    let aside = aside(&path);
    let written = write(disk, &aside, bytes).await;
    if written.is_err() {
        // It may take the room that others need. If it stays, the next one takes its place.
        let _ = disk.remove(&aside).await;
    }
    written?;
    disk.rename(&aside, &path).await.map_err(QuorumFault::disk(&path, "rename to this"))?;
    disk.sync_directory(directory).await.map_err(QuorumFault::disk(directory, "sync the directory"))
}

/// Writes and syncs a file of these bytes.
async fn write(disk: &dyn Disk, aside: &Path, bytes: Bytes) -> Result<(), QuorumFault> {
    let file = disk.open(aside, Open::Truncate).await.map_err(QuorumFault::disk(aside, "make the file"))?;
    let mut at = 0;
    while at < bytes.len() {
        let part = bytes.slice(at..bytes.len().min(at + WRITE_BYTES_MAX));
        let length = part.len();
        file.write(at as u64, vec![part]).await.map_err(QuorumFault::disk(aside, "write"))?;
        at += length;
    }
    file.sync().await.map_err(QuorumFault::disk(aside, "sync"))
}

/// The bytes of the file `directory`/`name`; none if it is not there.
pub(crate) async fn read(disk: &dyn Disk, directory: &Path, name: &str) -> Result<Option<Bytes>, QuorumFault> {
    let path = directory.join(name);
    let file = match disk.open(&path, Open::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(QuorumFault::disk(&path, "open")(error)),
    };
    let length = file.length().await.map_err(QuorumFault::disk(&path, "measure"))?;
    let length = usize::try_from(length).expect("a file of ours fits into memory");
    let bytes = file.read(0, length).await.map_err(QuorumFault::disk(&path, "read"))?;
    Ok(Some(bytes))
}

/// The name under which a file is written before it gets its own.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use ottla_storage::disk::simulated::{Faults, SimulatedDisk};

    use super::*;

    #[tokio::test]
    async fn a_power_loss_leaves_the_old_bytes_or_the_new_and_afterwards_the_new() {
        for at in 0..8 {
            let disk = SimulatedDisk::with_faults(at, Faults::adverse());
            let directory = Path::new("/d");
            disk.create_directory(directory).await.expect("made");
            disk.sync_directory(Path::new("/")).await.expect("synced");
            replace(&*disk, directory, "file", Bytes::from_static(b"old")).await.expect("replaced");
            disk.crash();
            assert_eq!(read(&*disk, directory, "file").await.expect("read").as_deref(), Some(&b"old"[..]));
            disk.crash_after(at);
            let replaced = replace(&*disk, directory, "file", Bytes::from_static(b"new")).await;
            disk.crash();
            let bytes = read(&*disk, directory, "file").await.expect("read").expect("there");
            let expected: &[&[u8]] = if replaced.is_ok() { &[b"new"] } else { &[b"old", b"new"] };
            assert!(expected.contains(&&*bytes), "{bytes:?} at {at}");
        }
    }
}
