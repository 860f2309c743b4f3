//! The system calls on an open file, each done to its end: short counts, interruptions and limits are dealt with here.
//!
//! They block. Which thread they block is decided in [`super::file`].

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use bytes::Bytes;
use ottla_types::Timestamp;
use rustix::buffer::spare_capacity;
use rustix::fs::FallocateFlags;
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};

use crate::disk::Space;

/// Reads up to this length are not checked against the file's length before memory is set aside.
const UNCHECKED_READ_MAX: usize = 64 << 10;

/// How far apart the bytes are that [`fetch`] waits for: the device's reads ahead are larger.
const FETCH_STEP: usize = 64 << 10;

/// Writes all of `parts` from byte `at` on.
pub(super) fn write(fd: &OwnedFd, at: u64, parts: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)).collect();
    let mut left = slices.as_mut_slice();
    let mut at = at;
    while !left.is_empty() {
        // Of more parts than one call takes (1024) rustix passes the first on, which looks like any short write here.
        let written = retry_on_intr(|| rustix::io::pwritev(fd, left, at))?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

/// A read that is not yet whole.
#[derive(Debug)]
pub(super) struct Read {
    at: u64,
    /// What was read so far.
    buffer: Vec<u8>,
    /// How much is to be read.
    wanted: usize,
}

/// How far a read without blocking came.
#[derive(Debug)]
pub(super) enum Probed {
    /// All of it was in memory.
    Done(Bytes),
    /// The rest must be fetched from the device.
    Cold(Read),
    /// The file system cannot tell what is in memory; nothing was read.
    Unable,
}

/// Reads what is in memory, without waiting for the device. `spent` is memory to read into, if it is fit for that.
pub(super) fn read_resident(fd: &OwnedFd, at: u64, length: usize, spent: Vec<u8>) -> io::Result<Probed> {
    let wanted = sized(fd, at, length)?;
    let mut read = Read { at, buffer: room(spent, wanted), wanted };
    while read.buffer.len() < wanted {
        let left = wanted - read.buffer.len();
        match read_nowait(fd, &mut read.buffer, left, at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Probed::Cold(read)),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) if read.buffer.is_empty() => return Ok(Probed::Unable),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Probed::Done(read.into_bytes()))
}

/// Appends up to `left` bytes of the file to `buffer`, which has room for them and begins with the file's byte `start`.
#[expect(
    unsafe_code,
    reason = "rustix has no preadv2 into memory that nobody has filled, and filling it costs as much"
)]
fn read_nowait(fd: &OwnedFd, buffer: &mut Vec<u8>, left: usize, start: u64) -> Result<usize, Errno> {
    let filled = buffer.len();
    let room = &mut buffer.spare_capacity_mut()[..left];
    let slice = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let at = i64::try_from(start + filled as u64).map_err(|_| Errno::OVERFLOW)?;
    // SAFETY: the one slice is memory of `buffer`, `room.len()` bytes long, which nothing else refers to.
    let count = unsafe { libc::preadv2(fd.as_raw_fd(), &raw const slice, 1, at, libc::RWF_NOWAIT) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    };
    // SAFETY: the kernel has filled `count` bytes behind the first `filled`, and no more than there was room for.
    unsafe { buffer.set_len(filled + count) };
    Ok(count)
}

/// Empty memory for `wanted` bytes: that of `spent` if it is enough and not far too much.
fn room(mut spent: Vec<u8>, wanted: usize) -> Vec<u8> {
    if !(wanted..=2 * wanted).contains(&spent.capacity()) {
        return Vec::with_capacity(wanted);
    }
    spent.clear();
    spent
}

impl Read {
    /// Fetches the rest, and waits for it.
    pub(super) fn finish(mut self, fd: &OwnedFd) -> io::Result<Bytes> {
        while self.buffer.len() < self.wanted {
            let position = self.at + self.buffer.len() as u64;
            if retry_on_intr(|| rustix::io::pread(fd, spare_capacity(&mut self.buffer), position))? == 0 {
                break;
            }
        }
        Ok(self.into_bytes())
    }

    fn into_bytes(mut self) -> Bytes {
        // The memory may be larger than asked for, and is then filled.
        self.buffer.truncate(self.wanted);
        self.buffer.into()
    }
}

/// Whether the first and the last page of a range are in memory; `None` if the file system cannot tell. Two probes of a
/// microsecond stand for all pages: a range goes cold as a whole, from one end.
pub(super) fn is_resident(fd: &OwnedFd, at: u64, length: usize) -> io::Result<Option<bool>> {
    for position in [at, at + (length as u64).saturating_sub(1)] {
        let mut byte = [0];
        let slice = &mut [IoSliceMut::new(&mut byte)];
        match retry_on_intr(|| rustix::io::preadv2(fd, &mut *slice, position, ReadWriteFlags::NOWAIT)) {
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(Some(false)),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(true))
}

/// Brings a range into memory, and waits for it.
pub(super) fn fetch(fd: &OwnedFd, at: u64, length: usize) -> io::Result<()> {
    if let Some(whole) = std::num::NonZeroU64::new(length as u64) {
        rustix::fs::fadvise(fd, at, Some(whole), rustix::fs::Advice::WillNeed)?;
    }
    let mut page = [0];
    for position in (at..at + length as u64).step_by(FETCH_STEP) {
        retry_on_intr(|| rustix::io::pread(fd, &mut page[..], position))?;
    }
    Ok(())
}

/// Reads up to `length` bytes from `at` on, and waits for the device where it must.
pub(super) fn read(fd: &OwnedFd, at: u64, length: usize, spent: Vec<u8>) -> io::Result<Bytes> {
    let wanted = sized(fd, at, length)?;
    Read { at, buffer: room(spent, wanted), wanted }.finish(fd)
}

/// How much memory a read of `length` at `at` is worth: no more than the file has.
fn sized(fd: &OwnedFd, at: u64, length: usize) -> io::Result<usize> {
    if i64::try_from(at).is_err() {
        return Ok(0); // Behind the end of any file; the kernel would take it for something else.
    }
    if length <= UNCHECKED_READ_MAX {
        return Ok(length);
    }
    let left = self::length(fd)?.saturating_sub(at);
    Ok(usize::try_from(left).map_or(length, |left| left.min(length)))
}

/// Makes the file's bytes durable.
pub(super) fn sync(fd: &OwnedFd) -> io::Result<()> {
    // No retry in a loop: after an error the kernel counts the lost pages as clean, so a second call would lie.
    Ok(retry_on_intr(|| rustix::fs::fdatasync(fd))?)
}

/// Makes a directory's names durable.
pub(super) fn sync_directory(fd: &OwnedFd) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::fsync(fd))?)
}

/// Makes everything durable on the file system of an open directory.
pub(super) fn sync_all(fd: &OwnedFd) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::syncfs(fd))?)
}

/// The size of a file system, and what of it may still be taken.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let found = retry_on_intr(|| rustix::fs::statvfs(path))?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { total: bytes(found.f_blocks), usable: bytes(found.f_bavail) })
}

/// Cuts or extends the file. Space set aside beyond goes with it, also where the length stays.
pub(super) fn truncate(fd: &OwnedFd, length: u64) -> io::Result<()> {
    Ok(retry_on_intr(|| rustix::fs::ftruncate(fd, length))?)
}

/// Sets space aside; fine where the file system cannot.
pub(super) fn reserve(fd: &OwnedFd, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    match retry_on_intr(|| rustix::fs::fallocate(fd, FallocateFlags::KEEP_SIZE, 0, length)) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The file's length in bytes.
pub(super) fn length(fd: impl AsFd) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0))
}

/// When the file was last written.
pub(super) fn modified(fd: impl AsFd) -> io::Result<Timestamp> {
    let stat = rustix::fs::fstat(fd)?;
    let ms = i64::try_from(stat.st_mtime_nsec / 1_000_000).unwrap_or_default();
    Ok(Timestamp(stat.st_mtime.saturating_mul(1000).saturating_add(ms)))
}

/// Has the file say that it was last written at that time; when it was last read stays.
pub(super) fn set_modified(fd: impl AsFd, at: Timestamp) -> io::Result<()> {
    let last_modification =
        rustix::fs::Timespec { tv_sec: at.0.div_euclid(1000), tv_nsec: at.0.rem_euclid(1000) * 1_000_000 };
    let last_access = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    Ok(rustix::fs::futimens(fd, &rustix::fs::Timestamps { last_access, last_modification })?)
}
