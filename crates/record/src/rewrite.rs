//! A batch of a log without some of its records: what compaction leaves of it.
//!
//! Offsets, sequences, producer, leader epoch and codec stay those of the original, so that a retry and a reader find what
//! they know; the offset of the last record stays too, even if that record is gone. A message of magic 0 or 1 becomes a
//! batch of magic 2 that begins and ends with the records that stay. Equal to what Kafka 4.3.1 writes
//! (`MemoryRecords.filterTo`), but for what a codec makes of the same bytes.
//!
//! Which records stay is not decided here but in `storage`.

use bytes::Bytes;
use ottla_types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::build::{BuildError, Compressor};
use crate::check::crc32c;
use crate::compress::{Codec, Packing};
use crate::header::{Attributes, BATCH_HEADER_BYTES, BatchHeader, CRC_START, LOG_OVERHEAD, MAGIC, TimestampType};
use crate::read::Record;
use crate::varint;

/// A batch being written anew, record by record.
#[derive(Debug)]
pub struct BatchRewriter {
    /// As it will be, but for what follows from the records.
    header: BatchHeader,
    codec: Codec,
    /// Whether the original was of magic 2, so that its first and last offset stay.
    keeps_bounds: bool,
    /// The time that records' timestamps are counted from; `None` before the first record, unless there is a horizon.
    base_timestamp: Option<Timestamp>,
    /// Room for the header, then the records so far.
    bytes: Vec<u8>,
    /// The offset of the last record so far.
    last: Offset,
}

impl BatchRewriter {
    /// Nothing yet of the batch with this header. `horizon` is the time from which its tombstones or its marker may go
    /// (KIP-534), if it has such a time now.
    pub fn new(original: &BatchHeader, horizon: Option<Timestamp>) -> Result<Self, crate::BatchError> {
        let codec = original.codec()?;
        let keeps_bounds = original.is_current();
        let mut header = BatchHeader { magic: MAGIC, record_count: 0, ..*original };
        header.attributes = Attributes::default()
            .with_codec(codec)
            .with_timestamp_type(original.attributes.timestamp_type())
            .with_transactional(keeps_bounds && original.attributes.is_transactional())
            .with_control(keeps_bounds && original.attributes.is_control())
            .with_delete_horizon(horizon.is_some());
        if !keeps_bounds {
            (header.producer_id, header.producer_epoch) = (ProducerId::NONE, ProducerEpoch::NONE);
            header.base_sequence = Sequence::NONE;
        }
        if original.attributes.timestamp_type() == TimestampType::CreateTime {
            header.max_timestamp = Timestamp::NONE;
        }
        let bytes = vec![0; BATCH_HEADER_BYTES];
        Ok(Self { header, codec, keeps_bounds, base_timestamp: horizon, bytes, last: Offset(-1) })
    }

    /// Appends a record that stays; in the order of the original.
    pub fn append(&mut self, record: &Record<'_>) -> Result<(), BuildError> {
        if self.header.record_count == 0 && !self.keeps_bounds {
            self.header.base_offset = record.offset;
        }
        let base_timestamp = *self.base_timestamp.get_or_insert(record.timestamp);
        let timestamp_delta = record.timestamp.0.wrapping_sub(base_timestamp.0);
        let offset_delta =
            i32::try_from(record.offset.0 - self.header.base_offset.0).map_err(|_| BuildError::TooLarge)?;
        let headers = record.headers.clone();
        let headers_bytes: usize =
            headers.clone().map(|header| field_bytes(Some(header.key)) + field_bytes(header.value)).sum();
        let body = 1
            + varint::size_of(timestamp_delta)
            + varint::size_of(i64::from(offset_delta))
            + field_bytes(record.key)
            + field_bytes(record.value)
            + varint::size_of(headers.len() as i64)
            + headers_bytes;
        let size = self.bytes.len() + varint::size_of(body as i64) + body;
        // Every length within the record is smaller than the batch, so all of them fit i32 if that does.
        if size > i32::MAX as usize {
            return Err(BuildError::TooLarge);
        }
        let out = &mut self.bytes;
        out.reserve(size - out.len());
        varint::write_i32(out, body as i32);
        out.push(0);
        varint::write_i64(out, timestamp_delta);
        varint::write_i32(out, offset_delta);
        write_field(out, record.key);
        write_field(out, record.value);
        varint::write_i32(out, headers.len() as i32);
        for header in headers {
            write_field(out, Some(header.key));
            write_field(out, header.value);
        }
        if self.header.attributes.timestamp_type() == TimestampType::CreateTime {
            self.header.max_timestamp = self.header.max_timestamp.max(record.timestamp);
        }
        self.header.record_count += 1;
        self.last = record.offset;
        Ok(())
    }

    /// The batch, compressed as the original was, and its header. [`BuildError::Empty`] without a record: [`emptied`] is
    /// for those.
    pub fn build(self, compressor: &mut Compressor) -> Result<(BatchHeader, Bytes), BuildError> {
        let Self { mut header, codec, keeps_bounds, base_timestamp, bytes, last } = self;
        let Some(base_timestamp) = base_timestamp.filter(|_| header.record_count > 0) else {
            return Err(BuildError::Empty);
        };
        header.base_timestamp = base_timestamp;
        if !keeps_bounds {
            header.last_offset_delta = (last.0 - header.base_offset.0) as i32;
        }
        let bytes = match codec {
            Codec::None => bytes,
            codec => {
                let out = vec![0; BATCH_HEADER_BYTES];
                compressor.compress(Packing { codec, level: None }, MAGIC, &bytes[BATCH_HEADER_BYTES..], out)
            }
        };
        sealed(header, bytes)
    }
}

/// What stays of a batch without any record: its offsets, and its producer's epoch and sequences (KIP-98). Of magic 2.
#[must_use]
pub fn emptied(original: &BatchHeader) -> (BatchHeader, Bytes) {
    let header = BatchHeader {
        magic: MAGIC,
        base_timestamp: Timestamp::NONE,
        record_count: 0,
        attributes: Attributes::default()
            .with_timestamp_type(original.attributes.timestamp_type())
            .with_transactional(original.attributes.is_transactional())
            .with_control(original.attributes.is_control()),
        ..*original
    };
    sealed(header, vec![0; BATCH_HEADER_BYTES]).expect("a header alone is not too large")
}

/// Writes length, header and CRC into `bytes`, whose first 61 are room for them.
fn sealed(mut header: BatchHeader, mut bytes: Vec<u8>) -> Result<(BatchHeader, Bytes), BuildError> {
    header.batch_length = i32::try_from(bytes.len() - LOG_OVERHEAD).map_err(|_| BuildError::TooLarge)?;
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    header.crc = crc32c(&bytes[CRC_START..]);
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    Ok((header, bytes.into()))
}

fn field_bytes(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint::size_of(bytes.len() as i64) + bytes.len())
}

fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => varint::write_i32(out, -1),
        Some(bytes) => {
            varint::write_i32(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_types::LeaderEpoch;

    use super::*;
    use crate::build::{BatchBuilder, BatchOptions};
    use crate::check::Scratch;
    use crate::message_set::{MessageSetBuilder, OldMagic};
    use crate::read::{Header, RecordBatch};

    const HEADERS: [Header<'_>; 2] = [Header { key: b"h", value: Some(b"x") }, Header { key: b"h", value: None }];

    fn original(codec: Codec) -> Bytes {
        let mut builder = BatchBuilder::new(BatchOptions {
            codec,
            base_offset: Offset(100),
            leader_epoch: LeaderEpoch(3),
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(2),
            base_sequence: Sequence(40),
            transactional: true,
            ..BatchOptions::default()
        });
        for (i, timestamp) in [1000, 1500, 1200, 1100].into_iter().enumerate() {
            let (key, value) = ([b'k', i as u8], [b'v'; 300]);
            builder.append(Timestamp(timestamp), Some(&key), (i != 2).then_some(&value), &HEADERS).expect("small");
        }
        builder.build(&mut Compressor::default()).expect("four records")
    }

    /// Rewrites what `stays` by index says, and answers the header and, of each record, offset, timestamp, key and value.
    #[expect(clippy::type_complexity, reason = "a row of a table in a test")]
    fn rewritten(
        bytes: &[u8],
        stays: &[usize],
        horizon: Option<i64>,
    ) -> (BatchHeader, Vec<(i64, i64, Vec<u8>, Option<usize>)>) {
        let batch = RecordBatch::parse(bytes).expect("a batch");
        let mut rewriter = BatchRewriter::new(batch.header(), horizon.map(Timestamp)).expect("a codec");
        let mut scratch = Scratch::default();
        for (i, record) in batch.records(&mut scratch, 1 << 20).expect("readable").enumerate() {
            if stays.contains(&i) {
                rewriter.append(&record.expect("a record")).expect("small");
            }
        }
        let (header, bytes) = rewriter.build(&mut Compressor::default()).expect("some records");
        let batch = RecordBatch::parse(&bytes).expect("a batch");
        batch.check_crc().expect("its CRC");
        assert_eq!(&header, batch.header());
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, 1 << 20).expect("readable");
        let row = |record: crate::Record<'_>| {
            let headers = if header.producer_id == ProducerId::NONE { 0 } else { 2 };
            assert_eq!(record.headers.len(), headers);
            (
                record.offset.0,
                record.timestamp.0,
                record.key.unwrap_or_default().to_vec(),
                record.value.map(<[u8]>::len),
            )
        };
        (header, records.map(|record| row(record.expect("a record"))).collect())
    }

    #[test]
    fn what_stays_keeps_its_place_and_the_batch_its_bounds_and_producer() {
        for codec in Codec::ALL {
            let before = BatchHeader::parse(&original(codec)).expect("a batch");
            let (header, records) = rewritten(&original(codec), &[1, 2], None);
            let expected = [(101, 1500, b"k\x01".to_vec(), Some(300)), (102, 1200, b"k\x02".to_vec(), None)];
            assert_eq!(records, expected, "{codec:?}");
            assert_eq!((header.base_offset, header.last_offset()), (Offset(100), Offset(103)));
            assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp(1500), Timestamp(1500)));
            assert_eq!((header.base_sequence, header.last_sequence()), (Sequence(40), Sequence(43)));
            assert_eq!((header.attributes, header.record_count), (before.attributes, 2));
            assert_eq!((header.producer_id, header.producer_epoch), (before.producer_id, before.producer_epoch));
            assert_eq!(header.partition_leader_epoch, LeaderEpoch(3));
        }
    }

    #[test]
    fn with_a_horizon_timestamps_are_counted_from_it() {
        let (header, records) = rewritten(&original(Codec::None), &[2], Some(50_000));
        assert_eq!(records, [(102, 1200, b"k\x02".to_vec(), None)]);
        assert_eq!(header.delete_horizon(), Some(Timestamp(50_000)));
        assert_eq!(header.max_timestamp, Timestamp(1200));
    }

    #[test]
    fn an_emptied_batch_keeps_offsets_and_sequences() {
        let before = BatchHeader::parse(&original(Codec::Gzip)).expect("a batch");
        let (header, bytes) = emptied(&before);
        let batch = RecordBatch::parse(&bytes).expect("a batch");
        batch.check_crc().expect("its CRC");
        assert_eq!((batch.header(), bytes.len()), (&header, BATCH_HEADER_BYTES));
        assert_eq!((header.last_offset(), header.last_sequence()), (before.last_offset(), before.last_sequence()));
        assert_eq!((header.base_timestamp, header.max_timestamp), (Timestamp::NONE, before.max_timestamp));
        assert_eq!((header.codec(), header.attributes.is_transactional()), (Ok(Codec::None), true));
        assert_eq!(batch.records(&mut Scratch::default(), 0).expect("none").count(), 0);
    }

    #[test]
    fn messages_of_old_formats_become_a_batch_of_what_stays() {
        for (magic, timestamps) in [(OldMagic::V0, [-1, -1]), (OldMagic::V1, [20, 30])] {
            for codec in [Codec::Gzip, Codec::Snappy] {
                let packing = Packing { codec, level: None };
                let mut builder = MessageSetBuilder::new(magic, packing, None).expect("a codec it has");
                for i in 0..3i64 {
                    let at = (Offset(10 + i), Timestamp(10 * (1 + i)));
                    builder.append(at.0, at.1, Some(b"k"), Some(b"value")).expect("small");
                }
                let mut bytes = Vec::new();
                builder.build(&mut Compressor::default(), &mut bytes).expect("three messages");
                let (header, records) = rewritten(&bytes, &[1, 2], None);
                let row = |i: i64| (11 + i, timestamps[i as usize], b"k".to_vec(), Some(5));
                assert_eq!(records, [row(0), row(1)], "{magic:?}");
                assert_eq!((header.base_offset, header.last_offset()), (Offset(11), Offset(12)));
                assert_eq!(header.codec(), Ok(codec));
            }
        }
    }
}
