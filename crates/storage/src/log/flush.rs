//! Flush: from the file to the device, and the names of files with them.
//!
//! A flush covers what was written when it was submitted. Which bytes of which segment that is, it keeps with it, so
//! that several may be under way at a time. Flushes that many logs share are in `crate::flush`.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_types::Offset;

use super::{Log, State};
use crate::disk::Submitted;
use crate::fault::{StorageFault, Trying};
use crate::segment::Kind;
use crate::sown::{self, Bug};

/// A flush that was submitted: all its syncs are under way.
#[must_use = "a flush counts when it is finished"]
pub struct Flush {
    log: Arc<Log>,
    /// Of a file or a directory each.
    syncs: Vec<(PathBuf, Submitted<()>)>,
    /// Each segment's bytes that are durable once the syncs are done.
    segments: Vec<(Offset, u64)>,
    target: Offset,
    cuts: u64,
    names: u64,
    finished: bool,
}

impl Log {
    /// Makes durable what is written by now; answers the offset below which everything is. Several at a time are fine.
    pub async fn flush(&self) -> Result<Offset, StorageFault> {
        self.submit_flush()?.finish().await
    }

    /// Submits the syncs of a flush without awaiting one: of every segment with unsynced bytes, and of the directory
    /// if a file was made in it.
    pub fn submit_flush(&self) -> Result<Flush, StorageFault> {
        let mut state = self.state.lock();
        if let Some(fault) = &state.offline {
            return Err(fault.clone());
        }
        state.is_dirty = false;
        let mut files = Vec::new();
        let mut segments = Vec::new();
        for segment in state.segments.iter().rev().filter(|segment| segment.created) {
            if segment.is_dirty() {
                let file = segment.files.open_log().expect("the log of a segment with unsynced bytes is held");
                files.push((segment.files.path(Kind::Log), file));
                segments.push((segment.base, segment.written));
            }
            // Not before: a cut syncs the segment that it leaves, and none of those below.
            if segment.base <= state.flushed {
                break;
            }
        }
        let (target, cuts, names) = (state.written, state.cuts, state.names_changed);
        let sync_names = names > state.names_synced && !sown::is(Bug::NoDirectorySync);
        let sync_parent = sync_names && state.names_synced == 0;
        drop(state);
        if sown::is(Bug::NoFlush) {
            files.clear();
        }
        let mut syncs: Vec<_> = files.into_iter().map(|(path, file)| (path, file.sync())).collect();
        if sync_names {
            syncs.push((self.directory.to_path_buf(), self.disk.sync_directory(&self.directory)));
        }
        if let Some(parent) = self.directory.parent().filter(|_| sync_parent) {
            syncs.push((parent.to_path_buf(), self.disk.sync_directory(parent)));
        }
        Ok(Flush { log: self.arc(), syncs, segments, target, cuts, names, finished: false })
    }
}

impl Flush {
    /// A flush of what is written that submits no sync: its caller sees to all of it, names included, before it finishes.
    pub(super) fn covering(log: &Arc<Log>, state: &mut State) -> Self {
        state.is_dirty = false;
        let unflushed = state.segments.iter().filter(|segment| segment.created && segment.is_dirty());
        let segments = unflushed.map(|segment| (segment.base, segment.written)).collect();
        let (target, cuts, names) = (state.written, state.cuts, state.names_changed);
        Self { log: log.clone(), syncs: Vec::new(), segments, target, cuts, names, finished: false }
    }

    /// Whether there is anything that a sync would make durable.
    pub(super) fn is_needed(&self) -> bool {
        !self.segments.is_empty() || self.names > self.log.state.lock().names_synced
    }

    /// Awaits the syncs. Answers the offset below which everything is durable.
    pub async fn finish(mut self) -> Result<Offset, StorageFault> {
        for (path, sync) in std::mem::take(&mut self.syncs) {
            if let Err(fault) = sync.await.trying("sync", &path)
                && !sown::is(Bug::FailedSyncIgnored)
            {
                self.finished = true;
                return Err(self.log.take_offline(fault));
            }
        }
        self.finished = true;
        let flushed = self.log.state.lock().was_flushed(&self);
        if let Some(progress) = self.log.progress.get() {
            progress.flushed(flushed);
        }
        Ok(flushed)
    }
}

impl State {
    fn was_flushed(&mut self, flush: &Flush) -> Offset {
        // Cut meanwhile: what was synced may be gone, and other bytes in its place.
        if self.cuts == flush.cuts {
            let active = self.active().base;
            for (base, bytes) in &flush.segments {
                let Some(segment) = self.segment(*base) else { continue };
                // Compaction may have put a shorter one in its place.
                segment.flushed = segment.flushed.max((*bytes).min(segment.written));
                if segment.base != active && segment.flushed == segment.bytes {
                    segment.files.release();
                }
            }
            self.names_synced = self.names_synced.max(flush.names);
            self.flushed = self.flushed.max(flush.target);
        }
        self.flushed
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // Nothing is known of the syncs; whoever flushes next does them again.
        let newly_dirty = !std::mem::replace(&mut self.log.state.lock().is_dirty, true);
        if let Some(dirty_logs) = self.log.dirty_logs.get().filter(|_| newly_dirty) {
            dirty_logs.add(Some(Arc::downgrade(&self.log)), 0);
        }
    }
}

impl std::fmt::Debug for Flush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flush({} up to {})", self.log.directory.display(), self.target)
    }
}
