//! What a producer sends again because it was not answered is recognised, whatever happened in between.

use std::sync::Arc;

use ottla_types::{LeaderEpoch, Offset, Timestamp};

use super::DIRECTORY;
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{durable_root, produced, put};
use crate::{Log, LogConfig, Recovery};

/// How a log is left.
#[derive(Clone, Copy, Debug)]
enum End {
    Crash,
    Stop,
}

/// Producers 1 and 2 write in turn, a record each time, up to the sequence `last`; all is saved; then comes the end.
async fn left(config: LogConfig, last: i32, end: End) -> Arc<Log> {
    let disk = SimulatedDisk::new(1);
    durable_root(&*disk).await;
    let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
    for sequence in 0..=last {
        for id in [1, 2] {
            put(&log, produced(id, sequence, 1)).await;
        }
    }
    let point = match end {
        End::Stop => log.close().await.expect("closed"),
        End::Crash => {
            log.flush().await.expect("flushed");
            log.save().await.expect("saved")
        }
    };
    drop(log);
    disk.crash();
    let clean = matches!(end, End::Stop);
    let recovery =
        Recovery { recovery_point: point.recovery_point, log_start_offset: Offset::ZERO, clean, ..Recovery::UNKNOWN };
    Log::open(disk, DIRECTORY, config, recovery).await.expect("opened")
}

/// The offset at which a producer is told that its batch lies already; `None` if it is refused.
fn known(log: &Log, id: i64, sequence: i32) -> Option<i64> {
    let appended = log.append(produced(id, sequence, 1), LeaderEpoch(0), Timestamp(0)).ok()?;
    assert!(appended.duplicate, "{sequence} of {id} was there");
    Some(appended.base_offset.0)
}

#[test]
fn after_a_crash_behind_a_save_all_five_batches_in_flight_are_recognised() {
    let roomy = LogConfig { index_interval_bytes: 200, ..LogConfig::default() };
    // Segments of about fourteen batches, so that the last one begins anywhere among the five.
    let tight = LogConfig { segment_bytes: 1500, ..roomy };
    for config in [roomy, tight] {
        for last in [4, 20, 21, 22, 23, 24, 25, 26, 27, 500] {
            block_on(async {
                let log = left(config, last, End::Crash).await;
                for id in [1, 2] {
                    for sequence in last - 4..=last {
                        let offset = i64::from(2 * sequence) + id - 1;
                        assert_eq!(known(&log, id, sequence), Some(offset), "{sequence} of {last}, {config:?}");
                    }
                    assert_eq!(known(&log, id, last - 5), None, "a sixth is out of order, as without a crash");
                }
            });
        }
    }
}

#[test]
fn after_a_stop_in_order_the_last_batch_is_recognised() {
    block_on(async {
        let log = left(LogConfig::default(), 20, End::Stop).await;
        assert_eq!(known(&log, 1, 20), Some(40));
        assert_eq!(known(&log, 1, 19), None, "the snapshot has one batch of each, and all were answered");
    });
}
