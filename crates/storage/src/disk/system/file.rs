//! One open file of the operating system, and on which thread each of its operations is done.
//!
//! - A write: inline or on the device's writer thread, as [`super::pace`] says. A file that has writes waiting there
//!   sends the next ones after them, so that a file's writes happen in the order of submission, unless the queue is
//!   full.
//! - A sync: on a syncer thread.
//! - A read: inline if its pages are in memory, otherwise on a reader thread.
//! - The rest: inline. They are for opening, rolling and closing segments, which is rare, and touch no data.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use bytes::Bytes;
use ottla_types::Timestamp;
use parking_lot::Mutex;

use super::calls::{self, Probed};
use super::pace::{Pace, Place};
use super::workers::{Job, Queue};
use crate::disk::{File, Submitted};

/// What the files of one device (one mounted file system) share.
pub(super) struct Device {
    pub(super) pace: Mutex<Pace>,
    /// The device's writer thread, which other devices may share.
    pub(super) writer: Arc<Queue>,
    pub(super) syncers: Arc<Queue>,
    pub(super) readers: Arc<Queue>,
    /// Whether the file system was found unable to say which pages are in memory.
    pub(super) cannot_probe: AtomicBool,
}

/// An open file.
pub(super) struct SystemFile(Arc<Opened>);

/// What a handle and its operations under way share; the descriptor is closed after the last of them.
struct Opened {
    fd: OwnedFd,
    device: Arc<Device>,
    /// Writes that wait for the writer thread or are being done there.
    queued_writes: AtomicU32,
}

impl SystemFile {
    pub(super) fn new(fd: OwnedFd, device: Arc<Device>) -> Self {
        Self(Arc::new(Opened { fd, device, queued_writes: AtomicU32::new(0) }))
    }
}

/// Has `operation` done by one of the threads behind `queue`; here, if there is none.
pub(super) fn submit<T: Send + 'static>(
    queue: &Queue,
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Submitted<T> {
    if !queue.has_threads() {
        return Submitted::done(operation());
    }
    let (completer, submitted) = Submitted::pending();
    let job: Job = Box::new(move || completer.complete(operation()));
    queue.run(job);
    submitted
}

impl SystemFile {
    /// A read into `spent`, if that memory is fit for it.
    fn read_into(&self, spent: Vec<u8>, at: u64, length: usize) -> Submitted<Bytes> {
        let device = &self.0.device;
        if !device.readers.has_threads() {
            return Submitted::done(calls::read(&self.0.fd, at, length, spent));
        }
        if !device.cannot_probe.load(Ordering::Relaxed) {
            match calls::read_resident(&self.0.fd, at, length, spent) {
                Ok(Probed::Done(bytes)) => return Submitted::done(Ok(bytes)),
                Ok(Probed::Cold(read)) => {
                    let file = self.0.clone();
                    return submit(&device.readers, move || read.finish(&file.fd));
                }
                Ok(Probed::Unable) => device.cannot_probe.store(true, Ordering::Relaxed),
                Err(error) => return Submitted::done(Err(error)),
            }
        }
        let file = self.0.clone();
        submit(&device.readers, move || calls::read(&file.fd, at, length, Vec::new()))
    }
}

impl Opened {
    fn write_inline(&self, began: Instant, at: u64, parts: &[Bytes]) -> io::Result<()> {
        let answer = calls::write(&self.fd, at, parts);
        self.device.pace.lock().ended(Place::Inline, began, Instant::now());
        answer
    }

    fn write_queued(&self, at: u64, parts: &[Bytes]) -> io::Result<()> {
        let began = Instant::now();
        let answer = calls::write(&self.fd, at, parts);
        self.device.pace.lock().ended(Place::Writer, began, Instant::now());
        self.queued_writes.fetch_sub(1, Ordering::Release);
        answer
    }
}

impl File for SystemFile {
    fn write(&self, at: u64, parts: Vec<Bytes>) -> Submitted<()> {
        let file = &self.0;
        if file.queued_writes.load(Ordering::Acquire) == 0 {
            let (now, bytes) = (Instant::now(), parts.iter().map(Bytes::len).sum());
            if file.device.pace.lock().place(now, bytes) == Place::Inline {
                return Submitted::done(file.write_inline(now, at, &parts));
            }
        }
        file.queued_writes.fetch_add(1, Ordering::Relaxed);
        let file = self.0.clone();
        submit(&self.0.device.writer, move || file.write_queued(at, &parts))
    }

    fn read(&self, at: u64, length: usize) -> Submitted<Bytes> {
        self.read_into(Vec::new(), at, length)
    }

    fn read_again(&self, at: u64, length: usize, spent: Bytes) -> Submitted<Bytes> {
        let spent = if spent.is_unique() { Vec::from(spent) } else { Vec::new() };
        self.read_into(spent, at, length)
    }

    fn prepare(&self, at: u64, length: usize) -> Submitted<()> {
        let device = &self.0.device;
        if !device.readers.has_threads() || device.cannot_probe.load(Ordering::Relaxed) {
            return Submitted::done(Ok(()));
        }
        match calls::is_resident(&self.0.fd, at, length) {
            Ok(Some(true)) => Submitted::done(Ok(())),
            Ok(Some(false)) => {
                let file = self.0.clone();
                submit(&device.readers, move || calls::fetch(&file.fd, at, length))
            }
            Ok(None) => {
                device.cannot_probe.store(true, Ordering::Relaxed);
                Submitted::done(Ok(()))
            }
            Err(error) => Submitted::done(Err(error)),
        }
    }

    fn sync(&self) -> Submitted<()> {
        let file = self.0.clone();
        submit(&self.0.device.syncers, move || calls::sync(&file.fd))
    }

    fn truncate(&self, length: u64) -> Submitted<()> {
        Submitted::done(calls::truncate(&self.0.fd, length))
    }

    fn reserve(&self, length: u64) -> Submitted<()> {
        Submitted::done(calls::reserve(&self.0.fd, length))
    }

    fn length(&self) -> Submitted<u64> {
        Submitted::done(calls::length(&self.0.fd))
    }

    fn modified(&self) -> Submitted<Option<Timestamp>> {
        Submitted::done(calls::modified(&self.0.fd).map(Some))
    }

    fn set_modified(&self, at: Timestamp) -> Submitted<()> {
        Submitted::done(calls::set_modified(&self.0.fd, at))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.fd.as_fd())
    }
}

impl fmt::Debug for SystemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SystemFile").field(&self.0.fd).finish()
    }
}
