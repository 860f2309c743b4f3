//! What a partition is sent, as the batch that it stores.
//!
//! A batch of magic 2 in the topic's codec is checked where it lies and never copied. Message sets of magic 0 and 1, and
//! batches in another codec than `compression.type` asks for, are made anew.

use std::cell::RefCell;

use bytes::Bytes;
use ottla_record::{
    BatchError, BatchHeader, Codec, Compressor, HeaderFault, MessageSet, RefusedRecords, Scratch, check_and_recompress,
    check_batch, convert_up, single_batch,
};
use ottla_storage::Batch;
use ottla_types::{ErrorCode, Timestamp};

use super::append::Refused;
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
) -> Result<Option<Batch>, Refused> {
    let set = if version < BATCHES_FROM { MessageSet::of(records)? } else { MessageSet::Current };
    CODECS.with_borrow_mut(|codecs| {
        let batch = of_set(partition, version, records, set, now, codecs);
        // A thread may wait long for another large batch.
        codecs.scratch.give_back();
        batch
    })
}

fn of_set(
    partition: &Partition,
    version: i16,
    records: &Bytes,
    set: MessageSet,
    now: Timestamp,
    codecs: &mut Codecs,
) -> Result<Option<Batch>, Refused> {
    match set {
        MessageSet::Empty => Ok(None),
        MessageSet::Old(sent) => {
            let made = convert(partition, records, sent, now, codecs);
            made.map(Some).map_err(|error| Refused::from(error).at(partition))
        }
        MessageSet::Current => {
            let bytes = single_batch(records)?;
            // One that is unknown is refused by the check, behind what weighs more.
            let header = BatchHeader::parse(bytes)?;
            let sent = header.codec().unwrap_or_default();
            if sent == Codec::Zstd && (BATCHES_FROM..ZSTD_FROM).contains(&version) {
                let message = format!("zstd needs Produce v{ZSTD_FROM}, this is v{version}");
                return Err(Refused::saying(ErrorCode::UnsupportedCompressionType, message));
            }
            let checked = check(partition, records.slice_ref(bytes), sent, now, codecs);
            checked.map(Some).map_err(|error| refused(error, header).at(partition))
        }
    }
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

fn convert(
    partition: &Partition,
    records: &[u8],
    sent: Codec,
    now: Timestamp,
    codecs: &mut Codecs,
) -> Result<Batch, BatchError> {
    let Codecs { scratch, compressor } = codecs;
    let (limits, rules) = partition.batch_rules(now);
    let made = convert_up(records, &limits, &rules, partition.packing(sent), scratch, compressor)?;
    Ok(Batch { header: made.header, bytes: made.bytes })
}

fn check(
    partition: &Partition,
    bytes: Bytes,
    sent: Codec,
    now: Timestamp,
    codecs: &mut Codecs,
) -> Result<Batch, BatchError> {
    let Codecs { scratch, compressor } = codecs;
    let (limits, rules) = partition.batch_rules(now);
    let packing = partition.packing(sent);
    if packing.codec == sent {
        let header = check_batch(&bytes, &limits, &rules, scratch)?.header;
        return Ok(Batch { header, bytes });
    }
    let made = check_and_recompress(&bytes, &limits, &rules, packing, scratch, compressor)?;
    Ok(Batch { header: made.header, bytes: made.bytes })
}
