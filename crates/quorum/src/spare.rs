//! A spare piece of the device, kept for a start on a full one.
//!
//! A start writes a vote and a few entries, and a broker that cannot start cannot serve what is to be read, nor delete
//! what fills the device. So a file named `spare` holds some space; a start that finds the device full gives it back
//! first, and takes it again when it is done. Where a file system cannot set space aside, there is none.

use std::path::Path;

use ottla_storage::disk::{Disk, Open};

/// The file's name.
const NAME: &str = "spare";
/// How much it holds, in bytes, where there is as much; less otherwise.
const SIZES: [u64; 3] = [256 << 10, 128 << 10, 64 << 10];

/// Gives the space back if the device has little left. Whatever goes wrong, the start will tell.
pub(crate) async fn give_back(disk: &dyn Disk, directory: &Path) {
    if disk.space(directory).await.is_ok_and(|space| space.usable < SIZES[0]) {
        let _ = disk.remove(&directory.join(NAME)).await;
    }
}

/// Takes space where none is held yet. That there is none is no fault: it was, or will be, somebody else's.
pub(crate) async fn keep(disk: &dyn Disk, directory: &Path) {
    let path = directory.join(NAME);
    if disk.open(&path, Open::Read).await.is_ok() {
        return;
    }
    let Ok(file) = disk.open(&path, Open::Create).await else { return };
    for size in SIZES {
        if file.reserve(size).await.is_ok() {
            return;
        }
    }
    let _ = disk.remove(&path).await;
}

#[cfg(test)]
mod tests {
    use ottla_storage::disk::simulated::{Faults, SimulatedDisk};

    use super::*;

    #[tokio::test]
    async fn a_full_device_gets_it_back_and_one_with_room_does_not() {
        let (disk, directory) = (SimulatedDisk::new(1), Path::new("/m"));
        disk.create_directory(directory).await.expect("made");
        let is_there = || async { disk.open(&directory.join(NAME), Open::Read).await.is_ok() };
        keep(&*disk, directory).await;
        give_back(&*disk, directory).await;
        assert!(is_there().await);
        disk.set_faults(Faults { full_after_bytes: Some(SIZES[0] / 2), ..Faults::default() });
        give_back(&*disk, directory).await;
        assert!(!is_there().await);
        keep(&*disk, directory).await;
        assert!(is_there().await, "a smaller one finds room");
        disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
        give_back(&*disk, directory).await;
        keep(&*disk, directory).await;
        assert!(!is_there().await);
    }
}
