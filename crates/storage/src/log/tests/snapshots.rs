//! Which snapshot of the producers a start goes by after a power failure.

use std::sync::Arc;

use bytes::Bytes;
use ottla_record::BatchOptions;
use ottla_types::{Offset, ProducerEpoch, ProducerId, Sequence};

use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open, block_on};
use crate::testing::{batch_with, durable_root, put};
use crate::{Log, LogConfig, Recovery};

/// A log of three batches of a producer: a snapshot behind the first was saved, and the third began a segment, with a
/// snapshot that nobody has synced.
async fn rolled(disk: &Arc<SimulatedDisk>) -> Arc<Log> {
    durable_root(&**disk).await;
    let log = Log::create(disk.clone(), "/d/t-0", config()).await.expect("made");
    for (sequence, value_bytes) in [(0, 10), (1, 10), (2, 900)] {
        let options = BatchOptions {
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(0),
            base_sequence: Sequence(sequence),
            ..BatchOptions::default()
        };
        put(&log, batch_with(options, 1000, 1, value_bytes)).await;
        if sequence == 0 {
            log.save().await.expect("saved");
        }
    }
    log.flush().await.expect("flushed");
    assert_eq!(log.segment_bases(), [Offset(0), Offset(2)]);
    log
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1000, ..LogConfig::default() }
}

#[test]
fn the_newest_one_that_is_whole_stays_and_is_used() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        rolled(&disk).await;
        disk.crash();
        let log = Log::open(disk.clone(), "/d/t-0", config(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.producers().len(), 1);
        let names = disk.list(log.directory()).await.expect("listed");
        let is_saved = |name: &str| name == "00000000000000000001.snapshot";
        assert!(names.iter().any(|entry| is_saved(&entry.name)), "{names:?}");
    });
}

#[test]
fn one_of_a_roll_is_there_after_a_power_failure_if_it_was_synced() {
    for is_synced in [false, true] {
        block_on(async {
            let disk = SimulatedDisk::new(1);
            let log = rolled(&disk).await;
            if is_synced {
                log.sync_snapshot(Offset(2)).await.expect("synced");
            }
            disk.crash();
            let path = log.directory().join("00000000000000000002.snapshot");
            let there = match disk.open(&path, Open::Read).await {
                Ok(file) => file.read(0, 1000).await.expect("read"),
                Err(_) => Bytes::new(),
            };
            assert_eq!(!there.is_empty(), is_synced);
            log.sync_snapshot(Offset(1_000)).await.expect("none is fine");
        });
    }
}
