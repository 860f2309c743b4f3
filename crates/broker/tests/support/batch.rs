//! Batches as producers send them, and as none should.

use bytes::Bytes;
use ottla_record::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, BatchOptions, Codec, Compressor, Header};
use ottla_types::{ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::WALL;

/// What a batch is made of.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// Keys and values.
    pub(crate) records: Vec<(Option<String>, Option<String>)>,
    /// The first record's timestamp.
    pub(crate) timestamp: Timestamp,
    /// By how many milliseconds each next one is later.
    pub(crate) step_ms: i64,
    /// The headers of every record.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) options: BatchOptions,
}

impl Default for Recipe {
    fn default() -> Self {
        let records = vec![(Some("k".to_owned()), Some("v".to_owned()))];
        Self { records, timestamp: WALL, step_ms: 1, headers: Vec::new(), options: BatchOptions::default() }
    }
}

impl Recipe {
    /// `count` records whose values have `bytes` bytes.
    pub(crate) fn of(count: usize, bytes: usize) -> Self {
        Self { records: vec![(Some("k".to_owned()), Some("v".repeat(bytes))); count], ..Self::default() }
    }

    /// The timestamp of the record at `index`.
    pub(crate) fn time_of(&self, index: usize) -> Timestamp {
        Timestamp(self.timestamp.0 + self.step_ms * i64::try_from(index).expect("few records"))
    }

    /// From an idempotent producer.
    pub(crate) fn produced_by(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.options.producer_id = ProducerId(id);
        self.options.producer_epoch = ProducerEpoch(epoch);
        self.options.base_sequence = Sequence(sequence);
        self
    }
}

/// The batch of a recipe.
pub(crate) fn built(recipe: &Recipe) -> Bytes {
    let mut builder = BatchBuilder::new(recipe.options);
    let headers: Vec<_> = recipe
        .headers
        .iter()
        .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref().map(str::as_bytes) })
        .collect();
    for (index, (key, value)) in recipe.records.iter().enumerate() {
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let at = recipe.time_of(index);
        builder.append(at, bytes(key).as_deref(), bytes(value).as_deref(), &headers).expect("small");
    }
    builder.build(&mut Compressor::default()).expect("a batch with records")
}

/// `batch` with something wrong: `crc`, `magic`, `length`, `count`, `base-offset`, `framing`, `cut`, `codec`, `control`,
/// `append-time`. The CRC is right again but for `crc`.
pub(crate) fn corrupted(batch: &Bytes, what: &str) -> Bytes {
    let mut bytes = batch.to_vec();
    let mut header = BatchHeader::parse(batch).expect("it was well formed");
    match what {
        "crc" => {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            return bytes.into();
        }
        "cut" => {
            bytes.truncate(bytes.len() - 1);
            return bytes.into();
        }
        "magic" => {
            bytes[ottla_record::MAGIC_POSITION] = 1;
            return bytes.into();
        }
        "unknown-magic" => {
            bytes[ottla_record::MAGIC_POSITION] = 9;
            return bytes.into();
        }
        // The first record's length is one too large.
        "framing" => bytes[BATCH_HEADER_BYTES] += 2,
        "length" => header.batch_length += 1,
        "count" => header.record_count += 1,
        "last-offset" => header.last_offset_delta += 1,
        "base-offset" => header.base_offset.0 = 5,
        "codec" => header.attributes.0 |= 7,
        "not-compressed" => header.attributes = header.attributes.with_codec(Codec::Gzip),
        "control" => header.attributes.0 |= 1 << 5,
        "append-time" => header.attributes.0 |= 1 << 3,
        _ => panic!("no way to break a batch is called {what}"),
    }
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    // Attributes are the first that the CRC covers.
    header.crc = crc32c(&bytes[21..]);
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    bytes.into()
}

/// CRC-32C, bit by bit: short, and of no common origin with what it is compared to.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
