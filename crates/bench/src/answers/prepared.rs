//! A batch in memory that is sent again and again, each time with other offsets.

use std::io::Write;

use ottla_record::{BatchBuilder, BatchOptions, Compressor};
use ottla_types::Timestamp;

use crate::Outcome;

/// Bytes of values in the batch, about what a client that writes much puts into one.
const BATCH_BYTES: usize = 900_000;

/// The batch.
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    records: usize,
}

impl Prepared {
    pub(crate) fn new(value_bytes: usize) -> Outcome<Self> {
        let records = (BATCH_BYTES / value_bytes).max(1);
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let value = vec![b'v'; value_bytes];
        for _ in 0..records {
            let appended = builder.append(Timestamp(1_700_000_000_000), None, Some(&value), &[]);
            appended.map_err(|error| error.to_string())?;
        }
        let bytes = builder.build(&mut Compressor::default()).map_err(|error| error.to_string())?.to_vec();
        Ok(Self { bytes, records })
    }

    /// Bytes of as many of it as `bytes_max` has room for, but one in any case.
    pub(crate) fn length(&self, bytes_max: usize) -> usize {
        (bytes_max / self.bytes.len()).max(1) * self.bytes.len()
    }

    /// Sends `length` bytes of it. The first batch is the one that has `offset`: a client reads on where the last ended, but
    /// may ask for any.
    pub(crate) fn send(
        &self,
        to: &mut impl Write,
        offset: i64,
        length: usize,
        scratch: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        scratch.clone_from(&self.bytes);
        let mut first = offset - offset.rem_euclid(self.records as i64);
        for _ in 0..length / self.bytes.len() {
            scratch[..size_of::<i64>()].copy_from_slice(&first.to_be_bytes());
            to.write_all(scratch)?;
            first += self.records as i64;
        }
        Ok(())
    }
}
