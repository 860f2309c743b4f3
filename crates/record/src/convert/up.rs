//! What producers before Kafka 0.11 send, into one batch of magic 2: Produce v0 to v2.
//!
//! Decided as Kafka 3.9 decides (`UnifiedLog.analyzeAndValidateRecords`, `LogValidator`): every message's size and CRC;
//! one magic throughout; a wrapper alone or messages without one; within a wrapper each message's CRC and magic, and no
//! wrapper; the topic's rules. Offsets are the leader's to give, so those in the set count for nothing, but for a
//! wrapper's that contradicts what it holds. What ends within a message counts up to there.
//!
//! Stricter than Kafka: a timestamp type that the producer claims, as in `check`; a message whose key and value do not
//! fill it. zstd, which these formats do not have, is UNSUPPORTED_COMPRESSION_TYPE, where Kafka says INVALID_RECORD.

use super::{Converted, Room};
use crate::batches::next_batch;
use crate::build::{BatchBuilder, BatchOptions, BuildError, Compressor};
use crate::check::{Limits, Rules, Scratch, TimestampRule, settle};
use crate::compress::{Codec, Packing, Reading};
use crate::error::{BatchError, FramingFault, HeaderFault, RefusedRecords};
use crate::header::{Attributes, BATCH_HEADER_BYTES, BatchHeader, MAGIC, MAGIC_POSITION, TimestampType};
use crate::message::{self, Message, Next};
use crate::read::RecordBatch;
use crate::walk::RecordRules;

/// The records of one partition in a request before v3, looked at from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageSet {
    /// Nothing whole is in it.
    Empty,
    /// Messages of magic 0 or 1, compressed so; [`convert_up`] takes them.
    Old(Codec),
    /// It starts with a batch of magic 2, which goes where batches go.
    Current,
}

impl MessageSet {
    /// Looks at sizes, magics and codecs only, and not behind a first batch of magic 2.
    pub fn of(set: &[u8]) -> Result<Self, BatchError> {
        let mut found = Self::Empty;
        let mut at = 0;
        while let Some(bytes) = next_batch(&set[at..])? {
            let header = BatchHeader::parse_any(bytes)?;
            if header.is_current() && at == 0 {
                return Ok(Self::Current);
            }
            let codec = if header.is_current() { Codec::None } else { header.codec()? };
            found = match found {
                Self::Old(before) if codec == Codec::None => Self::Old(before),
                _ => Self::Old(codec),
            };
            at += bytes.len();
        }
        Ok(found)
    }
}

/// Makes one batch of `set`, compressed as `packing` says. `set` is [`MessageSet::Old`].
pub fn convert_up(
    set: &[u8],
    limits: &Limits,
    rules: &Rules,
    packing: Packing,
    scratch: &mut Scratch,
    compressor: &mut Compressor,
    room: Room<'_>,
) -> Result<Converted, BatchError> {
    let magic = check_outside(set, limits)?;
    let mut up = Up::new(magic, rules, packing);
    let mut at = 0;
    while let Some(bytes) = next_batch(&set[at..])? {
        match message::attributes(bytes).codec_of_message()? {
            Codec::None => {
                if at == 0 {
                    // Once for all messages: none becomes larger as a record.
                    up.settle(set.len(), compressor, room);
                }
                up.take(bytes, at)?;
            }
            codec => {
                let batch = RecordBatch::parse(bytes)?;
                up.claims(batch.header().attributes)?;
                let decompressor = &mut scratch.decompressor;
                let within =
                    decompressor.whole(codec, magic, Reading::Strict, batch.payload(), limits.records_bytes_max)?;
                up.settle(within.len(), compressor, room);
                up.wrapper(batch.header(), within)?;
            }
        }
        at += bytes.len();
    }
    up.finish(limits, rules, compressor, room)
}

/// What holds for the messages of the set itself, before any is opened; the magic that all of them have.
fn check_outside(set: &[u8], limits: &Limits) -> Result<i8, BatchError> {
    let mut first = None;
    let (mut at, mut messages, mut compressed) = (0, 0, false);
    while let Some(bytes) = next_batch(&set[at..])? {
        if bytes.len() > limits.batch_bytes_max {
            return Err(BatchError::TooLarge { bytes: bytes.len(), bytes_max: limits.batch_bytes_max });
        }
        let magic = bytes[MAGIC_POSITION] as i8;
        let codec = if magic == MAGIC {
            let batch = RecordBatch::parse(bytes)?;
            batch.check_crc()?;
            batch.header().codec()
        } else {
            message::check_length(bytes, magic)?;
            message::check_crc(bytes)?;
            message::attributes(bytes).codec_of_message()
        };
        if *first.get_or_insert(magic) != magic {
            return Err(BatchError::Framing { index: messages, position: at, fault: FramingFault::Magic(magic) });
        }
        compressed |= codec? != Codec::None;
        at += bytes.len();
        messages += 1;
    }
    match first {
        None => Err(BatchError::NotOneBatch { several: false }),
        Some(_) if compressed && messages > 1 => Err(BatchError::NotOneBatch { several: true }),
        Some(magic) => Ok(magic),
    }
}

/// The conversion of one set.
struct Up {
    magic: i8,
    rules: RecordRules,
    builder: BatchBuilder,
    /// How many records were seen.
    index: i32,
    refused: RefusedRecords,
}

impl Up {
    fn new(magic: i8, rules: &Rules, packing: Packing) -> Self {
        let options = BatchOptions { codec: packing.codec, level: packing.level, ..BatchOptions::default() };
        Self {
            magic,
            rules: rules.timestamps.record_rules(rules.compacted),
            builder: BatchBuilder::new(options),
            index: 0,
            refused: RefusedRecords::default(),
        }
    }

    /// Has the records written where they belong, some `bytes` of them: into the batch itself, or, if they are to be
    /// compressed, to where the compressor keeps them.
    fn settle(&mut self, bytes: usize, compressor: &mut Compressor, room: Room<'_>) {
        let bytes = BATCH_HEADER_BYTES + bytes;
        let memory = match self.builder.codec() {
            Codec::None => room(bytes),
            _ => compressor.take_staging(bytes),
        };
        self.builder.move_to(memory);
    }

    /// What a producer may not claim of a message, whether it is a record or holds some.
    fn claims(&self, attributes: Attributes) -> Result<(), BatchError> {
        match attributes.timestamp_type() {
            TimestampType::LogAppendTime if self.magic > 0 => Err(HeaderFault::LogAppendTime.into()),
            _ => Ok(()),
        }
    }

    /// A message of the set itself, whose CRC was checked.
    fn take(&mut self, bytes: &[u8], position: usize) -> Result<(), BatchError> {
        let message = Message::parse(bytes).map_err(|fault| self.fault(position, fault))?;
        self.claims(message.attributes)?;
        self.record(&message)
    }

    /// What a wrapper holds.
    fn wrapper(&mut self, header: &BatchHeader, within: &[u8]) -> Result<(), BatchError> {
        let (mut at, mut last) = (0, None);
        while let Next::Message(message) = Message::next(&within[at..]).map_err(|fault| self.fault(at, fault))? {
            let fault = if message.magic != self.magic {
                Some(FramingFault::Magic(message.magic))
            } else if message.is_wrapper() {
                Some(FramingFault::Nested)
            } else {
                message::check_crc(message.bytes).err().map(|_| FramingFault::Crc)
            };
            if let Some(fault) = fault {
                return Err(self.fault(at, fault));
            }
            self.record(&message)?;
            at += message.bytes.len();
            last = Some(message.offset);
        }
        let wrapper = header.base_offset;
        match last {
            None => Err(self.fault(at, FramingFault::Empty)),
            // An outer offset of 0 is that of clients that number nothing.
            Some(last) if self.magic > 0 && wrapper.0 != 0 && wrapper < last => {
                Err(self.fault(at, FramingFault::WrapperOffset(last.0)))
            }
            Some(_) => Ok(()),
        }
    }

    fn record(&mut self, message: &Message<'_>) -> Result<(), BatchError> {
        match self.rules.fault(message.timestamp.0, message.key.is_some()) {
            Some(fault) => self.refused.note(self.index, fault),
            None => {
                let appended = self.builder.append(message.timestamp, message.key, message.value, &[]);
                appended.map_err(|_| too_large(self.builder.size_in_bytes(), i32::MAX as usize))?;
            }
        }
        self.index += 1;
        Ok(())
    }

    fn finish(
        mut self,
        limits: &Limits,
        rules: &Rules,
        compressor: &mut Compressor,
        room: Room<'_>,
    ) -> Result<Converted, BatchError> {
        if self.refused.count > 0 {
            return Err(BatchError::Records(self.refused));
        }
        let uncompressed = self.builder.size_in_bytes();
        let bytes = self.builder.build_in(compressor, room).map_err(|error| match error {
            BuildError::Empty => BatchError::NotOneBatch { several: false },
            _ => too_large(uncompressed, i32::MAX as usize),
        })?;
        if self.builder.codec() != Codec::None {
            compressor.keep_staging(self.builder.into_memory());
        }
        // Each message was small enough; together, or in another codec, they may not be.
        if bytes.len() > limits.batch_bytes_max {
            return Err(too_large(bytes.len(), limits.batch_bytes_max));
        }
        let header = BatchHeader::parse(&bytes)?;
        let header = match rules.timestamps {
            TimestampRule::CreateTime { .. } => header,
            TimestampRule::LogAppendTime { now } => settle(header, &bytes, TimestampType::LogAppendTime, now),
        };
        Ok(Converted { header, bytes })
    }

    fn fault(&self, position: usize, fault: FramingFault) -> BatchError {
        BatchError::Framing { index: self.index, position, fault }
    }
}

fn too_large(bytes: usize, bytes_max: usize) -> BatchError {
    BatchError::TooLarge { bytes, bytes_max }
}
