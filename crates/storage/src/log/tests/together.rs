//! A log that goes on while it is saved as one of many.

use std::sync::Arc;

use ottla_types::{LeaderEpoch, Offset, Timestamp};

use super::{DIRECTORY, content};
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, block_on};
use crate::log::together::Saving;
use crate::testing::{durable_root, produced, put};
use crate::{Log, LogConfig, Recovery};

const EPOCHS: &str = "leader-epoch-checkpoint";

/// A log with five records, and a save of it that waits for the file system's sync, with epochs and producers in it.
async fn half_saved(disk: &Arc<SimulatedDisk>) -> (Arc<Log>, Saving) {
    durable_root(&**disk).await;
    let config = LogConfig { segment_bytes: 1500, ..LogConfig::default() };
    let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
    disk.sync_directory("/d".as_ref()).await.expect("synced");
    log.assign_leader_epoch(LeaderEpoch(0));
    for i in 0..5 {
        put(&log, produced(1, i, 1)).await;
    }
    log.raise_start(Offset(1)).expect("within the log");
    log.start_saved(Offset(1));
    let saving = log.begin_save(false).await.expect("begun");
    (log, saving)
}

async fn text(disk: &Arc<SimulatedDisk>, name: &str) -> String {
    String::from_utf8(content(disk).await.remove(name).expect("it is there").to_vec()).expect("text")
}

#[test]
fn what_a_save_of_many_prepared_gets_its_name() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let (log, mut saving) = half_saved(&disk).await;
        assert_eq!(text(&disk, EPOCHS).await, "0\n1\n0 0\n");
        saving.give_names().await.expect("named");
        saving.finish().await.expect("finished");
        assert_eq!(text(&disk, EPOCHS).await, "0\n1\n0 1\n");
        assert!(content(&disk).await.keys().all(|name| !name.ends_with(".tmp")));
        assert!(log.state.lock().epochs_saved);
    });
}

/// Epochs that are older than those in the file would have a recovery cut off, or a follower keep, what it must not.
#[test]
fn epochs_that_the_log_writes_during_a_save_of_many_stay() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let (log, mut saving) = half_saved(&disk).await;
        log.append(produced(1, 5, 1), LeaderEpoch(1), Timestamp(0)).expect("appended");
        log.write_queued().await.expect("written");
        saving.give_names().await.expect("named");
        assert_eq!(saving.finish().await.expect("finished").recovery_point, Offset(5));
        assert_eq!(text(&disk, EPOCHS).await, "0\n2\n0 1\n1 5\n");
        assert!(content(&disk).await.keys().all(|name| !name.ends_with(".tmp")));
        log.flush().await.expect("flushed");
        disk.crash();
        let log = Log::open(disk, DIRECTORY, LogConfig::default(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.epoch_of(Offset(5)), Some(LeaderEpoch(1)));
    });
}

#[test]
fn segments_that_begin_during_a_save_of_many_keep_the_order_of_snapshots() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let (log, mut saving) = half_saved(&disk).await;
        let before = log.segments().len();
        for i in 5..20 {
            put(&log, produced(1, i, 1)).await;
        }
        assert!(log.segments().len() > before);
        saving.give_names().await.expect("named");
        saving.finish().await.expect("finished");
        let snapshots = log.state.lock().snapshots.clone();
        assert!(snapshots.contains(&Offset(5)) && snapshots.is_sorted(), "{snapshots:?}");
        assert!(snapshots.last().is_some_and(|last| *last > Offset(5)));
    });
}
