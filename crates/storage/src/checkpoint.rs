//! Kafka's checkpoint files: small text files that are replaced as a whole.
//!
//! ```text
//! 0            the version
//! 2            the number of entries
//! orders 0 17  one entry per line, its fields divided by a space
//! orders 1 20
//! ```
//!
//! [`replace`] writes any small file so that a crash leaves the old or the new one: beside it, synced, renamed over it,
//! and the directory synced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use ottla_types::{Offset, PartitionIndex, TopicName, TopicPartition};

use crate::disk::{Disk, FileHandle, Open};
use crate::fault::{StorageFault, Trying};
use crate::sown::{self, Bug};

/// One offset for each of some partitions.
pub type PartitionOffsets = BTreeMap<TopicPartition, Offset>;

/// Small files are refused above this size: no log directory has that many partitions.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// One line of a checkpoint, and where it stood.
pub(crate) struct Line<'a> {
    text: &'a str,
    position: u64,
    path: &'a Path,
}

impl<'a> Line<'a> {
    /// The line's fields, if they are `N`.
    pub(crate) fn fields<const N: usize>(&self) -> Result<[&'a str; N], StorageFault> {
        let fields: Vec<&str> = self.text.split_ascii_whitespace().collect();
        <[&str; N]>::try_from(fields).map_err(|_| self.damaged())
    }

    /// A field as a number.
    pub(crate) fn number<T: FromStr>(&self, field: &str) -> Result<T, StorageFault> {
        field.parse().map_err(|_| self.damaged())
    }

    pub(crate) fn damaged(&self) -> StorageFault {
        StorageFault::damaged(self.path, self.position, format!("cannot understand the line \"{}\"", self.text))
    }
}

/// The text of a checkpoint with these entries.
pub(crate) fn encode(entries: impl IntoIterator<Item = String>) -> String {
    let entries: Vec<String> = entries.into_iter().collect();
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        text.push_str(&entry);
        text.push('\n');
    }
    text
}

/// The entries of a checkpoint's text. Kafka creates these files empty, so an empty one has no entry.
pub(crate) fn decode<'a>(text: &'a [u8], path: &'a Path) -> Result<Vec<Line<'a>>, StorageFault> {
    let text = std::str::from_utf8(text)
        .map_err(|error| StorageFault::damaged(path, error.valid_up_to() as u64, "not UTF-8"))?;
    let mut position = 0;
    let mut lines = text.split_inclusive('\n').map(|line| {
        let at = position;
        position += line.len() as u64;
        Line { text: line.trim_end_matches(['\n', '\r']), position: at, path }
    });
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.text != "0" {
        return Err(StorageFault::damaged(path, 0, format!("version \"{}\", expected 0", version.text)));
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let expected: usize = count.number(count.text)?;
    let entries: Vec<Line<'_>> = lines.collect();
    if entries.len() != expected {
        let reason = format!("{} entries, expected {expected}", entries.len());
        return Err(StorageFault::damaged(path, count.position, reason));
    }
    Ok(entries)
}

/// The text of a checkpoint of offsets by partition.
pub(crate) fn encode_offsets(offsets: &PartitionOffsets) -> String {
    encode(offsets.iter().map(|(tp, offset)| format!("{} {} {offset}", tp.topic, tp.partition)))
}

/// Reads a checkpoint of offsets by partition.
pub(crate) fn decode_offsets(text: &[u8], path: &Path) -> Result<PartitionOffsets, StorageFault> {
    let mut offsets = PartitionOffsets::new();
    for line in decode(text, path)? {
        let [topic, partition, offset] = line.fields()?;
        let topic = TopicName::new(topic).map_err(|_| line.damaged())?;
        let partition = PartitionIndex(line.number(partition)?);
        offsets.insert(TopicPartition { topic, partition }, Offset(line.number(offset)?));
    }
    Ok(offsets)
}

/// A small file's content; `None` if it is not there.
pub(crate) async fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Bytes>, StorageFault> {
    let file = match disk.open(path, Open::Read).await.trying("open", path) {
        Ok(file) => file,
        Err(fault) if fault.is_not_found() => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let length = file.length().await.trying("measure", path)?;
    if length > FILE_BYTES_MAX {
        return Err(StorageFault::damaged(path, 0, format!("{length} bytes, expected at most {FILE_BYTES_MAX}")));
    }
    Ok(Some(file.read(0, length as usize).await.trying("read", path)?))
}

/// Writes what is to replace a small file under a name of the time before, and syncs nothing. That name is to be renamed
/// once its content is durable.
pub(crate) async fn prepare(disk: &dyn Disk, temporary: &Path, content: Bytes) -> Result<(), StorageFault> {
    write_whole(disk, temporary, content).await.map(drop)
}

async fn write_whole(disk: &dyn Disk, path: &Path, content: Bytes) -> Result<FileHandle, StorageFault> {
    let file = disk.open(path, Open::Truncate).await.trying("make", path)?;
    file.write(0, vec![content]).await.trying("write", path)?;
    Ok(file)
}

/// Replaces a small file as a whole, durably.
pub(crate) async fn replace(disk: &dyn Disk, path: &Path, content: Bytes) -> Result<(), StorageFault> {
    let temporary = temporary(path);
    let file = write_whole(disk, &temporary, content).await?;
    if !sown::is(Bug::RenameWithoutSync) {
        file.sync().await.trying("sync", &temporary)?;
    }
    disk.rename(&temporary, path).await.trying("rename", &temporary)?;
    let directory = path.parent().expect("a file is in a directory");
    if sown::is(Bug::NameOfReplacedNotSynced) {
        return Ok(());
    }
    disk.sync_directory(directory).await.trying("sync", directory)
}

/// Where the content of a small file is written before it has its name.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    with_ending(path, ".tmp")
}

/// The same for one that waits for a sync of many files. Meanwhile the file may be [replaced](replace) alone.
pub(crate) fn temporary_of_many(path: &Path) -> PathBuf {
    with_ending(path, ".many.tmp")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_look_as_kafka_writes_them() {
        let mut offsets = PartitionOffsets::new();
        for (topic, partition, offset) in [("b", 0, 5), ("a", 10, 17), ("a", 2, 0)] {
            let topic = TopicName::new(topic).expect("legal");
            offsets.insert(TopicPartition { topic, partition: PartitionIndex(partition) }, Offset(offset));
        }
        let text = encode_offsets(&offsets);
        assert_eq!(text, "0\n3\na 2 0\na 10 17\nb 0 5\n");
        assert_eq!(decode_offsets(text.as_bytes(), Path::new("x")).expect("good"), offsets);
    }

    #[test]
    fn an_empty_file_has_no_entry_and_a_bad_one_says_where() {
        assert!(decode(b"", Path::new("x")).expect("fine").is_empty());
        assert!(decode(b"0\n0\n", Path::new("x")).expect("fine").is_empty());
        for (bad, position) in
            [("1\n0\n", 0), ("0\nx\n", 2), ("0\n2\na 0 1\n", 2), ("0\n1\na 0\n", 4), ("0\n1\na b c\n", 4)]
        {
            match decode_offsets(bad.as_bytes(), Path::new("x")) {
                Err(StorageFault::Damaged { position: at, .. }) => assert_eq!(at, position, "{bad:?}"),
                other => panic!("{bad:?}: {other:?}"),
            }
        }
    }
}
