//! Which log directories there were, by path: so that one whose disk is not mounted is not taken for a new one.
//!
//! ```text
//! version=1
//! 3pQ0b3v1QW6yYkzC9mJ8xA /data1/kafka     its directory.id and its path
//! qkW2Jt0BTUOdP1oFz3m5wg /data2/kafka
//! ```
//!
//! The file lies beside the cluster's metadata. A person may take lines out of it while the broker is stopped, so it does
//! not count them as Kafka's checkpoint files do. `meta_properties` is what
//! a directory says of itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_types::Uuid;

use crate::checkpoint;
use crate::disk::Disk;
use crate::fault::StorageFault;

const FILE: &str = "log-dirs";
/// The first line.
const VERSION: &str = "version=1";

/// The directories that a broker had when it started last.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KnownDirectories(pub BTreeMap<PathBuf, Uuid>);

impl KnownDirectories {
    /// Where `folder` has them.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// Reads the file in `folder`; none are known where there is none.
    pub async fn read(disk: &dyn Disk, folder: &Path) -> Result<Self, StorageFault> {
        let path = Self::path(folder);
        match checkpoint::read(disk, &path).await? {
            Some(text) => Self::decode(&text, &path),
            None => Ok(Self::default()),
        }
    }

    /// Writes the file, durably.
    pub async fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), StorageFault> {
        checkpoint::replace(disk, &Self::path(folder), Bytes::from(self.encode())).await
    }

    fn encode(&self) -> String {
        let lines = self.0.iter().map(|(path, id)| format!("{id} {}\n", path.display()));
        std::iter::once(format!("{VERSION}\n")).chain(lines).collect()
    }

    fn decode(text: &[u8], path: &Path) -> Result<Self, StorageFault> {
        let damaged = |position: usize, what: String| StorageFault::damaged(path, position as u64, what);
        let text = std::str::from_utf8(text).map_err(|error| damaged(error.valid_up_to(), "not UTF-8".to_owned()))?;
        let (mut known, mut position) = (BTreeMap::new(), 0);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let (at, line) = (position, line.trim_end());
            position += line.len() + 1;
            match (number, line.split_once(' ').map(|(id, directory)| (id.parse(), directory))) {
                (0, _) if line == VERSION => {}
                (0, _) => return Err(damaged(at, format!("{line}, expected {VERSION}"))),
                (_, Some((Ok(id), directory))) => drop(known.insert(PathBuf::from(directory), id)),
                _ => return Err(damaged(at, format!("\"{line}\" is not a directory.id and a path"))),
            }
        }
        Ok(Self(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::block_on;
    use crate::disk::simulated::SimulatedDisk;

    #[test]
    fn what_was_written_is_read_and_nothing_is_known_where_nothing_was() {
        let (disk, folder) = (SimulatedDisk::new(1), Path::new("/m"));
        let read = || block_on(KnownDirectories::read(&*disk, folder)).expect("read");
        block_on(disk.create_directory(folder)).expect("made");
        assert_eq!(read(), KnownDirectories::default());
        let ids = [("/data 1", 7), ("/data2", 8)].map(|(path, bits)| (PathBuf::from(path), Uuid::from_random(bits)));
        let known = KnownDirectories(BTreeMap::from(ids));
        block_on(known.write(&*disk, folder)).expect("written");
        assert_eq!(read(), known);
    }

    #[test]
    fn a_line_that_says_nothing_is_a_fault() {
        for (text, at) in [("version=1\nx\n", 10), ("version=1\nx /d\n", 10), ("version=2\n", 0)] {
            let fault = KnownDirectories::decode(text.as_bytes(), Path::new("/m/log-dirs")).expect_err("a fault");
            assert!(fault.to_string().starts_with(&format!("/m/log-dirs is damaged at byte {at}: ")), "{fault}");
        }
    }
}
