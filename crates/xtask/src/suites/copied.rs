//! A copy of what a package client fetched, in `target/interop/suites`, to be prepared and built there. Knows no language.

use std::path::{Path, PathBuf};

use crate::interop;

/// Copies the folder `from` and prepares the copy, unless that was done already; the folder of the copy.
///
/// `recipe` tells what `prepare` does: with another one the copy is made anew.
pub(super) fn copy(
    name: &str,
    version: &str,
    from: &Path,
    recipe: &str,
    prepare: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<PathBuf, String> {
    let folder = interop::folder().join("suites").join(format!("{name}-{version}"));
    let made = folder.join("copied");
    if std::fs::read_to_string(&made).is_ok_and(|made| made == recipe) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    copy_folder(from, &folder).map_err(|e| format!("{} to {}: {e}", from.display(), folder.display()))?;
    prepare(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    std::fs::write(&made, recipe).map_err(|e| format!("{}: {e}", made.display()))?;
    Ok(folder)
}

/// Copies what the files hold and not their permissions: a cache of modules is read-only.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let into = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &into)?;
        } else {
            std::fs::write(into, std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
