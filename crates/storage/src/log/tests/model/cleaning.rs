//! Rounds of compaction in the model: whole ones, and such as end early, for want of memory, at somebody's word, at the
//! end of the process or of the power. Afterwards the log is read, and every batch is held against what it was: whether
//! what is gone could go, and whether what is there had to stay, or could not go yet.
//!
//! What must hold is said of the list, not computed as the cleaner does it. What was found is the list from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_types::{LeaderEpoch, Offset, Timestamp};
use parking_lot::Mutex;

use super::batches::{Entry, Listed, Part, all_of};
use super::world::{FIRST_MS, World};
use crate::cleaner::{self, Cleanable, Cleaned, Cleaner, CleanerMemory, CompactionRules, MapMemory, Pace, Stopped};
use crate::disk::simulated::Faults;
use crate::testing::Dice;
use crate::{Batch, Log};

/// What comes between in a round, at a certain piece of its work.
struct Interposed {
    log: Arc<Log>,
    pieces: AtomicU64,
    /// The piece before which the round is told to end.
    ends_before: Option<u64>,
    /// The piece before which this is appended: `None` once it was.
    appends_before: u64,
    batch: Mutex<Option<Batch>>,
    epoch: LeaderEpoch,
    now: Timestamp,
}

impl Pace for Interposed {
    fn moved(&self, _bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let piece = self.pieces.fetch_add(1, Ordering::SeqCst);
            if piece == self.appends_before
                && let Some(batch) = self.batch.lock().take()
            {
                self.log.append(batch, self.epoch, self.now).expect("appended");
            }
            self.ends_before != Some(piece)
        })
    }
}

/// A batch of a producer that a round has dropped. If a cut or a power failure takes what came later, the log may know of
/// it by a snapshot, and of its transaction.
pub(super) struct Ghost {
    pub(super) producer: i64,
    pub(super) next_sequence: i32,
}

impl Ghost {
    fn of(batch: &Listed) -> Option<Self> {
        let producer = batch.producer().filter(|_| !batch.is_marker())?;
        Some(Self { producer, next_sequence: batch.next_sequence() })
    }
}

/// What a round was told, and how it ended.
struct Facts {
    cleanable: Cleanable,
    now: i64,
    delete_retention_ms: i64,
    /// Below this offset everything was decided, if the round came to its end.
    reached: Option<i64>,
}

impl Facts {
    /// Below this offset the round may have known a later record of a key.
    fn bound(&self) -> i64 {
        self.reached.unwrap_or(self.cleanable.end.0)
    }

    fn is_over(&self, batch: &Listed) -> bool {
        batch.header.delete_horizon().is_some_and(|horizon| horizon.0 <= self.now)
    }

    /// The horizon that this round writes.
    fn horizon(&self) -> Timestamp {
        Timestamp(self.now + self.delete_retention_ms)
    }
}

impl World {
    /// A round, or part of one.
    pub(super) async fn clean(&mut self, dice: &mut Dice) {
        if self.copy.is_some() && dice.below(2) == 0 {
            // A move keeps rounds away as long as it lasts.
            return;
        }
        // Or it failed, and goes on later.
        self.copy = None;
        self.write().await;
        self.clock = self.clock.max(FIRST_MS + self.end * 10) + dice.below(1000) as i64;
        let rules = CompactionRules {
            min_cleanable_ratio: 0.0,
            min_lag_ms: [0, 0, 500, 3000][dice.below(4) as usize],
            max_lag_ms: [i64::MAX, 1000][dice.below(2) as usize],
            delete_retention_ms: [0, 300, 3000][dice.below(3) as usize],
        };
        let now = Timestamp(self.clock);
        let stable = self.log.last_stable_offset(Offset(self.end));
        let found = cleaner::find_out(&self.log, stable, self.cleaned.map(Offset), &rules, now).await.expect("read");
        self.judge(&found, &rules, stable);
        if !found.is_due(&rules) {
            return;
        }
        // Before any hole is made the recovery point is beyond it, as the directory does it.
        match self.log.save().await {
            Ok(saved) => (self.saved, self.flushed) = (saved, self.log.ends().flushed.0),
            Err(fault) => return self.was_full(&fault),
        }
        let mut facts =
            Facts { cleanable: found, now: now.0, delete_retention_ms: rules.delete_retention_ms, reached: None };
        let before: Vec<Listed> = self.list.iter().filter(|batch| batch.base() >= self.first_base()).cloned().collect();
        self.round(&mut facts, &rules, dice).await;
        self.hold(&before, &facts).await;
        self.met.rounds += usize::from(facts.reached.is_some_and(|reached| reached > found.first_dirty.0));
        self.met.rounds_ended += usize::from(facts.reached.is_none());
    }

    /// What lies below has left.
    pub(super) fn first_base(&self) -> i64 {
        self.log.segments()[0].base.0
    }

    /// Whether what a round may clean is below all that is undecided, young or being written.
    fn judge(&self, found: &Cleanable, rules: &CompactionRules, stable: Offset) {
        let cleaned = self.cleaned.filter(|cleaned| (self.start..=self.end).contains(cleaned));
        assert_eq!(found.first_dirty.0, cleaned.unwrap_or(self.start), "where the dirty part begins");
        let active = self.log.segments().last().expect("one").base;
        if found.dirty_bytes == 0 {
            return;
        }
        assert!(found.end <= stable && found.end <= active, "{found:?}, stable {stable}, active {active}");
        let part = found.first_dirty.0..found.end.0;
        let young = self.list.iter().flat_map(|batch| &batch.records).find(|record| {
            part.contains(&record.offset) && rules.min_lag_ms > 0 && record.timestamp > self.clock - rules.min_lag_ms
        });
        assert_eq!(young, None, "{found:?} at {} with {rules:?}", self.clock);
    }

    /// Goes through with it, or as far as it gets.
    async fn round(&mut self, facts: &mut Facts, rules: &CompactionRules, dice: &mut Dice) {
        let map = MapMemory { bytes: 24 * ([3, 6, 100][dice.below(3) as usize] + 1), load_factor: 1.0 };
        let mut cleaner = Cleaner::new(CleanerMemory { map, io_bytes: 500 }, (1, 2)).expect("room for a key");
        let batch = self.next_batch(dice);
        self.now += 2000;
        let pace = Interposed {
            log: self.log.clone(),
            pieces: AtomicU64::new(0),
            ends_before: (dice.below(4) == 0).then(|| dice.below(150)),
            appends_before: dice.below(100),
            batch: Mutex::new(Some(batch.clone())),
            epoch: self.epoch,
            now: Timestamp(self.now),
        };
        let loses_power = dice.below(4) == 0;
        if loses_power {
            self.make_room();
            self.disk.crash_after(dice.below(120));
        }
        let mut cleaned = Cleaned::default();
        let told = (rules, Timestamp(facts.now));
        let answer = cleaner.clean(&self.log, &facts.cleanable, told, &pace, &mut cleaned).await;
        if pace.batch.lock().is_none() {
            self.note(&batch, None);
            let end = self.log.ends().log_end.0;
            if self.full && end < self.end {
                // Whoever put segments in place had no room to write it.
                self.cut_list(end);
            }
        }
        let has_failed = !self.disk.has_power() || self.log.failed().is_some();
        match answer {
            Ok(end) => {
                self.cleaned = Some(end.0);
                facts.reached = Some(end.0);
            }
            Err(Stopped::Changed) => assert!(pace.ends_before.is_some() || has_failed, "nobody ended the round"),
            Err(Stopped::Fault(fault)) => {
                let is_full = self.full && fault.is_full();
                assert!(has_failed || is_full, "{fault}");
            }
        }
        if has_failed || loses_power {
            // What was written goes with the power or the process, or part of it.
            let faults = [Faults::process_death(), Faults::default(), Faults::adverse()];
            self.crash(faults[dice.below(3) as usize].clone()).await;
            self.met.rounds_crashed += usize::from(has_failed);
        } else {
            for retired in cleaned.retired {
                self.met.exchanged += retired.segments;
                if dice.below(2) == 0 && !self.full {
                    self.log.remove_retired(retired).await.expect("removed");
                }
            }
            self.write().await;
        }
    }

    /// Reads all and holds it against the list as it was before the round, of which `before` was in the files. The list is
    /// then what was found.
    async fn hold(&mut self, before: &[Listed], facts: &Facts) {
        let told = all_of(&self.log).await;
        let (first_base, written) = (self.first_base(), self.log.ends().written.0);
        let mut after: BTreeMap<i64, Listed> = told.batches.into_iter().map(|batch| (batch.base(), batch)).collect();
        let is_cut = before.last().is_some_and(|batch| batch.last() >= written);
        self.cut_ghosts |= is_cut && !self.ghosts.is_empty();
        let ghosts = self.ghosts.iter().filter(|_| self.cut_ghosts).map(|ghost| ghost.producer).collect();
        let round = Held { before, facts, ghosts };
        let mut list = Vec::new();
        for mut listed in std::mem::take(&mut self.list) {
            if listed.base() >= first_base && listed.base() < written {
                let Some(left) = after.remove(&listed.base()) else {
                    round.gone(&listed);
                    self.ghosts.extend(Ghost::of(&listed));
                    continue;
                };
                if left.bytes != listed.bytes {
                    round.changed(&listed, &left);
                }
                round.had_to(&listed, &left);
                let is_read = listed.last() >= self.start && !left.records.is_empty();
                // A marker may be lost with the power.
                let marker = round.end_of(&listed).filter(|(marker, aborts)| *aborts && *marker < written);
                if let (Some((marker, _)), Some(id), true) = (marker, listed.producer(), is_read) {
                    assert!(
                        told.aborted.contains(&(id, marker)),
                        "nobody is told that {marker} aborted {}",
                        left.base()
                    );
                }
                listed = Listed { part: listed.part, ..left };
            } else if listed.base() < first_base && round.end_of(&listed).is_some() {
                // It has left, and its marker may leave, too.
                self.ghosts.extend(Ghost::of(&listed));
                continue;
            }
            list.push(listed);
        }
        assert!(after.is_empty(), "nobody wrote the batches at {:?}", after.keys());
        self.list = list;
        self.cut_ghosts |= is_cut && !self.ghosts.is_empty();
        self.learn_sequences();
    }
}

/// The log before a round, what of it was in the files, and the round.
struct Held<'a> {
    before: &'a [Listed],
    facts: &'a Facts,
    /// Producers whose last batch is perhaps in a snapshot alone.
    ghosts: BTreeSet<i64>,
}

impl Held<'_> {
    /// Where the transaction of a batch ends, and whether it is aborted there.
    fn end_of(&self, batch: &Listed) -> Option<(i64, bool)> {
        batch.part.filter(|part| *part == Part::GoesOn)?;
        let of_it = |other: &&Listed| other.producer() == batch.producer() && other.base() > batch.base();
        self.before.iter().filter(of_it).find_map(|other| match other.part {
            Some(Part::Marker { aborts }) => Some((other.base(), aborts)),
            _ => None,
        })
    }

    fn is_aborted(&self, batch: &Listed) -> bool {
        self.end_of(batch).is_some_and(|(_, aborted)| aborted)
    }

    /// Whether a batch of the transaction that this marker ends was there, with records or without.
    fn has_batches(&self, marker: &Listed) -> bool {
        let mut of_it = self.before.iter().rev().filter(|other| other.producer() == marker.producer());
        of_it.find(|other| other.part.is_some() && other.base() < marker.base()).is_some_and(|last| !last.is_marker())
    }

    /// Whether a later record of the same key was there that the round could know, and whether it had to.
    fn later(&self, record: &Entry, from: i64) -> bool {
        let after = self.before.iter().filter(|batch| batch.last() > record.offset && !batch.is_marker());
        let known = after.filter(|batch| !self.is_aborted(batch)).flat_map(|batch| &batch.records);
        let range = from.max(record.offset + 1)..self.facts.bound();
        record.key.is_some() && known.into_iter().any(|other| other.key == record.key && range.contains(&other.offset))
    }

    /// Whether the last sequence of its producer is this batch's.
    fn is_last_of_producer(&self, batch: &Listed) -> bool {
        let is_later = |other: &Listed| other.producer() == batch.producer() && other.base() > batch.base();
        batch.producer().is_some()
            && !batch.is_marker()
            && !self.before.iter().any(|other| is_later(other) && !other.is_marker())
    }

    /// A batch is gone.
    fn gone(&self, batch: &Listed) {
        let (base, facts) = (batch.base(), self.facts);
        assert!(base < facts.cleanable.end.0, "{base} is gone, above {}", facts.cleanable.end);
        let is_ghosts = batch.producer().is_some_and(|id| self.ghosts.contains(&id));
        assert!(
            is_ghosts || !self.is_last_of_producer(batch),
            "the last batch of {:?}, at {base}, is gone",
            batch.producer()
        );
        if batch.is_marker() {
            let is_over = batch.records.is_empty() || facts.is_over(batch);
            assert!(is_over && !self.has_batches(batch), "the marker at {base} is gone");
        } else {
            batch.records.iter().for_each(|record| self.could_go(batch, record));
        }
    }

    /// A record is gone.
    fn could_go(&self, batch: &Listed, record: &Entry) {
        let is_reached = record.offset < self.facts.bound();
        let is_over = record.value.is_none() && self.facts.is_over(batch);
        let could =
            self.is_aborted(batch) || (is_reached && (record.key.is_none() || is_over)) || self.later(record, 0);
        assert!(could, "{} of {:?} is gone", record.offset, record.key);
    }

    /// A batch was written anew.
    fn changed(&self, batch: &Listed, left: &Listed) {
        let (base, facts) = (batch.base(), self.facts);
        assert!(base < facts.cleanable.end.0, "{base} is another, above {}", facts.cleanable.end);
        let same = |batch: &Listed| {
            let header = &batch.header;
            let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
            let kind = (header.attributes.is_transactional(), header.attributes.is_control());
            (header.last_offset(), header.partition_leader_epoch, producer, kind)
        };
        assert_eq!(same(left), same(batch), "at {base}");
        let horizon = left.header.delete_horizon();
        let is_same = horizon == batch.header.delete_horizon() || left.records.is_empty();
        let is_set = batch.header.delete_horizon().is_none() && horizon == Some(facts.horizon());
        assert!(is_same || is_set, "the horizon of {base} is {horizon:?}, was {:?}", batch.header.delete_horizon());
        if batch.is_marker() {
            let is_emptied = left.records.is_empty() && facts.is_over(batch);
            assert!((is_set || is_emptied) && !self.has_batches(batch), "the marker at {base} is another");
            return;
        }
        assert!(left.records.iter().all(|record| batch.records.contains(record)), "records of {base} are others");
        let gone = batch.records.iter().filter(|record| !left.records.contains(record));
        gone.for_each(|record| self.could_go(batch, record));
    }

    /// Whether what is left of a batch had to stay, or could not go in this round.
    fn had_to(&self, batch: &Listed, left: &Listed) {
        let facts = self.facts;
        let Some(reached) = facts.reached.filter(|reached| batch.base() < *reached.min(&facts.cleanable.end.0)) else {
            return;
        };
        let base = batch.base();
        if batch.is_marker() {
            let could = facts.is_over(batch) && !self.has_batches(batch);
            let ends_round = batch.header.next_offset() == facts.cleanable.end;
            assert!(!could || left.records.is_empty() || ends_round, "the marker at {base} could go");
            return;
        }
        assert!(!self.is_aborted(batch) || left.records.is_empty(), "{base} was aborted");
        let is_last = self.is_last_of_producer(batch) || batch.header.next_offset() == facts.cleanable.end;
        assert!(!left.records.is_empty() || is_last, "nothing is left of {base} but its header");
        for record in left.records.iter().filter(|record| record.offset < reached) {
            assert!(record.key.is_some(), "{} has no key", record.offset);
            assert!(!self.later(record, facts.cleanable.first_dirty.0), "{} is superseded", record.offset);
            let is_over = record.value.is_none() && facts.is_over(batch);
            assert!(!is_over, "{} is a tombstone whose time is over", record.offset);
            if record.value.is_none() {
                assert!(left.header.delete_horizon().is_some(), "the tombstone at {} has no horizon", record.offset);
            }
        }
    }
}
