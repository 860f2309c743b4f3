//! Each operation of a log's life fails once, for want of room or with a device's error, on a disk that then loses its
//! power. What was acknowledged as flushed is there, and what is there was appended, whatever the operation was.
//!
//! How a log meets a disk that stays full, and goes on, is in `crash` and `model`.

use std::sync::Arc;

use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicName, TopicPartition};

use crate::disk::block_on;
use crate::disk::simulated::{Failure, Faults, SimulatedDisk};
use crate::testing::produced;
use crate::{
    AppendRefusal, Log, LogConfig, LogDirectory, MetaProperties, Move, OpenOptions, PartitionOffsets, Retention,
    StorageFault,
};

/// What holds, whatever failed.
#[derive(Default)]
struct Known {
    /// The next sequence and offset: one producer writes one record at a time.
    end: i64,
    flushed: i64,
    start: i64,
    made: bool,
    /// How often something was refused and the log went on.
    went_on: usize,
}

fn partition() -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) }
}

fn config() -> LogConfig {
    let retention = Retention { delete: true, ms: None, bytes: Some(2500) };
    LogConfig { segment_bytes: 1000, index_interval_bytes: 200, retention, ..LogConfig::default() }
}

async fn open(disk: &Arc<SimulatedDisk>, path: &str) -> Result<Arc<LogDirectory>, StorageFault> {
    let directory_id = Some(TopicId::from_random(path.len() as u128));
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
    LogDirectory::open(disk.clone(), path, options).await.map(Arc::new)
}

impl Known {
    /// Appends; what a full disk refuses leaves no trace, and is tried again.
    async fn append(&mut self, log: &Arc<Log>, count: i64) -> Result<(), StorageFault> {
        let mut now = 0;
        for _ in 0..count {
            loop {
                now += 10_000;
                let batch = produced(7, self.end as i32, 1);
                match log.append(batch, LeaderEpoch(3), Timestamp(now)) {
                    Ok(appended) => assert_eq!((appended.base_offset.0, appended.duplicate), (self.end, false)),
                    Err(AppendRefusal::Offline(fault)) => return Err(fault),
                    Err(other) => panic!("{other}"),
                }
                match log.write_queued().await {
                    Ok(()) => break,
                    Err(fault) if fault.is_full() && log.failed().is_none() => {
                        assert_eq!(log.ends().log_end.0, self.end, "no trace of {fault}");
                        self.went_on += 1;
                    }
                    Err(fault) => return Err(fault),
                }
            }
            self.end += 1;
        }
        self.flushed = log.flush().await?.0;
        Ok(())
    }

    /// A life in which each fault is passed on, but for what a full disk does to a log that goes on.
    async fn live(&mut self, disk: &Arc<SimulatedDisk>) -> Result<(), StorageFault> {
        let (a, bb) = (open(disk, "/a").await?, open(disk, "/bb").await?);
        let log = a.create(&partition(), TopicId::from_random(1), config()).await?;
        self.made = true;
        self.append(&log, 20).await?;
        a.write_checkpoints(&PartitionOffsets::new()).await?;
        self.append(&log, 3).await?;
        if let Some(retired) = log.retire(Offset(self.flushed), Timestamp(0)).await? {
            log.remove_retired(retired).await?;
        }
        self.start = self.start.max(log.ends().log_start.0);
        // Until it is answered the cut may be made or not.
        self.flushed = self.end - 2;
        a.truncate(&partition(), Offset(self.end - 2)).await?;
        self.end -= 2;
        self.append(&log, 4).await?;
        log.raise_start(Offset(self.end - 5))?;
        a.save_log_starts(&[partition()]).await?;
        self.start = self.end - 5;
        bb.plan_future(&partition(), TopicId::from_random(1), 5).await?;
        let mut moving = Move::begin(a.clone(), bb.clone(), &partition(), 5).await?;
        while moving.step(400).await? > 0 {}
        let moved = moving.finish().await.map_err(|failed| failed.fault)?;
        let log = moved.log.clone();
        if let Some(retired) = moved.leave(6).await {
            a.remove_deleted(&retired).await?;
        }
        self.append(&log, 10).await?;
        a.close(&PartitionOffsets::new()).await?;
        bb.close(&PartitionOffsets::new()).await
    }

    async fn check(&self, disk: &Arc<SimulatedDisk>) {
        let directories = [open(disk, "/a").await.expect("opens"), open(disk, "/bb").await.expect("opens")];
        let found: Vec<_> = directories.iter().filter_map(|directory| directory.get(&partition())).collect();
        let faulty: Vec<_> = directories.iter().filter_map(|directory| directory.faulty(&partition())).collect();
        assert!(faulty.is_empty(), "{faulty:?}");
        let log = match &found[..] {
            [] => return assert!(self.flushed == 0, "the partition is gone"),
            [one] => &one.log,
            // The old one is told by the new one.
            _ if directories[1].supersedes(&partition(), &directories[0]).await.expect("read") => &found[1].log,
            _ => panic!("in both, and nobody knows which is the copy"),
        };
        let ends = log.ends();
        assert!(ends.log_end.0 >= self.flushed && ends.log_end.0 <= self.end, "{ends:?}, flushed {}", self.flushed);
        assert!(ends.log_start.0 >= self.start, "{ends:?}, deleted up to {}", self.start);
        let mut next = ends.log_start;
        while next < ends.log_end {
            let slice = log.read(next, 1, ends.log_end, true).await.expect("in range").expect("not empty");
            let bytes = slice.read().await.expect("read");
            let batch = ottla_record::RecordBatch::parse(&bytes).expect("a batch");
            batch.check_crc().expect("whole");
            let header = batch.header();
            assert_eq!((header.base_offset, i64::from(header.base_sequence.0)), (next, next.0), "{ends:?}");
            next = header.next_offset();
        }
        let again = log.append(produced(7, ends.log_end.0 as i32, 1), LeaderEpoch(9), Timestamp(0));
        assert_eq!(again.expect("the producer goes on").base_offset, ends.log_end);
        log.write_queued().await.expect("written");
    }
}

/// Has each operation fail in turn. Answers how many did, and how often a log went on.
fn fail_everywhere(failure: Failure, after: &Faults) -> (u64, usize) {
    let whole = SimulatedDisk::new(1);
    block_on(Known::default().live(&whole)).expect("nothing fails");
    let (mut failed, mut went_on) = (0, 0);
    for at in 1..=whole.operations() {
        let disk = SimulatedDisk::with_faults(at, Faults { fail_at: Some((at, failure)), ..after.clone() });
        let mut known = Known::default();
        let outcome = block_on(known.live(&disk));
        failed += u64::from(outcome.is_err() || known.went_on > 0);
        went_on += known.went_on;
        disk.set_faults(after.clone());
        disk.crash();
        println!("{failure:?} at operation {at}: {outcome:?}");
        block_on(known.check(&disk));
    }
    (failed, went_on)
}

#[test]
fn nothing_flushed_is_lost_when_any_operation_fails_with_a_devices_error() {
    let (failed, went_on) = fail_everywhere(Failure::Device, &Faults::default());
    assert!(failed > 200 && went_on == 0, "{failed} {went_on}");
    fail_everywhere(Failure::Device, &Faults::adverse());
}

#[test]
fn nothing_flushed_is_lost_and_a_write_is_tried_again_when_any_operation_finds_no_room() {
    let (failed, went_on) = fail_everywhere(Failure::NoRoom, &Faults::default());
    assert!(failed > 80 && went_on > 30, "{failed} {went_on}");
    fail_everywhere(Failure::NoRoom, &Faults::adverse());
}
