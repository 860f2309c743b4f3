//! What openraft keeps its log in: a [`Journal`] on disk, the vote beside it, and the newest entries in memory.
//!
//! openraft asks for three things that are easy to break, and here is how they hold.
//! - *Votes and appends are one ordered stream of durable writes.* Every call writes and syncs before it returns, and
//!   openraft makes the next only then. So an append's callback is called before `append` returns; that costs a leader
//!   of several nodes the overlap of its own sync with the followers', which a quorum of one does not miss.
//! - *What was appended can be read when `append` returns*, for it is in the tail in memory or in the journal, and both
//!   change under one lock.
//! - *No holes*: an append must follow on the last entry, and cutting is from the end or of whole segments from the
//!   front.
//!
//! A log that does not begin at index 0 begins with the last entry that was purged: it is kept for its term, and never
//! shown. So no file beside the log says how far it was purged, and none can disagree with it.
//!
//! The committed index is not saved. A restarted node knows it again once a leader of a new term has committed its blank
//! entry, and this node announces nothing before that (see [`crate::Standing`]).

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use ottla_metadata::Position;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::batch::{Stored, malformed};
use crate::fault::FirstFault;
use crate::journal::Journal;
use crate::raft::{Entry, LogId, Types, Vote, log_id, position};
use crate::vote::VoteFile;
use crate::{QuorumFault, entry};

/// How many bytes of entries stay in memory. The newest entry stays whatever its size.
const TAIL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The log store. Clones are the same store.
#[derive(Clone)]
pub(crate) struct LogStore {
    directory: PathBuf,
    state: Arc<Mutex<State>>,
    faults: FirstFault,
    /// Set when the node stops: nobody waits for a full device to have room any more.
    stopping: Arc<watch::Sender<bool>>,
}

/// The log, and what is known of it without reading. The entries that exist for openraft are those behind `purged`, up
/// to and with `last`.
struct State {
    journal: Journal,
    vote_file: VoteFile,
    vote: Option<Vote>,
    purged: Option<LogId>,
    /// The index of the first entry that may be read: the one behind `purged`.
    first: u64,
    /// The last entry, or `purged` if there is none.
    last: Option<LogId>,
    tail: Tail,
    /// Whether an empty log takes any index first. openraft's tests begin at 1; a log that is used begins at 0.
    begins_anywhere: bool,
}

impl LogStore {
    /// Takes over a journal and checks that vote and log fit each other.
    pub(crate) async fn open(
        mut journal: Journal,
        vote_file: VoteFile,
        directory: &Path,
        faults: FirstFault,
    ) -> Result<Self, QuorumFault> {
        let (start, end) = (journal.start(), journal.end());
        let mut ends = Vec::new();
        for index in [start, end.saturating_sub(1)] {
            let stored = if index < end { journal.read(index, index + 1).await?.pop() } else { None };
            ends.push(stored.map(|stored| log_id(stored.term, stored.index)));
        }
        let last = ends.pop().flatten();
        let purged = ends.pop().flatten().filter(|_| start > 0);
        let vote = vote_file.read().await?;
        check_vote(&vote_file, vote.as_ref(), last.as_ref())?;
        let (first, tail) = (purged.as_ref().map_or(0, |purged| purged.index() + 1), Tail::default());
        let state = State { journal, vote_file, vote, purged, first, last, tail, begins_anywhere: false };
        let (directory, state) = (directory.to_owned(), Arc::new(Mutex::new(state)));
        Ok(Self { directory, state, faults, stopping: Arc::new(watch::Sender::new(false)) })
    }

    /// Writes what the journal still holds back and lets go of it. Nothing may be appended after that.
    pub(crate) async fn close(&self) -> Result<(), QuorumFault> {
        self.state.lock().await.journal.close().await
    }

    /// The store as openraft's tests want it.
    #[cfg(test)]
    pub(crate) async fn that_begins_anywhere(self) -> Self {
        self.state.lock().await.begins_anywhere = true;
        self
    }

    async fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }

    /// Passes an answer on to openraft, and keeps the fault.
    fn told<T>(&self, answer: Result<T, QuorumFault>) -> Result<T, io::Error> {
        answer.map_err(|fault| self.faults.report(fault))
    }

    fn fault(&self, what: String) -> QuorumFault {
        QuorumFault::Log { directory: self.directory.clone(), what }
    }

    async fn append_durably(&self, entries: Vec<Entry>) -> Result<(), QuorumFault> {
        let mut state = self.lock().await;
        let mut stored = Vec::with_capacity(entries.len());
        let mut expected = state.last.as_ref().map_or(0, |last| last.index() + 1);
        if state.begins_anywhere && state.last.is_none() {
            expected = state.begin_at(entries.first()).await?;
        }
        for entry in &entries {
            let Position { term, index } = position(&entry.log_id);
            if index != expected {
                return Err(self.fault(format!("entry {index} is appended where {expected} comes next")));
            }
            expected += 1;
            stored.push(Stored { index, term, value: entry::encode(&entry.payload).into() });
        }
        self.append_when_there_is_room(&mut state.journal, &stored).await?;
        for (entry, stored) in entries.into_iter().zip(&stored) {
            state.last = Some(entry.log_id);
            state.tail.push(entry, stored.value.len());
        }
        Ok(())
    }

    /// Sees to it that an entry of so many bytes will find room. A fault that says that there is none means that nothing
    /// has happened; what else is wrong, the append will meet.
    pub(crate) async fn set_aside(&self, bytes: usize) -> Result<(), QuorumFault> {
        match self.lock().await.journal.set_aside(bytes).await {
            Err(fault) if fault.is_full() => Err(fault),
            _ => Ok(()),
        }
    }

    /// The node stops: who waits for room gives up.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.send_replace(true);
    }

    /// What openraft appends cannot be refused any more. Where no space could be set aside for it, and there is none, it
    /// waits: nothing else is written meanwhile, and nothing is lost.
    async fn append_when_there_is_room(&self, journal: &mut Journal, stored: &[Stored]) -> Result<(), QuorumFault> {
        let mut stopping = self.stopping.subscribe();
        let mut told = false;
        loop {
            let end = journal.end();
            let left = stored.iter().position(|entry| entry.index >= end).unwrap_or(stored.len());
            match journal.append(&stored[left..]).await {
                Err(fault) if fault.is_full() && !*stopping.borrow() => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%fault, "the metadata log waits for room");
                    }
                }
                answer => return answer,
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = journal.pause() => {}
            }
        }
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<Entry>, QuorumFault> {
        let mut state = self.lock().await;
        let from = from.max(state.first);
        let to = to.min(state.last.as_ref().map_or(0, |last| last.index() + 1));
        if from >= to {
            return Ok(Vec::new());
        }
        if let Some(entries) = state.tail.read(from, to) {
            return Ok(entries);
        }
        let stored = state.journal.read(from, to).await?;
        if stored.len() as u64 != to - from {
            return Err(self.fault(format!("{} entries where {from} to {to} were asked for", stored.len())));
        }
        stored.into_iter().map(|stored| self.decode(&stored)).collect()
    }

    fn decode(&self, stored: &Stored) -> Result<Entry, QuorumFault> {
        let payload = entry::decode(&stored.value).map_err(|source| QuorumFault::Entry {
            directory: self.directory.clone(),
            index: stored.index,
            source,
        })?;
        let payload =
            payload.ok_or_else(|| malformed(&self.directory, stored.index, "a boundary within the log".to_owned()))?;
        Ok(Entry { log_id: log_id(stored.term, stored.index), payload })
    }

    async fn cut_behind(&self, last: Option<LogId>) -> Result<(), QuorumFault> {
        let mut state = self.lock().await;
        let end = last.as_ref().map_or(0, |last| last.index() + 1);
        if state.last.as_ref().is_none_or(|now| now.index() < end) {
            return Ok(());
        }
        if end < state.first {
            return Err(self.fault(format!("the log is to be cut at {end}, in what was purged")));
        }
        state.journal.truncate(end).await?;
        state.tail.cut_behind(end);
        state.last = last;
        Ok(())
    }

    async fn forget_up_to(&self, upto: LogId) -> Result<(), QuorumFault> {
        let mut state = self.lock().await;
        if state.purged.as_ref() >= Some(&upto) {
            return Ok(());
        }
        if state.last.as_ref().is_none_or(|last| last.index() < upto.index()) {
            // A snapshot from a leader reaches beyond the log: nothing of it is left but the boundary.
            let Position { term, index } = position(&upto);
            state.journal.reset(Stored { index, term, value: entry::encode_boundary().into() }).await?;
            state.tail = Tail::default();
            state.last = Some(upto);
        } else {
            state.journal.forget_before(upto.index()).await?;
            state.tail.forget_up_to(upto.index());
        }
        state.first = upto.index() + 1;
        state.purged = Some(upto);
        Ok(())
    }
}

impl State {
    /// Lets an empty log begin at an entry that is not the first of all; answers its index.
    async fn begin_at(&mut self, first: Option<&Entry>) -> Result<u64, QuorumFault> {
        let index = first.map_or(0, |entry| entry.log_id.index());
        if let Some(before) = index.checked_sub(1) {
            self.journal.reset(Stored { index: before, term: 0, value: entry::encode_boundary().into() }).await?;
            self.first = index;
        }
        Ok(index)
    }
}

/// A vote is saved before an entry of its term is appended, so it is never behind the log.
fn check_vote(file: &VoteFile, vote: Option<&Vote>, last: Option<&LogId>) -> Result<(), QuorumFault> {
    let fault = |what| Err(QuorumFault::Vote { path: file.path(), what });
    let log_term = last.map_or(0, |last| position(last).term);
    match vote {
        None if log_term > 0 => fault(format!("the file is missing, but the log has entries of term {log_term}")),
        Some(vote) if vote.leader_id.term < log_term => {
            let term = vote.leader_id.term;
            fault(format!("a vote of term {term}, but the log has entries of term {log_term}; an old copy?"))
        }
        _ => Ok(()),
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        self.told(self.read(from, to).await)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.lock().await.vote)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let state = self.lock().await;
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let mut state = self.lock().await;
        self.told(state.vote_file.save(vote).await)?;
        state.vote = Some(*vote);
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().collect();
        self.told(self.append_durably(entries).await)?;
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.told(self.cut_behind(last_log_id).await)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.told(self.forget_up_to(log_id).await)
    }
}

/// The newest entries, without gaps, up to the last of the log.
#[derive(Default)]
struct Tail {
    /// Each with the size of its value in bytes.
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, entry: Entry, size: usize) {
        self.bytes += size;
        self.entries.push_back((entry, size));
        while self.bytes > TAIL_BYTES_MAX && self.entries.len() > 1 {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some((_, size)) = self.entries.pop_front() {
            self.bytes -= size;
        }
    }

    fn first(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.log_id.index())
    }

    /// The entries from `from` to before `to`, if all of them are here.
    fn read(&self, from: u64, to: u64) -> Option<Vec<Entry>> {
        let skip = usize::try_from(from.checked_sub(self.first()?)?).ok()?;
        let count = usize::try_from(to - from).ok()?;
        (skip + count <= self.entries.len())
            .then(|| self.entries.range(skip..skip + count).map(|(entry, _)| entry.clone()).collect())
    }

    /// Drops the entries from `end` on.
    fn cut_behind(&mut self, end: u64) {
        while self.entries.back().is_some_and(|(entry, _)| entry.log_id.index() >= end) {
            if let Some((_, size)) = self.entries.pop_back() {
                self.bytes -= size;
            }
        }
    }

    /// Drops the entries up to and with `index`.
    fn forget_up_to(&mut self, index: u64) {
        while self.first().is_some_and(|first| first <= index) {
            self.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::storage::RaftLogStorageExt as _;
    use ottla_storage::disk::Disk as _;
    use ottla_storage::disk::simulated::{Faults, SimulatedDisk};

    use super::*;
    use crate::raft::{LeaderId, Payload};

    const DIRECTORY: &str = "/d";

    /// Segments of about five entries.
    async fn open(disk: &Arc<SimulatedDisk>) -> LogStore {
        let executor = tokio::runtime::Handle::current();
        let clock = ottla_runtime::system::runtime(executor.clone(), executor).clock;
        let directory = Path::new(DIRECTORY);
        disk.create_directory(directory).wait().expect("made");
        let journal = Journal::open(disk.clone(), directory, 400, 0, clock).await.expect("opened");
        let vote_file = VoteFile::new(disk.clone(), directory);
        LogStore::open(journal, vote_file, directory, FirstFault::default()).await.expect("fits")
    }

    async fn filled(disk: &Arc<SimulatedDisk>) -> LogStore {
        let mut store = open(disk).await;
        let vote = Vote { leader_id: LeaderId { term: 3, voted_for: 1 }, committed: true };
        store.save_vote(&vote).await.expect("saved");
        let entries = (0..20).map(|index| Entry { log_id: log_id(1 + index / 7, index), payload: Payload::Blank });
        store.blocking_append(entries).await.expect("appended");
        store
    }

    fn indexes(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.log_id.index()).collect()
    }

    #[tokio::test]
    async fn a_restart_after_a_purge_shows_all_that_was_not_purged() {
        for upto in 0..20 {
            let disk = SimulatedDisk::new(1);
            let mut store = filled(&disk).await;
            store.purge(log_id(1 + upto / 7, upto)).await.expect("purged");
            let left: Vec<u64> = (upto + 1..20).collect();
            assert_eq!(indexes(&store.try_get_log_entries(0..).await.expect("read")), left);
            let mut store = open(&disk).await;
            let state = store.get_log_state().await.expect("known");
            assert_eq!(state.last_log_id, Some(log_id(3, 19)));
            let purged = state.last_purged_log_id.map_or(0, |purged| purged.index());
            assert!(purged <= upto, "{purged} is purged where {upto} was asked for");
            assert!(upto < 10 || purged > 0, "nothing of {upto} was purged");
            let entries = store.try_get_log_entries(upto + 1..).await.expect("read");
            assert_eq!(indexes(&entries), left);
        }
    }

    #[tokio::test]
    async fn a_purge_beyond_the_end_begins_anew_and_is_known_after_a_restart() {
        let disk = SimulatedDisk::new(1);
        filled(&disk).await.purge(log_id(3, 50)).await.expect("purged");
        let mut store = open(&disk).await;
        let state = store.get_log_state().await.expect("known");
        assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(3, 50)), Some(log_id(3, 50))));
        assert_eq!(store.try_get_log_entries(0..).await.expect("read"), []);
        let next = Entry { log_id: log_id(3, 51), payload: Payload::Blank };
        store.blocking_append([next.clone()]).await.expect("appended");
        assert_eq!(open(&disk).await.try_get_log_entries(0..).await.expect("read"), [next]);
    }

    #[tokio::test]
    async fn a_hole_is_refused() {
        let mut store = filled(&SimulatedDisk::new(1)).await;
        let beyond = Entry { log_id: log_id(3, 21), payload: Payload::Blank };
        let refused = store.append([beyond], IOFlushed::noop()).await.expect_err("a hole");
        assert!(refused.to_string().contains("entry 21 is appended where 20 comes next"), "{refused}");
    }

    #[tokio::test]
    async fn a_cut_is_there_after_a_restart_and_appends_follow_on_it() {
        for keep in 0_u64..20 {
            let disk = SimulatedDisk::new(1);
            let mut store = filled(&disk).await;
            let last = keep.checked_sub(1).map(|last| log_id(1 + last / 7, last));
            store.truncate_after(last).await.expect("cut");
            let next = Entry { log_id: log_id(3, keep), payload: Payload::Blank };
            store.blocking_append([next]).await.expect("appended");
            disk.crash();
            let entries = open(&disk).await.try_get_log_entries(0..).await.expect("read");
            assert_eq!(indexes(&entries), (0..=keep).collect::<Vec<_>>());
            assert_eq!(entries.last().map(|entry| entry.log_id), Some(log_id(3, keep)));
        }
    }

    #[test]
    fn the_tail_keeps_to_its_bytes_and_answers_only_what_it_holds() {
        let entry = |index| Entry { log_id: log_id(1, index), payload: Payload::Blank };
        let mut tail = Tail::default();
        for index in 0..10 {
            tail.push(entry(index), TAIL_BYTES_MAX / 4);
        }
        assert_eq!(tail.first(), Some(6));
        assert_eq!(tail.read(5, 7), None);
        assert_eq!(indexes(&tail.read(6, 10).expect("held")), [6, 7, 8, 9]);
        assert_eq!(tail.read(9, 11), None);
        tail.push(entry(10), TAIL_BYTES_MAX * 2);
        assert_eq!((tail.first(), tail.entries.len()), (Some(10), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_openraft_appends_waits_for_room_and_gives_up_when_the_node_stops() {
        for room_comes in [true, false] {
            let disk = SimulatedDisk::new(1);
            let store = filled(&disk).await;
            let end = store.lock().await.journal.end();
            disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
            // More than a segment has left, so that some find room and others do not.
            let entries = (20..30).map(|index| Entry { log_id: log_id(3, index), payload: Payload::Blank }).collect();
            let appending = tokio::spawn({
                let store = store.clone();
                async move { store.append_durably(entries).await }
            });
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            assert!(!appending.is_finished());
            if room_comes {
                disk.set_faults(Faults::default());
                appending.await.expect("no panic").expect("there is room");
                assert_eq!(store.lock().await.journal.end(), end + 10);
                assert_eq!(indexes(&store.read(15, 30).await.expect("readable")), (15..30).collect::<Vec<_>>());
            } else {
                store.stop_waiting();
                let fault = appending.await.expect("no panic").expect_err("it gives up");
                assert!(fault.is_full(), "{fault}");
            }
        }
    }
}
