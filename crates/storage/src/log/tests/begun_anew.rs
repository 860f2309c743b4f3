//! A log of which nothing is left from its start on: it begins there anew and knows nobody.

use ottla_types::{Offset, Timestamp};

use super::{DIRECTORY, content};
use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{batch, durable_root, produced, put, transactional};
use crate::{Log, LogConfig, Recovery};

#[test]
fn a_transaction_below_the_start_is_forgotten_when_a_crash_left_nothing_above_it() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, LogConfig::default()).await.expect("made");
        log.append_given(transactional(7, 0, 0), Timestamp(0)).expect("appended");
        let saved = log.save().await.expect("saved");
        assert!(content(&disk).await.contains_key("00000000000000000001.snapshot"));
        put(&log, batch(1000, 3, 50)).await;
        // With `ottla.acks.flush=false` what is not flushed can be deleted.
        log.raise_start(Offset(3)).expect("below the end");
        drop(log);
        disk.crash();
        let (recovery_point, log_start_offset) = (saved.recovery_point, Offset(3));
        for clean in [false, true] {
            let recovery = Recovery { recovery_point, log_start_offset, clean, ..Recovery::UNKNOWN };
            let log = Log::open(disk.clone(), DIRECTORY, LogConfig::default(), recovery).await.expect("opened");
            assert_eq!((log.ends().log_start, log.ends().log_end), (Offset(3), Offset(3)));
            assert_eq!(log.producers(), []);
            assert_eq!(log.last_stable_offset(Offset(3)), Offset(3));
            assert!(!content(&disk).await.keys().any(|name| name.ends_with(".snapshot")));
            disk.crash();
        }
    });
}

#[test]
fn a_cut_of_the_batch_in_which_the_log_starts_leaves_what_a_start_would_find() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, LogConfig::default()).await.expect("made");
        put(&log, produced(1, 0, 2)).await;
        put(&log, produced(1, 2, 4)).await;
        log.flush().await.expect("flushed");
        log.raise_start(Offset(4)).expect("below the end");
        log.truncate_to(Offset(5)).await.expect("cut");
        let shown = |log: &Log| (log.ends().log_start, log.ends().log_end, log.segments().len(), log.producers());
        let cut = shown(&log);
        assert_eq!((cut.0, cut.1), (Offset(4), Offset(4)));
        drop(log);
        disk.crash();
        let recovery = Recovery { log_start_offset: Offset(4), ..Recovery::UNKNOWN };
        let log = Log::open(disk, DIRECTORY, LogConfig::default(), recovery).await.expect("opened");
        assert_eq!(shown(&log), cut);
    });
}
