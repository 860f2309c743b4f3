//! The markers that end a transaction: what a partition's producer state takes from them.
//!
//! A control batch holds one record. Its key says what it is (version i16, type i16: 0 abort, 1 commit), its value which
//! coordinator wrote it (version i16, coordinator epoch i32).

use ottla_record::{BatchHeader, Records};

/// What a marker says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marker {
    /// The transaction ends without effect.
    pub(crate) aborts: bool,
    /// The epoch of the coordinator that wrote it.
    pub(crate) coordinator_epoch: i32,
}

/// The marker in the control batch with these records; `None` for other control records, and for a batch that compaction
/// has emptied.
pub(crate) fn parse(header: &BatchHeader, payload: &[u8]) -> Option<Marker> {
    let record = Records::new(header, payload).next()?.ok()?;
    let (_version, kind) = record.key?.split_first_chunk::<2>()?;
    let aborts = match kind {
        [0, 0] => true,
        [0, 1] => false,
        _ => return None,
    };
    let (_version, epoch) = record.value?.split_first_chunk::<2>()?;
    let coordinator_epoch = i32::from_be_bytes(*epoch.first_chunk()?);
    Some(Marker { aborts, coordinator_epoch })
}

#[cfg(test)]
mod tests {
    use ottla_record::{BATCH_HEADER_BYTES, BatchBuilder, BatchOptions, Compressor};
    use ottla_types::Timestamp;

    use super::*;

    fn parsed(key: &[u8], value: &[u8]) -> Option<Marker> {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.append(Timestamp(1), Some(key), Some(value), &[]).expect("small");
        let batch = builder.build(&mut Compressor::default()).expect("one record");
        let header = BatchHeader::parse(&batch).expect("just built");
        parse(&header, &batch[BATCH_HEADER_BYTES..])
    }

    #[test]
    fn markers_name_their_coordinator_and_other_control_records_do_not() {
        let marker = |aborts, coordinator_epoch| Some(Marker { aborts, coordinator_epoch });
        assert_eq!(parsed(&[0, 0, 0, 1], &[0, 0, 0, 0, 1, 2]), marker(false, 258));
        assert_eq!(parsed(&[0, 0, 0, 0], &[0, 0, 0, 0, 0, 9]), marker(true, 9));
        // A leader change of KRaft, and a value that is too short.
        assert_eq!(parsed(&[0, 0, 0, 2], &[0, 0, 0, 0, 1, 2]), None);
        assert_eq!(parsed(&[0, 0, 0, 1], &[0, 0, 0]), None);
    }
}
