//! A disk in memory that forgets what was not synced: the same seed and the same operations give the same disk.
//!
//! What is modelled:
//! - *Bytes.* A write or a truncation is read at once, and belongs to the device with a later [`File::sync`]. A power
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
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rustix::io::Errno;

use self::faults::Dice;
use self::tree::{Id, Tree};
use super::{Disk, Entry, File, FileHandle, Lock, Open, Submitted};

pub use faults::{Delay, Faults};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    delay: Option<Arc<dyn Delay>>,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    faults: Faults,
    dice: Dice,
    power: Power,
    /// How often the power came back: what tells a handle that it is of another time.
    life: u64,
    operations: u64,
    syncs: u64,
    locks: BTreeSet<PathBuf>,
    /// Writes that were submitted and have not completed, by their ticket.
    under_way: BTreeMap<u64, UnderWay>,
    next_ticket: u64,
    trace: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    /// This many operations are done before one fails.
    OnFor(u64),
    Off,
}

#[derive(Debug)]
struct UnderWay {
    file: Id,
    at: usize,
    bytes: Bytes,
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
        let state = State {
            tree: Tree::new(),
            faults,
            dice: Dice::new(seed),
            power: Power::On,
            life: 0,
            operations: 0,
            syncs: 0,
            locks: BTreeSet::new(),
            under_way: BTreeMap::new(),
            next_ticket: 0,
            trace: None,
        };
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
        let after = {
            let state = &mut *self.state.lock();
            state.dice.between(state.faults.latency_min, state.faults.latency_max)
        };
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
        let answer = apply(&mut state);
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

impl State {
    /// Counts an operation of the time `life`, and takes the power if it is the one to fail. False without power.
    fn begin(&mut self, life: u64) -> bool {
        if self.power == Power::Off || life != self.life {
            return false;
        }
        self.operations += 1;
        match &mut self.power {
            Power::OnFor(0) => self.power = Power::Off,
            Power::OnFor(operations) => *operations -= 1,
            Power::On | Power::Off => {}
        }
        true
    }

    fn crash(&mut self) {
        for under_way in std::mem::take(&mut self.under_way).into_values() {
            if let Some(content) = self.tree.find_content(under_way.file) {
                content.write_under_way(under_way.at, under_way.bytes);
            }
        }
        self.tree.crash(&self.faults, &mut self.dice);
        self.locks.clear();
        self.life += 1;
        self.power = Power::On;
        if let Some(trace) = &mut self.trace {
            trace.push("crash".to_owned());
        }
    }

    fn write(&mut self, file: Id, at: usize, bytes: Bytes) -> io::Result<()> {
        let bytes = self.flip(bytes);
        let end = at.checked_add(bytes.len()).filter(|_| !bytes.is_empty()).unwrap_or(0);
        let fits = self.fitting(file, end as u64);
        let stored = if fits < end as u64 {
            let fits = usize::try_from(fits).map_or(0, |fits| fits.saturating_sub(at));
            bytes.slice(..fits.min(bytes.len()))
        } else {
            bytes.clone()
        };
        let is_whole = stored.len() == bytes.len();
        let number = self.tree.number();
        self.tree.content(file).write(number, at, stored);
        if is_whole { Ok(()) } else { Err(Errno::NOSPC.into()) }
    }

    /// How far a file that should reach byte `end` can.
    fn fitting(&mut self, file: Id, end: u64) -> u64 {
        let taken = self.tree.content(file).space();
        match self.faults.full_after_bytes {
            Some(size) if end > taken => {
                let free = size.saturating_sub(self.tree.space());
                end.min(taken.saturating_add(free))
            }
            _ => end,
        }
    }

    fn set_length(&mut self, file: Id, length: usize) {
        let number = self.tree.number();
        self.tree.content(file).set_length(number, length);
    }

    fn reserve(&mut self, file: Id, length: u64) -> io::Result<()> {
        if self.fitting(file, length) < length {
            return Err(Errno::NOSPC.into());
        }
        self.tree.content(file).reserve(length);
        Ok(())
    }

    fn sync(&mut self, file: Id, mark: u64) -> io::Result<()> {
        if self.power == Power::Off {
            return Ok(()); // What it reaches is what a crash leaves.
        }
        self.syncs += 1;
        if self.faults.fail_sync_at == Some(self.syncs) {
            self.tree.content(file).fail_sync(mark);
            return Err(Errno::IO.into());
        }
        self.tree.content(file).sync(mark);
        Ok(())
    }

    /// Turns a bit over, as often as the faults want it.
    fn flip(&mut self, bytes: Bytes) -> Bytes {
        if self.faults.flip_probability <= 0.0 || !self.dice.happens(self.faults.flip_probability) {
            return bytes;
        }
        let mut bytes = BytesMut::from(bytes);
        let bit = self.dice.below(bytes.len() as u64 * 8);
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (bit % 8);
        }
        bytes.freeze()
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, open: Open) -> Submitted<FileHandle> {
        let (shared, path, line) = (self.0.clone(), path.to_owned(), format!("open {} {open:?}", path.display()));
        self.submit(
            move || line.clone(),
            move |state| {
                let id = state.tree.open(&path, matches!(open, Open::Create | Open::Truncate))?;
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

/// A file of the simulated disk.
struct SimulatedFile(Arc<Opened>);

/// What a handle and its operations under way share: while it lives, the file is there, with or without a name.
struct Opened {
    shared: Arc<Shared>,
    id: Id,
    /// The disk's life in which it was opened.
    life: u64,
    /// The name it was opened by, for the trace.
    path: PathBuf,
    is_read_only: bool,
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
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.under_way.insert(ticket, UnderWay { file: self.0.id, at, bytes: bytes.clone() });
        Some(ticket)
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
                    state.under_way.remove(&ticket);
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

fn power_lost() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the disk has no power, or had none since this was opened")
}
