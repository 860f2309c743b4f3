//! The seam to the disk: what storage asks for, as submissions that complete.
//!
//! Every operation returns a [`Submitted`]: it may be done already when it is handed out, or complete later from
//! another thread. Storage awaits it and never knows which. [`system`] answers from the operating system, [`simulated`]
//! from memory, where it can lose, tear, fill and delay.
//!
//! The contract, which both keep:
//! - A write that completed is seen by every later read, and survives the process, but not a power loss.
//! - A file's bytes survive a power loss once a [`File::sync`] submitted after the write completed has completed.
//! - A file's name (made, renamed, removed) survives a power loss once [`Disk::sync_directory`] of its directory has.
//! - Operations on one file may be submitted side by side; writes to disjoint ranges do not disturb each other, and a
//!   sync covers exactly the writes that had completed when it was submitted.
//! - Operations under way side by side may happen in any order: one that builds on another is submitted when that one
//!   has completed.
//! - An operation that is dropped is still done.

#[cfg(test)]
mod contract;
pub mod simulated;
mod submitted;
pub mod system;

use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::Timestamp;

pub use submitted::{Completer, Submitted, block_on};

/// How [`Disk::open`] treats what is there and what is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// The file must exist; it is only read.
    Read,
    /// The file must exist; it is read and written.
    Write,
    /// The file is read and written, and made if it is not there. Its content stays.
    Create,
    /// The file is read and written, made if it is not there, and emptied if it is.
    Truncate,
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The name within the directory; names that are not UTF-8 are not listed.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Bytes of a file; 0 for a directory.
    pub bytes: u64,
}

/// How much a file system holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Its size in bytes.
    pub total: u64,
    /// Bytes that a program without privileges may still take.
    pub usable: u64,
}

/// A device that holds files. Shared by all logs of a broker.
pub trait Disk: Send + Sync + fmt::Debug + 'static {
    /// Opens or makes a file.
    fn open(&self, path: &Path, open: Open) -> Submitted<FileHandle>;

    /// Lists a directory, sorted by name. `NotFound` if it is not there.
    fn list(&self, directory: &Path) -> Submitted<Vec<Entry>>;

    /// Makes a directory and those above it that are missing. Fine if it is there.
    fn create_directory(&self, directory: &Path) -> Submitted<()>;

    /// Gives a file or directory a new name, replacing a file of that name in one step.
    fn rename(&self, from: &Path, to: &Path) -> Submitted<()>;

    /// Removes a file. `NotFound` if it is not there.
    fn remove(&self, path: &Path) -> Submitted<()>;

    /// Removes a directory and all that is in it.
    fn remove_directory(&self, directory: &Path) -> Submitted<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, directory: &Path) -> Submitted<()>;

    /// Makes all bytes and all names of the file system durable that holds `directory`, as if every file and directory of
    /// it were synced: what is cheaper than thousands of single syncs.
    fn sync_all(&self, directory: &Path) -> Submitted<()>;

    /// How large the file system is that holds `directory`.
    fn space(&self, directory: &Path) -> Submitted<Space>;

    /// Takes the lock file at `path` for as long as the returned value lives; `WouldBlock` if another process has it.
    fn lock(&self, path: &Path) -> Submitted<Lock>;
}

/// One open file. Positions are given with each call; there is no cursor.
pub trait File: Send + Sync + fmt::Debug + 'static {
    /// Writes all of `parts`, one behind the other, from byte `at` on. Done whole, or an error.
    fn write(&self, at: u64, parts: Vec<Bytes>) -> Submitted<()>;

    /// Reads up to `length` bytes from byte `at` on; fewer only at the end of the file.
    fn read(&self, at: u64, length: usize) -> Submitted<Bytes>;

    /// The same, into the memory of an earlier answer if nobody else has a part of it: for those who read much in pieces.
    fn read_again(&self, at: u64, length: usize, spent: Bytes) -> Submitted<Bytes> {
        drop(spent);
        self.read(at, length)
    }

    /// Brings a range into memory if it is not there, so that sending it by [`File::descriptor`] does not stall.
    fn prepare(&self, _at: u64, _length: usize) -> Submitted<()> {
        Submitted::done(Ok(()))
    }

    /// Makes the file's bytes durable (fdatasync).
    fn sync(&self) -> Submitted<()>;

    /// Cuts the file to `length` bytes, or extends it with zeros. Space set aside beyond is given back.
    fn truncate(&self, length: u64) -> Submitted<()>;

    /// Sets space aside up to byte `length` without changing the file's length. A hint: a device that cannot, does not.
    fn reserve(&self, length: u64) -> Submitted<()>;

    /// The file's length in bytes.
    fn length(&self) -> Submitted<u64>;

    /// When the file was last written, by the system's clock; `None` on a device that keeps no times.
    fn modified(&self) -> Submitted<Option<Timestamp>>;

    /// Has the file say that it was last written at that time. A device that keeps no times forgets it.
    fn set_modified(&self, _at: Timestamp) -> Submitted<()> {
        Submitted::done(Ok(()))
    }

    /// The descriptor behind the file, where there is one: what sendfile needs.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// An open file, shared.
pub type FileHandle = Arc<dyn File>;

/// A lock on a directory, held until it is dropped.
pub struct Lock {
    _held: Box<dyn Send + Sync>,
}

impl Lock {
    /// Wraps whatever releases the lock when it is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
