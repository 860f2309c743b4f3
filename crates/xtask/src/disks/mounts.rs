//! File systems of a scenario: one in memory, and one on a file that stands for a device. Unmounted when dropped.
//!
//! Mounting needs root, or a user namespace, in which `disks` runs itself where it can.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage::Trouble;
use crate::process;

/// Fills the file system of a directory to its last byte, by a file of this path.
pub(super) fn fill(path: &Path) -> Result<(), Trouble> {
    let mut file = fs::File::create(path)?;
    let mut piece = vec![1; 64 << 10];
    while !piece.is_empty() {
        match file.write(&piece) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => piece.truncate(piece.len() / 2),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What is mounted, in the order of mounting.
#[derive(Default)]
pub(crate) struct Mounts {
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
    pub(crate) fn device(&mut self, at: &Path, file: &Path, mebibytes: u64) -> Result<(), Trouble> {
        let left_out = |error: String| Trouble::LeftOut(format!("no loop device: {error}"));
        fs::File::create(file)?.set_len(mebibytes << 20)?;
        let made = process::output(Command::new("mkfs.ext4").args(["-q", "-J", "size=4"]).arg(file));
        made.map_err(left_out)?;
        self.attach(at, file)
    }

    /// Checks and repairs a file that [`Mounts::device`] made, as an operator would, and mounts it again.
    pub(super) fn repair(&mut self, at: &Path, file: &Path) -> Result<(), Trouble> {
        // Its exit code tells what was repaired; whether that was enough, the mount tells.
        drop(Command::new("e2fsck").args(["-f", "-y"]).arg(file).output());
        self.attach(at, file)
    }

    /// Mounts a file that [`Mounts::device`] made.
    fn attach(&mut self, at: &Path, file: &Path) -> Result<(), Trouble> {
        self.mount(at, &["-o", "loop,errors=remount-ro", &file.display().to_string()])
    }

    /// Has the kernel find a device in error, and make its file system read-only.
    pub(super) fn turn_read_only(&self, at: &Path) -> Result<(), Trouble> {
        let device = process::output(Command::new("findmnt").args(["-no", "SOURCE"]).arg(at))?;
        let device = device.trim().trim_start_matches("/dev/");
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        fs::write(&trigger, "1").map_err(|error| Trouble::LeftOut(format!("{trigger}: {error}")))
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
