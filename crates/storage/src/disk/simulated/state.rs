//! What a simulated disk is made of, and the effect of each operation on it. Who calls, and when, is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::io::Errno;

use super::faults::{Dice, Faults};
use super::tree::{Id, Tree};
use crate::disk::Space;

/// The disk behind its lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) faults: Faults,
    dice: Dice,
    pub(super) power: Power,
    /// How often the power came back: what tells a handle that it is of another time.
    pub(super) life: u64,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    /// The sync that comes next loses what it should cover.
    pub(super) fails_next_sync: bool,
    pub(super) locks: BTreeSet<PathBuf>,
    /// Writes that were submitted and have not completed, by their ticket.
    under_way: BTreeMap<u64, UnderWay>,
    next_ticket: u64,
    pub(super) trace: Option<Vec<String>>,
}

/// Whether the disk has power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Power {
    On,
    /// This many operations are done before one fails.
    OnFor(u64),
    Off,
}

/// A write that has not completed.
#[derive(Debug)]
struct UnderWay {
    file: Id,
    at: usize,
    bytes: Bytes,
}

impl State {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            tree: Tree::new(),
            faults,
            dice: Dice::new(seed),
            power: Power::On,
            life: 0,
            operations: 0,
            syncs: 0,
            fails_next_sync: false,
            locks: BTreeSet::new(),
            under_way: BTreeMap::new(),
            next_ticket: 0,
            trace: None,
        }
    }

    /// How long the next operation takes.
    pub(super) fn latency(&mut self) -> Duration {
        self.dice.between(self.faults.latency_min, self.faults.latency_max)
    }

    /// Notes a write that will complete later, so that a crash before that knows of it.
    pub(super) fn enter(&mut self, file: Id, at: usize, bytes: Bytes) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.under_way.insert(ticket, UnderWay { file, at, bytes });
        ticket
    }

    /// A write that was noted completes.
    pub(super) fn leave(&mut self, ticket: u64) {
        self.under_way.remove(&ticket);
    }

    /// Counts an operation of the time `life`, and takes the power if it is the one to fail. False without power.
    pub(super) fn begin(&mut self, life: u64) -> bool {
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

    pub(super) fn crash(&mut self) {
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

    pub(super) fn write(&mut self, file: Id, at: usize, bytes: Bytes) -> io::Result<()> {
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

    /// Whether no file can be made at `path`, for want of room.
    pub(super) fn refuses_name(&self, path: &std::path::Path) -> bool {
        let is_full = self.faults.full_after_bytes.is_some_and(|size| self.tree.space() >= size);
        self.faults.names_need_room && is_full && !self.tree.exists(path)
    }

    pub(super) fn set_length(&mut self, file: Id, length: usize) {
        let number = self.tree.number();
        self.tree.content(file).set_length(number, length);
    }

    pub(super) fn reserve(&mut self, file: Id, length: u64) -> io::Result<()> {
        if self.fitting(file, length) < length {
            return Err(Errno::NOSPC.into());
        }
        self.tree.content(file).reserve(length);
        Ok(())
    }

    pub(super) fn sync(&mut self, file: Id, mark: u64) -> io::Result<()> {
        if self.power == Power::Off {
            return Ok(()); // What it reaches is what a crash leaves.
        }
        self.syncs += 1;
        if self.next_sync_fails() {
            self.tree.content(file).fail_sync(mark);
            return Err(Errno::IO.into());
        }
        self.tree.content(file).sync(mark);
        Ok(())
    }

    fn next_sync_fails(&mut self) -> bool {
        std::mem::take(&mut self.fails_next_sync) || self.faults.fail_sync_at == Some(self.syncs)
    }

    /// Everything on the device below `mark`, files and names. Counts as one sync of a file, and fails as one.
    pub(super) fn sync_all(&mut self, mark: u64) -> io::Result<()> {
        if self.power == Power::Off {
            return Ok(());
        }
        self.syncs += 1;
        let fails = self.next_sync_fails();
        self.tree.sync_all(mark, fails);
        if fails { Err(Errno::IO.into()) } else { Ok(()) }
    }

    /// The device's size, 1 TiB where no fault says another.
    pub(super) fn space(&self) -> Space {
        let total = self.faults.full_after_bytes.unwrap_or(1 << 40);
        Space { total, usable: total.saturating_sub(self.tree.space()) }
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
