//! The log, the list, and what each operation does to both.
//!
//! Batches of three idempotent producers, of none, and of transactional ones with their markers; epochs that rise; reads
//! from anywhere, look-ups by time; cuts at both ends, retention, moves; ends of all kinds. A power failure may take what
//! was not flushed: then the list is cut to the log's end, which is never below what was said to be flushed. Rounds of
//! compaction are in [`cleaning`](super::cleaning).

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_record::{BatchHeader, BatchOptions};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::batches::{Listed, Part, keyed};
use super::cleaning::Ghost;
use super::{Kind, Met};
use crate::disk::Disk;
use crate::disk::simulated::{Faults, SimulatedDisk};
use crate::log::LogCopy;
use crate::testing::{Dice, durable_root, marker, stored};
use crate::{
    Batch, Log, LogConfig, ProducedBatch, ProducerEntry, ReadRefusal, Recovery, Retention, SavedPoint, StorageFault,
};

/// Where the log is, now here and now there.
const PLACES: [&str; 2] = ["/d/t-0", "/e/t-0"];
/// The timestamp of a batch at offset 0, more or less.
pub(super) const FIRST_MS: i64 = 1_000_000;
/// Ids of transactional producers begin here.
const TRANSACTIONAL: i64 = 10;

pub(super) struct World {
    pub(super) disk: Arc<SimulatedDisk>,
    pub(super) log: Arc<Log>,
    place: usize,
    pub(super) list: Vec<Listed>,
    pub(super) end: i64,
    pub(super) start: i64,
    /// What was said to be durable.
    pub(super) flushed: i64,
    pub(super) epoch: LeaderEpoch,
    /// The next sequence of each producer.
    sequences: BTreeMap<i64, i32>,
    pub(super) saved: SavedPoint,
    pub(super) now: i64,
    fills: bool,
    pub(super) full: bool,
    pub(super) copy: Option<LogCopy>,
    /// Up to where rounds have cleaned the log, if one has, as the directory's checkpoint says it.
    pub(super) cleaned: Option<i64>,
    /// Of producers, what rounds have dropped.
    pub(super) ghosts: Vec<Ghost>,
    /// Since then the log has lost some of its end.
    pub(super) cut_ghosts: bool,
    /// The time of the last round.
    pub(super) clock: i64,
    pub(super) met: Met,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 10_000, segment_index_bytes: 200, index_interval_bytes: 500, ..LogConfig::default() }
}

impl World {
    pub(super) async fn new(seed: u64, fills: bool) -> Self {
        let disk = SimulatedDisk::with_faults(seed, Faults::process_death());
        durable_root(&*disk).await;
        disk.create_directory("/e".as_ref()).await.expect("made");
        disk.sync_directory("/".as_ref()).await.expect("synced");
        let log = Log::create(disk.clone(), PLACES[0], config()).await.expect("made");
        // Its names are durable with the first flush.
        log.flush().await.expect("flushed");
        let epoch = LeaderEpoch(1);
        log.assign_leader_epoch(epoch);
        Self {
            disk,
            log,
            place: 0,
            list: Vec::new(),
            end: 0,
            start: 0,
            flushed: 0,
            epoch,
            sequences: BTreeMap::new(),
            saved: SavedPoint { recovery_point: Offset(0), log_start_offset: Offset(0) },
            now: 0,
            fills,
            full: false,
            copy: None,
            cleaned: None,
            ghosts: Vec::new(),
            cut_ghosts: false,
            clock: 0,
            met: Met::default(),
        }
    }

    pub(super) async fn perform(&mut self, kind: Kind, mut dice: Dice) {
        match kind {
            Kind::Append => self.append(&mut dice),
            Kind::AppendTransactional => self.append_transactional(&mut dice),
            Kind::NewEpoch => {
                self.epoch = LeaderEpoch(self.epoch.0 + 1 + dice.below(2) as i32);
                self.log.assign_leader_epoch(self.epoch);
            }
            Kind::Write => self.write().await,
            Kind::Flush => self.flushed = self.log.flush().await.expect("flushed").0,
            Kind::Read => self.read(&mut dice).await,
            Kind::Search => self.search(&mut dice).await,
            Kind::Save => match self.log.save().await {
                Ok(saved) => (self.saved, self.flushed) = (saved, self.log.ends().flushed.0),
                Err(fault) => self.was_full(&fault),
            },
            Kind::Stop => self.stop().await,
            Kind::Kill => self.crash(Faults::process_death()).await,
            Kind::LosePower => {
                let faults = if dice.below(2) == 0 { Faults::default() } else { Faults::adverse() };
                self.crash(faults).await;
            }
            Kind::Truncate => self.truncate(&mut dice).await,
            Kind::RestartAt => self.restart_at(&mut dice).await,
            Kind::DeleteBefore => {
                let removes = dice.below(2) == 0;
                if removes {
                    // On a full disk nobody's producers are sure of their snapshot.
                    self.make_room();
                }
                self.write().await;
                self.start = (self.start + dice.below(100) as i64).min(self.end);
                if removes {
                    self.log.delete_before(Offset(self.start)).await.expect("deleted");
                } else {
                    // As partitions do: what lies below leaves with a later retirement.
                    self.log.raise_start(Offset(self.start)).expect("raised");
                }
            }
            Kind::Retire => self.retire(&mut dice).await,
            Kind::CopyOn => self.copy_on(&mut dice).await,
            Kind::Move => self.move_over().await,
            Kind::Clean => self.clean(&mut dice).await,
            Kind::Fill => self.fill(self.fills && !self.full, &mut dice),
        }
        self.met.operations += 1;
        self.met.segments_max = self.met.segments_max.max(self.log.segments().len());
        self.met.fulls += usize::from(self.log.full().is_some());
        self.compare();
    }

    /// What can be asked without reading a batch.
    fn compare(&self) {
        let ends = self.log.ends();
        assert_eq!((ends.log_start.0, ends.log_end.0), (self.start, self.end));
        assert!(ends.flushed <= ends.written && ends.written <= ends.log_end && self.flushed <= ends.flushed.0);
        let first_open = self.open_transactions().values().min().copied();
        let stable = first_open.unwrap_or(self.end).max(self.start);
        let told = self.log.last_stable_offset(Offset(self.end)).0;
        // A snapshot may know of a transaction that it began below what rounds have left of it.
        let is_right = if self.cut_ghosts { told >= self.start && told <= stable } else { told == stable };
        assert!(is_right, "the last stable offset is {told}, not {stable}");
        if let Some(middle) = self.list.get(self.list.len() / 2).filter(|middle| middle.base() >= self.start) {
            let epoch = middle.header.partition_leader_epoch;
            assert_eq!(self.log.epoch_of(Offset(middle.base())), Some(epoch), "the epoch of {}", middle.base());
        }
    }

    fn open_transactions(&self) -> BTreeMap<i64, i64> {
        let mut open = BTreeMap::new();
        for batch in &self.list {
            match (batch.part, batch.producer()) {
                (Some(Part::GoesOn), Some(id)) => drop(open.entry(id).or_insert(batch.base())),
                (Some(Part::Marker { .. }), Some(id)) => drop(open.remove(&id)),
                _ => {}
            }
        }
        open
    }

    /// A batch of a producer or of none, not appended yet.
    pub(super) fn next_batch(&self, dice: &mut Dice) -> Batch {
        let producer = Some(dice.below(6) as i64).filter(|id| *id < 3);
        let mut options = BatchOptions::default();
        if let Some(id) = producer {
            options.producer_id = ProducerId(id);
            options.producer_epoch = ProducerEpoch(0);
            options.base_sequence = Sequence(self.sequences.get(&id).copied().unwrap_or(0));
        }
        // Mostly rising, sometimes far back.
        let timestamp = FIRST_MS + self.end * 10 - if dice.below(5) == 0 { 500 } else { 0 };
        keyed(options, timestamp, dice)
    }

    fn append(&mut self, dice: &mut Dice) {
        let batch = self.next_batch(dice);
        // The door is open again after less than that.
        self.now += 2000;
        let appended = self.log.append(batch.clone(), self.epoch, Timestamp(self.now)).expect("appended");
        assert_eq!((appended.base_offset.0, appended.duplicate), (self.end, false));
        self.note(&batch, None);
        if batch.header.has_producer_id() {
            let again = self.log.append(batch, self.epoch, Timestamp(self.now)).expect("a retry");
            assert_eq!((again.base_offset, again.duplicate), (appended.base_offset, true));
        }
    }

    /// A batch of a transaction, or the marker that ends it, as a follower gets them.
    fn append_transactional(&mut self, dice: &mut Dice) {
        let id = TRANSACTIONAL + dice.below(2) as i64;
        let (batch, part) = if dice.below(2) == 0 {
            let aborts = dice.below(2) == 0;
            (marker(id, self.end, aborts), Part::Marker { aborts })
        } else {
            let options = BatchOptions {
                producer_id: ProducerId(id),
                producer_epoch: ProducerEpoch(0),
                base_sequence: Sequence(self.sequences.get(&id).copied().unwrap_or(0)),
                transactional: true,
                ..BatchOptions::default()
            };
            (keyed(options, FIRST_MS + self.end * 10, dice), Part::GoesOn)
        };
        let bytes = stored(&batch, Offset(self.end), self.epoch).into();
        let base_offset = Offset(self.end);
        let header = BatchHeader { base_offset, partition_leader_epoch: self.epoch, ..batch.header };
        let batch = Batch { header, bytes };
        self.now += 2000;
        let appended = self.log.append_given(batch.clone(), Timestamp(self.now)).expect("appended");
        assert_eq!(appended.base_offset.0, self.end);
        self.note(&batch, Some(part));
    }

    pub(super) fn note(&mut self, batch: &Batch, part: Option<Part>) {
        let listed = Listed::new(batch, self.end, self.epoch, part);
        if let Some(id) = listed.producer().filter(|_| !listed.is_marker()) {
            self.sequences.insert(id, listed.next_sequence());
        }
        self.end = listed.last() + 1;
        self.list.push(listed);
    }

    async fn read(&mut self, dice: &mut Dice) {
        let from = self.start - 2 + dice.below((self.end - self.start + 5) as u64) as i64;
        let up_to = self.start + dice.below((self.end - self.start + 2) as u64) as i64;
        let max_bytes = [0, 100, 3000, 1 << 20][dice.below(4) as usize];
        let at_least_one = dice.below(2) == 0;
        let written = self.log.ends().written.0;
        let read = self.log.read(Offset(from), max_bytes, Offset(up_to), at_least_one).await;
        if from < self.start || from > self.end {
            assert!(matches!(read, Err(ReadRefusal::OutOfRange { .. })), "{from} of {} to {}", self.start, self.end);
            return;
        }
        let slice = read.expect("in range");
        let up_to = up_to.min(written);
        let expected: Vec<&Listed> = self.list.iter().filter(|b| b.last() >= from && b.last() < up_to).collect();
        let Some(slice) = slice else {
            let fits = |first: &&Listed| at_least_one || first.bytes.len() <= max_bytes;
            assert!(!expected.first().is_some_and(fits), "nothing from {from} up to {up_to}");
            return;
        };
        let all: Vec<u8> = expected.iter().flat_map(|b| b.bytes.clone()).collect();
        let got = slice.read().await.expect("read");
        assert_eq!(got.len(), slice.bytes);
        assert!(all.starts_with(&got), "from {from} up to {up_to}: {} bytes", got.len());
        let first = expected.first().expect("something was read").bytes.len();
        assert!(got.len() >= first && got.len() <= max_bytes.max(if at_least_one { first } else { 0 }));
    }

    async fn search(&mut self, dice: &mut Dice) {
        self.write().await;
        let target = FIRST_MS + dice.below((self.end * 10 + 10) as u64) as i64;
        let mut records = self.list.iter().filter(|b| !b.is_marker()).flat_map(|batch| &batch.records);
        let expected = records.find(|record| record.offset >= self.start && record.timestamp >= target);
        let expected = expected.map(|record| (record.offset, record.timestamp));
        let found = self.log.find_by_timestamp(Timestamp(target)).await.expect("searched");
        assert_eq!(found.map(|f| (f.offset.0, f.timestamp.0)), expected, "at or after {target}");
    }

    /// Writes what is queued. If there is no room for all of it, the rest has left no trace.
    pub(super) async fn write(&mut self) {
        if let Err(fault) = self.log.write_queued().await {
            self.was_full(&fault);
        }
    }

    pub(super) fn was_full(&mut self, fault: &StorageFault) {
        assert!(self.full && fault.is_full() && self.log.failed().is_none(), "{fault}");
        let ends = self.log.ends();
        // If not, something beside the log found no room, before the queue's turn.
        if ends.log_end == ends.written {
            assert_eq!(self.log.queued_bytes(), 0);
            self.cut_list(ends.written.0);
        }
    }

    /// The list loses what lies at or above `end`.
    pub(super) fn cut_list(&mut self, end: i64) {
        let kept = self.list.partition_point(|batch| batch.last() < end);
        self.list.truncate(kept);
        self.cut_ghosts |= end < self.end && !self.ghosts.is_empty();
        self.end = end;
        self.learn_sequences();
    }

    /// The next sequences are those of the list. Who has nothing left in the files may be remembered or not.
    pub(super) fn learn_sequences(&mut self) {
        let known: BTreeMap<i64, ProducerEntry> =
            self.log.producers().into_iter().map(|(id, entry)| (id.0, entry)).collect();
        let next = |entry: &ProducerEntry| entry.batches.last().map(|last| last.last_sequence.0 + 1);
        let listed: BTreeMap<i64, i32> = {
            let first = self.log.segments()[0].base.0;
            let is_there = |batch: &&Listed| batch.base() >= first && !batch.is_marker();
            let ones = self.list.iter().filter(is_there);
            ones.filter_map(|batch| Some((batch.producer()?, batch.next_sequence()))).collect()
        };
        for (id, sequence) in &listed {
            let known = known.get(id).and_then(next);
            let mut ghosts = self.ghosts.iter().filter(|ghost| ghost.producer == *id);
            let is_ghosts = ghosts.any(|ghost| ghost.next_sequence > *sequence && Some(ghost.next_sequence) == known);
            assert!(
                known == Some(*sequence) || is_ghosts,
                "the next sequence of producer {id} is {known:?}, not {sequence}"
            );
        }
        self.sequences = known.iter().filter_map(|(id, entry)| Some((*id, next(entry)?))).collect();
    }

    /// So little room is left that the next few writes fill it, or there is enough again.
    fn fill(&mut self, full: bool, dice: &mut Dice) {
        self.full = full;
        let room = dice.below(6000);
        let names_need_room = dice.below(2) == 0;
        let full_after_bytes = full.then(|| self.disk.space() + room);
        self.disk.set_faults(Faults { full_after_bytes, names_need_room, ..Faults::process_death() });
    }

    pub(super) fn make_room(&mut self) {
        self.full = false;
        self.disk.set_faults(Faults::process_death());
    }

    async fn stop(&mut self) {
        self.make_room();
        self.saved = self.log.close().await.expect("closed");
        assert_eq!(self.saved.recovery_point, Offset(self.end));
        self.flushed = self.end;
        let before = self.log.producers();
        self.disk.crash();
        self.open(true).await;
        assert_eq!(self.log.ends().flushed.0, self.end, "after a clean stop");
        assert_eq!(last_batches(self.log.producers()), last_batches(before));
    }

    /// The process dies, or the power fails.
    pub(super) async fn crash(&mut self, faults: Faults) {
        self.make_room();
        let loses = faults.lose_unsynced;
        let written = self.log.ends().written.0;
        // A write that the power failed in may have come to its end.
        let written_max = if self.disk.has_power() { written } else { self.end };
        self.disk.set_faults(faults);
        self.disk.crash();
        self.disk.set_faults(Faults::process_death());
        self.open(false).await;
        let end = self.log.ends().log_end.0;
        let written_min = if loses { self.flushed } else { written };
        let is_right = (written_min..=written_max).contains(&end);
        assert!(is_right, "the log ends at {end}, flushed was {}, written {written}", self.flushed);
        // Unless all was lost above a start that lies within one.
        let is_whole = self.list.iter().all(|batch| batch.last() < end || batch.base() >= end);
        assert!(is_whole || end == self.start, "{end} is within a batch");
        self.met.power_failures += usize::from(loses);
        self.met.lost_batches += self.list.iter().filter(|batch| batch.base() >= end).count();
        let begins_at_its_end = end == self.start && self.log.segments()[0].base.0 == end;
        if begins_at_its_end && self.log.producers().is_empty() {
            self.begun_anew();
        }
        self.cut_list(end);
        self.flushed = end;
    }

    async fn open(&mut self, clean: bool) {
        self.copy = None;
        let recovery_point = self.saved.recovery_point;
        let (log_start_offset, compacted) = (Offset(self.start), Offset(self.cleaned.unwrap_or(0)));
        let recovery = Recovery { recovery_point, log_start_offset, compacted, clean };
        self.log = Log::open(self.disk.clone(), PLACES[self.place], config(), recovery).await.expect("opened");
        // A start leads in an epoch of its own.
        self.epoch = LeaderEpoch(self.epoch.0 + 1);
        self.log.assign_leader_epoch(self.epoch);
    }

    async fn truncate(&mut self, dice: &mut Dice) {
        self.make_room();
        self.write().await;
        let mut to = self.start + dice.below((self.end - self.start + 1) as u64) as i64;
        let holds = |batch: &&Listed| batch.base() <= to && batch.last() >= to;
        let mut end = self.list.iter().find(holds).map_or(to, |batch| batch.base()).max(self.start);
        let before = self.list.iter().rev().find(|batch| batch.last() < end).map_or(0, |batch| batch.last() + 1);
        let before = before.max(self.first_base());
        if before < self.start.min(end) {
            return;
        }
        if before < end {
            // Where compaction has left a hole: a log that ends within one ends before it after the next start.
            (to, end) = (before, before);
        }
        // Saved before the cut: what comes in the place of the batch that is cut was never flushed.
        self.saved.recovery_point = self.saved.recovery_point.min(Offset(end));
        self.cleaned = self.cleaned.map(|cleaned| cleaned.min(to));
        self.log.truncate_to(Offset(to)).await.expect("cut");
        if self.list.iter().any(|batch| batch.base() < self.start && batch.last() >= to) {
            // Nothing is left from the start on, which lay within what went: the log begins anew there.
            self.begun_anew();
        }
        if to < self.end {
            self.cut_list(end);
            self.flushed = self.flushed.min(end);
        }
    }

    async fn restart_at(&mut self, dice: &mut Dice) {
        self.make_room();
        self.write().await;
        self.saved = SavedPoint { recovery_point: Offset(0), log_start_offset: Offset(0) };
        self.end += dice.below(20) as i64;
        self.log.restart_at(Offset(self.end)).await.expect("begun anew");
        (self.start, self.flushed) = (self.end, self.end);
        self.begun_anew();
    }

    /// Nothing is above the log's start: what lay below it, a transaction's beginning perhaps, and who wrote it, is forgotten.
    fn begun_anew(&mut self) {
        assert_eq!((self.log.segments().len(), self.log.segments()[0].bytes), (1, 0));
        assert_eq!(self.log.producers(), []);
        self.list.clear();
        self.ghosts.clear();
        self.cut_ghosts = false;
        self.sequences.clear();
        self.log.assign_leader_epoch(self.epoch);
    }

    async fn retire(&mut self, dice: &mut Dice) {
        self.make_room();
        self.write().await;
        let keep = dice.below(40_000);
        let retention = Retention { delete: true, ms: None, bytes: Some(keep) };
        self.log.configure(LogConfig { retention, ..config() });
        // What leaves was safe: with `ottla.acks.flush` the high watermark is never above what is flushed.
        let safe = self.flushed.clamp(self.start, self.end);
        let high_watermark = self.start + dice.below((safe - self.start + 1) as u64) as i64;
        let retired = self.log.retire(Offset(high_watermark), Timestamp(self.now)).await.expect("retired");
        self.log.configure(config());
        let start = self.log.ends().log_start.0;
        if let Some(retired) = retired {
            self.met.left += retired.segments;
            if dice.below(2) == 0 {
                self.log.remove_retired(retired).await.expect("removed");
            }
        }
        assert!(start >= self.start && start <= high_watermark.max(self.start), "{start}, safe is {high_watermark}");
        let stays: usize = self.list.iter().filter(|batch| batch.base() >= start).map(|batch| batch.bytes.len()).sum();
        assert!(start == self.start || stays as u64 >= keep || start == self.end, "{stays} bytes stay of {keep}");
        self.start = start;
    }

    async fn copy_on(&mut self, dice: &mut Dice) {
        self.make_room();
        if self.copy.is_none() {
            let target = PLACES[1 - self.place];
            self.copy = Some(LogCopy::begin(self.log.clone(), target.as_ref()).await.expect("begun"));
        }
        let copy = self.copy.as_mut().expect("begun");
        copy.step(dice.below(5000) as usize + 1).await.expect("copied");
    }

    /// Finishes a copy that was begun, and goes on with it.
    async fn move_over(&mut self) {
        let Some(mut copy) = self.copy.take() else { return };
        self.make_room();
        self.saved = self.log.close().await.expect("closed");
        copy.finish().await.expect("copied");
        let before = self.log.producers();
        self.disk.remove_directory(PLACES[self.place].as_ref()).await.expect("removed");
        self.place = 1 - self.place;
        for root in ["/d", "/e"] {
            self.disk.sync_directory(root.as_ref()).await.expect("synced");
        }
        self.flushed = self.end;
        self.open(true).await;
        assert_eq!(last_batches(self.log.producers()), last_batches(before));
        self.met.moves += 1;
    }
}

/// The last batch of each producer. A snapshot has one time for each, that of its last marker perhaps, so that is left out.
fn last_batches(producers: Vec<(ProducerId, ProducerEntry)>) -> Vec<(ProducerId, Option<ProducedBatch>)> {
    let untimed = |batch: &ProducedBatch| ProducedBatch { timestamp: Timestamp::NONE, ..*batch };
    producers.into_iter().map(|(id, entry)| (id, entry.batches.last().map(untimed))).collect()
}
