//! Building a batch, for those who produce. Records are written as they are appended and compressed at the end.
//!
//! Not here: how large a batch should become and how long it waits; that is the producer's to decide, with the sizes
//! from here.

use bytes::Bytes;
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use thiserror::Error;

use crate::check::crc32c;
pub use crate::compress::Compressor;
use crate::compress::{Codec, Packing};
use crate::convert::Room;
use crate::header::{Attributes, BATCH_HEADER_BYTES, BatchHeader, CRC_START, LOG_OVERHEAD, MAGIC};
use crate::read::Header;
use crate::varint;

/// What a batch has beside its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// How the records are compressed.
    pub codec: Codec,
    /// The codec's level; `None` for Kafka's default. gzip has 1 to 9, zstd up to 22, the others have none.
    pub level: Option<i32>,
    /// The first offset: 0 from a producer.
    pub base_offset: Offset,
    /// The leader's epoch: unknown to a producer.
    pub leader_epoch: LeaderEpoch,
    /// The idempotent producer's id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
    /// Whether the record is a marker that a broker or controller wrote.
    pub control: bool,
}

impl Default for BatchOptions {
    /// As a producer that is not idempotent sends it, uncompressed.
    fn default() -> Self {
        Self {
            codec: Codec::None,
            level: None,
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::UNKNOWN,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            transactional: false,
            control: false,
        }
    }
}

/// Why a batch cannot be built.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BuildError {
    /// The batch would have more than the 2 GiB that its length field can say.
    #[error("a batch cannot have more than 2 GiB")]
    TooLarge,
    /// The format has no such codec.
    #[error("this format knows no {}", .0.name())]
    Codec(Codec),
    /// The batch has no record.
    #[error("a batch has one record at least")]
    Empty,
}

/// A batch being built.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    /// Room for the header, then the records so far.
    bytes: Vec<u8>,
    record_count: i32,
    /// The first record's timestamp.
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(options: BatchOptions) -> Self {
        Self {
            options,
            bytes: vec![0; BATCH_HEADER_BYTES],
            record_count: 0,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
        }
    }

    /// Goes on in `memory`, which is empty.
    pub(crate) fn move_to(&mut self, mut memory: Vec<u8>) {
        memory.extend_from_slice(&self.bytes);
        self.bytes = memory;
    }

    /// The memory that records were written to which became compressed ones, for others to be written to.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// How the records will be compressed.
    pub(crate) fn codec(&self) -> Codec {
        self.options.codec
    }

    /// The number of records so far.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// The size of the batch so far, header included, without compression.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// By how much a record would make the batch grow, without compression.
    #[must_use]
    pub fn record_bytes(
        &self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> usize {
        let body = self.body_bytes(timestamp, key, value, headers);
        varint::size_of(body as i64) + body
    }

    /// Appends a record and returns its index in the batch.
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BuildError> {
        let body = self.body_bytes(timestamp, key, value, headers);
        // Every length within the record is smaller than the batch, so all of them fit i32 if that does.
        let size = self.bytes.len() + varint::size_of(body as i64) + body;
        if size > i32::MAX as usize {
            return Err(BuildError::TooLarge);
        }
        let index = self.record_count;
        if index == 0 {
            self.base_timestamp = timestamp;
        }
        let out = &mut self.bytes;
        out.reserve(size - out.len());
        varint::write_i32(out, body as i32);
        out.push(0);
        varint::write_i64(out, timestamp.0.wrapping_sub(self.base_timestamp.0));
        varint::write_i32(out, index);
        write_bytes(out, key);
        write_bytes(out, value);
        varint::write_i32(out, headers.len() as i32);
        for header in headers {
            write_bytes(out, Some(header.key));
            write_bytes(out, header.value);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.record_count += 1;
        Ok(index)
    }

    /// The batch: records compressed, header and CRC written.
    pub fn build(mut self, compressor: &mut Compressor) -> Result<Bytes, BuildError> {
        self.build_in(compressor, &mut Vec::with_capacity).map(Bytes::from)
    }

    /// The same, once; compressed records go into what `room` gives.
    pub(crate) fn build_in(&mut self, compressor: &mut Compressor, room: Room<'_>) -> Result<Vec<u8>, BuildError> {
        if self.record_count == 0 {
            return Err(BuildError::Empty);
        }
        let options = self.options;
        let mut bytes = match options.codec {
            Codec::None => std::mem::take(&mut self.bytes),
            codec => {
                let records = &self.bytes[BATCH_HEADER_BYTES..];
                let out = room(BATCH_HEADER_BYTES + codec.bytes_max(records.len()));
                let packing = Packing { codec, level: options.level };
                compressor.compress_behind_header(packing, records, out)
            }
        };
        let batch_length = i32::try_from(bytes.len() - LOG_OVERHEAD).map_err(|_| BuildError::TooLarge)?;
        let mut header = BatchHeader {
            magic: MAGIC,
            base_offset: options.base_offset,
            batch_length,
            partition_leader_epoch: options.leader_epoch,
            crc: 0,
            attributes: Attributes::default()
                .with_codec(options.codec)
                .with_transactional(options.transactional)
                .with_control(options.control),
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.record_count,
        };
        bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
        header.crc = crc32c(&bytes[CRC_START..]);
        bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
        Ok(bytes)
    }

    /// The size of the next record without its length.
    fn body_bytes(
        &self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> usize {
        let base = if self.record_count == 0 { timestamp } else { self.base_timestamp };
        let headers_bytes: usize =
            headers.iter().map(|header| field_bytes(Some(header.key)) + field_bytes(header.value)).sum();
        1 + varint::size_of(timestamp.0.wrapping_sub(base.0))
            + varint::size_of(i64::from(self.record_count))
            + field_bytes(key)
            + field_bytes(value)
            + varint::size_of(headers.len() as i64)
            + headers_bytes
    }
}

fn field_bytes(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint::size_of(bytes.len() as i64) + bytes.len())
}

fn write_bytes(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => varint::write_i32(out, -1),
        Some(bytes) => {
            varint::write_i32(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}
