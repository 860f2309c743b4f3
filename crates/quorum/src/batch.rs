//! An entry as a record batch, and back: how the log looks to whoever opens it as a Kafka log.
//!
//! A batch of magic 2 with one record, uncompressed; base offset = the entry's index, partition leader epoch = its term,
//! no key, the value from `entry`. So every tool that reads a log reads this one, and the CRC is the batch's.

use std::path::Path;

use bytes::Bytes;
use ottla_record::{BatchBuilder, BatchOptions, Batches, Compressor, RecordBatch, Scratch};
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use crate::{QuorumFault, UnreadableEntry};

/// An entry as it lies in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stored {
    pub(crate) index: u64,
    pub(crate) term: u64,
    /// What `entry` encodes.
    pub(crate) value: Bytes,
}

impl Stored {
    /// The batch. Fails where Kafka's fields are too narrow: terms above `i32::MAX`, 2 GiB of facts.
    pub(crate) fn batch(&self, directory: &Path, at: Timestamp) -> Result<Bytes, QuorumFault> {
        let fault = |what: String| QuorumFault::Log { directory: directory.to_owned(), what };
        let term = i32::try_from(self.term).map_err(|_| fault(format!("term {} is too high", self.term)))?;
        let index = i64::try_from(self.index).map_err(|_| fault(format!("index {} is too high", self.index)))?;
        let options =
            BatchOptions { base_offset: Offset(index), leader_epoch: LeaderEpoch(term), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        builder.append(at, None, Some(&self.value), &[]).map_err(|error| fault(error.to_string()))?;
        builder.build(&mut Compressor::default()).map_err(|error| fault(error.to_string()))
    }
}

/// The entries in `bytes`, which begin with a batch; a batch that the end cuts is left out. `expected` is the index of
/// the first entry; they must count on from it.
pub(crate) fn read_batches(directory: &Path, bytes: &Bytes, mut expected: u64) -> Result<Vec<Stored>, QuorumFault> {
    let mut entries = Vec::new();
    for batch in Batches::new(bytes) {
        let stored = batch.map_err(|error| error.to_string()).and_then(|batch| read_batch(bytes, &batch));
        let stored = stored.map_err(|what| malformed(directory, expected, what))?;
        if stored.index != expected {
            return Err(malformed(directory, expected, format!("entry {} is in its place", stored.index)));
        }
        entries.push(stored);
        expected += 1;
    }
    Ok(entries)
}

fn read_batch(whole: &Bytes, batch: &RecordBatch<'_>) -> Result<Stored, String> {
    batch.check_crc().map_err(|error| error.to_string())?;
    let header = batch.header();
    let mut scratch = Scratch::default();
    // Uncompressed, so the records lie in the batch itself, and no limit is needed.
    let mut records = batch.records(&mut scratch, batch.bytes().len()).map_err(|error| error.to_string())?;
    let record = records.next().ok_or("a batch without a record")?.map_err(|error| error.to_string())?;
    let value = record.value.ok_or("a record without a value")?;
    if header.record_count != 1 || record.key.is_some() {
        return Err("not a batch of one record without a key".to_owned());
    }
    let index = u64::try_from(header.base_offset.0).map_err(|error| error.to_string())?;
    let term = u64::try_from(header.partition_leader_epoch.0).map_err(|error| error.to_string())?;
    Ok(Stored { index, term, value: whole.slice_ref(value) })
}

/// A fault of the entry at `index`.
pub(crate) fn malformed(directory: &Path, index: u64, what: String) -> QuorumFault {
    let source = UnreadableEntry::Malformed { position: 0, what };
    QuorumFault::Entry { directory: directory.to_owned(), index, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(index: u64) -> Stored {
        Stored { index, term: 3, value: Bytes::from_static(&[0x82, 0x00, 0xa0]) }
    }

    fn batches(indexes: &[u64]) -> Bytes {
        let parts = indexes.iter().map(|index| stored(*index).batch(Path::new("/d"), Timestamp(7)).expect("built"));
        parts.flat_map(|part| part.to_vec()).collect::<Vec<_>>().into()
    }

    #[test]
    fn a_batch_keeps_its_golden_bytes() {
        let hex: String = batches(&[5]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "00000000000000050000003b0000000302959496a400000000000000000000000000070000000000000007ffffffffffffffffffffffffffff000000011200000001068200a000"
        );
    }

    #[test]
    fn entries_come_back_in_order() {
        let read = read_batches(Path::new("/d"), &batches(&[5, 6]), 5).expect("readable");
        assert_eq!(read, [stored(5), stored(6)]);
    }

    #[test]
    fn a_gap_is_an_error() {
        assert!(read_batches(Path::new("/d"), &batches(&[5, 7]), 5).is_err());
        assert!(read_batches(Path::new("/d"), &batches(&[5]), 4).is_err());
    }

    #[test]
    fn a_changed_byte_is_an_error() {
        let bytes = batches(&[5]);
        for at in 21..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(read_batches(Path::new("/d"), &damaged.into(), 5).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_term_beyond_kafkas_epochs_is_refused() {
        let stored = Stored { term: 1 << 31, ..stored(1) };
        assert!(stored.batch(Path::new("/d"), Timestamp(0)).is_err());
    }
}
