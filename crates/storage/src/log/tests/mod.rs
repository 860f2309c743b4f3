//! What a log promises, on a disk in memory.

mod begun_anew;
mod crash;
mod faults;
mod full_start;
mod golden;
mod model;
mod old_formats;
mod progress;
mod retire;

mod retries;
mod snapshots;
mod together;
mod transactions;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::{LeaderEpoch, Offset, Timestamp};

use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open, block_on};
use crate::testing::{batch, durable_root, marker, produced, put, transactional};
use crate::{DirtyLogs, Log, LogConfig, Recovery};

const DIRECTORY: &str = "/d/t-0";

#[test]
fn what_is_appended_is_written_flushed_and_read() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, LogConfig::default()).await.expect("made");
        for i in 0..10 {
            assert_eq!(put(&log, batch(1000 + i, 2, 50)).await, Offset(2 * i));
        }
        assert_eq!((log.ends().written, log.ends().flushed), (Offset(20), Offset(0)));
        assert_eq!(log.flush().await.expect("flushed"), Offset(20));
        let slice = log.read(Offset(3), 1 << 20, Offset(20), true).await.expect("in range").expect("something");
        let bytes = slice.read().await.expect("read");
        let bases: Vec<i64> =
            ottla_record::Batches::new(&bytes).map(|b| b.expect("a batch").header().base_offset.0).collect();
        assert_eq!(bases, (1..10).map(|i| 2 * i).collect::<Vec<_>>());
        disk.crash();
        let log = Log::open(disk, DIRECTORY, LogConfig::default(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.ends().log_end, Offset(20));
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch(0)));
    });
}

#[test]
fn saved_indexes_and_producers_survive_a_power_loss() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 1500, index_interval_bytes: 200, ..LogConfig::default() };
        let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
        for i in 0..30 {
            put(&log, produced(1, i, 1)).await;
        }
        assert!(log.segments().len() > 2);
        let point = log.save().await.expect("saved");
        assert_eq!(point.recovery_point, Offset(30));
        let before = content(&disk).await;
        assert!(before.keys().filter(|name| name.ends_with("index")).count() > 4);
        assert!(before.contains_key("00000000000000000030.snapshot"));
        disk.crash();
        let after = content(&disk).await;
        let lost: Vec<_> = before.iter().filter(|(name, bytes)| after.get(*name) != Some(bytes)).collect();
        // A snapshot that a roll left behind is only a shortcut, and the one just saved stands for it.
        assert!(lost.iter().all(|(name, _)| name.ends_with(".snapshot") && **name != "00000000000000000030.snapshot"));
    });
}

#[test]
fn records_are_found_by_time_in_a_segment_that_was_closed_behind_a_save() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_ms: 1500, ..LogConfig::default() };
        let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
        for timestamp in [1000, 2000] {
            put(&log, batch(timestamp, 1, 50)).await;
        }
        let point = log.save().await.expect("saved");
        put(&log, batch(3000, 1, 50)).await;
        log.flush().await.expect("flushed");
        assert_eq!(log.segments().len(), 2);
        drop(log);
        disk.crash();
        let recovery = Recovery { recovery_point: point.recovery_point, ..Recovery::UNKNOWN };
        let log = Log::open(disk, DIRECTORY, config, recovery).await.expect("opened");
        for (timestamp, offset) in [(1000, 0), (2000, 1), (3000, 2)] {
            let found = log.find_by_timestamp(Timestamp(timestamp)).await.expect("read").expect("there");
            assert_eq!(found.offset, Offset(offset));
        }
    });
}

#[test]
fn a_time_is_sought_in_later_segments_where_only_deleted_records_were_late() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 300, ..LogConfig::default() };
        let log = Log::create(disk, DIRECTORY, config).await.expect("made");
        // Two batches in each segment; the first one's largest time is at its beginning.
        for timestamp in [9000, 1000, 2000, 3000] {
            put(&log, batch(timestamp, 1, 50)).await;
        }
        assert_eq!(log.segments().iter().map(|segment| segment.base.0).collect::<Vec<_>>(), [0, 2]);
        let found = async |at| log.find_by_timestamp(Timestamp(at)).await.expect("read").map(|found| found.offset.0);
        assert_eq!((found(2500).await, found(9000).await), (Some(0), Some(0)));
        for start in [1, 2] {
            log.raise_start(Offset(start)).expect("below the end");
            assert_eq!((found(2500).await, found(9000).await), (Some(3), None), "from {start} on");
        }
    });
}

#[test]
fn an_index_that_a_save_makes_has_its_name_when_the_save_is_answered() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, LogConfig::default()).await.expect("made");
        for batch in [transactional(1, 0, 0), marker(1, 1, true)] {
            log.append_given(batch, Timestamp(0)).expect("appended");
        }
        // As when another thread appends while the save looks what there is to save: the producers are not written, so
        // that no sync of theirs covers the index's name.
        log.state.lock().snapshots.push(Offset(2));
        let point = log.save().await.expect("saved");
        assert_eq!(point.recovery_point, Offset(2));
        drop(log);
        disk.crash();
        // What is below the recovery point is not gone through: only the index says what was aborted.
        let recovery = Recovery { recovery_point: point.recovery_point, ..Recovery::UNKNOWN };
        let log = Log::open(disk, DIRECTORY, LogConfig::default(), recovery).await.expect("opened");
        let slice = log.read(Offset(0), 1 << 20, Offset(2), true).await.expect("in range").expect("something");
        assert_eq!(log.aborted_transactions(Offset(0), &slice).await.expect("read").len(), 1);
    });
}

/// Every file of the log, by name.
async fn content(disk: &SimulatedDisk) -> BTreeMap<String, Bytes> {
    let mut files = BTreeMap::new();
    for entry in disk.list(DIRECTORY.as_ref()).await.expect("there") {
        let file = disk.open(&Path::new(DIRECTORY).join(&entry.name), Open::Read).await.expect("there");
        files.insert(entry.name, file.read(0, entry.bytes as usize).await.expect("read"));
    }
    files
}

#[test]
fn without_the_shared_flush_a_log_asks_for_one_by_number_and_by_age() {
    let disk = SimulatedDisk::new(1);
    block_on(durable_root(&*disk));
    let config = LogConfig { flush: false, flush_messages: 3, flush_ms: 1000, ..LogConfig::default() };
    let log = block_on(Log::create(disk, DIRECTORY, config)).expect("made");
    let dirty = Arc::new(DirtyLogs::default());
    log.report_dirt_to(dirty.clone());
    let append = |now| {
        log.append(batch(1, 1, 10), LeaderEpoch(0), Timestamp(now)).expect("appended");
        block_on(log.write_queued()).expect("written");
        !dirty.is_empty()
    };
    assert_eq!([append(0), append(999), append(999)], [false, false, true]);
    block_on(dirty.round().finish()).expect("flushed");
    assert_eq!([append(5000), append(5999), append(5999)], [false, false, true]);
    block_on(dirty.round().finish()).expect("flushed");
    assert_eq!([append(8000), append(9000)], [false, true]);
}
