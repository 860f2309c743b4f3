//! One open file of the simulated disk: its operations, as the disk's state is to perform them.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_types::Timestamp;
use rustix::io::Errno;

use super::Shared;
use super::state::State;
use super::tree::Id;
use crate::disk::{File, Submitted};

/// A file of the simulated disk.
pub(super) struct SimulatedFile(pub(super) Arc<Opened>);

/// What a handle and its operations under way share: while it lives, the file is there, with or without a name.
pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    pub(super) id: Id,
    /// The disk's life in which it was opened.
    pub(super) life: u64,
    /// The name it was opened by, for the trace.
    pub(super) path: PathBuf,
    pub(super) is_read_only: bool,
}

impl SimulatedFile {
    /// Submits an operation on the file; `line` is what it is called, but for the path.
    fn submit<T: Send + 'static>(
        &self,
        verb: &'static str,
        rest: impl Fn() -> String + Send + 'static,
        apply: impl FnOnce(&mut State) -> io::Result<T> + Send + 'static,
    ) -> Submitted<T> {
        let (opened, held) = (self.0.clone(), self.0.clone());
        let line = move || format!("{verb} {}{}", opened.path.display(), rest());
        self.0.shared.submit(self.0.life, held, line, apply)
    }

    /// As [`Self::submit`], but an error where the file is only read.
    fn submit_change<T: Send + 'static>(
        &self,
        verb: &'static str,
        rest: impl Fn() -> String + Send + 'static,
        apply: impl FnOnce(&mut State) -> io::Result<T> + Send + 'static,
    ) -> Submitted<T> {
        let is_read_only = self.0.is_read_only;
        self.submit(verb, rest, move |state| if is_read_only { Err(Errno::BADF.into()) } else { apply(state) })
    }

    /// Notes a write that will complete later, so that a crash before that knows of it.
    fn enter(&self, at: usize, bytes: &Bytes) -> Option<u64> {
        self.0.shared.delay.as_ref()?;
        let state = &mut *self.0.shared.state.lock();
        if self.0.life != state.life || self.0.is_read_only {
            return None;
        }
        Some(state.enter(self.0.id, at, bytes.clone()))
    }
}

impl File for SimulatedFile {
    fn write(&self, at: u64, parts: Vec<Bytes>) -> Submitted<()> {
        let (id, bytes) = (self.0.id, joined(parts));
        let Some(at) = position(at, bytes.len()) else { return Submitted::done(Err(Errno::FBIG.into())) };
        let (ticket, length) = (self.enter(at, &bytes), bytes.len());
        self.submit_change(
            "write",
            move || format!(" @{at} +{length}"),
            move |state| {
                if let Some(ticket) = ticket {
                    state.leave(ticket);
                }
                state.write(id, at, bytes)
            },
        )
    }

    fn read(&self, at: u64, length: usize) -> Submitted<Bytes> {
        let (id, start) = (self.0.id, usize::try_from(at).unwrap_or(usize::MAX));
        self.submit(
            "read",
            move || format!(" @{at} +{length}"),
            move |state| Ok(state.tree.content(id).read(start, length)),
        )
    }

    fn sync(&self) -> Submitted<()> {
        let (id, mark) = (self.0.id, self.0.shared.state.lock().tree.mark());
        self.submit("sync", String::new, move |state| state.sync(id, mark))
    }

    fn truncate(&self, length: u64) -> Submitted<()> {
        let id = self.0.id;
        let Some(to) = position(length, 0) else { return Submitted::done(Err(Errno::FBIG.into())) };
        self.submit_change(
            "truncate",
            move || format!(" {length}"),
            move |state| {
                state.set_length(id, to);
                Ok(())
            },
        )
    }

    fn reserve(&self, length: u64) -> Submitted<()> {
        let id = self.0.id;
        self.submit_change("reserve", move || format!(" {length}"), move |state| state.reserve(id, length))
    }

    fn length(&self) -> Submitted<u64> {
        let id = self.0.id;
        self.submit("length", String::new, move |state| Ok(state.tree.content(id).length() as u64))
    }

    fn modified(&self) -> Submitted<Option<Timestamp>> {
        self.submit("modified", String::new, |_| Ok(None))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if self.life == state.life {
            state.tree.close(self.id);
        }
    }
}

impl fmt::Debug for SimulatedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedFile({})", self.0.path.display())
    }
}

/// The largest file, in bytes: what a test means is far below, and memory ends somewhere.
const FILE_MAX: usize = 1 << 40;

/// `at` as an index, if a file can hold `length` bytes there.
fn position(at: u64, length: usize) -> Option<usize> {
    usize::try_from(at).ok().filter(|at| at.checked_add(length).is_some_and(|end| end <= FILE_MAX))
}

fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut bytes = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in &parts {
        bytes.extend_from_slice(part);
    }
    bytes.freeze()
}
