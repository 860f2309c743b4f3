//! A recovery on a full device: what is there is read, and its indexes come into files when there is room.

use ottla_types::Offset;

use super::{DIRECTORY, content};
use crate::disk::block_on;
use crate::disk::simulated::{Faults, SimulatedDisk};
use crate::testing::{batch, durable_root, put};
use crate::{Log, LogConfig, Recovery};

const INDEX: &str = "00000000000000000000.index";

#[test]
fn a_log_without_room_for_its_indexes_is_read_and_saves_them_later() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 3000, index_interval_bytes: 300, ..LogConfig::default() };
        let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
        for i in 0..30 {
            put(&log, batch(1000 + i, 1, 300)).await;
        }
        log.flush().await.expect("flushed");
        assert!(log.segments().len() > 2);
        drop(log);
        // As after a kill in the middle of it: nothing of the indexes is in files.
        let kept = content(&disk).await;
        for name in kept.keys().filter(|name| name.ends_with("index")) {
            let file =
                crate::disk::Disk::open(&*disk, &std::path::Path::new(DIRECTORY).join(name), crate::disk::Open::Write);
            file.await.expect("there").truncate(0).await.expect("cut");
        }
        disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
        let log = Log::open(disk.clone(), DIRECTORY, config, Recovery::UNKNOWN).await.expect("opened");
        for at in 0..30 {
            let slice = log.read(Offset(at), 1, Offset(30), true).await.expect("in range").expect("something");
            assert_eq!(slice.read().await.expect("read")[7], u8::try_from(at).expect("small"));
        }
        assert!(content(&disk).await[INDEX].is_empty());
        assert!(log.save().await.is_err_and(|fault| fault.is_full()));
        disk.set_faults(Faults::default());
        log.save().await.expect("saved");
        let saved = content(&disk).await;
        assert!(!saved[INDEX].is_empty());
        drop(log);
        let again = Log::open(disk.clone(), DIRECTORY, config, Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(again.ends().log_end, Offset(30));
        assert_eq!(content(&disk).await[INDEX], saved[INDEX], "as a recovery makes it");
    });
}
