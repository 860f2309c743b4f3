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
use self::workers::Workers;
use super::{Disk, Entry, FileHandle, Lock, Open, Space, Submitted};

/// How many threads a [`SystemDisk`] gives to each device (each mounted file system), so that one that stalls keeps only
/// its own waiting. They are started when a device is first seen. 0 of a kind: its work is done where it is submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threads {
    /// For writes that are large or go to a device that was slow. More than one lets writes of a device overtake each
    /// other; one is right.
    pub writers: usize,
    /// For fdatasync and directory syncs; as many run side by side.
    pub syncers: usize,
    /// For reads of what is not in memory.
    pub readers: usize,
}

/// Devices that get threads of their own. Those that are seen later share the first ones': no machine has that many for
/// its logs, and threads must not grow without bound.
const DEVICES_MAX: usize = 32;

/// The machine's file systems. Dropped, it finishes what was submitted and ends its threads; files that are still open
/// then work inline.
pub struct SystemDisk {
    threads: Threads,
    devices: Mutex<Devices>,
}

#[derive(Default)]
struct Devices {
    /// What files of a device share, by the device's number.
    seen: BTreeMap<u64, Arc<Device>>,
    /// The threads before the queues of those devices, in the order in which they were seen.
    workers: Vec<DeviceWorkers>,
}

/// The threads of one device.
struct DeviceWorkers {
    writers: Workers,
    syncers: Workers,
    readers: Workers,
}

impl DeviceWorkers {
    /// Starts them; `number` makes their names differ from those of other devices.
    fn start(threads: Threads, number: usize) -> Self {
        let named = |kind: &str, count| Workers::start(&format!("{kind}-{number}"), 0..count);
        Self {
            writers: named("disk-write", threads.writers),
            syncers: named("disk-sync", threads.syncers),
            readers: named("disk-read", threads.readers),
        }
    }
}

impl SystemDisk {
    /// Does each operation in the thread that submits it.
    #[must_use]
    pub fn inline() -> Arc<Self> {
        Self::threaded(Threads { writers: 0, syncers: 0, readers: 0 })
    }

    /// Does what may stall on threads of its own, named by the device's number and their own: `disk-write-0-0`,
    /// `disk-sync-0-0` and on, `disk-read-0-0`.
    #[must_use]
    pub fn threaded(threads: Threads) -> Arc<Self> {
        Arc::new(Self { threads, devices: Mutex::default() })
    }

    /// The device numbered `number`, with its threads.
    fn device(&self, number: u64) -> Arc<Device> {
        let mut devices = self.devices.lock();
        if let Some(device) = devices.seen.get(&number) {
            return device.clone();
        }
        let seen = devices.seen.len();
        if seen < DEVICES_MAX {
            devices.workers.push(DeviceWorkers::start(self.threads, seen));
        }
        let workers = &devices.workers[seen % DEVICES_MAX];
        let device = Arc::new(Device {
            pace: Mutex::new(Pace::default()),
            writer: workers.writers.queue().clone(),
            syncers: workers.syncers.queue().clone(),
            readers: workers.readers.queue().clone(),
            cannot_probe: false.into(),
        });
        devices.seen.insert(number, device.clone());
        device
    }

    /// Has something done with an open directory by a syncer of its device.
    fn on_syncer(&self, directory: &Path, sync: fn(&OwnedFd) -> io::Result<()>) -> Submitted<()> {
        // Opened here: what is meant is the directory that has the name now.
        let opened = open_directory(directory).and_then(|fd| Ok((rustix::fs::fstat(&fd)?.st_dev, fd)));
        match opened {
            Ok((device, fd)) => submit(&self.device(device).syncers, move || sync(&fd)),
            Err(error) => Submitted::done(Err(error)),
        }
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
        self.on_syncer(directory, calls::sync_directory)
    }

    fn sync_all(&self, directory: &Path) -> Submitted<()> {
        self.on_syncer(directory, calls::sync_all)
    }

    fn space(&self, directory: &Path) -> Submitted<Space> {
        Submitted::done(calls::space(directory))
    }

    fn lock(&self, path: &Path) -> Submitted<Lock> {
        Submitted::done(lock::acquire(path))
    }
}

impl fmt::Debug for SystemDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemDisk").field("threads", &self.threads).finish_non_exhaustive()
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
        let kind = found.file_type()?;
        if kind.is_dir() {
            entries.push(Entry { name, is_directory: true, bytes: 0 });
            continue;
        }
        // Through links, as opening would go.
        let metadata = if kind.is_symlink() { fs::metadata(found.path()) } else { found.metadata() };
        let metadata = match metadata {
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
