//! Rounds without a crash: what is left, and who ends a round.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Batches, Compressor, Scratch};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId};

use super::super::{Cleaned, CompactionRules, Pace, Stopped};
use super::world::{AtOnce, DELETE_RETENTION_MS, RULES, World, cleaner, config, name, open};
use crate::disk::block_on;
use crate::disk::simulated::{Failure, Faults, SimulatedDisk};
use crate::testing::Dice;
use crate::{Batch, CleaningRound, Log, LogConfig, LogDirectory, PartitionOffsets, Recovery};

async fn fresh(seed: u64) -> (Arc<SimulatedDisk>, LogDirectory, Arc<Log>) {
    let disk = SimulatedDisk::new(seed);
    let directory = open(&disk).await.expect("opened");
    let log = directory.create(&name(), TopicId::from_random(1), config()).await.expect("made");
    (disk, directory, log)
}

/// A batch of one record without producer.
fn record(key: Option<&str>, value: Option<&str>, timestamp: i64) -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(Timestamp(timestamp), key.map(str::as_bytes), value.map(str::as_bytes), &[]).expect("small");
    let bytes = builder.build(&mut Compressor::default()).expect("one record");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

/// Appends each in a segment of its own, and one more that stays open.
async fn put_apart(log: &Arc<Log>, batches: Vec<Batch>) {
    for batch in batches {
        log.append(batch, LeaderEpoch(0), Timestamp(0)).expect("appended");
        log.write_queued().await.expect("written");
        let state = log.config();
        log.configure(LogConfig { segment_bytes: 100, ..state });
    }
    log.append(record(Some("end"), None, 1), LeaderEpoch(0), Timestamp(0)).expect("appended");
    log.write_queued().await.expect("written");
    log.configure(config());
}

/// One round at `now`, by these rules.
async fn round(directory: &LogDirectory, now: i64, keys: usize, pace: &dyn Pace) -> Result<Cleaned, Stopped> {
    let log = directory.get(&name()).expect("there").log;
    let now = Timestamp(now);
    let cleanable = directory.cleanable(&name(), log.ends().written, &RULES, now).await?.expect("nobody is at it");
    let mut cleaned = Cleaned::default();
    let round = CleaningRound { rules: &RULES, cleanable: &cleanable, now };
    directory.clean(&name(), round, &mut cleaner(keys), pace, &mut cleaned).await?;
    Ok(cleaned)
}

/// Offset and key of each record, and the delete horizon of its batch.
async fn left(log: &Arc<Log>) -> Vec<(i64, String, Option<i64>)> {
    let (mut left, mut next) = (Vec::new(), log.log_start_offset());
    while let Some(slice) = log.read(next, 1 << 20, log.ends().log_end, true).await.expect("in range") {
        for batch in Batches::new(&slice.read().await.expect("read")) {
            let batch = batch.expect("a batch");
            let horizon = batch.header().delete_horizon().map(|horizon| horizon.0);
            for record in batch.records(&mut Scratch::default(), 1 << 20).expect("readable") {
                let record = record.expect("a record");
                let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
                left.push((record.offset.0, key, horizon));
            }
            next = batch.header().next_offset();
        }
    }
    left
}

/// Offset and timestamp of each record, markers included.
async fn times(log: &Arc<Log>) -> Vec<(i64, i64)> {
    let (mut times, mut next) = (Vec::new(), log.log_start_offset());
    while let Some(slice) = log.read(next, 1 << 20, log.ends().log_end, true).await.expect("in range") {
        for batch in Batches::new(&slice.read().await.expect("read")) {
            let batch = batch.expect("a batch");
            for record in batch.records(&mut Scratch::default(), 1 << 20).expect("readable") {
                let record = record.expect("a record");
                times.push((record.offset.0, record.timestamp.0));
            }
            next = batch.header().next_offset();
        }
    }
    times
}

fn row(offset: i64, key: &str, horizon: Option<i64>) -> (i64, String, Option<i64>) {
    (offset, key.to_owned(), horizon)
}

#[test]
fn the_last_record_of_each_key_stays_and_small_segments_become_one() {
    block_on(async {
        let (_disk, directory, log) = fresh(1).await;
        let batches = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("b", "2")];
        put_apart(&log, batches.iter().map(|(key, value)| record(Some(key), Some(value), 5)).collect()).await;
        assert_eq!(log.segment_bases().len(), 6);
        let cleaned = round(&directory, 100, 100, &AtOnce).await.expect("cleaned");
        assert_eq!((cleaned.read_records, cleaned.written_records, cleaned.retired.len()), (5, 3, 1));
        assert_eq!(log.segment_bases(), [Offset(0), Offset(5)]);
        let expected = [row(2, "a", None), row(3, "c", None), row(4, "b", None), row(5, "end", None)];
        assert_eq!(left(&log).await, expected);
        assert_eq!(directory.cleaned_up_to(&name()), Some(Offset(5)));
        // There is nothing more to do.
        let found = directory.cleanable(&name(), Offset(6), &RULES, Timestamp(100)).await.expect("looked");
        assert!(!found.expect("nobody is at it").is_due(&RULES));
    });
}

#[test]
fn tombstones_stay_until_the_horizon_that_the_first_round_has_written() {
    block_on(async {
        let (_disk, directory, log) = fresh(1).await;
        put_apart(&log, vec![record(Some("a"), Some("1"), 5), record(Some("a"), None, 6)]).await;
        round(&directory, 100, 100, &AtOnce).await.expect("cleaned");
        let horizon = 100 + DELETE_RETENTION_MS;
        assert_eq!(left(&log).await, [row(1, "a", Some(horizon)), row(2, "end", None)]);
        for (now, expected) in [(horizon - 1, 3), (horizon, 2)] {
            put_apart(&log, vec![record(Some("b"), Some("1"), 7)]).await;
            round(&directory, now, 100, &AtOnce).await.expect("cleaned");
            let (left, is_there) = (left(&log).await, now < horizon);
            assert_eq!(left.iter().any(|(_, key, _)| key == "a"), is_there, "{left:?}");
            assert_eq!(left.iter().filter(|(_, key, _)| key != "end").count(), expected - 1);
        }
    });
}

#[test]
fn a_round_reaches_as_far_as_its_memory_and_the_next_goes_on_there() {
    block_on(async {
        let (_disk, directory, log) = fresh(1).await;
        let keys = ["a", "b", "c", "a", "d", "e", "b", "f"];
        put_apart(&log, keys.iter().map(|key| record(Some(key), Some("1"), 5)).collect()).await;
        let offsets = async || -> Vec<i64> { left(&log).await.iter().map(|(offset, ..)| *offset).collect() };
        round(&directory, 100, 3, &AtOnce).await.expect("cleaned");
        // Nothing is known of what is behind, so all of it stays.
        assert_eq!(directory.cleaned_up_to(&name()), Some(Offset(3)));
        assert_eq!(offsets().await, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        round(&directory, 100, 3, &AtOnce).await.expect("cleaned");
        assert_eq!(directory.cleaned_up_to(&name()), Some(Offset(6)));
        assert_eq!(offsets().await, [1, 2, 3, 4, 5, 6, 7, 8]);
        round(&directory, 100, 3, &AtOnce).await.expect("cleaned");
        assert_eq!(offsets().await, [2, 3, 4, 5, 6, 7, 8]);
    });
}

/// A batch of one record of an idempotent producer, with this sequence.
fn of_producer(id: i64, sequence: i32, key: &str) -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(3),
        base_sequence: Sequence(sequence),
        ..BatchOptions::default()
    });
    builder.append(Timestamp(5), Some(key.as_bytes()), Some(b"1"), &[]).expect("small");
    let bytes = builder.build(&mut Compressor::default()).expect("one record");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

async fn remove_snapshots(disk: &Arc<SimulatedDisk>, log: &Arc<Log>) {
    for entry in crate::disk::Disk::list(&**disk, log.directory()).await.expect("listed") {
        if entry.name.ends_with(".snapshot") {
            crate::disk::Disk::remove(&**disk, &log.directory().join(&entry.name)).await.expect("removed");
        }
    }
}

#[test]
fn a_producers_last_batch_is_not_dropped_for_one_that_a_power_failure_takes() {
    block_on(async {
        let (disk, directory, log) = fresh(1).await;
        put_apart(&log, vec![of_producer(7, 40, "a"), record(Some("a"), Some("2"), 5)]).await;
        directory.write_checkpoints(&PartitionOffsets::new()).await.expect("saved");
        log.append(of_producer(7, 41, "b"), LeaderEpoch(0), Timestamp(0)).expect("appended");
        log.write_queued().await.expect("written");
        let now = Timestamp(100);
        let found = directory.cleanable(&name(), log.ends().written, &RULES, now).await.expect("looked");
        let (cleanable, mut cleaned) = (found.expect("nobody is at it"), Cleaned::default());
        // Not by the directory, which saves the log before.
        let done = cleaner(100).clean(&log, &cleanable, (&RULES, now), &AtOnce, &mut cleaned).await;
        assert_eq!(done.expect("cleaned"), Offset(2));
        remove_snapshots(&disk, &log).await;
        crate::disk::Disk::sync_directory(&*disk, log.directory()).await.expect("synced");
        disk.crash();
        let again = Log::open(disk, log.directory(), config(), Recovery::UNKNOWN).await.expect("opened");
        let known = again.producers();
        let last = known.first().and_then(|(_, entry)| entry.batches.last()).map(|batch| batch.last_sequence.0);
        assert!(last >= Some(40), "of the producer {last:?} is known");
    });
}

#[test]
fn the_last_sequence_of_a_producer_outlives_its_records_and_the_snapshots() {
    block_on(async {
        let (disk, directory, log) = fresh(1).await;
        put_apart(&log, vec![of_producer(7, 40, "a"), of_producer(8, 40, "b"), record(Some("a"), Some("2"), 5)]).await;
        round(&directory, 100, 100, &AtOnce).await.expect("cleaned");
        assert_eq!(left(&log).await, [row(1, "b", None), row(2, "a", None), row(3, "end", None)]);
        log.flush().await.expect("flushed");
        remove_snapshots(&disk, &log).await;
        let known: Vec<_> = log.producers();
        let again = Log::open(disk, log.directory(), config(), Recovery::UNKNOWN).await.expect("opened");
        assert_eq!(again.producers(), known);
        assert_eq!(known.len(), 2);
    });
}

#[test]
fn records_without_a_key_go_and_are_counted() {
    block_on(async {
        let (_disk, directory, log) = fresh(1).await;
        put_apart(&log, vec![record(None, Some("1"), 5), record(Some("a"), Some("1"), 5)]).await;
        let cleaned = round(&directory, 100, 100, &AtOnce).await.expect("cleaned");
        assert_eq!((cleaned.keyless_records, left(&log).await), (1, vec![row(1, "a", None), row(2, "end", None)]));
    });
}

#[test]
fn many_lives_of_a_log_keep_what_they_must() {
    for seed in 0..40 {
        block_on(async {
            let (_disk, directory, log) = fresh(seed).await;
            let (mut world, mut dice) = (World::default(), Dice(seed));
            for _ in 0..4 {
                let count = 10 + dice.below(40) as usize;
                let decides = dice.below(2) == 0;
                world.write(&log, &mut dice, count, decides).await.expect("written");
                world.now += dice.below(2) as i64 * 2 * DELETE_RETENTION_MS;
                let keys = [4, 9, 100][dice.below(3) as usize];
                world.clean(&directory, &mut cleaner(keys), true).await.expect("cleaned");
                world.check(&directory).await;
            }
            directory.close(&PartitionOffsets::new()).await.expect("closed");
            world.flushed = world.end;
        });
    }
}

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Does something to the log in the middle of a round.
struct Meddling<F>(AtomicU64, F);

impl<F: Fn() -> Option<Doing> + Send + Sync> Pace for Meddling<F> {
    fn moved(&self, _bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        let meddles = if self.0.fetch_add(1, Ordering::SeqCst) == 6 { (self.1)() } else { None };
        Box::pin(async move {
            if let Some(meddling) = meddles {
                meddling.await;
            }
            true
        })
    }
}

#[test]
fn a_round_ends_without_a_trace_when_the_log_is_cut_closed_or_loses_a_segment() {
    let what: [fn(Arc<Log>) -> Doing; 3] = [
        |log| Box::pin(async move { log.truncate_to(Offset(20)).await.expect("cut") }),
        |log| {
            Box::pin(async move {
                log.close().await.expect("closed");
            })
        },
        |log| {
            Box::pin(async move {
                log.raise_start(Offset(20)).expect("raised");
                let retired = log.retire(log.ends().written, Timestamp(0)).await.expect("left").expect("some");
                log.remove_retired(retired).await.expect("removed");
            })
        },
    ];
    for (i, meddle) in what.into_iter().enumerate() {
        block_on(async {
            let (disk, directory, log) = fresh(3).await;
            let (mut world, mut dice) = (World::default(), Dice(3));
            world.write(&log, &mut dice, 60, true).await.expect("written");
            let held = log.clone();
            let pace = Meddling(AtomicU64::new(0), move || Some(meddle(held.clone())));
            let stopped = round(&directory, world.now, 100, &pace).await;
            assert!(matches!(stopped, Err(Stopped::Changed)), "{i}: {stopped:?}");
            let names = crate::disk::Disk::list(&*disk, log.directory()).await.expect("listed");
            assert!(names.iter().all(|entry| !entry.name.ends_with(".cleaned")), "{i}: {names:?}");
            assert_eq!(directory.cleaned_up_to(&name()), None);
        });
    }
}

#[test]
fn who_cuts_or_deletes_a_partition_waits_for_its_round_to_end() {
    block_on(async {
        let (_disk, directory, log) = fresh(3).await;
        let directory = Arc::new(directory);
        let (mut world, mut dice) = (World::default(), Dice(3));
        world.write(&log, &mut dice, 60, true).await.expect("written");
        let cutting = Arc::new(parking_lot::Mutex::new(None));
        let (held, begun) = (directory.clone(), cutting.clone());
        let pace = Meddling(AtomicU64::new(0), move || {
            let held = held.clone();
            let mut cut: Doing = Box::pin(async move { held.truncate(&name(), Offset(20)).await.expect("cut") });
            let first = cut.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            assert!(first.is_pending(), "the round is still at it");
            *begun.lock() = Some(cut);
            None
        });
        let stopped = round(&directory, world.now, 100, &pace).await;
        assert!(matches!(stopped, Err(Stopped::Changed)), "{stopped:?}");
        let cut = cutting.lock().take().expect("begun");
        cut.await;
        assert!(log.ends().log_end <= Offset(20));
    });
}

#[test]
fn a_full_disk_ends_a_round_and_the_log_goes_on() {
    block_on(async {
        let (disk, directory, log) = fresh(3).await;
        let (mut world, mut dice) = (World::default(), Dice(3));
        world.write(&log, &mut dice, 60, true).await.expect("written");
        directory.write_checkpoints(&PartitionOffsets::new()).await.expect("saved");
        for names_need_room in [false, true] {
            let full_after_bytes = Some(disk.space() + 50);
            disk.set_faults(Faults { full_after_bytes, names_need_room, ..Faults::default() });
            let stopped = round(&directory, world.now, 100, &AtOnce).await;
            assert!(matches!(&stopped, Err(Stopped::Fault(fault)) if fault.is_full()), "{stopped:?}");
            disk.set_faults(Faults::default());
            world.write(&log, &mut dice, 5, true).await.expect("written");
            world.check(&directory).await;
        }
        round(&directory, world.now, 100, &AtOnce).await.expect("cleaned");
        world.check(&directory).await;
    });
}

#[test]
fn a_round_meets_a_failing_disk_at_every_operation_and_no_record_is_lost() {
    block_on(async {
        let begin = async |faults: Faults| {
            let (disk, directory, log) = fresh(3).await;
            let (mut world, mut dice) = (World::default(), Dice(3));
            world.write(&log, &mut dice, 60, true).await.expect("written");
            world.flush(&log).await.expect("flushed");
            let before = disk.operations();
            disk.set_faults(faults);
            let stopped = round(&directory, world.now, 100, &AtOnce).await;
            (disk, directory, world, before, stopped)
        };
        let (disk, .., before, _) = begin(Faults::default()).await;
        for at in before..disk.operations() {
            let faults = Faults { fail_at: Some((at, Failure::Device)), ..Faults::default() };
            let (disk, directory, world, _, stopped) = begin(faults).await;
            disk.set_faults(Faults::default());
            if stopped.is_ok() {
                // What it could not do, it could do without.
                world.check(&directory).await;
            }
            drop(directory);
            disk.crash();
            let directory = open(&disk).await.expect("opened");
            world.check(&directory).await;
        }
    });
}

#[test]
fn a_reader_on_its_way_finds_what_took_the_segments_place() {
    block_on(async {
        let (_disk, directory, log) = fresh(5).await;
        let (mut world, mut dice) = (World::default(), Dice(5));
        world.write(&log, &mut dice, 60, true).await.expect("written");
        let before = log.read(Offset(0), 1 << 20, log.ends().log_end, true).await.expect("in range").expect("some");
        let bytes = before.read().await.expect("read");
        let first = log.view().segments[0].clone();
        world.clean(&directory, &mut cleaner(100), true).await.expect("cleaned");
        assert!(before.is_replaced() && first.files.is_replaced());
        // The old one's bytes are there as long as somebody holds it, its names are the new one's.
        assert_eq!(before.read().await.expect("read"), bytes);
        let (slice, _) = log.read_committed(Offset(0), 1 << 20, log.ends().log_end, true).await.expect("in range");
        assert!(!slice.expect("some").is_replaced());
        let times = times(&log).await;
        for timestamp in (0..world.now).step_by(7) {
            let found = log.find_by_timestamp(Timestamp(timestamp)).await.expect("read");
            let expected = times.iter().find(|(_, at)| *at >= timestamp).map(|(offset, _)| *offset);
            assert_eq!(found.map(|found| found.offset.0), expected, "at {timestamp}");
        }
    });
}

#[test]
fn rules_say_when_a_log_is_due() {
    block_on(async {
        let (_disk, directory, log) = fresh(1).await;
        put_apart(&log, (0..4).map(|i| record(Some("a"), Some("1"), 10 * i)).collect()).await;
        let ask = async |rules: CompactionRules, now: i64| {
            let found = directory.cleanable(&name(), Offset(5), &rules, Timestamp(now)).await.expect("looked");
            let found = found.expect("nobody is at it");
            (found.is_due(&rules), found.end.0, found.overdue_ms)
        };
        assert_eq!(ask(RULES, 100).await, (true, 4, 0));
        assert_eq!(ask(CompactionRules { min_lag_ms: 80, ..RULES }, 100).await, (true, 3, 0));
        assert_eq!(ask(CompactionRules { min_lag_ms: 101, ..RULES }, 100).await.1, 0);
        let lazy = CompactionRules { min_cleanable_ratio: 1.0, max_lag_ms: 60, ..RULES };
        assert_eq!(ask(lazy, 71).await, (true, 4, 1), "the first record with a time is of 10");
        assert_eq!(ask(lazy, 70).await, (false, 4, 0));
    });
}
