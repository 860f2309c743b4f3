//! What a log promises, on a disk in memory.

mod crash;
mod model;

use ottla_types::{LeaderEpoch, Offset};

use crate::disk::block_on;
use crate::disk::simulated::SimulatedDisk;
use crate::testing::{batch, put};
use crate::{Log, LogConfig, Recovery};

const DIRECTORY: &str = "/d/t-0";

#[test]
fn what_is_appended_is_written_flushed_and_read() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        crate::testing::durable_root(&*disk).await;
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
