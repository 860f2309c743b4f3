//! A disk in memory that forgets what was not synced: the same seed and the same operations give the same disk.
//!
//! What is modelled:
//! - *Bytes.* A write or a truncation is read at once, and belongs to the device with a later [`File::sync`](super::File::sync). A power
//!   loss takes what does not, all of it or, as [`Faults`] say, a part: each unsynced change of a file on its own, so a
//!   later write may survive an earlier one; blocks of a write on their own; the length without the bytes, which then
//!   are zeros; a truncation undone, so that the old tail is back.
//! - *Names.* What a directory holds belongs to the device with a later [`Disk::sync_directory`], for each directory on
//!   the way down: a made directory is lost with all that is in it if the one above it was not synced. Unsynced changes
//!   of names are undone by a power loss, or the first few of them stay. A file whose bytes were synced can lose its
//!   name, and a name can survive without the bytes. Only `/` is there from the start.
//! - *Power.* [`SimulatedDisk::crash`] is the loss of power and its return: handles, locks and operations under way of
//!   the time before answer errors. [`SimulatedDisk::crash_after`] cuts it at a chosen operation.
//! - *Space and failing syncs*, by [`Faults`].
//! - *Time.* With a [`Delay`] each operation completes after a latency drawn from the seed. It takes effect when it
//!   completes: operations under way side by side happen in the order of their completion. A write that is under way
//!   when the power goes may be lost, whole or torn. A sync covers what had completed when it was submitted. Without a
//!   [`Delay`] an operation is done when it is handed out.
//!
//! Not modelled: permissions, links, access times, and damage to synced bytes.

mod content;
mod faults;
mod file;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use self::file::{Opened, SimulatedFile};
use self::state::{Power, State};
use super::{Disk, Entry, FileHandle, Lock, Open, Space, Submitted};

pub use faults::{Delay, Failure, Faults};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    delay: Option<Arc<dyn Delay>>,
}

impl SimulatedDisk {
    /// An empty disk that completes at once and loses cleanly at a crash what was not synced.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Self::build(seed, Faults::default(), None)
    }

    /// An empty disk with faults.
    #[must_use]
    pub fn with_faults(seed: u64, faults: Faults) -> Arc<Self> {
        Self::build(seed, faults, None)
    }

    /// An empty disk whose operations complete through `delay`.
    #[must_use]
    pub fn with_delay(seed: u64, faults: Faults, delay: Arc<dyn Delay>) -> Arc<Self> {
        Self::build(seed, faults, Some(delay))
    }

    fn build(seed: u64, faults: Faults, delay: Option<Arc<dyn Delay>>) -> Arc<Self> {
        let state = State::new(seed, faults);
        Arc::new(Self(Arc::new(Shared { state: Mutex::new(state), delay })))
    }

    /// Changes the faults from the next operation on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state.lock().faults = faults;
    }

    /// Takes the power away and gives it back: what the device holds is there again, and everything that was open or
    /// under way answers errors. Also how a disk that [`SimulatedDisk::crash_after`] stopped is started again.
    pub fn crash(&self) {
        self.0.state.lock().crash();
    }

    /// Takes the power away at an operation: `operations` more are done, the one after them may or may not have reached
    /// the device and answers an error, as do all that follow until [`SimulatedDisk::crash`].
    pub fn crash_after(&self, operations: u64) {
        self.0.state.lock().power = Power::OnFor(operations);
    }

    /// Operations that took effect or failed so far, but for those that found the power gone.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.state.lock().operations
    }

    /// Whether the power is on: not once [`SimulatedDisk::crash_after`] took it, until [`SimulatedDisk::crash`].
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.0.state.lock().power != Power::Off
    }

    /// Syncs of files, and of everything, so far: what [`Faults::fail_sync_at`] counts.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.state.lock().syncs
    }

    /// Bytes that the files that have a name take, space set aside included.
    #[must_use]
    pub fn space(&self) -> u64 {
        self.0.state.lock().tree.space()
    }

    /// Begins to collect one line per operation, in the order in which they take effect.
    pub fn start_trace(&self) {
        self.0.state.lock().trace = Some(Vec::new());
    }

    /// The lines collected so far, such as `write /d/t-0/000.log @128 +61`; empty if tracing was not started. A file
    /// goes by the name under which it was opened. A failed operation's line ends with what went wrong.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.0.state.lock().trace.clone().unwrap_or_default()
    }

    /// Submits an operation on names.
    fn submit<T: Send + 'static>(
        &self,
        line: impl Fn() -> String + Send + 'static,
        apply: impl FnOnce(&mut State) -> io::Result<T> + Send + 'static,
    ) -> Submitted<T> {
        let life = self.0.state.lock().life;
        self.0.submit(life, (), line, apply)
    }

    /// How far a sync that is submitted now reaches.
    fn mark(&self) -> u64 {
        self.0.state.lock().tree.mark()
    }
}

impl Shared {
    /// Does an operation of the time `life` now, or through the delay. `held` is kept until it is done.
    fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        life: u64,
        held: impl Send + 'static,
        line: impl Fn() -> String + Send + 'static,
        apply: impl FnOnce(&mut State) -> io::Result<T> + Send + 'static,
    ) -> Submitted<T> {
        let Some(delay) = &self.delay else {
            return Submitted::done(self.perform(life, line, apply));
        };
        let after = self.state.lock().latency();
        let (completer, submitted) = Submitted::pending();
        let shared = self.clone();
        delay.schedule(
            after,
            Box::new(move || {
                completer.complete(shared.perform(life, line, apply));
                drop(held);
            }),
        );
        submitted
    }

    /// The one way through which every operation goes: power, count, effect, trace.
    fn perform<T>(
        &self,
        life: u64,
        line: impl Fn() -> String,
        apply: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        if !state.begin(life) {
            return Err(power_lost());
        }
        // A line names the paths that its operation touches.
        let failure = state.faults.failure(state.operations, &line);
        let answer = match failure {
            _ if state.faults.is_lost(&line) => Err(Errno::IO.into()),
            // Done all the same: what it should have covered is lost.
            Some(failure) if line().starts_with("sync ") || line().starts_with("sync_all ") => {
                state.fails_next_sync = true;
                apply(&mut state).and(Err(failure.errno().into()))
            }
            Some(failure) => Err(failure.errno().into()),
            None => apply(&mut state),
        };
        let is_cut = state.power == Power::Off;
        if let Some(trace) = &mut state.trace {
            trace.push(match &answer {
                _ if is_cut => format!("{}: power lost", line()),
                Ok(_) => line(),
                Err(error) => format!("{}: {error}", line()),
            });
        }
        // An answer that nobody gets may be a file or a lock, which takes the state's lock when it is dropped.
        drop(state);
        if is_cut { Err(power_lost()) } else { answer }
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, open: Open) -> Submitted<FileHandle> {
        let (shared, path, line) = (self.0.clone(), path.to_owned(), format!("open {} {open:?}", path.display()));
        self.submit(
            move || line.clone(),
            move |state| {
                let makes = matches!(open, Open::Create | Open::Truncate);
                if makes && state.refuses_name(&path) {
                    return Err(Errno::NOSPC.into());
                }
                let id = state.tree.open(&path, makes)?;
                if open == Open::Truncate && state.tree.content(id).length() > 0 {
                    state.set_length(id, 0);
                }
                let is_read_only = open == Open::Read;
                let opened = Opened { shared, id, life: state.life, path, is_read_only };
                Ok(Arc::new(SimulatedFile(Arc::new(opened))) as FileHandle)
            },
        )
    }

    fn list(&self, directory: &Path) -> Submitted<Vec<Entry>> {
        let (directory, line) = (directory.to_owned(), format!("list {}", directory.display()));
        self.submit(move || line.clone(), move |state| state.tree.list(&directory))
    }

    fn create_directory(&self, directory: &Path) -> Submitted<()> {
        let (directory, line) = (directory.to_owned(), format!("create_directory {}", directory.display()));
        self.submit(move || line.clone(), move |state| state.tree.create_directory(&directory))
    }

    fn rename(&self, from: &Path, to: &Path) -> Submitted<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let line = format!("rename {} {}", from.display(), to.display());
        self.submit(move || line.clone(), move |state| state.tree.rename(&from, &to))
    }

    fn remove(&self, path: &Path) -> Submitted<()> {
        let (path, line) = (path.to_owned(), format!("remove {}", path.display()));
        self.submit(move || line.clone(), move |state| state.tree.remove(&path))
    }

    fn remove_directory(&self, directory: &Path) -> Submitted<()> {
        let (directory, line) = (directory.to_owned(), format!("remove_directory {}", directory.display()));
        self.submit(move || line.clone(), move |state| state.tree.remove_directory(&directory))
    }

    fn sync_directory(&self, directory: &Path) -> Submitted<()> {
        let (directory, line) = (directory.to_owned(), format!("sync_directory {}", directory.display()));
        let mark = self.mark();
        self.submit(
            move || line.clone(),
            move |state| match state.power {
                Power::Off => state.tree.check_directory(&directory),
                Power::On | Power::OnFor(_) => state.tree.sync_directory(&directory, mark),
            },
        )
    }

    fn sync_all(&self, directory: &Path) -> Submitted<()> {
        let (directory, line) = (directory.to_owned(), format!("sync_all {}", directory.display()));
        let mark = self.mark();
        self.submit(
            move || line.clone(),
            move |state| {
                state.tree.check_directory(&directory)?;
                state.sync_all(mark)
            },
        )
    }

    fn space(&self, directory: &Path) -> Submitted<Space> {
        let (directory, line) = (directory.to_owned(), format!("space {}", directory.display()));
        self.submit(
            move || line.clone(),
            move |state| {
                state.tree.check_directory(&directory)?;
                Ok(state.space())
            },
        )
    }

    fn lock(&self, path: &Path) -> Submitted<Lock> {
        let (shared, path, line) = (self.0.clone(), path.to_owned(), format!("lock {}", path.display()));
        self.submit(
            move || line.clone(),
            move |state| {
                let id = state.tree.open(&path, true)?;
                state.tree.close(id);
                if !state.locks.insert(path.clone()) {
                    return Err(Errno::WOULDBLOCK.into());
                }
                Ok(Lock::new(HeldLock { shared, life: state.life, path }))
            },
        )
    }
}

/// Gives a lock back when it is dropped.
struct HeldLock {
    shared: Arc<Shared>,
    life: u64,
    path: PathBuf,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if self.life == state.life {
            state.locks.remove(&self.path);
        }
    }
}

fn power_lost() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the disk has no power, or had none since this was opened")
}
