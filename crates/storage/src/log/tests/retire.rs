//! Segments leave, as the configuration and the log's start say, and readers go on.

use std::sync::Arc;

use ottla_types::{LeaderEpoch, Offset, Timestamp};

use super::{DIRECTORY, content};
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{batch, durable_root, produced, put};
use crate::{Log, LogConfig, Recovery, Retention};

const HOUR_MS: i64 = 3_600_000;

fn config(retention: Retention) -> LogConfig {
    LogConfig { segment_bytes: 1000, segment_ms: i64::MAX, retention, ..LogConfig::default() }
}

async fn log(disk: &Arc<SimulatedDisk>, retention: Retention) -> Arc<Log> {
    durable_root(&**disk).await;
    Log::create(disk.clone(), DIRECTORY, config(retention)).await.expect("made")
}

const BY_AGE: Retention = Retention { delete: true, ms: Some(HOUR_MS), bytes: None };

#[test]
fn old_segments_leave_and_their_files_stay_a_while() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let log = log(&disk, BY_AGE).await;
        for hour in 0..20 {
            put(&log, batch(hour * HOUR_MS, 1, 300)).await;
        }
        let bases = log.segment_bases();
        let slice = log.read(Offset(0), 100, Offset(20), true).await.expect("in range").expect("something");
        let now = Timestamp(5 * HOUR_MS);
        let retired = log.retire(log.ends().written, now).await.expect("done").expect("some are old");
        assert_eq!(log.segment_bases(), bases[retired.segments..]);
        assert_eq!(log.ends().log_start, bases[retired.segments]);
        assert!(log.ends().log_start <= Offset(4));
        assert_eq!(retired.delay_ms, 60_000);
        let deleted = |name: &&String| name.ends_with(".deleted");
        assert_eq!(content(&disk).await.keys().filter(deleted).count(), 3 * retired.segments);
        slice.read().await.expect("still there");
        assert!(log.read(Offset(0), 100, Offset(20), true).await.is_err());
        log.remove_retired(retired).await.expect("removed");
        assert_eq!(content(&disk).await.keys().filter(deleted).count(), 0);
        assert!(log.retire(log.ends().written, now).await.expect("done").is_none());
    });
}

#[test]
fn the_active_segment_leaves_when_all_is_old_and_another_begins() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let log = log(&disk, BY_AGE).await;
        for i in 0..8 {
            put(&log, produced(1, i, 1)).await;
        }
        // Not above the high watermark, as little as it may lag.
        let retired = log.retire(Offset(7), Timestamp(9 * HOUR_MS)).await.expect("done").expect("old");
        assert!(log.segments().len() == 1 && log.ends().log_start < Offset(8));
        log.remove_retired(retired).await.expect("removed");
        let retired = log.retire(Offset(8), Timestamp(9 * HOUR_MS)).await.expect("done").expect("the last");
        assert_eq!((log.segment_bases(), log.ends().log_start, log.size()), (vec![Offset(8)], Offset(8), 0));
        assert!(log.retire(Offset(8), Timestamp(9 * HOUR_MS)).await.expect("done").is_none());
        log.remove_retired(retired).await.expect("removed");
        // Its producer is not forgotten, live nor after a restart.
        put(&log, produced(1, 8, 1)).await;
        let again = log.append(produced(1, 8, 1), LeaderEpoch(0), Timestamp(0)).expect("a retry");
        assert!(again.duplicate);
        log.flush().await.expect("flushed");
        disk.crash();
        let log = Log::open(disk, DIRECTORY, config(BY_AGE), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!((log.ends().log_start, log.ends().log_end), (Offset(8), Offset(9)));
        assert_eq!(log.producers().len(), 1);
    });
}

#[test]
fn below_a_raised_start_whole_segments_leave_whatever_the_policy() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let log = log(&disk, Retention { delete: false, ms: Some(0), bytes: Some(0) }).await;
        for _ in 0..20 {
            put(&log, batch(1000, 1, 300)).await;
        }
        let end = log.ends().written;
        assert!(log.retire(end, Timestamp(HOUR_MS)).await.expect("done").is_none());
        assert!(log.raise_start(end.plus(1)).is_err());
        let bases = log.segment_bases();
        log.raise_start(bases[2].plus(1)).expect("within");
        log.raise_start(Offset(1)).expect("changes nothing");
        assert_eq!(log.ends().log_start, bases[2].plus(1));
        let retired = log.retire(end, Timestamp(HOUR_MS)).await.expect("done").expect("two");
        assert_eq!((retired.segments, log.segment_bases()), (2, bases[2..].to_vec()));
        assert_eq!(log.ends().log_start, bases[2].plus(1));
    });
}

#[test]
fn a_start_removes_what_was_left_to_be_removed() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let log = log(&disk, Retention { bytes: Some(1500), ..BY_AGE }).await;
        for _ in 0..20 {
            put(&log, batch(1000, 1, 300)).await;
        }
        let retired = log.retire(log.ends().written, Timestamp(0)).await.expect("done").expect("some");
        assert!(retired.segments > 1);
        log.flush().await.expect("flushed");
        disk.crash();
        let log = Log::open(disk.clone(), DIRECTORY, config(BY_AGE), Recovery::UNKNOWN).await.expect("opened");
        assert!(!content(&disk).await.keys().any(|name| name.ends_with(".deleted")));
        assert!(log.ends().log_start > Offset(0) && log.ends().log_end == Offset(20));
    });
}

#[test]
fn segments_that_began_together_end_apart_by_the_jitter() {
    let disk = SimulatedDisk::new(1);
    let day = 24 * HOUR_MS;
    let config = LogConfig { segment_ms: day, segment_jitter_ms: day / 2, ..LogConfig::default() };
    let mut ages = Vec::new();
    for partition in 0..20 {
        let age = block_on(async {
            let log = Log::create(disk.clone(), format!("/d/t-{partition}"), config).await.expect("made");
            let rolls = |hours: &i64| {
                block_on(put(&log, batch(hours * HOUR_MS, 1, 10)));
                log.segments().len() == 2
            };
            (0..).find(rolls).expect("rolls")
        });
        ages.push(age);
    }
    assert!(ages.iter().all(|age| (13..=25).contains(age)), "{ages:?}");
    ages.sort_unstable();
    ages.dedup();
    assert!(ages.len() > 4, "{ages:?}");
}
