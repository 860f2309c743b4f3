//! The time index of a segment (`.timeindex`, Kafka's `TimeIndex`): how far timestamps had come by which offset.
//!
//! An entry says that no batch up to and with the one that ends at `offset` has a timestamp above `timestamp`. One is
//! made with every entry of the offset index if the largest timestamp has risen since, and a last one when the segment
//! is closed. In the file: timestamp i64, relative offset i32, big-endian.

use bytes::{BufMut, BytesMut};
use ottla_types::{Offset, Timestamp};

use crate::index::{Entry, Index, put_relative};

/// The largest timestamp so far, and the last offset of the batch that brought it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeEntry {
    /// The largest timestamp so far.
    pub(crate) timestamp: Timestamp,
    /// The last offset of the batch that has it.
    pub(crate) offset: Offset,
}

/// The time index of one segment.
pub(crate) type TimeIndex = Index<TimeEntry>;

impl Entry for TimeEntry {
    const BYTES: u32 = 12;

    fn key(&self) -> i64 {
        self.timestamp.0
    }

    fn offset(&self) -> Offset {
        self.offset
    }

    fn put(&self, base: Offset, out: &mut BytesMut) {
        out.put_i64(self.timestamp.0);
        put_relative(out, base, self.offset);
    }

    fn get(base: Offset, bytes: &[u8]) -> Self {
        let timestamp = i64::from_be_bytes(*bytes.first_chunk().expect("the caller cut twelve bytes"));
        let relative = i32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        Self { timestamp: Timestamp(timestamp), offset: base.plus(i64::from(relative)) }
    }
}

impl TimeIndex {
    /// Whether `segment.index.bytes` leave no room but for the entry that closes the segment.
    pub(crate) fn is_full(&self, index_bytes_max: u32) -> bool {
        self.entries() + 1 >= index_bytes_max / TimeEntry::BYTES
    }

    /// Adds `entry` if its timestamp is above the last one's, and above [`Timestamp::NONE`].
    pub(crate) fn push_if_later(&mut self, entry: TimeEntry) {
        let so_far = self.last().map_or(Timestamp::NONE, |last| last.timestamp);
        if entry.timestamp > so_far {
            self.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_look_as_kafka_writes_them() {
        let entry = TimeEntry { timestamp: Timestamp(0x0102_0304_0506_0708), offset: Offset(77) };
        let mut out = BytesMut::new();
        entry.put(Offset(70), &mut out);
        assert_eq!(&out[..], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 7]);
        assert_eq!(TimeEntry::get(Offset(70), &out), entry);
    }

    #[test]
    fn only_rising_timestamps_are_kept() {
        let mut index = TimeIndex::new(Offset(0));
        for (timestamp, offset) in [(-1, 1), (5, 2), (5, 3), (4, 4), (6, 5)] {
            index.push_if_later(TimeEntry { timestamp: Timestamp(timestamp), offset: Offset(offset) });
        }
        assert_eq!(index.entries(), 2);
        assert_eq!(index.last().map(|e| e.offset), Some(Offset(5)));
    }
}
