//! The transaction index of a segment (`.txnindex`, Kafka's `TransactionIndex`): which transactions were aborted by a
//! marker that lies in this segment (KIP-98).
//!
//! A reader of committed records is told of them with the records, and leaves theirs out. In the file, big-endian, 34
//! bytes each, by rising last offset: version i16 (0), producer id i64, first offset i64, last offset i64, last stable
//! offset i64. The offsets are whole ones, not relative to the segment: a transaction may begin in an earlier segment.
//!
//! There is no file where there are no entries, so a missing one says nothing. Whoever is not sure goes through the
//! batches ([`replay`](crate::producers::replay)). Which of the entries a reader needs is decided in `log/aborted`.

use bytes::{BufMut, BytesMut};
use ottla_types::{Offset, ProducerId};

use crate::index::{Entry, Index};

/// The version of an entry that is written and understood.
const VERSION: i16 = 0;

/// A transaction that was aborted, as one partition knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// The offset of its first record in the partition.
    pub first_offset: Offset,
    /// The offset of the marker that ended it.
    pub last_offset: Offset,
    /// The last stable offset once the marker was there: of the other open transactions the lowest first offset, or the
    /// offset behind the marker. An entry that comes later began nowhere below it.
    pub last_stable_offset: Offset,
}

/// The transaction index of one segment.
pub(crate) type TransactionIndex = Index<AbortedTransaction>;

impl Entry for AbortedTransaction {
    const BYTES: u32 = 34;

    fn key(&self) -> i64 {
        self.last_offset.0
    }

    fn offset(&self) -> Offset {
        self.last_offset
    }

    fn put(&self, _base: Offset, out: &mut BytesMut) {
        out.put_i16(VERSION);
        out.put_i64(self.producer_id.0);
        out.put_i64(self.first_offset.0);
        out.put_i64(self.last_offset.0);
        out.put_i64(self.last_stable_offset.0);
    }

    /// An entry of another version ends at an offset that no segment has, so that nobody believes it.
    fn get(_base: Offset, bytes: &[u8]) -> Self {
        let number = |at: usize| i64::from_be_bytes(*bytes[at..].first_chunk().expect("the caller cut 34 bytes"));
        let last_offset = if version(bytes) == VERSION { Offset(number(18)) } else { Offset(-1) };
        Self {
            producer_id: ProducerId(number(2)),
            first_offset: Offset(number(10)),
            last_offset,
            last_stable_offset: Offset(number(26)),
        }
    }
}

impl AbortedTransaction {
    /// Whether such an entry can have been written for a segment.
    pub(crate) fn is_sound(&self) -> bool {
        self.producer_id.0 >= 0
            && (0..=self.last_offset.0).contains(&self.first_offset.0)
            // A follower of Kafka's counts transactions that began behind the marker as well.
            && self.last_stable_offset.0 >= 0
    }
}

/// The version of an entry, if it is another than the one that is understood.
pub(crate) fn foreign_version(entry: &[u8]) -> Option<i16> {
    Some(version(entry)).filter(|version| *version != VERSION)
}

fn version(entry: &[u8]) -> i16 {
    i16::from_be_bytes([entry[0], entry[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: AbortedTransaction = AbortedTransaction {
        producer_id: ProducerId(1),
        first_offset: Offset(0x43),
        last_offset: Offset(0x44),
        last_stable_offset: Offset(0x42),
    };

    fn bytes_of(entry: &AbortedTransaction) -> BytesMut {
        let mut out = BytesMut::new();
        entry.put(Offset(65), &mut out);
        out
    }

    #[test]
    fn entries_look_as_kafka_writes_them() {
        let bytes = bytes_of(&SOME);
        // The file that Kafka 4.3.1 wrote for a segment that begins at 65.
        let mut expected = vec![0; 34];
        (expected[9], expected[17], expected[25], expected[33]) = (1, 0x43, 0x44, 0x42);
        assert_eq!(&bytes[..], expected);
        assert_eq!(AbortedTransaction::get(Offset(65), &bytes), SOME);
    }

    #[test]
    fn what_cannot_be_is_not_sound() {
        assert!(SOME.is_sound());
        let mut foreign = bytes_of(&SOME);
        foreign[1] = 1;
        assert_eq!(foreign_version(&foreign), Some(1));
        assert!(!AbortedTransaction::get(Offset(65), &foreign).is_sound());
        assert!(!AbortedTransaction { first_offset: Offset(0x45), ..SOME }.is_sound());
        assert!(!AbortedTransaction { last_stable_offset: Offset(-1), ..SOME }.is_sound());
        assert!(!AbortedTransaction { producer_id: ProducerId::NONE, ..SOME }.is_sound());
    }
}
