//! `meta.properties`: whose log directory this is (Kafka's `MetaProperties` version 1).
//!
//! Lines of `key=value`. Unknown keys and comments are passed over; keys that others wrote are not kept.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_types::{BrokerId, Uuid};

use crate::checkpoint;
use crate::disk::Disk;
use crate::fault::StorageFault;

const FILE: &str = "meta.properties";

/// What a log directory says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    /// `cluster.id`
    pub cluster_id: String,
    /// `node.id`
    pub node_id: BrokerId,
    /// `directory.id`; directories from before KIP-858 have none.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Reads the file in a log directory; `None` if there is none.
    pub async fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Self>, StorageFault> {
        let path = Self::path(directory);
        match checkpoint::read(disk, &path).await? {
            Some(text) => Self::decode(&text, &path).map(Some),
            None => Ok(None),
        }
    }

    /// Writes the file, durably.
    pub async fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), StorageFault> {
        checkpoint::replace(disk, &Self::path(directory), Bytes::from(self.encode())).await
    }

    /// A fault if `self`, found in `directory`, is not what `expected` says; directory ids may differ.
    pub(crate) fn must_be(&self, expected: &Self, directory: &Path) -> Result<(), StorageFault> {
        let mismatch = |key, got: String, expected: String| {
            Err(StorageFault::Mismatch { path: Self::path(directory), key, got, expected })
        };
        if self.cluster_id != expected.cluster_id {
            return mismatch("cluster.id", self.cluster_id.clone(), expected.cluster_id.clone());
        }
        if self.node_id != expected.node_id {
            return mismatch("node.id", self.node_id.to_string(), expected.node_id.to_string());
        }
        Ok(())
    }

    fn encode(&self) -> String {
        let mut text = format!("#\nnode.id={}\n", self.node_id);
        if let Some(id) = self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        text.push_str(&format!("version=1\ncluster.id={}\n", self.cluster_id));
        text
    }

    pub(crate) fn decode(text: &[u8], path: &Path) -> Result<Self, StorageFault> {
        let damaged = |reason: String| StorageFault::damaged(path, 0, reason);
        let text = std::str::from_utf8(text).map_err(|_| damaged(String::from("not UTF-8")))?;
        let value = |key: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
            lines.filter_map(|line| line.split_once('=')).find(|(k, _)| k.trim() == key).map(|(_, v)| v.trim())
        };
        match value("version") {
            Some("1") => {}
            version => return Err(damaged(format!("version={}, expected 1", version.unwrap_or("0")))),
        }
        let cluster_id = value("cluster.id").ok_or_else(|| damaged(String::from("cluster.id is missing")))?;
        let node_id = value("node.id").ok_or_else(|| damaged(String::from("node.id is missing")))?;
        let node_id = node_id.parse().map_err(|_| damaged(format!("node.id={node_id}, expected a number")))?;
        let directory_id = match value("directory.id") {
            Some(id) => Some(id.parse().map_err(|_| damaged(format!("directory.id={id}, expected an id")))?),
            None => None,
        };
        Ok(Self { cluster_id: cluster_id.to_owned(), node_id: BrokerId(node_id), directory_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kafka 4.3.1 wrote it.
    const KAFKAS: &str = "#\n#Sat Nov 21 08:21:07 UTC 2026\nnode.id=1\ndirectory.id=G7AEhuQQZHCRO1jdmvdrpA\nversion=1\ncluster.id=GZ69cQN8SzO_S09rRVQRkQ\n";

    #[test]
    fn kafkas_file_is_read_and_ours_reads_back() {
        let read = MetaProperties::decode(KAFKAS.as_bytes(), Path::new("x")).expect("good");
        assert_eq!(read.cluster_id, "GZ69cQN8SzO_S09rRVQRkQ");
        assert_eq!(read.node_id, BrokerId(1));
        assert_eq!(read.directory_id.map(|id| id.to_string()).as_deref(), Some("G7AEhuQQZHCRO1jdmvdrpA"));
        assert_eq!(MetaProperties::decode(read.encode().as_bytes(), Path::new("x")).expect("good"), read);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (from, to, named) in [
            ("version=1", "version=2", "version=2"),
            ("version=1\n", "", "version=0"),
            ("cluster.id", "cluster", "cluster.id is missing"),
            ("node.id=1", "node.id=x", "node.id=x"),
            ("G7AEhu", "G7", "directory.id=G7"),
        ] {
            let text = KAFKAS.replace(from, to);
            let fault = MetaProperties::decode(text.as_bytes(), Path::new("x")).expect_err(named);
            assert!(fault.to_string().contains(named), "{fault}");
        }
    }
}
