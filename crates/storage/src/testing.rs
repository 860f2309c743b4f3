//! What several tests of this crate need.

use std::sync::Arc;

use bytes::Bytes;
use ottla_record::{Attributes, BatchBuilder, BatchHeader, BatchOptions, Compressor, MAGIC};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::disk::Disk;
use crate::disk::simulated::SimulatedDisk;
use crate::segment::{Segment, SegmentFiles};
use crate::{Batch, Log};

/// A header of `records` records, of no producer.
pub(crate) fn header(records: i32) -> BatchHeader {
    BatchHeader {
        magic: MAGIC,
        base_offset: Offset::ZERO,
        batch_length: 100,
        partition_leader_epoch: LeaderEpoch::UNKNOWN,
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: records - 1,
        base_timestamp: Timestamp(1000),
        max_timestamp: Timestamp(1000),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count: records,
    }
}

/// A batch of `records` records whose values have `value_bytes` bytes, with these options.
pub(crate) fn batch_with(options: BatchOptions, timestamp: i64, records: i32, value_bytes: usize) -> Batch {
    let mut builder = BatchBuilder::new(options);
    let value = vec![b'v'; value_bytes];
    for i in 0..records {
        builder.append(Timestamp(timestamp + i64::from(i)), None, Some(&value), &[]).expect("small");
    }
    let bytes: Bytes = builder.build(&mut Compressor::default()).expect("not empty");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

/// A batch of no producer.
pub(crate) fn batch(timestamp: i64, records: i32, value_bytes: usize) -> Batch {
    batch_with(BatchOptions::default(), timestamp, records, value_bytes)
}

/// A batch of producer `id`, epoch 0.
pub(crate) fn produced(id: i64, sequence: i32, records: i32) -> Batch {
    let options = BatchOptions {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
        ..BatchOptions::default()
    };
    batch_with(options, 1000, records, 100)
}

/// A batch at `offset` that belongs to the open transaction of producer `id`, or opens one.
pub(crate) fn transactional(id: i64, offset: i64, sequence: i32) -> Batch {
    let options = BatchOptions {
        base_offset: Offset(offset),
        leader_epoch: LeaderEpoch(0),
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
        transactional: true,
        ..BatchOptions::default()
    };
    batch_with(options, 1000, 1, 10)
}

/// A marker at `offset` that ends the transaction of producer `id`.
pub(crate) fn marker(id: i64, offset: i64, aborts: bool) -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset(offset),
        leader_epoch: LeaderEpoch(0),
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(0),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    });
    let key = [0, 0, 0, u8::from(!aborts)];
    builder.append(Timestamp(1000), Some(&key), Some(&[0; 6]), &[]).expect("small");
    let bytes: Bytes = builder.build(&mut Compressor::default()).expect("not empty");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

/// Appends and writes; answers the base offset.
pub(crate) async fn put(log: &Arc<Log>, batch: Batch) -> Offset {
    let appended = log.append(batch, LeaderEpoch(0), Timestamp(0)).expect("appended");
    log.write_queued().await.expect("written");
    appended.base_offset
}

/// A segment without files.
pub(crate) fn segment(base: i64) -> Segment {
    let files = SegmentFiles::new(SimulatedDisk::new(0), std::path::Path::new("/d/t-0").into(), Offset(base));
    Segment::planned(files, Timestamp::NONE)
}

/// Makes `/d`, a log directory, durably.
pub(crate) async fn durable_root(disk: &dyn Disk) {
    disk.create_directory("/d".as_ref()).await.expect("made");
    disk.sync_directory("/".as_ref()).await.expect("synced");
}

/// The bytes of a batch as a log stores them.
pub(crate) fn stored(batch: &Batch, base_offset: Offset, leader_epoch: LeaderEpoch) -> Vec<u8> {
    let header = BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..batch.header };
    [&header.to_bytes()[..], &batch.bytes[ottla_record::BATCH_HEADER_BYTES..]].concat()
}

/// Seeded numbers (splitmix64).
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
