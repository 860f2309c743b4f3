//! A producer's batch into the codec of its topic (`compression.type`).
//!
//! The records stay as they are, byte for byte, so that only the header and their compression change: producer, flags
//! and bits without a meaning survive. Kafka writes each record anew, which comes to the same.

use super::{Converted, Room};
use crate::build::Compressor;
use crate::check::{Limits, Rules, Scratch, check_and_open, crc32c};
use crate::compress::Packing;
use crate::error::BatchError;
use crate::header::{BATCH_HEADER_BYTES, BatchHeader, CRC_START, LOG_OVERHEAD};

/// [`check_batch`](crate::check_batch), and the same records in another codec. The size is checked before and, as the
/// new form may be larger, behind.
pub fn check_and_recompress(
    bytes: &[u8],
    limits: &Limits,
    rules: &Rules,
    packing: Packing,
    scratch: &mut Scratch,
    compressor: &mut Compressor,
    room: Room<'_>,
) -> Result<Converted, BatchError> {
    let (header, records) = check_and_open(bytes, limits, rules, scratch)?;
    let bytes = room(BATCH_HEADER_BYTES + packing.codec.bytes_max(records.len()));
    let mut bytes = compressor.compress_behind_header(packing, records, bytes);
    let too_large = BatchError::TooLarge { bytes: bytes.len(), bytes_max: limits.batch_bytes_max };
    if bytes.len() > limits.batch_bytes_max {
        return Err(too_large);
    }
    let batch_length = i32::try_from(bytes.len() - LOG_OVERHEAD).map_err(|_| too_large)?;
    let mut header = BatchHeader { batch_length, attributes: header.attributes.with_codec(packing.codec), ..header };
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    header.crc = crc32c(&bytes[CRC_START..]);
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.to_bytes());
    Ok(Converted { header, bytes })
}
