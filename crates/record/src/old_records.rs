//! The records of a message of magic 0 or 1: of itself, or, if it is a wrapper, of the messages within.
//!
//! As Kafka's consumer reads them (`AbstractLegacyRecordBatch`): a set that ends within a message has the messages
//! before it; the magic of what is within a wrapper need not be the wrapper's; a wrapper of magic 1 at offset 0 is one
//! that a client did not number, and counts from 0. CRCs are not looked at. The loop is `read::Records`.

use ottla_types::{Offset, Timestamp};

use crate::error::FramingFault;
use crate::header::BatchHeader;
use crate::message::{MAGIC_1, Message, Next, OldMessage};
use crate::read::{Headers, Record};

/// What is to be added to the offsets of the messages in `set`, the uncompressed content of the message that `header`
/// belongs to. `None` for a batch of magic 2.
pub(crate) fn added_offset(header: &BatchHeader, set: &[u8]) -> Option<Result<Offset, FramingFault>> {
    if header.is_current() {
        return None;
    }
    if header.attributes.codec_id() == 0 {
        return Some(Ok(Offset::ZERO));
    }
    let last = match last_offset(set) {
        // What is wrong is told when its turn comes.
        Err(_) => return Some(Ok(Offset::ZERO)),
        Ok(None) => return Some(Err(FramingFault::Empty)),
        Ok(Some(last)) => last,
    };
    Some(match header.base_offset {
        _ if header.magic != MAGIC_1 => Ok(Offset::ZERO),
        Offset::ZERO => Ok(Offset::ZERO),
        wrapper if wrapper < last => Err(FramingFault::WrapperOffset(last.0)),
        wrapper => Ok(Offset(wrapper.0.wrapping_sub(last.0))),
    })
}

fn last_offset(set: &[u8]) -> Result<Option<Offset>, FramingFault> {
    let (mut at, mut last) = (0, None);
    while let Next::Message(message) = Message::next(&set[at..])? {
        at += message.bytes.len();
        last = Some(message.offset);
    }
    Ok(last)
}

/// The first record of a set and how many bytes it takes, with the offset that it has there; `None` where the set ends.
pub(crate) fn next(set: &[u8], append_time: Option<Timestamp>) -> Result<Option<(Record<'_>, usize)>, FramingFault> {
    let Next::Message(message) = Message::next(set)? else { return Ok(None) };
    // A wrapper's own attributes are not looked at here: its content is what is read.
    if message.is_wrapper() {
        return Err(FramingFault::Nested);
    }
    let timestamp = if message.magic == MAGIC_1 { append_time.unwrap_or(message.timestamp) } else { message.timestamp };
    let Message { offset, key, value, bytes, .. } = message;
    Ok(Some((
        Record { offset, timestamp, key, value, headers: Headers::NONE, message: Some(OldMessage { bytes }) },
        bytes.len(),
    )))
}
