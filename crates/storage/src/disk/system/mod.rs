//! The operating system behind the disk seam: plain system calls, and threads for those that would block others.
//!
//! [`SystemDisk::inline`] does everything where it is submitted: start-up, tools, tests. [`SystemDisk::threaded`] is for
//! threads that run tasks: what may stall goes to threads of the disk, and only when it must, for a hand-over costs more
//! than a write into the page cache. The policy is told in `file.rs`, the decision for writes in `pace.rs`. Operations
//! on names are inline but for the sync of a directory: they are rare.
//!
//! Linux only: `preadv2` with `RWF_NOWAIT`, `fallocate` and `fdatasync` are its.

mod calls;
mod file;
mod lock;
mod pace;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use self::file::{Device, SystemFile, submit};
use self::pace::Pace;
use self::workers::{Queue, Workers};
use super::{Disk, Entry, FileHandle, Lock, Open, Submitted};

/// How many threads a [`SystemDisk`] may have of each kind. 0 of a kind: its work is done where it is submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threads {
    /// For writes that are large or go to a device that was slow. Each device has one of them; with fewer threads than
    /// devices some share one. As many as log directories on different devices is right.
    pub writers: usize,
    /// For fdatasync and directory syncs; as many run side by side.
    pub syncers: usize,
    /// For reads of what is not in memory.
    pub readers: usize,
}

/// The machine's file systems. Dropped, it finishes what was submitted and ends its threads; files that are still open
/// then work inline.
pub struct SystemDisk {
    /// What files of a device share, by the device's number.
    devices: Mutex<BTreeMap<u64, Arc<Device>>>,
    /// One thread each.
    writers: Vec<Workers>,
    syncers: Workers,
    readers: Workers,
}

impl SystemDisk {
    /// Does each operation in the thread that submits it.
    #[must_use]
    pub fn inline() -> Arc<Self> {
        Self::threaded(Threads { writers: 0, syncers: 0, readers: 0 })
    }

    /// Does what may stall on threads of its own, named `disk-write-0` and on, `disk-sync-0`, `disk-read-0`.
    #[must_use]
    pub fn threaded(threads: Threads) -> Arc<Self> {
        Arc::new(Self {
            devices: Mutex::default(),
            writers: (0..threads.writers).map(|number| Workers::start("disk-write", number..number + 1)).collect(),
            syncers: Workers::start("disk-sync", 0..threads.syncers),
            readers: Workers::start("disk-read", 0..threads.readers),
        })
    }

    /// The device numbered `number`, with a writer thread: in turn, as devices are first seen.
    fn device(&self, number: u64) -> Arc<Device> {
        let mut devices = self.devices.lock();
        let seen = devices.len();
        let device = devices.entry(number).or_insert_with(|| {
            let writer = match self.writers.len() {
                0 => Arc::new(Queue::default()),
                count => self.writers[seen % count].queue().clone(),
            };
            Arc::new(Device {
                pace: Mutex::new(Pace::default()),
                writer,
                syncers: self.syncers.queue().clone(),
                readers: self.readers.queue().clone(),
                cannot_probe: false.into(),
            })
        });
        device.clone()
    }

    fn open_now(&self, path: &Path, open: Open) -> io::Result<FileHandle> {
        let file = OpenOptions::new()
            .read(true)
            .write(open != Open::Read)
            .create(matches!(open, Open::Create | Open::Truncate))
            .truncate(open == Open::Truncate)
            .open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            // Linux opens a directory for reading and only then refuses to read it.
            return Err(Errno::ISDIR.into());
        }
        let device = self.device(metadata.dev());
        Ok(Arc::new(SystemFile::new(file.into(), device)))
    }
}

impl Disk for SystemDisk {
    fn open(&self, path: &Path, open: Open) -> Submitted<FileHandle> {
        Submitted::done(self.open_now(path, open))
    }

    fn list(&self, directory: &Path) -> Submitted<Vec<Entry>> {
        Submitted::done(list(directory))
    }

    fn create_directory(&self, directory: &Path) -> Submitted<()> {
        Submitted::done(fs::create_dir_all(directory))
    }

    fn rename(&self, from: &Path, to: &Path) -> Submitted<()> {
        Submitted::done(fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> Submitted<()> {
        Submitted::done(fs::remove_file(path))
    }

    fn remove_directory(&self, directory: &Path) -> Submitted<()> {
        Submitted::done(fs::remove_dir_all(directory))
    }

    fn sync_directory(&self, directory: &Path) -> Submitted<()> {
        // Opened here: what is meant is the directory that has the name now.
        match open_directory(directory) {
            Ok(fd) => submit(self.syncers.queue(), move || calls::sync_directory(&fd)),
            Err(error) => Submitted::done(Err(error)),
        }
    }

    fn lock(&self, path: &Path) -> Submitted<Lock> {
        Submitted::done(lock::acquire(path))
    }
}

impl fmt::Debug for SystemDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemDisk").field("writers", &self.writers.len()).finish_non_exhaustive()
    }
}

fn open_directory(directory: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(directory, flags, Mode::empty())?)
}

fn list(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in fs::read_dir(directory)? {
        let found = found?;
        let Ok(name) = found.file_name().into_string() else { continue };
        // Through links, as opening would go.
        let metadata = match fs::metadata(found.path()) {
            Ok(metadata) => metadata,
            // Gone since it was listed, or a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let is_directory = metadata.is_dir();
        entries.push(Entry { name, is_directory, bytes: if is_directory { 0 } else { metadata.len() } });
    }
    entries.sort();
    Ok(entries)
}
