//! Memory as a server finds it that has run for a day, and the same for everybody: most of it taken, and a page cache full of
//! clean pages that are in use.
//!
//! What a page costs at its first use is decided below a virtual machine: one that was free for some seconds may have been
//! given to others, and to get it back takes more CPU time than all that a broker does with it. So a run holds most of the
//! memory ([`Level::hold`]), and has the rest read full before each work ([`Level::fill`]). docs/benchmarks.md tells more.

use std::path::Path;

use super::load::Load;
use super::machine;
use crate::process::Running;

/// Memory that is left to brokers, clients and the page cache, in MB. The kernel begins to write dirty pages out when they
/// are a tenth of it, and holds writers up from 15 % on: the largest work that is measured for CPU writes 1.5 GB.
const LEFT_MB: u64 = 10_000;
/// What is not worth to be held.
const LEAST_MB: u64 = 500;
/// So much is read at most where no memory is held.
const READ_MB: u64 = 2 * LEFT_MB;

/// What a run holds.
#[derive(Default)]
pub(crate) struct Level {
    ballast: Option<Running>,
    /// Whether it was tried: who may not hold memory is told so once.
    tried: bool,
}

impl Level {
    /// Holds memory until [`LEFT_MB`] are left, unless it does already; answers what is to be said about it.
    pub(crate) fn hold(&mut self, load: &Load) -> Option<String> {
        if std::mem::replace(&mut self.tried, true) {
            return None;
        }
        let held = machine::available_mb().and_then(|available| match surplus(available) {
            None => Ok(format!("{available} MB of memory are available, none is held")),
            Some(megabytes) => {
                self.ballast = Some(load.ballast(megabytes)?);
                Ok(format!("{megabytes} MB of memory are held, {LEFT_MB} are left"))
            }
        });
        Some(held.unwrap_or_else(|why| format!("memory is not held, and figures will differ more: {why}")))
    }

    /// Gives it back.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Has the page cache full of clean pages, by way of a file in `folder`; answers what is to be said about it.
    pub(crate) fn fill(&self, load: &Load, folder: &Path) -> String {
        match load.fill(READ_MB, folder) {
            Ok(answer) => {
                let number = |path| answer.number(path).unwrap_or_default();
                let (read, seconds, free) = (number("bytes") / 1e9, number("seconds"), number("free_mb"));
                format!("filled: {read:.1} GB read in {seconds:.1} s, {free:.0} MB are free")
            }
            Err(why) => format!("the page cache is not filled, and figures will differ more: {why}"),
        }
    }
}

/// How much of what is available is held, in MB.
fn surplus(available: u64) -> Option<u64> {
    available.checked_sub(LEFT_MB).filter(|megabytes| *megabytes >= LEAST_MB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_little_memory_keeps_all_of_it() {
        assert_eq!(surplus(25_000), Some(15_000));
        assert_eq!(surplus(LEFT_MB + LEAST_MB), Some(LEAST_MB));
        assert_eq!([surplus(LEFT_MB + LEAST_MB - 1), surplus(4000)], [None, None]);
    }
}
