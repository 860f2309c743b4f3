//! Which snapshot of the producers a start goes by after a power failure.

use ottla_record::BatchOptions;
use ottla_types::{Offset, ProducerEpoch, ProducerId, Sequence};

use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, block_on};
use crate::testing::{batch_with, durable_root, put};
use crate::{Log, LogConfig, Recovery};

#[test]
fn the_newest_one_that_is_whole_stays_and_is_used() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 1000, ..LogConfig::default() };
        let log = Log::create(disk.clone(), "/d/t-0", config).await.expect("made");
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
        // The third one began a segment, with a snapshot that nobody has synced.
        log.flush().await.expect("flushed");
        assert_eq!(log.segment_bases(), [Offset(0), Offset(2)]);
        disk.crash();
        let log = Log::open(disk.clone(), "/d/t-0", config, Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.producers().len(), 1);
        let names = disk.list(log.directory()).await.expect("listed");
        let is_saved = |name: &str| name == "00000000000000000001.snapshot";
        assert!(names.iter().any(|entry| is_saved(&entry.name)), "{names:?}");
    });
}
