//! Which fetch sessions there are: bounded, each with its epoch, the least valuable given up for a better one.
//!
//! Pure: time and random numbers are arguments. A request *takes* its session out and *puts it back*, so that reading,
//! which waits, holds no lock; until then the cache keeps only its number and its epoch. A session that was given up
//! meanwhile is not taken back.
//!
//! A newcomer may displace a session (Kafka's rules, KIP-227):
//! 1. that nobody has used for [`EVICTION_MS`], the longest unused first;
//! 2. else the least valuable of those that may go: a client's before a follower's, then the one with fewer partitions.
//!    It must be worth less than the newcomer, and, unless it is a client's and the newcomer a follower's, it must have
//!    been in use for [`EVICTION_MS`]: a session costs its client a full request, so none goes right after it was made.

use std::collections::HashMap;
use std::time::Duration;

use ottla_types::{ErrorCode, Instant};

use super::session::Session;

/// How long a session is left alone: Kafka's `min.incremental.fetch.session.eviction.ms`, which is no setting.
pub(crate) const EVICTION_MS: u64 = 120_000;
const EVICTION: Duration = Duration::from_millis(EVICTION_MS);

/// A session's number; 0 stands for none.
pub(crate) type SessionId = i32;

/// What an incremental request says of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) id: SessionId,
    /// Counted up with each request.
    pub(crate) epoch: i32,
    /// Whether the request names topics by id.
    pub(crate) by_id: bool,
}

/// Who a session is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Newcomer {
    /// A follower, whose session is worth more than a client's.
    pub(crate) privileged: bool,
    /// Whether its requests name topics by id: they must go on to.
    pub(crate) by_id: bool,
}

#[derive(Debug)]
struct Entry<H> {
    /// What the next request must say.
    epoch: i32,
    privileged: bool,
    by_id: bool,
    created: Instant,
    used: Instant,
    /// Its partitions when it was last here.
    partitions: usize,
    /// `None` while a request has it.
    session: Option<Box<Session<H>>>,
}

/// The sessions of one shard.
#[derive(Debug)]
pub(crate) struct Cache<H> {
    slots: usize,
    sessions: HashMap<SessionId, Entry<H>>,
    evictions: u64,
}

impl<H> Cache<H> {
    /// A cache that holds up to `slots` sessions.
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, sessions: HashMap::new(), evictions: 0 }
    }

    /// Hands a session to the request that claims it, and expects the next epoch from now on. Two requests of one
    /// session at a time break the protocol: the second is refused, whatever its epoch.
    pub(crate) fn take(&mut self, claim: Claim, now: Instant) -> Result<Box<Session<H>>, ErrorCode> {
        let entry = self.sessions.get_mut(&claim.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if entry.epoch != claim.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if entry.by_id != claim.by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let session = entry.session.take().ok_or(ErrorCode::InvalidFetchSessionEpoch)?;
        entry.epoch = next_epoch(entry.epoch);
        entry.used = now;
        Ok(session)
    }

    /// Takes a session back from the request that claimed it with `epoch`.
    pub(crate) fn put_back(&mut self, id: SessionId, epoch: i32, session: Box<Session<H>>) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        // Another session may have got the number of one that was given up.
        if entry.session.is_none() && entry.epoch == next_epoch(epoch) {
            entry.partitions = session.len();
            entry.session = Some(session);
        }
    }

    /// Makes a place for a new session of so many partitions, if there is room or something worth less. The session itself
    /// is put back with epoch 0 when its first answer is made. `candidate` yields numbers to try, without end.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        newcomer: Newcomer,
        partitions: usize,
        mut candidate: impl FnMut() -> SessionId,
    ) -> Option<SessionId> {
        if self.sessions.len() >= self.slots {
            let leaver = self.leaver(now, newcomer.privileged, partitions)?;
            self.sessions.remove(&leaver);
            self.evictions += 1;
        }
        let id = loop {
            let id = candidate();
            if id != 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let Newcomer { privileged, by_id } = newcomer;
        let epoch = next_epoch(0);
        let entry = Entry { epoch, privileged, by_id, created: now, used: now, partitions, session: None };
        self.sessions.insert(id, entry);
        Some(id)
    }

    /// Whom to give up for a newcomer. Looks at all: there are at most `slots`, and only a full cache asks.
    fn leaver(&self, now: Instant, privileged: bool, partitions: usize) -> Option<SessionId> {
        let (id, longest_unused) = self.sessions.iter().min_by_key(|(id, entry)| (entry.used, **id))?;
        if now - longest_unused.used > EVICTION {
            return Some(*id);
        }
        let settled = |entry: &Entry<H>| entry.used - entry.created > EVICTION;
        let may_go = |entry: &Entry<H>| settled(entry) || (privileged && !entry.privileged);
        let value = |entry: &Entry<H>| (entry.privileged, entry.partitions);
        let candidates = self.sessions.iter().filter(|(_, entry)| may_go(entry));
        let (id, least) = candidates.min_by_key(|(id, entry)| (value(entry), **id))?;
        (value(least) < (privileged, partitions)).then_some(*id)
    }

    /// Gives a session up.
    pub(crate) fn remove(&mut self, id: SessionId) {
        self.sessions.remove(&id);
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How many partitions they had when they were last used.
    pub(crate) fn partitions(&self) -> usize {
        self.sessions.values().map(|entry| entry.partitions).sum()
    }

    /// How many were given up for others so far.
    pub(crate) fn evictions(&self) -> u64 {
        self.evictions
    }
}

/// What the request after this one must say: 0 stands for a new session.
const fn next_epoch(epoch: i32) -> i32 {
    match epoch.checked_add(1) {
        Some(next) => next,
        None => 1,
    }
}
