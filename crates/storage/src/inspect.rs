//! What the small files of a log and of a log directory say, for those who look at them from outside: dumps, copies,
//! tests.
//!
//! Only decoding: bytes in, entries out. A log that is open reads its files in its own way; nothing here changes
//! anything.

use std::path::Path;

use ottla_types::{LeaderEpoch, Offset, ProducerId, Timestamp, TopicId};

use crate::checkpoint::{self, PartitionOffsets};
use crate::fault::StorageFault;
use crate::index::{self, Entry};
use crate::leader_epochs::LeaderEpochs;
use crate::meta_properties::MetaProperties;
use crate::offset_index::OffsetEntry;
use crate::partition_metadata;
use crate::producers::{ProducerEntry, snapshot};
use crate::time_index::TimeEntry;
use crate::transaction_index::{self, AbortedTransaction};

/// An `.index` file: the last offset of a batch and where the batch starts in the segment. `base` is the offset that
/// names the segment. Bytes behind the last whole entry are passed over.
#[must_use]
pub fn offset_index(base: Offset, bytes: &[u8]) -> Vec<(Offset, u32)> {
    used(index::decode::<OffsetEntry>(base, bytes), |entry| entry.offset == base)
        .map(|entry| (entry.offset, entry.position))
        .collect()
}

/// A `.timeindex` file: the largest timestamp so far and the last offset of the batch that brought it.
#[must_use]
pub fn time_index(base: Offset, bytes: &[u8]) -> Vec<(Timestamp, Offset)> {
    used(index::decode::<TimeEntry>(base, bytes), |entry| entry.offset == base)
        .map(|entry| (entry.timestamp, entry.offset))
        .collect()
}

/// A `.txnindex` file: the transactions that markers in the segment aborted. `path` is named in the error. Bytes behind the
/// last whole entry are passed over.
pub fn transaction_index(bytes: &[u8], path: &Path) -> Result<Vec<AbortedTransaction>, StorageFault> {
    for (i, entry) in bytes.chunks_exact(AbortedTransaction::BYTES as usize).enumerate() {
        if let Some(version) = transaction_index::foreign_version(entry) {
            let at = i as u64 * u64::from(AbortedTransaction::BYTES);
            return Err(StorageFault::damaged(path, at, format!("version {version}, expected 0")));
        }
    }
    Ok(index::decode(Offset::ZERO, bytes))
}

/// A `.snapshot` file: what was remembered of each producer. `path` is named in the error.
pub fn producer_snapshot(bytes: &[u8], path: &Path) -> Result<Vec<(ProducerId, ProducerEntry)>, StorageFault> {
    let producers = snapshot::decode(bytes, path)?;
    Ok(producers.sorted().into_iter().map(|(id, entry)| (id, entry.clone())).collect())
}

/// A `leader-epoch-checkpoint` file: each leader epoch and the first offset that it wrote, both strictly rising. `path`
/// is named in the error.
pub fn leader_epochs(bytes: &[u8], path: &Path) -> Result<Vec<(LeaderEpoch, Offset)>, StorageFault> {
    LeaderEpochs::decode(bytes, path).map(LeaderEpochs::into_starts)
}

/// A `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` or `replication-offset-checkpoint` file: an offset
/// for each partition. `path` is named in the error.
pub fn partition_offsets(bytes: &[u8], path: &Path) -> Result<PartitionOffsets, StorageFault> {
    checkpoint::decode_offsets(bytes, path)
}

/// A `partition.metadata` file: the id of the topic. `path` is named in the error.
pub fn partition_metadata(bytes: &[u8], path: &Path) -> Result<TopicId, StorageFault> {
    partition_metadata::decode(bytes, path)
}

/// A `meta.properties` file: whose log directory it is. `path` is named in the error.
pub fn meta_properties(bytes: &[u8], path: &Path) -> Result<MetaProperties, StorageFault> {
    MetaProperties::decode(bytes, path)
}

/// Entries up to the reserved, empty part of a file: a broker that was killed leaves it behind, all zeros.
fn used<E>(entries: Vec<E>, is_empty: impl Fn(&E) -> bool) -> impl Iterator<Item = E> {
    let mut first = true;
    entries.into_iter().take_while(move |entry| std::mem::take(&mut first) || !is_empty(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_part_of_an_index_is_no_entry() {
        let mut bytes = vec![0, 0, 0, 4, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 2, 0];
        bytes.extend([0; 24]);
        assert_eq!(offset_index(Offset(100), &bytes), [(Offset(104), 256), (Offset(109), 512)]);
    }

    /// What Kafka 4.3.1 left in a log directory with one partition.
    #[test]
    fn the_small_files_of_a_directory_of_kafkas_are_told() {
        let path = Path::new("x");
        let epochs = include_bytes!("../tests/data/kafka-4.3.1/golden-0/leader-epoch-checkpoint");
        assert_eq!(leader_epochs(epochs, path).expect("good"), [(LeaderEpoch(0), Offset(0))]);
        let offsets = include_bytes!("../tests/data/kafka-4.3.1/recovery-point-offset-checkpoint");
        let offsets = partition_offsets(offsets, path).expect("good");
        assert_eq!(offsets.into_values().collect::<Vec<_>>(), [Offset(100)]);
        let metadata = include_str!("../tests/data/kafka-4.3.1/golden-0/partition.metadata");
        let id = partition_metadata(metadata.as_bytes(), path).expect("good");
        assert!(metadata.ends_with(&id.to_string()), "{id}");
        let meta = include_bytes!("../tests/data/kafka-4.3.1/meta.properties");
        assert_eq!(meta_properties(meta, path).expect("good").node_id.0, 1);
    }

    #[test]
    fn a_first_entry_at_the_base_counts() {
        let bytes = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(offset_index(Offset(5), &bytes), [(Offset(5), 7)]);
    }
}
