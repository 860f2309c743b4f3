//! The power goes at every operation of scenarios that append, roll, cut, retire and fill the disk, on disks that lose what was not synced, cleanly or in parts. What
//! was acknowledged as flushed is there afterwards, what is there is a prefix of what was appended, and the producers and
//! the aborted transactions are those of the batches that are there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_record::{BATCH_HEADER_BYTES, BatchHeader, Batches, TimestampType};
use ottla_types::{
    BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerId, Timestamp, TopicId, TopicName, TopicPartition,
};

use crate::disk::block_on;
use crate::disk::simulated::{Faults, SimulatedDisk};
use crate::log::aborted::End;
use crate::producers::marker;
use crate::testing::{self, Dice, produced, stored, transactional};
use crate::{
    Batch, Log, LogConfig, LogDirectory, MetaProperties, OpenOptions, PartitionOffsets, Retention, StorageFault,
};

/// What the scenario knows at the moment of the crash.
#[derive(Default)]
struct Known {
    /// Every batch that may be in the log, by offset: base, bytes.
    history: Vec<(i64, Vec<u8>)>,
    end: i64,
    /// Everything below was said to be durable.
    flushed: i64,
    log_start: i64,
    created: bool,
    now: i64,
    sequences: HashMap<i64, i32>,
}

fn partition() -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 3000, index_interval_bytes: 300, ..LogConfig::default() }
}

async fn open(disk: &Arc<SimulatedDisk>) -> Result<LogDirectory, StorageFault> {
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: None };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
    LogDirectory::open(disk.clone(), "/d", options).await
}

impl Known {
    /// The log has gone on without some of what was appended.
    fn was_taken_back(&mut self, log: &Log) {
        self.end = log.ends().log_end.0;
        self.history.retain(|(base, _)| *base < self.end);
        self.learn_sequences(log);
    }

    fn learn_sequences(&mut self, log: &Log) {
        self.sequences.clear();
        for (id, entry) in log.producers() {
            self.sequences.insert(id.0, entry.batches.last().map_or(0, |batch| batch.last_sequence.0 + 1));
        }
    }

    /// Appends while there is room; answers how often there was none.
    async fn append_with_room(&mut self, log: &Log, dice: &mut Dice, count: usize) -> Result<usize, StorageFault> {
        let mut failures = 0;
        for i in 0..count {
            self.append(log, dice, 4)?;
            if i % 3 == 2 {
                match log.write_queued().await {
                    Err(fault) if fault.is_full() => {
                        failures += 1;
                        self.was_taken_back(log);
                    }
                    other => other?,
                }
            }
            if i % 7 == 6 {
                self.flush(log).await?;
            }
        }
        Ok(failures)
    }

    fn append(&mut self, log: &Log, dice: &mut Dice, epoch: i32) -> Result<(), StorageFault> {
        if dice.below(3) == 0 {
            return self.append_transactional(log, dice, epoch);
        }
        let id = dice.below(3) as i64;
        let sequence = self.sequences.entry(id).or_default();
        let batch: Batch = produced(id, *sequence, 1 + dice.below(3) as i32);
        let bytes = stored(&batch, Offset(self.end), LeaderEpoch(epoch));
        let records = batch.header.record_count;
        // Each time long after the one before, so that a full disk is tried again.
        self.now += 10_000;
        let appended = log.append(batch, LeaderEpoch(epoch), Timestamp(self.now)).map_err(|refusal| match refusal {
            crate::AppendRefusal::Offline(fault) => fault,
            other => panic!("{other}"),
        })?;
        assert_eq!(appended.base_offset.0, self.end);
        *sequence += records;
        self.history.push((self.end, bytes));
        self.end += i64::from(records);
        Ok(())
    }

    /// A batch of one of two transactional producers, or a marker that ends a transaction, as a follower gets them.
    fn append_transactional(&mut self, log: &Log, dice: &mut Dice, epoch: i32) -> Result<(), StorageFault> {
        let id = 10 + dice.below(2) as i64;
        let batch = match dice.below(5) {
            0..2 => {
                let sequence = self.sequences.entry(id).or_default();
                *sequence += 1;
                transactional(id, self.end, *sequence - 1)
            }
            kind => testing::marker(id, self.end, kind > 2),
        };
        let header = BatchHeader { partition_leader_epoch: LeaderEpoch(epoch), ..batch.header };
        let bytes = stored(&batch, Offset(self.end), LeaderEpoch(epoch));
        self.now += 10_000;
        let batch = Batch { header, bytes: bytes.clone().into() };
        log.append_given(batch, Timestamp(self.now)).map_err(|refusal| match refusal {
            crate::AppendRefusal::Offline(fault) => fault,
            other => panic!("{other}"),
        })?;
        self.history.push((self.end, bytes));
        self.end += 1;
        Ok(())
    }

    async fn append_some(&mut self, log: &Log, dice: &mut Dice, epoch: i32, count: usize) -> Result<(), StorageFault> {
        for i in 0..count {
            self.append(log, dice, epoch)?;
            if i % 2 == 0 {
                log.write_queued().await?;
            }
            if i % 5 == 4 {
                self.flush(log).await?;
            }
        }
        log.write_queued().await
    }

    async fn flush(&mut self, log: &Log) -> Result<(), StorageFault> {
        self.flushed = log.flush().await?.0;
        Ok(())
    }

    async fn truncate(&mut self, directory: &LogDirectory, to: i64) -> Result<(), StorageFault> {
        // From here on either is right.
        self.flushed = self.flushed.min(to);
        directory.truncate(&partition(), Offset(to)).await?;
        self.history.retain(|(base, _)| *base < to);
        self.end = to;
        let log = directory.get(&partition()).expect("there").log;
        assert_eq!(log.ends().log_end.0, to);
        self.learn_sequences(&log);
        Ok(())
    }
}

/// Appends, rolls, flushes, saves, cuts at both ends, closes, starts anew; stops at the first fault.
async fn scenario(disk: &Arc<SimulatedDisk>, seed: u64, known: &mut Known) -> Result<(), StorageFault> {
    let mut dice = Dice(seed);
    let directory = open(disk).await?;
    let log = directory.create(&partition(), TopicId::from_random(1), config()).await?;
    known.created = true;
    known.append_some(&log, &mut dice, 0, 25).await?;
    directory.write_checkpoints(&PartitionOffsets::new()).await?;
    known.append_some(&log, &mut dice, 2, 22).await?;
    let cut = known.history[known.history.len() - 28 - dice.below(8) as usize].0;
    known.truncate(&directory, cut).await?;
    known.append_some(&log, &mut dice, 4, 23).await?;
    directory.write_checkpoints(&PartitionOffsets::new()).await?;
    let start = known.history[12].0;
    known.log_start = start;
    log.delete_before(Offset(start)).await?;
    known.append_some(&log, &mut dice, 4, 8).await?;
    directory.close(&PartitionOffsets::new()).await?;
    known.flushed = known.end;
    drop((directory, log));
    let directory = open(disk).await?;
    let log = directory.get(&partition()).expect("there").log;
    assert_eq!(log.ends().log_end.0, known.end, "after a clean stop");
    known.append_some(&log, &mut dice, 6, 17).await
}

/// Segments leave by size and for DeleteRecords, the disk is full and has room again, and full once more.
async fn life(disk: &Arc<SimulatedDisk>, seed: u64, known: &mut Known, faults: &Faults) -> Result<(), StorageFault> {
    let mut dice = Dice(seed);
    let directory = open(disk).await?;
    let log = directory.create(&partition(), TopicId::from_random(1), config()).await?;
    known.created = true;
    known.append_some(&log, &mut dice, 4, 45).await?;
    known.flush(&log).await?;
    let keep = |bytes| Retention { delete: true, ms: None, bytes: Some(bytes) };
    log.configure(LogConfig { retention: keep(4000), ..config() });
    known.log_start = known.flushed;
    let retired = log.retire(Offset(known.flushed), Timestamp(0)).await?.expect("more than that");
    log.remove_retired(retired).await?;
    known.append_some(&log, &mut dice, 4, 10).await?;
    directory.write_checkpoints(&PartitionOffsets::new()).await?;
    // Less and less room: within a write, between two, at a roll.
    for room in [700, 2500, 5000] {
        let full_after_bytes = Some(disk.space() + room + dice.below(500));
        disk.set_faults(Faults { full_after_bytes, names_need_room: true, ..faults.clone() });
        let failures = known.append_with_room(&log, &mut dice, 60).await?;
        assert!(failures > 0, "there was room for all");
        disk.set_faults(faults.clone());
        known.append_some(&log, &mut dice, 4, 5).await?;
        directory.write_checkpoints(&PartitionOffsets::new()).await?;
    }
    // On a full disk too, and with nothing that stays.
    known.flush(&log).await?;
    known.log_start = known.end;
    disk.set_faults(Faults { full_after_bytes: Some(1), names_need_room: true, ..faults.clone() });
    log.configure(LogConfig { retention: keep(0), ..config() });
    let retired = log.retire(Offset(known.end), Timestamp(0)).await?.expect("all but the last");
    assert_eq!(log.segments().len(), 1);
    log.remove_retired(retired).await?;
    disk.set_faults(faults.clone());
    let retired = log.retire(Offset(known.end), Timestamp(0)).await?.expect("the last");
    assert_eq!((log.segment_bases(), log.ends().log_start.0), (vec![Offset(known.end)], known.end));
    known.append_some(&log, &mut dice, 4, 10).await?;
    log.remove_retired(retired).await?;
    log.raise_start(Offset(known.end))?;
    known.log_start = known.end;
    directory.close(&PartitionOffsets::new()).await?;
    known.flushed = known.end;
    drop((directory, log));
    let directory = open(disk).await?;
    let log = directory.get(&partition()).expect("there").log;
    assert_eq!((log.ends().log_end.0, log.ends().log_start.0), (known.end, known.end), "after a clean stop");
    known.append_some(&log, &mut dice, 6, 10).await
}

/// What is there after the crash, held against what is known.
async fn check(disk: &Arc<SimulatedDisk>, known: &Known) {
    let directory = open(disk).await.expect("opens after a crash");
    let Some(partition) = directory.get(&partition()) else {
        assert_eq!(known.flushed, 0, "the partition is gone");
        return;
    };
    let log = partition.log;
    let ends = log.ends();
    assert!(ends.log_end.0 >= known.flushed, "end {} below flushed {}", ends.log_end, known.flushed);
    assert!(ends.log_end.0 <= known.end && ends.log_start.0 <= known.log_start, "{ends:?}");
    assert_eq!((ends.written, ends.flushed), (ends.log_end, ends.log_end));
    let mut next = ends.log_start.0;
    let mut sequences = HashMap::new();
    while next < ends.log_end.0 {
        let slice = log.read(Offset(next), 500, ends.log_end, true).await.expect("in range").expect("not empty");
        for batch in Batches::new(&slice.read().await.expect("read")) {
            let batch = batch.expect("a batch");
            let header = batch.header();
            assert_eq!(header.attributes.timestamp_type(), TimestampType::CreateTime);
            let base = header.base_offset.0;
            let expected = known.history.iter().find(|(at, _)| *at == base);
            assert_eq!(Some(batch.bytes()), expected.map(|(_, bytes)| &bytes[..]), "the batch at {base}");
            assert!(base == next || next == ends.log_start.0, "a hole before {base}");
            if !header.attributes.is_control() {
                sequences.insert(header.producer_id, header.last_sequence());
            }
            assert_eq!(log.epoch_of(header.base_offset), Some(header.partition_leader_epoch), "epoch at {base}");
            next = header.next_offset().0;
        }
    }
    let producers: HashMap<ProducerId, _> = log.producers().into_iter().collect();
    for (id, last) in sequences {
        let known = producers.get(&id).and_then(|entry| entry.batches.last()).map(|batch| batch.last_sequence);
        assert_eq!(known, Some(last), "producer {id}");
    }
    check_aborted(&log, known).await;
    // And it goes on: what is appended now is there after another crash.
    let mut more = Known { end: ends.log_end.0, ..Known::default() };
    let mut dice = Dice(1);
    for (id, entry) in &producers {
        more.sequences.insert(id.0, entry.batches.last().map_or(0, |batch| batch.last_sequence.0 + 1));
    }
    more.append_some(&log, &mut dice, 10, 12).await.expect("appends go on");
    more.flush(&log).await.expect("flushes go on");
    drop((directory, log));
    disk.crash();
    let directory = open(disk).await.expect("opens again");
    let log = directory.get(&self::partition()).expect("there").log;
    assert_eq!(log.ends().log_end.0, more.end, "after the second crash");
}

/// What the indexes say of aborted transactions is what follows from the batches that were appended.
async fn check_aborted(log: &Arc<Log>, known: &Known) {
    let ends = log.ends();
    let (mut open, mut expected) = (BTreeMap::new(), Vec::new());
    for (base, bytes) in known.history.iter().filter(|(base, _)| *base < ends.log_end.0) {
        let header = BatchHeader::parse(bytes).expect("appended");
        if header.attributes.is_control() {
            let marker = marker::parse(&header, &bytes[BATCH_HEADER_BYTES..]).expect("a marker");
            let Some(start) = open.remove(&header.producer_id) else { continue };
            let stable = open.values().min().copied().unwrap_or(*base + 1);
            expected.extend(marker.aborts.then_some((header.producer_id.0, start, *base, stable)));
        } else if header.attributes.is_transactional() {
            open.entry(header.producer_id).or_insert(*base);
        }
    }
    let first = open.values().min().copied().unwrap_or(ends.log_end.0);
    assert_eq!(log.last_stable_offset(ends.log_end).0, first.max(ends.log_start.0));
    let Some(slice) = log.read(ends.log_start, 1, ends.log_end, true).await.expect("in range") else { return };
    let all = log.collect_aborted(ends.log_start, &slice, End::Offset(Offset(i64::MAX))).await.expect("read");
    let found: Vec<_> =
        all.iter().map(|it| (it.producer_id.0, it.first_offset.0, it.last_offset.0, it.last_stable_offset.0)).collect();
    expected.retain(|it| it.2 >= ends.log_start.0);
    assert_eq!(found, expected);
}

/// Says where a test was when it panicked.
struct SaidOnPanic(String);

impl Drop for SaidOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

async fn run(disk: &Arc<SimulatedDisk>, seed: u64, known: &mut Known, faults: &Faults) -> Result<(), StorageFault> {
    if seed.is_multiple_of(2) { life(disk, seed, known, faults).await } else { scenario(disk, seed, known).await }
}

/// Goes through the one scenario for odd seeds, the other for even ones.
fn crash_everywhere(seed: u64, faults: &Faults) {
    block_on(async {
        let whole = SimulatedDisk::with_faults(seed, faults.clone());
        run(&whole, seed, &mut Known::default(), faults).await.expect("no fault without a crash");
        let operations = whole.operations();
        assert!(operations > 300, "{operations} operations");
        for after in 0..operations {
            let disk = SimulatedDisk::with_faults(seed.wrapping_add(after), faults.clone());
            disk.crash_after(after);
            let mut known = Known::default();
            let outcome = run(&disk, seed, &mut known, faults).await;
            assert!(outcome.is_err(), "operation {after} was not reached");
            disk.set_faults(faults.clone());
            disk.crash();
            let _said = SaidOnPanic(format!("seed {seed}, crash after operation {after}: {outcome:?}"));
            check(&disk, &known).await;
        }
    });
}

#[test]
fn nothing_flushed_is_lost_when_the_power_goes_at_any_operation() {
    crash_everywhere(1, &Faults::default());
    crash_everywhere(2, &Faults::default());
}

#[test]
fn nothing_flushed_is_lost_when_the_device_keeps_torn_parts_of_the_rest() {
    for seed in 0..8 {
        crash_everywhere(1000 * seed + seed % 2, &Faults::adverse());
    }
}

#[test]
fn nothing_written_is_lost_when_the_process_dies_at_any_operation() {
    crash_everywhere(7, &Faults::process_death());
    crash_everywhere(8, &Faults::process_death());
}
