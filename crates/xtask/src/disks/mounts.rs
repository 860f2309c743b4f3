//! File systems of a scenario: one in memory, and one on a file that stands for a device. Unmounted when dropped.
//!
//! Mounting needs root, or a user namespace, in which `disks` runs itself where it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage::Trouble;
use crate::process;

/// What is mounted, in the order of mounting.
#[derive(Default)]
pub(super) struct Mounts {
    at: Vec<PathBuf>,
}

impl Mounts {
    /// A file system in memory of so many MiB.
    pub(super) fn memory(&mut self, at: &Path, mebibytes: u32) -> Result<(), Trouble> {
        self.mount(at, &["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=755"), "ottla-disks"])
    }

    /// Another size for [`Mounts::memory`].
    pub(super) fn resize(&self, at: &Path, mebibytes: u32) -> Result<(), String> {
        self.remount(at, &format!("size={mebibytes}m"))
    }

    /// Mounts it again with other options.
    pub(super) fn remount(&self, at: &Path, options: &str) -> Result<(), String> {
        process::output(Command::new("mount").arg("-o").arg(format!("remount,{options}")).arg(at)).map(drop)
    }

    /// An ext4 on a file that promises so many MiB and takes its room only as it is written.
    pub(super) fn device(&mut self, at: &Path, file: &Path, mebibytes: u64) -> Result<(), Trouble> {
        let left_out = |error: String| Trouble::LeftOut(format!("no loop device: {error}"));
        fs::File::create(file)?.set_len(mebibytes << 20)?;
        let made = process::output(Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(file));
        made.map_err(left_out)?;
        self.attach(at, file)
    }

    /// Mounts a file that [`Mounts::device`] made.
    pub(super) fn attach(&mut self, at: &Path, file: &Path) -> Result<(), Trouble> {
        self.mount(at, &["-o", "loop,errors=remount-ro", &file.display().to_string()])
    }

    /// Unmounts what was mounted last.
    pub(super) fn detach(&mut self) -> Result<(), String> {
        let at = self.at.pop().ok_or("nothing is mounted")?;
        process::output(Command::new("umount").arg(at)).map(drop)
    }

    fn mount(&mut self, at: &Path, words: &[&str]) -> Result<(), Trouble> {
        fs::create_dir_all(at)?;
        let mounted = process::output(Command::new("mount").args(words).arg(at));
        mounted.map_err(|error| Trouble::LeftOut(format!("no mounts: {error}")))?;
        self.at.push(at.to_owned());
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for at in self.at.iter().rev() {
            drop(process::output(Command::new("umount").args(["-l"]).arg(at)));
        }
    }
}
