//! Taking batches back that found no room on the disk: what each changed in its producer's entry.
//!
//! Batches that wait to be written are few and leave soon, so what they changed is kept exactly, newest last, and costs
//! no allocation unless a producer began a new epoch.

use ottla_types::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{ProducedBatch, ProducerEntry, Producers};

/// What one recorded batch changed.
#[derive(Debug)]
pub(crate) struct Undo {
    pub(super) id: ProducerId,
    /// The entry before; `None` if there was none.
    pub(super) before: Option<Before>,
}

/// An entry before a batch.
#[derive(Debug)]
pub(super) struct Before {
    epoch: ProducerEpoch,
    coordinator_epoch: i32,
    last_timestamp: Timestamp,
    transaction_start: Option<Offset>,
    pub(super) batches: BatchesBefore,
}

/// The remembered batches of an entry before a batch.
#[derive(Debug)]
pub(super) enum BatchesBefore {
    /// The same.
    Same,
    /// One less at the end, and this one at the front.
    Shorter(Option<ProducedBatch>),
    /// Those of another epoch.
    Other(Vec<ProducedBatch>),
}

impl Before {
    pub(super) fn of(entry: &ProducerEntry) -> Self {
        Self {
            epoch: entry.epoch,
            coordinator_epoch: entry.coordinator_epoch,
            last_timestamp: entry.last_timestamp,
            transaction_start: entry.transaction_start,
            batches: BatchesBefore::Same,
        }
    }
}

impl Producers {
    /// Takes back what was recorded last. Called for one batch after the other, the newest first.
    pub(crate) fn take_back(&mut self, undo: Undo) {
        let Some(before) = undo.before else {
            self.remove(undo.id);
            return;
        };
        // Expired meanwhile: an idle producer is none whose batches are waited for.
        let Some(entry) = self.entries.get_mut(&undo.id) else { return };
        entry.epoch = before.epoch;
        entry.coordinator_epoch = before.coordinator_epoch;
        entry.last_timestamp = before.last_timestamp;
        match before.batches {
            BatchesBefore::Same => {}
            BatchesBefore::Shorter(oldest) => {
                entry.batches.pop();
                if let Some(oldest) = oldest {
                    entry.batches.insert(0, oldest);
                }
            }
            BatchesBefore::Other(batches) => entry.batches = batches,
        }
        if let Some(start) = before.transaction_start {
            // In case it was a marker.
            self.ended.remove(&(start, undo.id));
        }
        self.set_transaction_start(undo.id, before.transaction_start);
    }
}

#[cfg(test)]
mod tests {
    use ottla_types::Sequence;

    use super::*;
    use crate::producers::marker::Marker;
    use crate::testing::{Dice, header};

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        for seed in 0..200 {
            let mut dice = Dice(seed);
            let mut producers = Producers::default();
            let mut states = Vec::new();
            for i in 0..20 {
                let mut batch = header(1);
                batch.base_offset = Offset(i);
                batch.producer_id = ProducerId(dice.below(3) as i64);
                batch.producer_epoch = ProducerEpoch(dice.below(3) as i16);
                batch.base_sequence = Sequence(i as i32);
                batch.attributes = batch.attributes.with_transactional(dice.below(3) == 0);
                batch.max_timestamp = Timestamp(1000 + i);
                let before = producers.clone();
                let recorded = if dice.below(4) == 0 {
                    let marker = Marker { aborts: dice.below(2) == 0, coordinator_epoch: i as i32 };
                    producers.record_marker(&batch, marker)
                } else {
                    producers.record(&batch, &[]).expect("of a producer")
                };
                states.push((before, recorded.undo));
            }
            while let Some((before, undo)) = states.pop() {
                producers.take_back(undo);
                assert_eq!(producers, before, "seed {seed}");
            }
        }
    }
}
