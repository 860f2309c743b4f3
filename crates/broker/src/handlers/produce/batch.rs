//! What a partition is sent, as the batch that it stores.
//!
//! A batch of magic 2 in the topic's codec is checked where it lies and never copied. Message sets of magic 0 and 1, and
//! batches in another codec than `compression.type` asks for, are made anew, in memory of the pool that received them.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use ottla_record::{
    BatchError, BatchHeader, Codec, Compressor, Converted, HeaderFault, MessageSet, RefusedRecords, Room, Scratch,
    check_and_recompress, check_batch, convert_up, single_batch,
};
use ottla_storage::Batch;
use ottla_types::{ErrorCode, Timestamp};

use super::append::Refused;
use crate::buffers::Buffers;
use crate::partition::Partition;

/// The first version that has one batch of magic 2 and nothing else (KIP-98).
const BATCHES_FROM: i16 = 3;
/// The first version of those with batches that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// Room to decompress into, and the contexts of compression.
#[derive(Default)]
struct Codecs {
    scratch: Scratch,
    compressor: Compressor,
}

/// Where a partition's records go, and what it takes to get them there.
struct Way<'a> {
    partition: &'a Partition,
    version: i16,
    now: Timestamp,
    /// Memory for what is made anew.
    pool: &'a Arc<Buffers>,
    codecs: &'a mut Codecs,
}

thread_local! {
    /// One for each thread that checks.
    static CODECS: RefCell<Codecs> = RefCell::default();
}

/// The batch that `records`, a partition's part of a request, are stored as. `None` for a message set that holds
/// nothing, which is fine in the versions that have them.
pub(super) fn batch_of(
    partition: &Partition,
    records: &Bytes,
    version: i16,
    now: Timestamp,
    pool: &Arc<Buffers>,
) -> Result<Option<Batch>, Refused> {
    let set = if version < BATCHES_FROM { MessageSet::of(records)? } else { MessageSet::Current };
    CODECS.with_borrow_mut(|codecs| {
        let batch = Way { partition, version, now, pool, codecs }.of_set(records, set);
        // A thread may wait long for another large batch.
        codecs.scratch.give_back();
        codecs.compressor.give_back();
        batch
    })
}

impl Way<'_> {
    fn of_set(&mut self, records: &Bytes, set: MessageSet) -> Result<Option<Batch>, Refused> {
        match set {
            MessageSet::Empty => Ok(None),
            MessageSet::Old(sent) => {
                let made = self.convert(records, sent);
                made.map(Some).map_err(|error| Refused::from(error).at(self.partition))
            }
            MessageSet::Current => {
                let bytes = single_batch(records)?;
                // One that is unknown is refused by the check, behind what weighs more.
                let header = BatchHeader::parse(bytes)?;
                let sent = header.codec().unwrap_or_default();
                if sent == Codec::Zstd && (BATCHES_FROM..ZSTD_FROM).contains(&self.version) {
                    let message = format!("zstd needs Produce v{ZSTD_FROM}, this is v{}", self.version);
                    return Err(Refused::saying(ErrorCode::UnsupportedCompressionType, message));
                }
                let checked = self.check(records.slice_ref(bytes), sent);
                checked.map(Some).map_err(|error| refused(error, header).at(self.partition))
            }
        }
    }

    fn convert(&mut self, records: &[u8], sent: Codec) -> Result<Batch, BatchError> {
        let Codecs { scratch, compressor } = &mut *self.codecs;
        let (limits, rules) = self.partition.batch_rules(self.now);
        let packing = self.partition.packing(sent);
        made(self.pool, |room| convert_up(records, &limits, &rules, packing, scratch, compressor, room))
    }

    fn check(&mut self, bytes: Bytes, sent: Codec) -> Result<Batch, BatchError> {
        let Codecs { scratch, compressor } = &mut *self.codecs;
        let (limits, rules) = self.partition.batch_rules(self.now);
        let packing = self.partition.packing(sent);
        if packing.codec == sent {
            let header = check_batch(&bytes, &limits, &rules, scratch)?.header;
            return Ok(Batch { header, bytes });
        }
        made(self.pool, |room| check_and_recompress(&bytes, &limits, &rules, packing, scratch, compressor, room))
    }
}

/// What `make` makes, in a buffer of the pool, which gets it back when the batch is written.
fn made(
    pool: &Arc<Buffers>,
    make: impl FnOnce(Room<'_>) -> Result<Converted, BatchError>,
) -> Result<Batch, BatchError> {
    let mut buffer = None;
    let Converted { header, bytes } = make(&mut |bytes| std::mem::take(buffer.insert(pool.take(bytes)).bytes()))?;
    let bytes = match buffer {
        Some(mut buffer) => {
            *buffer.bytes() = bytes;
            buffer.freeze()
        }
        None => Bytes::from(bytes),
    };
    Ok(Batch { header, bytes })
}

/// What a check says, as an answer. A wrong kind of timestamp is every record's fault.
fn refused(error: BatchError, header: BatchHeader) -> Refused {
    let records = match error {
        BatchError::Header(HeaderFault::LogAppendTime) => header.record_count.min(RefusedRecords::ERRORS_MAX as i32),
        _ => return error.into(),
    };
    let refused = Refused::from(error);
    let message = refused.message.clone().unwrap_or_default();
    Refused { record_errors: (0..records).map(|index| (index, message.clone())).collect(), ..refused }
}
