//! `partition.metadata`: which topic's partition a directory holds, by the topic's id (KIP-516).
//!
//! ```text
//! version: 0
//! topic_id: rZfYqkaVTOCwvlTu3F8Q4A
//! ```

use std::path::Path;

use bytes::Bytes;
use ottla_types::TopicId;

use crate::checkpoint;
use crate::disk::Disk;
use crate::fault::{StorageFault, Trying};

/// Its name within a partition's directory.
pub(crate) const FILE: &str = "partition.metadata";

/// Writes the file, durably.
pub(crate) async fn write(disk: &dyn Disk, directory: &Path, id: TopicId) -> Result<(), StorageFault> {
    checkpoint::replace(disk, &directory.join(FILE), Bytes::from(encode(id))).await
}

/// Writes what is to become the file, and syncs nothing. [`name_it`] gives it its name.
pub(crate) async fn prepare(disk: &dyn Disk, directory: &Path, id: TopicId) -> Result<(), StorageFault> {
    checkpoint::prepare(disk, &checkpoint::temporary(&directory.join(FILE)), Bytes::from(encode(id))).await
}

/// Gives its name to what [`prepare`] wrote, which is durable by now.
pub(crate) async fn name_it(disk: &dyn Disk, directory: &Path) -> Result<(), StorageFault> {
    let path = directory.join(FILE);
    let temporary = checkpoint::temporary(&path);
    disk.rename(&temporary, &path).await.trying("rename", &temporary)
}

/// Reads the file; `None` if there is none, as a crash between the making of directory and file leaves it.
pub(crate) async fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<TopicId>, StorageFault> {
    let path = directory.join(FILE);
    match checkpoint::read(disk, &path).await? {
        Some(text) => decode(&text, &path).map(Some),
        None => Ok(None),
    }
}

fn encode(id: TopicId) -> String {
    // Without a line's end behind the id, as Kafka writes it.
    format!("version: 0\ntopic_id: {id}")
}

pub(crate) fn decode(text: &[u8], path: &Path) -> Result<TopicId, StorageFault> {
    let damaged = || {
        let reason = format!("\"{}\", expected version: 0 and topic_id:", String::from_utf8_lossy(text));
        StorageFault::damaged(path, 0, reason)
    };
    let text = std::str::from_utf8(text).map_err(|_| damaged())?;
    let mut lines = text.lines().map(|line| line.split_once(':').map(|(key, value)| (key.trim(), value.trim())));
    match (lines.next(), lines.next()) {
        (Some(Some(("version", "0"))), Some(Some(("topic_id", id)))) => id.parse().map_err(|_| damaged()),
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_damage_is_named() {
        let id = TopicId::from_random(7);
        assert_eq!(decode(encode(id).as_bytes(), Path::new("x")).expect("good"), id);
        for bad in ["", "version: 1\ntopic_id: x", "version: 0\n", "version: 0\ntopic_id: x"] {
            assert!(decode(bad.as_bytes(), Path::new("x")).is_err(), "{bad:?}");
        }
    }
}
