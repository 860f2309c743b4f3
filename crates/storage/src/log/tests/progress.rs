//! Who writes, who is told, and what a failing disk does: on a disk whose operations complete when the test says so.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ottla_types::{ErrorCode, LeaderEpoch, Offset, Timestamp};
use parking_lot::Mutex;

use super::DIRECTORY;
use crate::disk::block_on;
use crate::disk::simulated::{Delay, Faults, SimulatedDisk};
use crate::testing::{batch, durable_root, put};
use crate::{Log, LogConfig, Progress, Recovery, StorageFault};

/// Operations that wait for the test; while `open`, they are done at once.
#[derive(Default)]
struct Gate {
    waiting: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    open: Mutex<bool>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Delay for Gate {
    fn schedule(&self, _after: Duration, run: Box<dyn FnOnce() + Send>) {
        if *self.open.lock() { run() } else { self.waiting.lock().push(run) }
    }
}

impl Gate {
    fn set(&self, open: bool) {
        *self.open.lock() = open;
        if open {
            let waiting = std::mem::take(&mut *self.waiting.lock());
            waiting.into_iter().for_each(|run| run());
        }
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn written(&self, end: Offset) {
        self.0.lock().push(format!("written {end}"));
    }
    fn flushed(&self, end: Offset) {
        self.0.lock().push(format!("flushed {end}"));
    }
    fn taken_back(&self, from: Offset, _fault: &StorageFault) {
        self.0.lock().push(format!("taken back from {from}"));
    }
    fn failed(&self, _fault: &StorageFault) {
        self.0.lock().push("failed".to_owned());
    }
    fn writer_wanted(&self) {
        self.0.lock().push("writer wanted".to_owned());
    }
}

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

struct Bench {
    disk: Arc<SimulatedDisk>,
    gate: Arc<Gate>,
    log: Arc<Log>,
    told: Arc<Told>,
}

fn bench(faults: Faults) -> Bench {
    let gate = Arc::new(Gate::default());
    gate.set(true);
    let disk = SimulatedDisk::with_delay(1, faults, gate.clone());
    let told = Arc::new(Told::default());
    let log = block_on(async {
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 1000, ..LogConfig::default() };
        Log::create(disk.clone(), DIRECTORY, config).await.expect("made")
    });
    log.attach(told.clone());
    Bench { disk, gate, log, told }
}

fn append(log: &Log) {
    log.append(batch(1, 1, 100), LeaderEpoch(0), Timestamp(0)).expect("appended");
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn one_writer_writes_for_all_and_others_go_on() {
    let Bench { gate, log, told, .. } = bench(Faults::default());
    gate.set(false);
    append(&log);
    let mut writer = Box::pin(log.write_queued());
    assert!(poll(writer.as_mut()).is_pending());
    append(&log);
    append(&log);
    assert!(matches!(poll(Box::pin(log.write_queued()).as_mut()), Poll::Ready(Ok(()))));
    assert_eq!(told.take(), Vec::<String>::new());
    gate.set(true);
    block_on(writer).expect("written");
    assert_eq!(told.take(), ["written 1", "written 3"]);
}

#[test]
fn a_dropped_writer_leaves_its_work_to_the_next() {
    let Bench { disk, gate, log, told } = bench(Faults::process_death());
    // At every point at which the writer can be dropped, through several segments.
    for polls in 0..40 {
        gate.set(false);
        for _ in 0..3 {
            append(&log);
        }
        let mut writer = Box::pin(log.write_queued());
        for _ in 0..polls {
            if poll(writer.as_mut()).is_ready() {
                break;
            }
            let waiting = std::mem::take(&mut *gate.waiting.lock());
            waiting.into_iter().for_each(|run| run());
        }
        let unfinished = polls > 0 && log.ends().written < log.ends().log_end;
        drop(writer);
        assert_eq!(told.take().contains(&"writer wanted".to_owned()), unfinished, "after {polls} polls");
        append(&log);
        gate.set(true);
        block_on(log.write_queued()).expect("written");
        assert_eq!(log.ends().written, log.ends().log_end);
    }
    let ends = log.ends();
    assert_eq!(ends.log_end, Offset(160));
    disk.crash();
    let opened = block_on(Log::open(disk, DIRECTORY, log.config(), Recovery::UNKNOWN)).expect("opened");
    assert_eq!(opened.ends().log_end, ends.log_end);
}

#[test]
fn a_late_write_of_a_dropped_writer_never_meets_what_follows_a_cut() {
    let Bench { gate, log, .. } = bench(Faults::default());
    block_on(async {
        put(&log, batch(1, 1, 100)).await;
    });
    gate.set(false);
    append(&log);
    let mut writer = Box::pin(log.write_queued());
    // The space is set aside already, so that the write itself is what waits.
    assert!(poll(writer.as_mut()).is_pending());
    drop(writer);
    let late = std::mem::take(&mut *gate.waiting.lock());
    assert_eq!(late.len(), 1);
    gate.set(true);
    let mut cut = Box::pin(log.truncate_to(Offset(1)));
    assert!(poll(cut.as_mut()).is_pending(), "the cut waits for the write");
    late.into_iter().for_each(|run| run());
    block_on(async {
        cut.await.expect("cut");
        let kept = batch(2, 1, 100);
        put(&log, kept.clone()).await;
        let slice = log.read(Offset(1), 1000, Offset(2), true).await.expect("in range").expect("something");
        let expected = crate::testing::stored(&kept, Offset(1), LeaderEpoch(0));
        assert_eq!(slice.read().await.expect("read"), expected);
    });
}

#[test]
fn a_failed_sync_takes_the_log_offline_and_reads_go_on() {
    let Bench { disk, log, told, .. } = bench(Faults::default());
    block_on(async {
        put(&log, batch(1, 1, 100)).await;
        assert_eq!(log.flush().await.expect("flushed"), Offset(1));
        put(&log, batch(1, 1, 100)).await;
        told.take();
        disk.set_faults(Faults { fail_sync_at: Some(3), ..Faults::default() });
        let fault = log.flush().await.expect_err("the third sync fails");
        assert!(fault.to_string().starts_with("cannot sync /d/t-0/00000000000000000000.log"), "{fault}");
        assert_eq!(told.take(), ["failed"]);
        let refusal = log.append(batch(1, 1, 1), LeaderEpoch(0), Timestamp(0)).expect_err("offline");
        assert_eq!(refusal.error_code(), ErrorCode::KafkaStorageError);
        assert!(log.write_queued().await.is_err() && log.flush().await.is_err() && log.save().await.is_err());
        assert!(log.read(Offset(0), 1000, Offset(2), true).await.expect("in range").is_some());
        assert_eq!((log.ends().flushed, log.failed().is_some()), (Offset(1), true));
    });
}

#[test]
fn what_finds_no_room_is_taken_back_and_the_log_goes_on() {
    let full = Faults { full_after_bytes: Some(300), ..Faults::default() };
    let Bench { disk, log, told, .. } = bench(full);
    let append = |now| log.append(batch(1, 1, 100), LeaderEpoch(0), Timestamp(now));
    block_on(async {
        let first = append(1000).expect("appended");
        log.write_queued().await.expect("fits");
        let (second, third) = (append(1000).expect("queued"), append(1000).expect("queued"));
        let fault = log.write_queued().await.expect_err("no room");
        assert!(fault.is_full() && log.failed().is_none(), "{fault}");
        assert_eq!(told.take(), ["written 1", "taken back from 1"]);
        assert!(!log.was_taken_back(&first) && log.was_taken_back(&second) && log.was_taken_back(&third));
        assert_eq!((log.ends().log_end, log.ends().written, log.queued_bytes()), (Offset(1), Offset(1), 0));
        let refusal = append(1010).expect_err("a moment later");
        assert_eq!(refusal.error_code(), ErrorCode::KafkaStorageError);
        assert!(log.read(Offset(0), 1000, Offset(1), true).await.expect("in range").is_some());
        disk.set_faults(Faults::default());
        let again = append(1050).expect("tried again");
        assert_eq!(again.base_offset, second.base_offset);
        log.write_queued().await.expect("room");
        assert!(!log.was_taken_back(&again) && log.was_taken_back(&second) && log.full().is_none());
        assert_eq!(log.flush().await.expect("flushed"), Offset(2));
        assert_eq!(told.take(), ["written 2", "flushed 2"]);
    });
}

#[test]
fn what_came_while_a_full_disk_was_written_is_taken_back_with_it() {
    let Bench { disk, gate, log, told } = bench(Faults { full_after_bytes: Some(50), ..Faults::default() });
    gate.set(false);
    append(&log);
    let mut writer = Box::pin(log.write_queued());
    assert!(poll(writer.as_mut()).is_pending());
    (0..20).for_each(|_| append(&log));
    assert!(log.segments().len() > 1);
    gate.set(true);
    assert!(matches!(poll(writer.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(told.take(), ["taken back from 0"]);
    assert_eq!((log.segment_bases(), log.ends().log_end), (vec![Offset(0)], Offset(0)));
    disk.set_faults(Faults::default());
}

#[test]
fn a_flush_that_was_under_way_during_a_cut_does_not_count() {
    let Bench { log, .. } = bench(Faults::default());
    block_on(async {
        for _ in 0..5 {
            put(&log, batch(1, 1, 100)).await;
        }
        let flush = log.submit_flush().expect("online");
        log.truncate_to(Offset(2)).await.expect("cut");
        for _ in 0..2 {
            put(&log, batch(1, 1, 100)).await;
        }
        assert_eq!(flush.finish().await.expect("synced"), Offset(0));
        assert_eq!(log.flush().await.expect("synced"), Offset(4));
    });
}

#[test]
fn a_flush_behind_a_cut_covers_the_segments_below_it() {
    let Bench { disk, log, .. } = bench(Faults::default());
    block_on(async {
        // Several segments, none of them flushed, and a cut within the last.
        for _ in 0..12 {
            append(&log);
        }
        log.write_queued().await.expect("written");
        let last = log.segment_bases().last().copied().expect("one");
        assert!(log.segments().len() > 2 && last.plus(1) < log.ends().log_end);
        log.truncate_to(last.plus(1)).await.expect("cut");
        append(&log);
        log.write_queued().await.expect("written");
        let flushed = log.flush().await.expect("flushed");
        assert_eq!(flushed, last.plus(2));
        drop(log);
        disk.crash();
        let config = LogConfig { segment_bytes: 1000, ..LogConfig::default() };
        let log = Log::open(disk, DIRECTORY, config, Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(log.ends().log_end, flushed);
    });
}

#[test]
fn a_dropped_flush_is_done_by_the_next() {
    let Bench { log, .. } = bench(Faults::default());
    block_on(async {
        put(&log, batch(1, 1, 100)).await;
        drop(log.submit_flush().expect("online"));
        assert_eq!(log.ends().flushed, Offset(0));
        assert_eq!(log.flush().await.expect("synced"), Offset(1));
    });
}

#[test]
fn who_holds_a_slice_reads_it_after_its_segment_is_deleted() {
    let Bench { log, .. } = bench(Faults::default());
    block_on(async {
        for _ in 0..20 {
            put(&log, batch(1, 1, 100)).await;
        }
        let slice = log.read(Offset(0), 10_000, Offset(20), true).await.expect("in range").expect("something");
        log.delete_before(Offset(12)).await.expect("deleted");
        assert!(log.segment_bases()[0] > Offset(0));
        assert_eq!(slice.read().await.expect("still there").len(), slice.bytes);
        assert!(log.read(Offset(0), 1, Offset(20), true).await.is_err());
    });
}

#[test]
fn records_are_found_by_the_largest_timestamp() {
    let Bench { log, .. } = bench(Faults::default());
    block_on(async {
        assert_eq!(log.max_timestamp_offset().await.expect("searched"), None);
        for timestamp in [100, 900, 300, 901, 200] {
            put(&log, batch(timestamp, 2, 100)).await;
        }
        let found = log.max_timestamp_offset().await.expect("searched").expect("some");
        assert_eq!((found.offset, found.timestamp), (Offset(7), Timestamp(902)));
    });
}

#[test]
fn many_threads_append_and_flush_and_nothing_waits_for_ever() {
    let disk = SimulatedDisk::new(1);
    block_on(durable_root(&*disk));
    let config = LogConfig { segment_bytes: 20_000, ..LogConfig::default() };
    let log = block_on(Log::create(disk.clone(), DIRECTORY, config)).expect("made");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..500 {
                    append(&log);
                    block_on(log.write_queued()).expect("written");
                    match i % 50 {
                        10 => drop(block_on(log.save()).expect("saved")),
                        _ if i % 7 == 0 => drop(block_on(log.flush()).expect("flushed")),
                        _ => {}
                    }
                }
            });
        }
    });
    // Each writer left only when the queue was empty, or to another that was still at work.
    assert_eq!(log.ends().written, Offset(2000));
    assert_eq!(block_on(log.flush()).expect("flushed"), Offset(2000));
    disk.crash();
    let opened = block_on(Log::open(disk, DIRECTORY, config, Recovery::UNKNOWN)).expect("opened");
    assert_eq!(opened.ends().log_end, Offset(2000));
}

#[test]
fn what_comes_while_a_log_is_closed_is_refused_and_not_lost_behind_its_point() {
    let Bench { gate, log, .. } = bench(Faults::default());
    (0..3).for_each(|_| append(&log));
    block_on(log.write_queued()).expect("written");
    gate.set(false);
    let mut closing = Box::pin(log.close());
    assert!(poll(closing.as_mut()).is_pending());
    let late = log.append(batch(1, 1, 100), LeaderEpoch(0), Timestamp(0)).expect_err("it is being closed");
    assert_eq!(late.error_code(), ErrorCode::KafkaStorageError);
    log.raise_start(Offset(2)).expect("it is written");
    gate.set(true);
    let closed = block_on(closing).expect("closed");
    assert_eq!((closed.recovery_point, closed.log_start_offset), (log.ends().log_end, Offset(2)));
    log.raise_start(Offset(3)).expect_err("where it starts was saved");
}
