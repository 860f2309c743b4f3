//! The power goes at every operation on many partitions at a time: made together, saved together, closed together.

use std::sync::Arc;

use ottla_types::{BrokerId, Offset, PartitionIndex, ProducerId, TopicId, TopicName};

use super::*;
use crate::disk::block_on;
use crate::disk::simulated::{Failure, Faults, SimulatedDisk};
use crate::testing::{produced, put};
use crate::{LogConfig, OpenOptions};

const COUNT: i32 = 4;

fn name(partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(partition) }
}

fn id() -> TopicId {
    TopicId::from_random(1)
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() }
}

async fn open(disk: &Arc<SimulatedDisk>) -> Result<LogDirectory, StorageFault> {
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: Some(id()) };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
    LogDirectory::open(disk.clone(), "/d", options).await
}

/// What holds of each partition at the moment of the crash.
#[derive(Clone, Copy, Default)]
struct Known {
    end: i64,
    flushed: i64,
}

#[derive(Default)]
struct Scenario {
    made: bool,
    known: [Known; COUNT as usize],
    /// What closing or saving all of them is about to make durable.
    watermarks: PartitionOffsets,
}

impl Scenario {
    async fn run(&mut self, disk: &Arc<SimulatedDisk>) -> Result<(), StorageFault> {
        let directory = open(disk).await?;
        let new = (0..COUNT).map(|i| NewPartition { name: name(i), topic_id: id(), config: config() });
        for made in directory.create_all(&new.collect::<Vec<_>>()).await {
            made?;
        }
        self.made = true;
        self.append(&directory, 5, 0..COUNT).await?;
        self.save(&directory).await?;
        self.append(&directory, 9, 0..3).await?;
        directory.dirty().round().finish().await?;
        self.flushed(0..3);
        self.append(&directory, 1, 0..COUNT).await?;
        self.save(&directory).await?;
        self.append(&directory, 2, 1..COUNT).await?;
        directory.close(&self.watermarks).await?;
        self.flushed(0..COUNT);
        drop(directory);
        let directory = open(disk).await?;
        for i in 0..COUNT {
            let ends = directory.get(&name(i)).expect("there").log.ends();
            assert_eq!(ends.log_end.0, self.known[i as usize].end, "after a clean stop");
        }
        self.append(&directory, 3, 0..COUNT).await?;
        self.save(&directory).await
    }

    async fn append(
        &mut self,
        directory: &LogDirectory,
        count: i32,
        to: std::ops::Range<i32>,
    ) -> Result<(), StorageFault> {
        for i in to {
            let log = directory.get(&name(i)).expect("there").log;
            let known = &mut self.known[i as usize];
            for _ in 0..count {
                if let Some(fault) = log.failed() {
                    return Err(fault);
                }
                let batch = produced(7, known.end as i32, 1);
                match log.append(batch, ottla_types::LeaderEpoch(0), ottla_types::Timestamp(0)) {
                    Ok(appended) => assert_eq!(appended.base_offset.0, known.end),
                    Err(crate::AppendRefusal::Offline(fault)) => return Err(fault),
                    Err(other) => panic!("{other}"),
                }
                known.end += 1;
                log.write_queued().await?;
            }
        }
        Ok(())
    }

    async fn save(&mut self, directory: &LogDirectory) -> Result<(), StorageFault> {
        directory.write_checkpoints(&self.watermarks).await?;
        for (_, partition) in directory.partitions() {
            if let Some(fault) = partition.log.failed() {
                return Err(fault);
            }
        }
        self.flushed(0..COUNT);
        Ok(())
    }

    fn flushed(&mut self, of: std::ops::Range<i32>) {
        for i in of {
            self.known[i as usize].flushed = self.known[i as usize].end;
        }
    }
}

async fn check(disk: &Arc<SimulatedDisk>, scenario: &Scenario) {
    let directory = open(disk).await.expect("opens after a crash");
    for (i, known) in (0..COUNT).zip(&scenario.known) {
        assert!(directory.faulty(&name(i)).is_none(), "{:?}", directory.faulty(&name(i)));
        let Some(partition) = directory.get(&name(i)) else {
            assert!(!scenario.made, "partition {i} is gone");
            continue;
        };
        assert!(partition.topic_id.is_none_or(|found| found == id()));
        let ends = partition.log.ends();
        assert!((known.flushed..=known.end).contains(&ends.log_end.0), "{i}: {ends:?}, flushed {}", known.flushed);
        let last = partition.log.producers().into_iter().find(|(id, _)| *id == ProducerId(7));
        let last = last.and_then(|(_, entry)| entry.batches.last().map(|batch| i64::from(batch.last_sequence.0)));
        assert_eq!(last.unwrap_or(-1) + 1, ends.log_end.0, "{i}: the producer's next sequence");
        // And it goes on, without a producer's gap.
        put(&partition.log, produced(7, ends.log_end.0 as i32, 1)).await;
        partition.log.flush().await.expect("flushed");
        let read = partition.log.read(Offset(0), 1 << 20, Offset(i64::MAX), true).await;
        assert!(read.is_ok(), "{read:?}");
    }
}

fn crash_everywhere(seed: u64, faults: &Faults) {
    block_on(async {
        let whole = SimulatedDisk::with_faults(seed, faults.clone());
        Scenario::default().run(&whole).await.expect("no fault without a crash");
        for after in 0..whole.operations() {
            let disk = SimulatedDisk::with_faults(seed.wrapping_add(after), faults.clone());
            disk.crash_after(after);
            let mut scenario = Scenario::default();
            let _ = scenario.run(&disk).await;
            disk.crash();
            println!("seed {seed}, crash after operation {after}");
            check(&disk, &scenario).await;
        }
    });
}

#[test]
fn what_was_saved_together_is_there_when_the_power_goes_at_any_operation() {
    crash_everywhere(1, &Faults::default());
}

#[test]
fn what_was_saved_together_is_there_when_the_device_keeps_torn_parts_of_the_rest() {
    for seed in 0..3 {
        crash_everywhere(1000 * seed, &Faults::adverse());
    }
}

#[test]
fn what_is_left_of_a_partition_that_could_not_be_made_does_not_come_back() {
    block_on(async {
        for seed in 0..20 {
            for operation in 1..20 {
                let disk = SimulatedDisk::with_faults(seed, Faults::adverse());
                let directory = open(&disk).await.expect("opened");
                let fail_at = Some((disk.operations() + operation, Failure::Device));
                disk.set_faults(Faults { fail_at, ..Faults::adverse() });
                let made = directory.create(&name(0), id(), config()).await;
                drop(directory);
                disk.set_faults(Faults::adverse());
                disk.crash();
                let directory = open(&disk).await.expect("opened again");
                assert!(made.is_ok() || directory.count() == 0, "operation {operation}, seed {seed}: {made:?}");
            }
        }
    });
}

#[test]
fn a_sync_of_everything_that_fails_takes_those_logs_offline_that_waited_for_it() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await.expect("opened");
        let new: Vec<_> =
            (0..COUNT).map(|i| NewPartition { name: name(i), topic_id: id(), config: config() }).collect();
        for made in directory.create_all(&new).await {
            made.expect("made");
        }
        let mut scenario = Scenario::default();
        scenario.append(&directory, 2, 0..3).await.expect("appended");
        disk.start_trace();
        disk.set_faults(Faults { fail_sync_at: Some(disk.syncs() + 1), ..Faults::default() });
        directory.write_checkpoints(&PartitionOffsets::new()).await.expect("the directory's own files are fine");
        for i in 0..COUNT {
            let failed = directory.get(&name(i)).expect("there").log.failed();
            assert_eq!(failed.is_some(), i < 3, "{i}: {failed:?}");
        }
        drop(directory);
        disk.set_faults(Faults::default());
        disk.crash();
        // Nothing was said to be durable that was not.
        check(&disk, &Scenario { made: true, known: scenario.known, ..Scenario::default() }).await;
    });
}
