//! Cutting a log: at its end, where a follower diverged; at its beginning, where records are deleted; or wholly.

use std::path::Path;


use crate::disk::Disk;
use crate::fault::{StorageFault, Trying};

/// Removes a file that may be gone already.
pub(super) async fn remove(disk: &dyn Disk, path: &Path) -> Result<(), StorageFault> {
    match disk.remove(path).await.trying("remove", path) {
        Err(fault) if fault.is_not_found() => Ok(()),
        other => other,
    }
}
