//! The power goes at every operation while a partition is moved between two directories, there and back.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ottla_record::Batches;
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicName};

use super::*;
use crate::disk::block_on;
use crate::disk::simulated::{Delay, Faults, SimulatedDisk};
use crate::testing::{produced, put};
use crate::{LogConfig, OpenOptions};

fn name() -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() }
}

async fn open(disk: &Arc<SimulatedDisk>) -> Result<[Arc<LogDirectory>; 2], StorageFault> {
    let mut opened = Vec::new();
    for (i, path) in ["/a", "/b"].into_iter().enumerate() {
        let directory_id = Some(TopicId::from_random(10 + i as u128));
        let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id };
        let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
        opened.push(Arc::new(LogDirectory::open(disk.clone(), path, options).await?));
    }
    Ok(opened.try_into().expect("two"))
}

#[derive(Default)]
struct Known {
    made: bool,
    end: i64,
    flushed: i64,
}

impl Known {
    async fn append(&mut self, log: &Arc<Log>, count: i32) -> Result<(), StorageFault> {
        for _ in 0..count {
            match log.append(produced(7, self.end as i32, 1), LeaderEpoch(3), Timestamp(0)) {
                Ok(appended) => assert_eq!(appended.base_offset.0, self.end),
                Err(crate::AppendRefusal::Offline(fault)) => return Err(fault),
                Err(other) => panic!("{other}"),
            }
            self.end += 1;
            log.write_queued().await?;
        }
        Ok(())
    }

    async fn flush(&mut self, log: &Log) -> Result<(), StorageFault> {
        self.flushed = log.flush().await?.0;
        Ok(())
    }

    async fn moved(&mut self, from: &Arc<LogDirectory>, to: &Arc<LogDirectory>) -> Result<(), StorageFault> {
        to.plan_future(&name(), TopicId::from_random(1), 5).await?;
        let mut moving = Move::begin(from.clone(), to.clone(), &name(), 5).await?;
        let log = from.get(&name()).expect("there").log;
        let mut steps = 0;
        while moving.step(300).await? > 0 {
            steps += 1;
            if steps % 5 == 0 {
                self.append(&log, 1).await?;
            }
        }
        assert_eq!(moving.end().0, self.end, "all that is written is there");
        moving.sync().await?;
        let moved = moving.finish().await.map_err(|failed| failed.fault)?;
        let log = moved.log.clone();
        let retired = moved.leave(6).await;
        // The log was closed, so everything in it is durable.
        self.flushed = self.end;
        to.remove_future(&name()).await?;
        if let Some(retired) = retired {
            from.remove_deleted(&retired).await?;
        }
        self.append(&log, 4).await?;
        self.flush(&log).await
    }

    async fn run(&mut self, disk: &Arc<SimulatedDisk>) -> Result<(), StorageFault> {
        let [a, b] = open(disk).await?;
        let log = a.create(&name(), TopicId::from_random(1), config()).await?;
        self.made = true;
        self.append(&log, 21).await?;
        self.flush(&log).await?;
        self.moved(&a, &b).await?;
        self.moved(&b, &a).await?;
        a.close(&PartitionOffsets::new()).await?;
        b.close(&PartitionOffsets::new()).await
    }
}

/// What a start does with a partition that is in both.
async fn settle(directories: &[Arc<LogDirectory>; 2]) -> Option<(usize, Partition)> {
    let [a, b] = directories;
    if let (Some(_), Some(_)) = (a.get(&name()), b.get(&name())) {
        let superseded = [b.supersedes(&name(), a).await.expect("read"), a.supersedes(&name(), b).await.expect("read")];
        assert_eq!(superseded.iter().filter(|is| **is).count(), 1, "one of them is the copy: {superseded:?}");
        let (old, new) = if superseded[0] { (a, b) } else { (b, a) };
        old.delete(&name(), 9).await.expect("deleted");
        new.forget_origin(&name()).await.expect("forgotten");
    }
    directories.iter().enumerate().find_map(|(i, directory)| directory.get(&name()).map(|found| (i, found)))
}

async fn check(disk: &Arc<SimulatedDisk>, known: &Known) {
    let directories = open(disk).await.expect("opens after a crash");
    for directory in &directories {
        assert!(directory.faulty_partitions().is_empty(), "{:?}", directory.faulty(&name()));
    }
    let Some((place, found)) = settle(&directories).await else {
        assert!(!known.made || known.flushed == 0, "the partition is gone");
        return;
    };
    assert_eq!(found.topic_id.unwrap_or(TopicId::from_random(1)), TopicId::from_random(1));
    let ends = found.log.ends();
    assert!((known.flushed..=known.end).contains(&ends.log_end.0), "{ends:?}, flushed {}", known.flushed);
    whole(&found.log).await;
    // A move goes on, or begins, and what is appended then is there after another crash.
    let mut again = Known { made: true, end: ends.log_end.0, flushed: ends.log_end.0 };
    again.moved(&directories[place], &directories[1 - place]).await.expect("moves");
    drop((directories, found));
    disk.crash();
    let directories = open(disk).await.expect("opens again");
    let (moved_to, found) = settle(&directories).await.expect("there");
    assert_eq!((moved_to, found.log.ends().log_end.0), (1 - place, again.end));
    assert!(directories.iter().all(|directory| directory.futures().is_empty()));
    whole(&found.log).await;
}

/// Every record is there, once, and the producer's sequence follows.
async fn whole(log: &Arc<Log>) {
    let end = log.ends().log_end;
    let mut next = Offset(0);
    while next < end {
        let slice = log.read(next, 500, end, true).await.expect("in range").expect("not empty");
        for batch in Batches::new(&slice.read().await.expect("read")) {
            let batch = batch.expect("a batch");
            assert_eq!(batch.header().base_offset, next);
            assert_eq!(i64::from(batch.header().base_sequence.0), next.0);
            next = batch.header().next_offset();
        }
    }
}

fn crash_everywhere(seed: u64, faults: &Faults) {
    block_on(async {
        let whole = SimulatedDisk::with_faults(seed, faults.clone());
        Known::default().run(&whole).await.expect("no fault without a crash");
        for after in 0..whole.operations() {
            let disk = SimulatedDisk::with_faults(seed.wrapping_add(after), faults.clone());
            disk.crash_after(after);
            let mut known = Known::default();
            let outcome = known.run(&disk).await;
            disk.crash();
            println!("seed {seed}, crash after operation {after}: {outcome:?}");
            check(&disk, &known).await;
        }
    });
}

#[test]
fn a_moved_partition_is_in_one_place_and_whole_when_the_power_goes_at_any_operation() {
    crash_everywhere(1, &Faults::default());
}

#[test]
fn a_moved_partition_is_whole_when_the_device_keeps_torn_parts_of_the_rest() {
    crash_everywhere(1000, &Faults::adverse());
}

#[test]
fn a_moved_partition_is_in_one_place_and_whole_when_the_process_dies_at_any_operation() {
    crash_everywhere(7, &Faults::process_death());
}

#[test]
fn a_move_that_fails_leaves_the_partition_where_it_was() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let [a, b] = open(&disk).await.expect("opened");
        let log = a.create(&name(), TopicId::from_random(1), config()).await.expect("made");
        let mut known = Known { made: true, ..Known::default() };
        known.append(&log, 21).await.expect("appended");
        let mut moving = Move::begin(a.clone(), b.clone(), &name(), 5).await.expect("begun");
        moving.step(2000).await.expect("copied");
        disk.set_faults(Faults { lost: Some("/b".into()), ..Faults::default() });
        let failed = moving.finish().await.expect_err("the target is gone");
        let log = failed.log.expect("it is served from where it was");
        known.append(&log, 3).await.expect("and takes records");
        assert!(Arc::ptr_eq(&log, &a.get(&name()).expect("there").log) && b.get(&name()).is_none());
        disk.set_faults(Faults::default());
        assert_eq!(b.futures(), [name()]);
        known.moved(&a, &b).await.expect("the move goes on when the target is back");
        whole(&b.get(&name()).expect("there").log).await;
    });
}

#[test]
fn a_move_follows_a_log_that_is_cut_at_either_end() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let [a, b] = open(&disk).await.expect("opened");
        let log = a.create(&name(), TopicId::from_random(1), config()).await.expect("made");
        let mut known = Known { made: true, ..Known::default() };
        known.append(&log, 21).await.expect("appended");
        let mut moving = Move::begin(a.clone(), b.clone(), &name(), 5).await.expect("begun");
        while moving.step(300).await.expect("copied") > 0 {}
        a.truncate(&name(), Offset(12)).await.expect("cut");
        for i in 12..15 {
            put(&log, produced(7, i, 1)).await;
        }
        log.delete_before(Offset(7)).await.expect("cut");
        let log = moving.finish().await.expect("moved").log;
        let ends = log.ends();
        assert_eq!((ends.log_start, ends.log_end), (Offset(7), Offset(15)));
        let bases = log.segment_bases();
        assert!(bases[0] > Offset(0) && bases[0] <= Offset(7), "{bases:?}");
        assert_eq!(
            disk.list("/b/t-0".as_ref())
                .await
                .expect("there")
                .iter()
                .filter(|entry| entry.name.ends_with(".log"))
                .count(),
            bases.len()
        );
    });
}

/// Operations that wait to be done one by one; while `open`, they are done at once.
#[derive(Default)]
struct OneByOne {
    open: Mutex<bool>,
    waiting: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for OneByOne {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneByOne")
    }
}

impl Delay for OneByOne {
    fn schedule(&self, _after: Duration, run: Box<dyn FnOnce() + Send>) {
        if *self.open.lock() { run() } else { self.waiting.lock().push(run) }
    }
}

impl OneByOne {
    fn take(&self) -> Vec<Box<dyn FnOnce() + Send>> {
        std::mem::take(&mut *self.waiting.lock())
    }
}

/// Who looks into the target at any moment of a move's end finds the copy there, or the partition.
#[test]
fn a_partition_is_never_out_of_sight_while_its_move_ends() {
    let steps = Arc::new(OneByOne::default());
    *steps.open.lock() = true;
    let disk = SimulatedDisk::with_delay(1, Faults::default(), steps.clone());
    let (moving, b) = block_on(async {
        let [a, b] = open(&disk).await.expect("opened");
        let log = a.create(&name(), TopicId::from_random(1), config()).await.expect("made");
        Known { made: true, ..Known::default() }.append(&log, 21).await.expect("appended");
        b.plan_future(&name(), TopicId::from_random(1), 5).await.expect("planned");
        let mut moving = Move::begin(a, b.clone(), &name(), 5).await.expect("begun");
        while moving.step(300).await.expect("copied") > 0 {}
        (moving, b)
    });
    *steps.open.lock() = false;
    let mut finishing = Box::pin(moving.finish());
    let mut context = Context::from_waker(Waker::noop());
    let mut looks = 0;
    while finishing.as_mut().poll(&mut context).is_pending() {
        assert!(b.futures() == [name()] || b.get(&name()).is_some(), "out of sight after {looks} operations");
        looks += 1;
        steps.take().into_iter().for_each(|run| run());
    }
    assert!(looks > 10, "{looks}");
    assert!(b.futures().is_empty() && b.get(&name()).is_some());
}

/// Copies once behind the first `operations` of a write that begins a segment on a disk that has `room` for some bytes only. Whether there were as many.
fn copy_within_a_roll_without_room(operations: usize, room: u64) -> bool {
    let steps = Arc::new(OneByOne::default());
    *steps.open.lock() = true;
    let disk = SimulatedDisk::with_delay(1, Faults::default(), steps.clone());
    let (log, mut moving, b) = block_on(async {
        let [a, b] = open(&disk).await.expect("opened");
        let log = a.create(&name(), TopicId::from_random(1), config()).await.expect("made");
        let mut known = Known { made: true, ..Known::default() };
        known.append(&log, 4).await.expect("appended");
        let mut moving = Move::begin(a, b.clone(), &name(), 5).await.expect("begun");
        while moving.step(300).await.expect("copied") > 0 {}
        (log, moving, b)
    });
    disk.set_faults(Faults { full_after_bytes: Some(disk.space() + room), ..Faults::default() });
    *steps.open.lock() = false;
    log.append(produced(7, 4, 4), LeaderEpoch(3), Timestamp(0)).expect("queued, and too large for the segment");
    let mut writing = Box::pin(log.write_queued());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..operations {
        if writing.as_mut().poll(&mut context).is_ready() {
            return false;
        }
        steps.take().into_iter().for_each(|run| run());
    }
    let held = steps.take();
    *steps.open.lock() = true;
    // It may find no room either, which is as well.
    let _ = block_on(moving.step(300));
    held.into_iter().for_each(|run| run());
    if block_on(writing).is_ok() {
        // The indexes needed less than there was.
        return true;
    }
    disk.set_faults(Faults::default());
    log.append(produced(7, 4, 1), LeaderEpoch(3), Timestamp(10_000)).expect("there is room again");
    block_on(async {
        log.write_queued().await.expect("written");
        let _ = moving.finish().await.expect("moved");
        let found = b.get(&name()).expect("there").log;
        assert_eq!(found.ends().log_end, Offset(5));
        whole(&found).await;
    });
    true
}

#[test]
fn a_move_follows_a_roll_that_finds_no_room() {
    // For the indexes of the segment that closes, or not even for them; never for the batch.
    for room in (0..480).step_by(60) {
        let rounds = (0..).take_while(|operations| copy_within_a_roll_without_room(*operations, room)).count();
        assert!(rounds > 3, "{rounds} operations in a roll with room for {room} bytes");
    }
}
