//! Segments with messages of magic 0 and 1, as a directory has them that an older Kafka wrote: recovered, indexed anew,
//! read, searched by time, and gone on with.

use std::path::Path;

use bytes::Bytes;
use ottla_record::{Batches, Codec, Compressor, MessageSetBuilder, OldMagic, Packing, Scratch};
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use super::DIRECTORY;
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open, block_on};
use crate::testing::{batch, durable_root, put};
use crate::{Log, LogConfig, Recovery};

/// Messages with offsets `from..to`; each has the timestamp 1000 more than its offset, unless the leader gave it.
fn messages(magic: OldMagic, codec: Codec, from: i64, to: i64, append_time: Option<i64>) -> Vec<u8> {
    let packing = Packing { codec, level: None };
    let mut builder = MessageSetBuilder::new(magic, packing, append_time.map(Timestamp)).unwrap();
    for offset in from..to {
        let value = format!("value {offset}").into_bytes();
        builder.append(Offset(offset), Timestamp(1000 + offset), None, Some(&value)).unwrap();
    }
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).unwrap();
    out
}

/// A segment with a gap, as compaction leaves it, and every form: 0 to 4, 6 to 21.
fn segment() -> Vec<u8> {
    [
        messages(OldMagic::V0, Codec::None, 0, 3, None),
        messages(OldMagic::V0, Codec::Gzip, 3, 5, None),
        messages(OldMagic::V1, Codec::None, 6, 9, None),
        messages(OldMagic::V1, Codec::Lz4, 9, 15, None),
        messages(OldMagic::V1, Codec::Snappy, 15, 22, Some(2000)),
    ]
    .concat()
}

const CONFIG: fn() -> LogConfig = || LogConfig { index_interval_bytes: 60, ..LogConfig::default() };

/// A disk with `segment` as an older Kafka left it.
async fn disk_with(segment: Vec<u8>) -> std::sync::Arc<SimulatedDisk> {
    let disk = SimulatedDisk::new(1);
    durable_root(&*disk).await;
    disk.create_directory(DIRECTORY.as_ref()).await.expect("made");
    let path = Path::new(DIRECTORY).join("00000000000000000000.log");
    let file = disk.open(&path, Open::Create).await.expect("made");
    file.write(0, vec![Bytes::from(segment)]).await.expect("written");
    file.sync().await.expect("synced");
    disk
}

/// The offsets of all records that a reader from `from` on gets to see.
async fn offsets(log: &Log, from: i64) -> Vec<i64> {
    let end = log.ends().log_end;
    let slice = log.read(Offset(from), 1 << 20, end, true).await.expect("in range").expect("something");
    let bytes = slice.read().await.expect("read");
    let mut scratch = Scratch::default();
    let mut all = Vec::new();
    for batch in Batches::new(&bytes) {
        let records = batch.expect("whole").records(&mut scratch, 1 << 20).expect("records").map(Result::unwrap);
        all.extend(records.map(|record| record.offset.0));
    }
    all
}

#[test]
fn every_way_to_open_them_finds_and_reads_the_same() {
    block_on(async {
        let clean =
            Recovery { recovery_point: Offset(22), log_start_offset: Offset(0), clean: true, ..Recovery::UNKNOWN };
        for recovery in [Recovery::UNKNOWN, clean] {
            let disk = disk_with(segment()).await;
            for turn in 0..2 {
                // The first time there is no index, the second time there is.
                let log = Log::open(disk.clone(), DIRECTORY, CONFIG(), recovery).await.expect("opened");
                assert_eq!(log.ends().log_end, Offset(22), "{recovery:?} {turn}");
                assert_eq!(log.latest_epoch(), None, "old messages name none");
                let all: Vec<i64> = (0..5).chain(6..22).collect();
                assert_eq!(offsets(&log, 0).await, all);
                for from in 0..22 {
                    let read = offsets(&log, from).await;
                    assert!(all.ends_with(&read) && read[0] <= from.max(6).min(from + 1), "{from}: {read:?}");
                }
                log.close().await.expect("closed");
            }
        }
    });
}

#[test]
fn they_are_found_by_their_timestamps() {
    block_on(async {
        let disk = disk_with(segment()).await;
        let log = Log::open(disk, DIRECTORY, CONFIG(), Recovery::UNKNOWN).await.expect("opened");
        // Magic 0 has no time. Within compressed ones the record itself is found; with the leader's time, the first.
        for (time, offset) in [(0, 6), (1006, 6), (1007, 7), (1012, 12), (1014, 14), (1015, 15), (2000, 15)] {
            let found = log.find_by_timestamp(Timestamp(time)).await.expect("searched").expect("found");
            let expected = if offset < 15 { 1000 + offset } else { 2000 };
            assert_eq!((found.offset, found.timestamp), (Offset(offset), Timestamp(expected)), "{time}");
            assert_eq!(found.leader_epoch, LeaderEpoch::UNKNOWN);
        }
        assert_eq!(log.find_by_timestamp(Timestamp(2001)).await.expect("searched"), None);
        let latest = log.max_timestamp_offset().await.expect("searched").expect("found");
        assert_eq!((latest.offset, latest.timestamp), (Offset(15), Timestamp(2000)));
    });
}

#[test]
fn a_log_of_old_messages_goes_on_with_batches() {
    block_on(async {
        let disk = disk_with(segment()).await;
        let log = Log::open(disk.clone(), DIRECTORY, CONFIG(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(put(&log, batch(3000, 2, 50)).await, Offset(22));
        log.flush().await.expect("flushed");
        disk.crash();
        let log = Log::open(disk, DIRECTORY, CONFIG(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!((log.ends().log_end, log.latest_epoch()), (Offset(24), Some(LeaderEpoch(0))));
        assert_eq!(offsets(&log, 16).await, (15..24).collect::<Vec<_>>());
        // Cut within a compressed message: it goes as a whole, as a batch would.
        log.truncate_to(Offset(12)).await.expect("cut");
        assert_eq!(offsets(&log, 0).await.last(), Some(&8));
    });
}

#[test]
fn recovery_cuts_before_the_first_damaged_message() {
    block_on(async {
        let whole = segment();
        let starts: Vec<usize> = Batches::new(&whole).map(|b| b.unwrap().bytes().len()).collect();
        let last_start = whole.len() - starts.last().unwrap();
        for torn in [whole.len() - 1, last_start + 20, last_start + 5] {
            let disk = disk_with(whole[..torn].to_vec()).await;
            let log = Log::open(disk, DIRECTORY, CONFIG(), Recovery::UNKNOWN).await.expect("opened");
            assert_eq!(log.ends().log_end, Offset(15), "torn at {torn}");
        }
        let mut flipped = whole.clone();
        flipped[starts[0] + 20] ^= 1;
        let disk = disk_with(flipped).await;
        let log = Log::open(disk, DIRECTORY, CONFIG(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.ends().log_end, Offset(1));
    });
}
