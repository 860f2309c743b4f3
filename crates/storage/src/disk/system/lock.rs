//! Locks between processes, and within this one.
//!
//! Kafka locks with Java's `FileChannel.tryLock`, which is a POSIX record lock (fcntl). Ours is the same, so that a Kafka
//! and an Ottla exclude each other on one directory. Such a lock belongs to the process: it does not exclude a second
//! taker in it, and is gone as soon as the process closes any descriptor of the file. A registry of what this process
//! holds makes up for the first, and keeps [`acquire`] from the second. Nobody else here opens a lock file.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::disk::Lock;

/// Device and inode of each lock file that this process holds. Not its path: one file may have many.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

struct Held {
    identity: (u64, u64),
    /// Closed by dropping, which is what gives the lock back.
    file: Option<File>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Not free for this process before it is free for others: closing later would take the next holder's lock away.
        let mut held = HELD.lock();
        drop(self.file.take());
        held.remove(&self.identity);
    }
}

/// Takes the lock, and makes its file if it is not there. `WouldBlock` if it is taken.
pub(super) fn acquire(path: &Path) -> io::Result<Lock> {
    let mut held = HELD.lock();
    // Asked by name, for to open and close the file would give the lock back.
    match fs::metadata(path) {
        Ok(metadata) if held.contains(&(metadata.dev(), metadata.ino())) => return Err(Errno::WOULDBLOCK.into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        // POSIX leaves it to the system which of the two means "taken".
        Err(Errno::ACCESS | Errno::AGAIN) => return Err(Errno::WOULDBLOCK.into()),
        Err(error) => return Err(error.into()),
    }
    let metadata = file.metadata()?;
    let identity = (metadata.dev(), metadata.ino());
    held.insert(identity);
    Ok(Lock::new(Held { identity, file: Some(file) }))
}
