//! A log against the plainest model of one: a list of batches. Random operations from a seed, everything compared.

use std::sync::Arc;

use ottla_record::BatchOptions;
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::DIRECTORY;
use crate::disk::block_on;
use crate::disk::simulated::{Faults, SimulatedDisk};
use crate::testing::{Dice, batch_with, durable_root, stored};
use crate::{Log, LogConfig, ReadRefusal, Recovery, SavedPoint};

struct ModelBatch {
    /// Of which producer, and its sequence.
    of: Option<(usize, i32)>,
    base: i64,
    last: i64,
    first_timestamp: i64,
    bytes: Vec<u8>,
}

struct Model {
    disk: Arc<SimulatedDisk>,
    log: Arc<Log>,
    dice: Dice,
    batches: Vec<ModelBatch>,
    end: i64,
    start: i64,
    /// The next sequence of each of three producers.
    sequences: [i32; 3],
    saved: SavedPoint,
    now: i64,
    /// Whether the disk is filled from time to time, and whether it is now.
    fills: bool,
    full: bool,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 20_000, segment_index_bytes: 300, index_interval_bytes: 500, ..LogConfig::default() }
}

impl Model {
    async fn new(seed: u64, fills: bool) -> Self {
        let disk = SimulatedDisk::with_faults(seed, Faults::process_death());
        durable_root(&*disk).await;
        let log = Log::create(disk.clone(), DIRECTORY, config()).await.expect("made");
        let saved = SavedPoint { recovery_point: Offset(0), log_start_offset: Offset(0) };
        let (dice, batches) = (Dice(seed), Vec::new());
        Self { disk, log, dice, batches, end: 0, start: 0, sequences: [0; 3], saved, now: 0, fills, full: false }
    }

    fn append(&mut self) {
        let who = self.dice.below(6) as usize;
        let records = 1 + self.dice.below(4) as i32;
        let mut options = BatchOptions::default();
        let of = self.sequences.get(who).map(|sequence| (who, *sequence));
        if let Some(sequence) = self.sequences.get_mut(who) {
            options.producer_id = ProducerId(who as i64);
            options.producer_epoch = ProducerEpoch(0);
            options.base_sequence = Sequence(*sequence);
            *sequence += records;
        }
        // Mostly rising, sometimes far back.
        let timestamp = 1_000_000 + self.end * 10 - if self.dice.below(5) == 0 { 500 } else { 0 };
        let bytes_max = [20, 200, 2000][self.dice.below(3) as usize];
        let value_bytes = self.dice.below(bytes_max) as usize;
        let batch = batch_with(options, timestamp, records, value_bytes);
        let bytes = stored(&batch, Offset(self.end), LeaderEpoch(1));
        // The door is open again after less than that.
        self.now += 2000;
        let now = Timestamp(self.now);
        let appended = self.log.append(batch.clone(), LeaderEpoch(1), now).expect("appended");
        assert_eq!((appended.base_offset.0, appended.duplicate), (self.end, false));
        let last = self.end + i64::from(records) - 1;
        self.batches.push(ModelBatch { of, base: self.end, last, first_timestamp: timestamp, bytes });
        self.end = last + 1;
        if who < 3 {
            let again = self.log.append(batch, LeaderEpoch(1), now).expect("a retry");
            assert_eq!((again.base_offset, again.duplicate), (appended.base_offset, true));
        }
    }

    async fn read(&mut self) {
        let from = self.start - 2 + self.dice.below((self.end - self.start + 5) as u64) as i64;
        let up_to = self.start + self.dice.below((self.end - self.start + 2) as u64) as i64;
        let max_bytes = [0, 100, 3000, 1 << 20][self.dice.below(4) as usize];
        let at_least_one = self.dice.below(2) == 0;
        let written = self.log.ends().written.0;
        let read = self.log.read(Offset(from), max_bytes, Offset(up_to), at_least_one).await;
        if from < self.start || from > self.end {
            assert!(matches!(read, Err(ReadRefusal::OutOfRange { .. })), "{from} of {} to {}", self.start, self.end);
            return;
        }
        let slice = read.expect("in range");
        let up_to = up_to.min(written);
        let expected: Vec<&ModelBatch> = self.batches.iter().filter(|b| b.last >= from && b.last < up_to).collect();
        let Some(slice) = slice else {
            let fits = |first: &&ModelBatch| at_least_one || first.bytes.len() <= max_bytes;
            assert!(!expected.first().is_some_and(fits), "nothing from {from} up to {up_to}");
            return;
        };
        let all: Vec<u8> = expected.iter().flat_map(|b| b.bytes.clone()).collect();
        let got = slice.read().await.expect("read");
        assert_eq!(got.len(), slice.bytes);
        assert!(all.starts_with(&got), "from {from} up to {up_to}: {} bytes", got.len());
        let first = expected.first().expect("something was read").bytes.len();
        assert!(got.len() >= first);
        assert!(got.len() <= max_bytes.max(if at_least_one { first } else { 0 }));
    }

    /// Writes what is queued. If there is no room for all of it, the rest has left no trace.
    async fn write(&mut self) {
        let Err(fault) = self.log.write_queued().await else { return };
        self.was_full(&fault);
    }

    fn was_full(&mut self, fault: &crate::StorageFault) {
        assert!(self.full && fault.is_full() && self.log.failed().is_none(), "{fault}");
        let ends = self.log.ends();
        if ends.log_end != ends.written {
            // Something beside the log found no room, before the queue's turn.
            return;
        }
        let first = self.batches.partition_point(|batch| batch.base < ends.written.0);
        for gone in self.batches.split_off(first).into_iter().rev() {
            if let Some((who, sequence)) = gone.of {
                self.sequences[who] = sequence;
            }
        }
        self.end = self.batches.last().map_or(self.end.min(ends.written.0), |last| last.last + 1);
        assert_eq!((self.end, self.log.queued_bytes()), (ends.log_end.0, 0));
        for (id, sequence) in self.sequences.iter().enumerate() {
            let known = self.log.producers().into_iter().find(|(known, _)| known.0 == id as i64);
            let next = known.and_then(|(_, entry)| entry.batches.last().copied()).map(|last| last.last_sequence.0 + 1);
            assert!(next == Some(*sequence) || (next.is_none() && *sequence == 0), "producer {id}: {next:?}");
        }
    }

    /// So little room is left that the next few writes fill it, or there is enough again.
    fn fill(&mut self, full: bool) {
        self.full = full;
        let room = self.dice.below(6000);
        let names_need_room = self.dice.below(2) == 0;
        let full_after_bytes = full.then(|| self.disk.space() + room);
        self.disk.set_faults(Faults { full_after_bytes, names_need_room, ..Faults::process_death() });
    }

    async fn search(&mut self) {
        self.write().await;
        let target = 1_000_000 + self.dice.below((self.end * 10 + 10) as u64) as i64;
        let records = self
            .batches
            .iter()
            .flat_map(|b| (b.base..=b.last).map(move |offset| (offset, b.first_timestamp + offset - b.base)));
        let records: Vec<(i64, i64)> = records.filter(|(offset, _)| *offset >= self.start).collect();
        let expected = records.iter().find(|(_, timestamp)| *timestamp >= target).copied();
        let found = self.log.find_by_timestamp(Timestamp(target)).await.expect("searched");
        assert_eq!(found.map(|f| (f.offset.0, f.timestamp.0)), expected, "at or after {target}");
    }

    async fn reopen(&mut self, clean: bool) {
        if !clean {
            self.write().await;
        }
        self.fill(false);
        if clean {
            self.saved = self.log.close().await.expect("closed");
            assert_eq!(self.saved.recovery_point, Offset(self.end));
        } else {
            // What was not written dies with the process.
            self.write().await;
        }
        self.disk.crash();
        let SavedPoint { recovery_point, .. } = self.saved;
        let recovery = Recovery { recovery_point, log_start_offset: Offset(self.start), clean };
        let before = self.log.producers();
        self.log = Log::open(self.disk.clone(), DIRECTORY, config(), recovery).await.expect("opened");
        let ends = self.log.ends();
        assert_eq!((ends.log_end.0, ends.flushed.0, ends.log_start.0), (self.end, self.end, self.start), "{clean}");
        let last = |producers: Vec<(ProducerId, crate::ProducerEntry)>| {
            let last = |(id, entry): (ProducerId, crate::ProducerEntry)| (id, entry.batches.last().copied());
            producers.into_iter().map(last).collect::<Vec<_>>()
        };
        assert_eq!(last(self.log.producers()), last(before));
    }

    async fn truncate(&mut self) {
        self.fill(false);
        self.write().await;
        let to = self.start + self.dice.below((self.end - self.start + 1) as u64) as i64;
        self.saved.recovery_point = self.saved.recovery_point.min(Offset(to));
        self.log.truncate_to(Offset(to)).await.expect("cut");
        if to < self.end {
            let cut = self.batches.iter().find(|b| b.last >= to).map_or(to, |b| b.base.min(to));
            self.batches.retain(|b| b.last < to);
            self.end = cut.max(self.start);
        }
        assert_eq!(self.log.ends().log_end.0, self.end, "cut at {to}");
        for (id, sequence) in self.sequences.iter_mut().enumerate() {
            let producers = self.log.producers();
            let entry = producers.iter().find(|(known, _)| known.0 == id as i64);
            *sequence = entry.and_then(|(_, entry)| entry.batches.last()).map_or(0, |b| b.last_sequence.0 + 1);
        }
    }

    async fn step(&mut self) {
        match self.dice.below(100) {
            0..50 => self.append(),
            50..65 => self.write().await,
            65..70 => assert_eq!(self.log.flush().await.expect("flushed"), self.log.ends().written),
            70..90 => self.read().await,
            90..94 => self.search().await,
            94 => match self.log.save().await {
                Ok(saved) => self.saved = saved,
                Err(fault) => self.was_full(&fault),
            },
            95 => self.reopen(true).await,
            96 => self.reopen(false).await,
            97 => self.truncate().await,
            98 if self.fills => {
                let full = !self.full;
                self.fill(full);
            }
            _ => {
                self.write().await;
                let to = self.start + self.dice.below(5) as i64;
                let to = to.min(self.end);
                self.log.delete_before(Offset(to)).await.expect("deleted");
                self.start = to;
            }
        }
    }
}

#[test]
fn behaves_as_a_list_of_batches() {
    let (mut segments_max, mut fulls) = (0, 0);
    for seed in 0..100 {
        block_on(async {
            let mut model = Model::new(seed, seed.is_multiple_of(2)).await;
            for _ in 0..400 {
                model.step().await;
                segments_max = segments_max.max(model.log.segments().len());
                fulls += usize::from(model.log.full().is_some());
            }
        });
    }
    assert!(segments_max > 5 && fulls > 500, "too little was appended: {segments_max}, {fulls}");
}
