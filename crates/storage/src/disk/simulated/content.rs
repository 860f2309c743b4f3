//! One simulated file's bytes: as programs see them, as the device holds them, and the changes between the two.

use bytes::Bytes;

use super::faults::{Dice, Faults};

/// The bytes of a file. `current` = `durable` with `unsynced` applied in order, but for what a failed sync lost.
#[derive(Default, Debug)]
pub(super) struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Space set aside up to this byte; does not survive a crash, which hurts nobody.
    reserved: u64,
}

/// A change that the device does not hold yet, and its place in the order of all changes of the disk.
#[derive(Debug)]
struct Unsynced {
    number: u64,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Bytes },
    Length(usize),
}

impl Content {
    pub(super) const fn length(&self) -> usize {
        self.current.len()
    }

    /// Bytes of the device that the file takes.
    pub(super) fn space(&self) -> u64 {
        self.reserved.max(self.current.len() as u64)
    }

    /// What is read from byte `at` on; shorter at the end.
    pub(super) fn read(&self, at: usize, length: usize) -> Bytes {
        let start = at.min(self.current.len());
        let end = start.saturating_add(length).min(self.current.len());
        Bytes::copy_from_slice(&self.current[start..end])
    }

    pub(super) fn write(&mut self, number: u64, at: usize, bytes: Bytes) {
        self.change(number, Change::Write { at, bytes });
    }

    pub(super) fn set_length(&mut self, number: u64, length: usize) {
        self.reserved = 0;
        self.change(number, Change::Length(length));
    }

    pub(super) const fn reserve(&mut self, length: u64) {
        if length > self.reserved {
            self.reserved = length;
        }
    }

    fn change(&mut self, number: u64, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(Unsynced { number, change });
    }

    /// A write that was under way when the power went: nobody has seen it, but the device may.
    pub(super) fn write_under_way(&mut self, at: usize, bytes: Bytes) {
        self.unsynced.push(Unsynced { number: u64::MAX, change: Change::Write { at, bytes } });
    }

    /// Makes the changes below `mark` durable.
    pub(super) fn sync(&mut self, mark: u64) {
        for synced in self.unsynced.extract_if(.., |unsynced| unsynced.number < mark) {
            synced.change.apply(&mut self.durable);
        }
    }

    /// A sync that failed: the changes below `mark` are forgotten by the kernel, and only it knew of them.
    pub(super) fn fail_sync(&mut self, mark: u64) {
        self.unsynced.retain(|unsynced| unsynced.number >= mark);
    }

    /// Goes back to what the device holds, and decides what that is of the unsynced changes.
    pub(super) fn crash(&mut self, faults: &Faults, dice: &mut Dice) {
        self.reserved = 0;
        if !faults.lose_unsynced {
            self.unsynced.clear();
            self.durable.clone_from(&self.current);
            return;
        }
        for Unsynced { change, .. } in self.unsynced.drain(..) {
            if dice.happens(faults.keep_probability) {
                change.apply(&mut self.durable);
            } else if faults.tear
                && let Change::Write { at, bytes } = change
                && dice.happens(0.5)
            {
                tear(&mut self.durable, at, &bytes, dice);
            }
        }
        self.current.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => put(to, *at, bytes),
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return; // Writing nothing behind the end does not extend a file.
    }
    let end = at + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[at..end].copy_from_slice(bytes);
}

/// Stores some of a write's blocks, as they are cut by the file's own block boundaries.
fn tear(to: &mut Vec<u8>, at: usize, bytes: &[u8], dice: &mut Dice) {
    let block = if dice.happens(0.5) { 512 } else { 4096 };
    let end = at + bytes.len();
    let mut from = at;
    while from < end {
        let until = (from / block + 1) * block;
        let until = until.min(end);
        if dice.happens(0.5) {
            put(to, from, &bytes[from - at..until - at]);
        }
        from = until;
    }
    // The length reaches the device on its own: the blocks that did not are zeros then.
    if dice.happens(0.5) && to.len() < end {
        to.resize(end, 0);
    }
}
