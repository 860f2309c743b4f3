//! Compaction of the partitions of a directory: what can be cleaned, and up to where each is clean.
//!
//! ```text
//! cleaner-offset-checkpoint    below that a partition is clean; Kafka's format, in which others keep their line
//! ```
//!
//! Before a round puts anything in place, the log's recovery point is beyond what the round cleans. So a recovery never
//! takes a hole that compaction made for one that a power loss did. After the round the checkpoint is written; a crash in
//! between has the next round do it again, and find little to do.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use ottla_types::{Offset, Timestamp, TopicPartition};

use super::cleanings::Running;
use super::{LogDirectory, Partition};
use crate::checkpoint;
use crate::cleaner::{self, Cleanable, Cleaned, Cleaner, CompactionRules, Pace, Stopped};
use crate::fault::StorageFault;
use crate::sown::{self, Bug};

/// Up to where the partitions are clean.
pub(super) const CLEANED: &str = "cleaner-offset-checkpoint";

/// What a round is told.
#[derive(Clone, Copy, Debug)]
pub struct CleaningRound<'a> {
    /// What the topic wants.
    pub rules: &'a CompactionRules,
    /// What was found out of the partition ([`LogDirectory::cleanable`]).
    pub cleanable: &'a Cleanable,
    /// The time by which it is decided what is old.
    pub now: Timestamp,
}

/// A pace that ends when the partition is wanted for something else.
struct Interruptible<'a> {
    pace: &'a dyn Pace,
    running: &'a Running,
}

impl Pace for Interruptible<'_> {
    fn moved(&self, bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move { !self.running.is_unwanted() && self.pace.moved(bytes).await })
    }
}

impl LogDirectory {
    /// What of a partition a round at `now` may clean; `None` if it is not here, or somebody is at it already.
    pub async fn cleanable(
        &self,
        name: &TopicPartition,
        high_watermark: Offset,
        rules: &CompactionRules,
        now: Timestamp,
    ) -> Result<Option<Cleanable>, StorageFault> {
        let Some(Partition { log, .. }) = self.get(name) else { return Ok(None) };
        if log.failed().is_some() || !self.cleanings.may_begin(name) {
            return Ok(None);
        }
        let cleaned = self.cleaned.lock().get(name).copied();
        let stable = log.last_stable_offset(high_watermark);
        cleaner::find_out(&log, stable, cleaned, rules, now).await.map(Some)
    }

    /// Cleans a partition, and answers the offset below which it is clean then. `cleaned` is told what was done, even if
    /// the round ends early.
    pub async fn clean(
        &self,
        name: &TopicPartition,
        round: CleaningRound<'_>,
        cleaner: &mut Cleaner,
        pace: &dyn Pace,
        cleaned: &mut Cleaned,
    ) -> Result<Offset, Stopped> {
        let (Some(running), Some(Partition { log, .. })) = (self.cleanings.begin(name), self.get(name)) else {
            return Err(Stopped::Changed);
        };
        let CleaningRound { rules, cleanable, now } = round;
        self.save_up_to(name, cleanable.end).await?;
        if sown::is(Bug::CleanedBeforeSwap) {
            self.note_cleaned(name, cleanable.end).await?;
        }
        let pace = Interruptible { pace, running: &running };
        let end = cleaner.clean(&log, cleanable, (rules, now), &pace, cleaned).await?;
        self.note_cleaned(name, end).await?;
        Ok(end)
    }

    /// Up to where a partition was cleaned, if it was.
    #[must_use]
    pub fn cleaned_up_to(&self, name: &TopicPartition) -> Option<Offset> {
        self.cleaned.lock().get(name).copied()
    }

    /// Saves a log, so that its recovery point is at `offset` or beyond, and a snapshot of the producers, too: what a round
    /// drops of theirs, no recovery learns from the batches any more. Where appends come so fast that saving finds no moment
    /// for a snapshot, the one counts that was made when the segment at `offset` was begun.
    async fn save_up_to(&self, name: &TopicPartition, offset: Offset) -> Result<(), Stopped> {
        let _turn = self.turns.next().await;
        let Some(Partition { log, .. }) = self.get(name) else { return Err(Stopped::Changed) };
        let point = log.save().await?;
        log.sync_snapshot(offset).await?;
        self.saved.lock().insert(name.clone(), point);
        self.write_points().await?;
        if point.recovery_point < offset { Err(Stopped::Changed) } else { Ok(()) }
    }

    async fn note_cleaned(&self, name: &TopicPartition, offset: Offset) -> Result<(), StorageFault> {
        let _turn = self.turns.next().await;
        self.set_cleaned(name, Some(offset)).await
    }

    /// Changes a partition's line in the checkpoint, for one who has a turn.
    pub(super) async fn set_cleaned(&self, name: &TopicPartition, offset: Option<Offset>) -> Result<(), StorageFault> {
        let text = {
            let mut cleaned = self.cleaned.lock();
            let before = cleaned.get(name).copied();
            if before == offset {
                return Ok(());
            }
            match offset {
                Some(offset) => cleaned.insert(name.clone(), offset),
                None => cleaned.remove(name),
            };
            checkpoint::encode_offsets(&cleaned)
        };
        self.write_cleaned(text).await
    }

    /// Forgets how far these are clean.
    pub(super) async fn forget_cleaned<'a>(
        &self,
        names: impl Iterator<Item = &'a TopicPartition>,
    ) -> Result<(), StorageFault> {
        let text = {
            let mut cleaned = self.cleaned.lock();
            if names.filter(|name| cleaned.remove(*name).is_some()).count() == 0 {
                return Ok(());
            }
            checkpoint::encode_offsets(&cleaned)
        };
        self.write_cleaned(text).await
    }

    async fn write_cleaned(&self, text: String) -> Result<(), StorageFault> {
        checkpoint::replace(&*self.disk, &self.path().join(CLEANED), Bytes::from(text)).await
    }
}
