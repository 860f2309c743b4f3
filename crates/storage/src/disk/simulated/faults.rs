//! What a simulated disk may do to those who trust it: plain options, and the seeded dice that decide.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

/// How one operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The device has an error (EIO).
    Device,
    /// There is no room (ENOSPC). Only what may need some fails so: a write, a sync, a new name, space set aside.
    NoRoom,
}

impl Failure {
    /// Whether an operation can fail so, by its line in the trace.
    pub(super) fn befalls(self, line: &str) -> bool {
        let wants_room = ["write ", "sync", "rename ", "create_directory ", "reserve ", "lock "];
        let makes = line.starts_with("open ") && (line.ends_with(" Create") || line.ends_with(" Truncate"));
        self == Self::Device || makes || wants_room.iter().any(|verb| line.starts_with(verb))
    }

    pub(super) const fn errno(self) -> Errno {
        match self {
            Self::Device => Errno::IO,
            Self::NoRoom => Errno::NOSPC,
        }
    }
}

/// The faults of a [`SimulatedDisk`](super::SimulatedDisk). The default loses at a crash everything that was not
/// synced, cleanly and without dice; [`Faults::adverse`] loses parts of it, torn.
#[derive(Clone, PartialEq, Debug)]
pub struct Faults {
    /// Whether a crash is a power loss. If not, it is the death of the process: the kernel keeps what was written.
    /// Default: true.
    pub lose_unsynced: bool,
    /// The chance, from 0 to 1, that an unsynced change outlives a power loss all the same. Changes of files are each
    /// on their own; of the changes of names, which a journal keeps in order, the first few survive. Default: 0.
    pub keep_probability: f64,
    /// Whether half of the writes that a power loss takes leave some of their blocks behind, of 512 bytes or 4 KiB,
    /// and possibly the length they gave the file, the gaps filled with zeros. Default: false.
    pub tear: bool,
    /// The chance, from 0 to 1, that one bit of a write turns over on its way. Every later read sees it. Default: 0.
    pub flip_probability: f64,
    /// The device's size: the bytes that all files that have a name may hold together, space set aside included. A
    /// write that would pass it stores what fits and fails with `StorageFull`. Default: no end.
    pub full_after_bytes: Option<u64>,
    /// Whether no file can be made either where nothing is left. File systems differ. Default: false.
    pub names_need_room: bool,
    /// The number of the file sync, counted from 1 since the disk was made, that fails. As on Linux what it should have
    /// covered is then clean for the kernel: still read, never made durable by a later sync. Default: none.
    pub fail_sync_at: Option<u64>,
    /// The number of the operation, counted from 1 since the disk was made, that fails, and how. A sync that fails loses
    /// what it should have covered, as with `fail_sync_at`; anything else fails without an effect. Default: none.
    pub fail_at: Option<(u64, Failure)>,
    /// A directory whose device is gone: everything in it, files that are open too, fails with an I/O error. Default: none.
    pub lost: Option<PathBuf>,
    /// The shortest time an operation takes, where a [`Delay`] is given. Default: 50 µs.
    pub latency_min: Duration,
    /// The longest time an operation takes, where a [`Delay`] is given. Default: 1 ms.
    pub latency_max: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            lose_unsynced: true,
            keep_probability: 0.0,
            tear: false,
            flip_probability: 0.0,
            full_after_bytes: None,
            names_need_room: false,
            fail_sync_at: None,
            fail_at: None,
            lost: None,
            latency_min: Duration::from_micros(50),
            latency_max: Duration::from_millis(1),
        }
    }
}

impl Faults {
    /// A power loss keeps some of what was not synced and tears some: what recovery has to live with.
    #[must_use]
    pub fn adverse() -> Self {
        Self { keep_probability: 0.3, tear: true, ..Self::default() }
    }

    /// How operation `number` fails, if it does, by its line in the trace.
    pub(super) fn failure(&self, number: u64, line: &impl Fn() -> String) -> Option<Failure> {
        let (at, failure) = self.fail_at?;
        (at == number && failure.befalls(&line())).then_some(failure)
    }

    /// Whether an operation meets the device that is gone, by its line in the trace.
    pub(super) fn is_lost(&self, line: &impl Fn() -> String) -> bool {
        let Some(lost) = self.lost.as_ref().and_then(|lost| lost.to_str()) else { return false };
        let lost = lost.trim_end_matches('/');
        let touches = |word: &str| word.strip_prefix(lost).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        line().split(' ').any(touches)
    }

    /// A crash is a killed process; nothing that was written is lost.
    #[must_use]
    pub fn process_death() -> Self {
        Self { lose_unsynced: false, ..Self::default() }
    }
}

/// Delivers completions later: how a simulated runtime gives a simulated disk its time.
pub trait Delay: Send + Sync + fmt::Debug + 'static {
    /// Calls `run` once, after simulated time `after`. Dropped without being called, the operation answers an error.
    fn schedule(&self, after: Duration, run: Box<dyn FnOnce() + Send>);
}

/// A small generator of our own (splitmix64), so that a seed means the same in every version of every library.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        let drawn = self.next();
        if end == 0 { 0 } else { drawn % end }
    }

    /// Whether an event of probability `chance` happens.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, which an f64 holds exactly")]
    pub(super) fn happens(&mut self, chance: f64) -> bool {
        // Drawn also where the answer is clear, so that a changed chance does not shift all later draws.
        let drawn = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < chance
    }

    pub(super) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(u64::MAX - 1);
        shortest + Duration::from_nanos(self.below(span.saturating_add(1)))
    }
}
