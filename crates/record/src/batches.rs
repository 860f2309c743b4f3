//! Batches one behind the other: in a fetch response or a piece of a log, whose end may cut one; and in a produce
//! request, where there must be one.

use crate::error::BatchError;
use crate::header::{LOG_OVERHEAD, MAGIC, MAGIC_POSITION};
use crate::read::RecordBatch;

/// What the smallest message of any format has behind its length (magic 0 with neither key nor value).
const LENGTH_MIN: i32 = 14;

/// The batches of a buffer. Stops without an error where the buffer ends within a batch, as that is how brokers cut
/// what they send; stops after the first error. CRCs are not looked at ([`RecordBatch::check_crc`]).
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    at: usize,
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Over `bytes`, which start with a batch or are empty.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, failed: false }
    }

    /// How many bytes the batches so far take. After the last, what follows is the cut one.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RecordBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = match next_batch(&self.bytes[self.at..]) {
            Ok(Some(bytes)) => RecordBatch::parse(bytes),
            Ok(None) => return None,
            Err(error) => Err(error),
        };
        match &next {
            Ok(batch) => self.at += batch.bytes().len(),
            Err(_) => self.failed = true,
        }
        Some(next)
    }
}

/// The bytes of the one batch that a partition of a produce request has, version 3 and later.
///
/// As Kafka's `ProduceRequest.validateRecords`: none, several, or one of an old format is `INVALID_RECORD`; a second
/// whose length or magic is impossible is `CORRUPT_MESSAGE`; bytes behind the batch that are merely too few for a
/// second are dropped. That zstd needs version 7 is left to the handler, which knows the version.
pub fn single_batch(bytes: &[u8]) -> Result<&[u8], BatchError> {
    let Some(first) = next_batch(bytes)? else { return Err(BatchError::NotOneBatch { several: false }) };
    let magic = first[MAGIC_POSITION] as i8;
    if magic != MAGIC {
        return Err(BatchError::OldFormat { magic });
    }
    match next_batch(&bytes[first.len()..])? {
        Some(_) => Err(BatchError::NotOneBatch { several: true }),
        None => Ok(first),
    }
}

/// The batch of any format at the start of `bytes`; `None` if they end before it does.
pub(crate) fn next_batch(bytes: &[u8]) -> Result<Option<&[u8]>, BatchError> {
    let Some(overhead) = bytes.first_chunk::<LOG_OVERHEAD>() else { return Ok(None) };
    let [.., a, b, c, d] = *overhead;
    let batch_length = i32::from_be_bytes([a, b, c, d]);
    if batch_length < LENGTH_MIN {
        return Err(BatchError::Length { batch_length });
    }
    match bytes.get(MAGIC_POSITION).map(|magic| *magic as i8) {
        None => return Ok(None),
        Some(0..=MAGIC) => {}
        Some(magic) => return Err(BatchError::UnknownMagic { magic }),
    }
    Ok(bytes.get(..LOG_OVERHEAD + batch_length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{BatchBuilder, BatchOptions, Compressor};

    fn batch(value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(ottla_types::Timestamp(5), None, Some(value), &[]).unwrap();
        builder.build(&mut Compressor::default()).unwrap().to_vec()
    }

    #[test]
    fn a_cut_batch_ends_the_iteration_without_error() {
        let (first, second) = (batch(b"one"), batch(b"second"));
        let both = [first.clone(), second.clone()].concat();
        for end in 0..=both.len() {
            let mut batches = Batches::new(&both[..end]);
            let seen: Vec<_> = batches.by_ref().map(|b| b.unwrap().bytes().to_vec()).collect();
            let expected = match end {
                _ if end == both.len() => vec![first.clone(), second.clone()],
                _ if end >= first.len() => vec![first.clone()],
                _ => vec![],
            };
            assert_eq!(seen, expected, "cut at {end}");
            assert_eq!(batches.position(), expected.concat().len());
        }
    }

    #[test]
    fn an_impossible_batch_ends_the_iteration_with_one_error() {
        let mut bytes = [batch(b"one"), batch(b"two")].concat();
        let second = batch(b"one").len();
        bytes[second + MAGIC_POSITION] = 7;
        let seen: Vec<_> = Batches::new(&bytes).map(|b| b.map(|_| ())).collect();
        assert_eq!(seen, [Ok(()), Err(BatchError::UnknownMagic { magic: 7 })]);
    }

    #[test]
    fn a_produce_request_has_one_whole_batch_of_magic_2() {
        let one = batch(b"value");
        assert_eq!(single_batch(&one), Ok(&one[..]));
        for end in 0..one.len() {
            assert_eq!(single_batch(&one[..end]), Err(BatchError::NotOneBatch { several: false }), "cut at {end}");
            // A second batch that is cut is dropped, as Kafka drops it.
            let more = [&one[..], &one[..end]].concat();
            assert_eq!(single_batch(&more), Ok(&one[..]), "second cut at {end}");
        }
        let two = [one.clone(), one.clone()].concat();
        assert_eq!(single_batch(&two), Err(BatchError::NotOneBatch { several: true }));

        let mut bad_second = two.clone();
        bad_second[one.len() + 8..one.len() + 12].copy_from_slice(&13i32.to_be_bytes());
        assert_eq!(single_batch(&bad_second), Err(BatchError::Length { batch_length: 13 }));
        let mut old = one.clone();
        old[MAGIC_POSITION] = 1;
        assert_eq!(single_batch(&old), Err(BatchError::OldFormat { magic: 1 }));
    }
}
