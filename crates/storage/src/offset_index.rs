//! The offset index of a segment (`.index`, Kafka's `OffsetIndex`): which offset lies where in the file.
//!
//! An entry is made for a batch once more than `index.interval.bytes` were appended since the last entry. It names the
//! *last* offset of that batch and the batch's position. In the file: relative offset i32, position i32, big-endian.

use bytes::{BufMut, BytesMut};
use ottla_types::Offset;

use crate::index::{Entry, Index, put_relative};

/// One batch's last offset, and where the batch starts in the segment's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OffsetEntry {
    /// The last offset of the batch.
    pub(crate) offset: Offset,
    /// Where the batch starts, in bytes.
    pub(crate) position: u32,
}

/// The offset index of one segment.
pub(crate) type OffsetIndex = Index<OffsetEntry>;

impl Entry for OffsetEntry {
    const BYTES: u32 = 8;

    fn key(&self) -> i64 {
        self.offset.0
    }

    fn offset(&self) -> Offset {
        self.offset
    }

    fn put(&self, base: Offset, out: &mut BytesMut) {
        put_relative(out, base, self.offset);
        out.put_u32(self.position);
    }

    fn get(base: Offset, bytes: &[u8]) -> Self {
        let relative = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let position = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        Self { offset: base.plus(i64::from(relative)), position }
    }
}

impl OffsetIndex {
    /// Whether `segment.index.bytes` leave no room for another entry.
    pub(crate) fn is_full(&self, index_bytes_max: u32) -> bool {
        self.entries() >= index_bytes_max / OffsetEntry::BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_look_as_kafka_writes_them() {
        let entry = OffsetEntry { offset: Offset(1_000_258), position: 0x0102_0304 };
        let mut out = BytesMut::new();
        entry.put(Offset(1_000_000), &mut out);
        assert_eq!(&out[..], [0, 0, 1, 2, 1, 2, 3, 4]);
        assert_eq!(OffsetEntry::get(Offset(1_000_000), &out), entry);
    }

    #[test]
    fn fullness_counts_whole_entries() {
        let mut index = OffsetIndex::new(Offset(0));
        index.push(OffsetEntry { offset: Offset(1), position: 0 });
        assert!(!index.is_full(23));
        index.push(OffsetEntry { offset: Offset(2), position: 9 });
        assert!(index.is_full(23));
    }
}
