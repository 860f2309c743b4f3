//! A full disk: the appends that found no room are taken back, and the log goes on.
//!
//! A write that fails for want of room (ENOSPC, EDQUOT), or the making of a file that it needs, fails with everything that
//! is queued behind it, for offsets have no holes. Offsets, producers, index entries and segments return to what is
//! written, what the failed write left in files is cut away, and those who wait are told. The next appends get the same
//! offsets; so that nobody takes another's record for his own, every append knows how often the log had taken appends
//! back before it ([`Appended::takes_back`]).
//!
//! For a moment after that appends are refused at the door: a full disk costs a try per moment, not per request. The
//! first append after it is the try, and if it is written the disk has room again.
//!
//! A sync that fails for want of room is no such case: what is on the device is unknown then, and the log goes offline.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_types::{Offset, Timestamp};

use super::{Appended, Log, State};
use crate::disk::Open;
use crate::fault::{StorageFault, Trying};
use crate::segment::{Kind, Segment, SegmentFiles};
use crate::sown::{self, Bug};

/// How long the door stays shut after the first failure, in milliseconds; twice as long after each further one.
const SHUT_MS_MIN: i64 = 50;
/// The longest that it stays shut, in milliseconds.
const SHUT_MS_MAX: i64 = 1600;
/// Of so many failures it is known from which offset on each took appends back.
const KNOWN_MAX: usize = 64;

/// Whether there is room, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Room {
    full: Option<Full>,
    /// The time of the last append that was let in.
    last_append: Timestamp,
    takes_back: u64,
    /// From which offset on appends were taken back, each time; the last is number `takes_back`.
    known: VecDeque<Offset>,
}

#[derive(Debug)]
struct Full {
    fault: StorageFault,
    since: Timestamp,
    shut_ms: i64,
}

impl Room {
    /// How often appends were taken back.
    pub(super) fn takes_back(&self) -> u64 {
        self.takes_back
    }

    /// The time of the last append that was let in.
    pub(super) fn last_append(&self) -> Timestamp {
        self.last_append
    }

    /// Whether an append may be tried.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), StorageFault> {
        if let Some(full) = &self.full
            // A clock that was set back opens the door.
            && (0..full.shut_ms).contains(&now.0.saturating_sub(full.since.0))
        {
            return Err(full.fault.clone());
        }
        self.last_append = now;
        Ok(())
    }

    /// A write succeeded. Answers whether the disk was full before.
    pub(super) fn written(&mut self) -> bool {
        self.full.take().is_some()
    }

    /// Appends from `from` on are taken back. Answers whether there was room before.
    fn take_back(&mut self, from: Offset, fault: &StorageFault) -> bool {
        let before = self.full.take().map(|full| full.shut_ms);
        let shut_ms = before.map_or(SHUT_MS_MIN, |shut_ms| (2 * shut_ms).min(SHUT_MS_MAX));
        self.full = Some(Full { fault: fault.clone(), since: self.last_append, shut_ms });
        self.takes_back += 1;
        if self.known.len() == KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(from);
        before.is_none()
    }

    /// Whether an append that knew of `takes_back` and ended with `last_offset` was taken back. Of one from long ago that
    /// is no longer known, and counts as so: its producer sends it again.
    fn was_taken_back(&self, last_offset: Offset, takes_back: u64) -> bool {
        let later = usize::try_from(self.takes_back - takes_back).unwrap_or(usize::MAX);
        match self.known.len().checked_sub(later) {
            // What is written only grows, so the first that came after decides.
            Some(first) => self.known.get(first).is_some_and(|from| last_offset >= *from),
            None => true,
        }
    }
}

/// What is to be done to files after appends were taken back.
struct Leftovers {
    /// A segment that is no more, with what was made of its files.
    segment: Option<Arc<SegmentFiles>>,
    /// The snapshot that was made for it.
    snapshot: Option<PathBuf>,
    /// The active segment and the bytes that it has.
    active: Arc<SegmentFiles>,
    bytes: u64,
    /// Index files that have entries of what was taken back, and their bytes without.
    indexes: Vec<(PathBuf, u64)>,
}

impl Log {
    /// Whether an append found no room and is not in the log. Who waits for its offset asks this after every look at how
    /// far the log has come: another append may have got the offset.
    #[must_use]
    pub fn was_taken_back(&self, appended: &Appended) -> bool {
        self.state.lock().room.was_taken_back(appended.last_offset, appended.takes_back)
    }

    /// Why the disk counts as full, if it does.
    #[must_use]
    pub fn full(&self) -> Option<StorageFault> {
        self.state.lock().room.full.as_ref().map(|full| full.fault.clone())
    }

    /// Sets aside the space that a batch of `bytes` bytes will take, in a new segment if the active one has no place for
    /// it: so that one who cannot bear that an append is refused learns before it whether the device is full. What else
    /// is appended in between takes from the same space. Where a file system cannot set space aside, the append is the try.
    pub async fn set_aside(&self, bytes: u64, now: Timestamp) -> Result<(), StorageFault> {
        self.alone(move |log| async move {
            let fits = |state: &mut State| {
                let segment_bytes = u64::from(state.config.segment_bytes);
                let active = state.active();
                active.bytes == 0 || active.bytes + bytes <= segment_bytes
            };
            if !fits(&mut log.state.lock()) {
                log.begin_segment(now).await?;
            }
            let (files, end) = {
                let mut state = log.state.lock();
                let active = state.active();
                // What only waits in the queue is made with its first write.
                let files = active.created.then(|| active.files.clone());
                (files, active.bytes + bytes)
            };
            let Some(files) = files else { return Ok(()) };
            let path = files.path(Kind::Log);
            files.log().await?.reserve(end).await.trying("set space aside for", &path)
        })
        .await
    }

    /// Takes back all that is queued, since there is no room for it. Called by whoever may write.
    pub(super) async fn take_back_queued(&self, fault: &StorageFault) -> Result<(), StorageFault> {
        let (taken, from) = {
            let mut state = self.state.lock();
            (state.take_back_queued(fault), state.written)
        };
        let Some((leftovers, was_room)) = taken else { return Ok(()) };
        if was_room {
            tracing::warn!(directory = %self.directory.display(), %fault, "the disk is full; appends are refused");
        }
        self.clear_away(leftovers).await?;
        if let Some(progress) = self.progress.get() {
            progress.taken_back(from, fault);
        }
        Ok(())
    }

    async fn clear_away(&self, leftovers: Leftovers) -> Result<(), StorageFault> {
        if let Some(files) = &leftovers.segment {
            self.remove_segment(files).await?;
        }
        if let Some(snapshot) = &leftovers.snapshot {
            super::truncate::remove(&*self.disk, snapshot).await?;
        }
        let path = leftovers.active.path(Kind::Log);
        let file = leftovers.active.log().await?;
        leftovers.active.hold(file.clone());
        let is_longer = file.length().await.trying("measure", &path)? > leftovers.bytes;
        file.truncate(leftovers.bytes).await.trying("cut", &path)?;
        if is_longer {
            // Batches of a write that was done in part must not come back after a crash, once they are told to be lost.
            file.sync().await.trying("sync", &path)?;
        }
        for (path, bytes) in leftovers.indexes {
            let file = self.disk.open(&path, Open::Write).await.trying("open", &path)?;
            file.truncate(bytes).await.trying("cut", &path)?;
        }
        Ok(())
    }
}

impl State {
    /// Returns to what is written. `None` if nothing is queued (the log went offline meanwhile).
    fn take_back_queued(&mut self, fault: &StorageFault) -> Option<(Leftovers, bool)> {
        let (first, undos) = self.queue.take_back()?;
        if !sown::is(Bug::ProducersNotTakenBack) {
            undos.into_iter().rev().for_each(|undo| self.producers.take_back(undo));
        }
        self.recent.clear();
        self.end = self.written;
        // Segments behind the first chunk's exist only here.
        let at = self.segments.partition_point(|segment| segment.base <= first.segment);
        self.segments.truncate(at);
        let (mut gone, mut indexes) = (None, Vec::new());
        if let Some(roll) = first.roll {
            gone = self.segments.pop();
            if let Some(closed) = self.segment(roll.closes) {
                let surplus = closed.times.return_to(roll.times);
                indexes.extend(surplus.map(|bytes| (closed.files.path(Kind::TimeIndex), bytes)));
            }
        } else {
            indexes = self.active().return_to(&first.mark);
            let (bytes, base) = (first.mark.bytes, first.segment);
            // It was made for offsets that do not come now.
            if bytes == 0 && base > self.written && self.segments.len() > 1 {
                gone = self.segments.pop();
                self.snapshots.retain(|at| *at != base);
                indexes.clear();
            }
        }
        let written = self.written;
        if gone.is_some() {
            // With the next flush the names of its files are gone for good, before anything is durable in their place.
            self.names_changed += 1;
        }
        if let Some(epoch) = self.epochs.latest() {
            self.epochs_saved &= !self.epochs.truncate_from_end(written);
            self.assign_epoch(epoch, written);
        }
        let active = self.active();
        active.reserved = active.bytes;
        let (bytes, files) = (active.bytes, active.files.clone());
        debug_assert_eq!(active.written, bytes, "what is written stays");
        let was_room = self.room.take_back(written, fault);
        let is_orphan = |gone: &Segment| !self.snapshots.contains(&gone.base);
        let snapshot = gone.as_ref().filter(|gone| is_orphan(gone)).map(|gone| gone.files.path(Kind::Snapshot));
        let segment = gone.map(|segment| segment.files);
        Some((Leftovers { segment, snapshot, active: files, bytes, indexes }, was_room))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    fn full() -> StorageFault {
        let failed = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull));
        failed.trying("write", Path::new("x")).expect_err("an error")
    }

    #[test]
    fn the_door_is_shut_for_a_moment_that_grows() {
        let mut room = Room::default();
        let mut now = Timestamp(1_000_000);
        let mut moments = Vec::new();
        for _ in 0..7 {
            room.admit(now).expect("open");
            room.take_back(Offset(0), &full());
            let shut = (0..).find(|ms| room.admit(Timestamp(now.0 + ms)).is_ok()).expect("opens");
            moments.push(shut);
            now = Timestamp(now.0 + shut);
        }
        assert_eq!(moments, [50, 100, 200, 400, 800, 1600, 1600]);
        assert!(room.written());
        room.admit(now).expect("open");
        room.take_back(Offset(0), &full());
        assert!(room.admit(Timestamp(now.0 + 49)).is_err() && room.admit(Timestamp(now.0 - 1)).is_ok());
    }

    #[test]
    fn an_append_is_told_from_another_with_its_offset() {
        let mut room = Room::default();
        room.take_back(Offset(10), &full());
        // Before: 9 was written, 10 was not. After: the same offset again.
        assert!(!room.was_taken_back(Offset(9), 0) && room.was_taken_back(Offset(10), 0));
        assert!(!room.was_taken_back(Offset(10), 1));
        room.take_back(Offset(20), &full());
        assert!(room.was_taken_back(Offset(10), 0) && !room.was_taken_back(Offset(10), 1));
        assert!(room.was_taken_back(Offset(20), 1));
        for _ in 0..KNOWN_MAX {
            room.take_back(Offset(30), &full());
        }
        assert!(room.was_taken_back(Offset(9), 0), "no longer known");
    }
}
