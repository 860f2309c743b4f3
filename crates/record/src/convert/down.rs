//! Batches into what readers before Kafka 0.11 understand: Fetch v0 to v3.
//!
//! As Kafka 3.9's `RecordsUtil.downConvert`: offsets stay, so gaps do; headers and producers are lost, and timestamps in
//! magic 0; batches of control records vanish (KIP-98); zstd has no place in the old formats (KIP-110). A batch that is
//! old enough is handed on as it is. Where nothing is compressed, records below the offset asked for are left out; a
//! compressed batch is whole.
//!
//! A batch at a time: whoever converts a range of a log decides after each one whether that is enough.

use ottla_types::Offset;
use thiserror::Error;

use crate::build::{BuildError, Compressor};
use crate::check::Scratch;
use crate::compress::{Codec, Packing};
use crate::error::BatchError;
use crate::header::TimestampType;
use crate::message;
use crate::message_set::{MessageSetBuilder, OldMagic};
use crate::read::RecordBatch;

/// What the smallest record takes in a batch.
const RECORD_BYTES_MIN: usize = 7;

/// Why a batch has no old form.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DownError {
    /// It is compressed with zstd: UNSUPPORTED_COMPRESSION_TYPE.
    #[error("zstd has no place in message formats before magic 2")]
    Zstd,
    /// It would be larger than an old format can say.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It cannot be read.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Converts the batches of one partition for one reader.
#[derive(Debug)]
pub struct DownConverter {
    magic: OldMagic,
    from: Offset,
    records_bytes_max: usize,
    scratch: Scratch,
    compressor: Compressor,
    /// The messages of a compressed batch before they are compressed; kept for the next one.
    messages: Vec<u8>,
}

impl DownConverter {
    /// For a reader that understands `magic` and asks from `from` on. A batch with more than `records_bytes_max` bytes of
    /// records is an error.
    #[must_use]
    pub fn new(magic: OldMagic, from: Offset, records_bytes_max: usize) -> Self {
        let (scratch, compressor) = (Scratch::default(), Compressor::default());
        Self { magic, from, records_bytes_max, scratch, compressor, messages: Vec::new() }
    }

    /// For another partition, from `from` on.
    pub fn restart(&mut self, from: Offset) {
        self.from = from;
    }

    /// How much room the old form of `batch` takes at most; of a compressed batch, about so much.
    #[must_use]
    pub fn room_for(&self, batch: &RecordBatch<'_>) -> usize {
        let (header, bytes) = (batch.header(), batch.bytes().len());
        if header.magic <= self.magic as i8 {
            return bytes;
        }
        match header.codec() {
            Ok(Codec::None) => {
                // Records come from the batch and are as many as can be in it, whatever its header says.
                let records = (header.record_count as usize).min(batch.payload().len() / RECORD_BYTES_MIN);
                batch.payload().len() + records * message::overhead(self.magic as i8)
            }
            _ => bytes + bytes / 8,
        }
    }

    /// Appends the old form of `batch` to `out`: nothing for a batch that such a reader does not get to see.
    pub fn convert(&mut self, batch: &RecordBatch<'_>, out: &mut Vec<u8>) -> Result<(), DownError> {
        let header = batch.header();
        if header.attributes.is_control() {
            return Ok(());
        }
        if header.attributes.codec() == Ok(Codec::Zstd) {
            return Err(DownError::Zstd);
        }
        if header.magic <= self.magic as i8 {
            out.extend_from_slice(batch.bytes());
            return Ok(());
        }
        let packing = Packing { codec: header.codec()?, level: None };
        let append_time = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        let set = MessageSetBuilder::new(self.magic, packing, append_time)?;
        match packing.codec {
            // Straight to where they belong.
            Codec::None => {
                let before = out.len();
                out.reserve(self.room_for(batch));
                let mut set = set.behind(std::mem::take(out));
                let filled = self.fill(&mut set, batch, self.from);
                *out = set.into_buffer();
                if filled.is_err() {
                    out.truncate(before);
                }
                filled
            }
            _ => {
                self.messages.clear();
                let mut set = set.behind(std::mem::take(&mut self.messages));
                let built = self.fill(&mut set, batch, Offset(i64::MIN));
                let built = built.and_then(|()| Ok(set.compress(&mut self.compressor, out)?));
                self.messages = set.into_buffer();
                built
            }
        }
    }

    /// Appends the batch's records from `from` on.
    fn fill(&mut self, set: &mut MessageSetBuilder, batch: &RecordBatch<'_>, from: Offset) -> Result<(), DownError> {
        for record in batch.records(&mut self.scratch, self.records_bytes_max)? {
            let record = record?;
            if record.offset >= from {
                set.append(record.offset, record.timestamp, record.key, record.value)?;
            }
        }
        Ok(())
    }
}
