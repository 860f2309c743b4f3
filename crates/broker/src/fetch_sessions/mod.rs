//! Fetch sessions (KIP-227): clients that follow many partitions name them once, and then send and get only what changed.
//!
//! ```text
//!   request                          what the broker does                             answer
//!   epoch −1, or an old version      ends the session that it names, if any           all, session 0
//!   epoch 0                          the same, then makes a session, if it has room   all, session id or 0
//!   id, epoch n                      changes the session as the request says          what changed, the id
//! ```
//! n begins at 1 and counts up with each request; a request that is not the next one is refused with
//! INVALID_FETCH_SESSION_EPOCH, an id that is unknown or was given up with FETCH_SESSION_ID_NOT_FOUND, and one that
//! turns from names of topics to ids or back with FETCH_SESSION_TOPIC_ID_ERROR; the client begins anew with epoch 0.
//!
//! What changed is a matter of [`session`], which also keeps the order in which partitions are served. How many sessions
//! there are and which of them goes for a newcomer is a matter of [`cache`]. This file is what is not pure: the cache in
//! shards, each behind a short lock, and the guard that puts a session back. `handlers/fetch` uses them.
//!
//! Differences to Kafka: shards are as many as the slots allow, so that fewer slots than eight are of use; of two
//! requests with one session at a time the second is refused, not the first; a session of more than
//! [`PARTITIONS_MAX`] partitions is not kept.

mod cache;
mod session;
#[cfg(test)]
mod tests;
mod topics;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_types::{ErrorCode, Instant};
use parking_lot::Mutex;

use cache::Cache;
pub(crate) use cache::{Claim, Newcomer, SessionId};
pub(crate) use session::{Found, Place, Session, Wanted};

/// Most shards that the cache is made of; Kafka's number.
const SHARDS_MAX: usize = 8;

/// Most partitions that a session may have. A cluster's worth for one client, and what keeps a client from filling the
/// memory with partitions that do not exist.
pub(crate) const PARTITIONS_MAX: usize = 200_000;

/// The sessions of a broker. `H` is what the owner keeps at each partition.
#[derive(Debug)]
pub(crate) struct FetchSessions<H> {
    /// A session's id leads to its shard: id mod the number of shards.
    shards: Box<[Mutex<Cache<H>>]>,
    /// Where the next new session goes.
    next: AtomicUsize,
}

/// How much the sessions are (Kafka's `FetchSessionCache` metrics).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) sessions: usize,
    /// Those that the sessions had when they were last used.
    pub(crate) partitions: usize,
    /// Sessions that were given up for others since the start.
    pub(crate) evictions: u64,
}

/// A session in the hands of a request. Dropped it goes back, also when the request is given up half-way.
#[derive(Debug)]
pub(crate) struct Taken<'a, H> {
    shard: &'a Mutex<Cache<H>>,
    claim: Claim,
    /// There until it goes back.
    session: Option<Box<Session<H>>>,
}

impl<H> FetchSessions<H> {
    /// Up to `slots` sessions.
    pub(crate) fn new(slots: usize) -> Self {
        let shards = SHARDS_MAX.min(slots).max(1);
        let share = |shard| slots / shards + usize::from(shard < slots % shards);
        let shards = (0..shards).map(|shard| Mutex::new(Cache::new(share(shard)))).collect();
        Self { shards, next: AtomicUsize::new(0) }
    }

    /// The session that an incremental request claims.
    pub(crate) fn take(&self, claim: Claim, now: Instant) -> Result<Taken<'_, H>, ErrorCode> {
        let shard = self.shard_of(claim.id);
        let session = shard.lock().take(claim, now)?;
        Ok(Taken { shard, claim, session: Some(session) })
    }

    /// Keeps a new session, if there is room or something worth less; else hands it back. `random` are bits to make an id
    /// of.
    pub(crate) fn open(
        &self,
        now: Instant,
        newcomer: Newcomer,
        session: Box<Session<H>>,
        random: u64,
    ) -> Result<Taken<'_, H>, Box<Session<H>>> {
        if session.len() > PARTITIONS_MAX {
            return Err(session);
        }
        let shards = self.shards.len();
        let number = self.next.fetch_add(1, Ordering::Relaxed) % shards;
        let mut ids = ids(random, number, shards);
        let shard = &self.shards[number];
        let candidate = || ids.next().expect("they never end");
        let opened = shard.lock().open(now, newcomer, session.len(), candidate);
        match opened {
            Some(id) => {
                let claim = Claim { id, epoch: 0, by_id: newcomer.by_id };
                Ok(Taken { shard, claim, session: Some(session) })
            }
            None => Err(session),
        }
    }

    /// Ends a session, if there is one of that id.
    pub(crate) fn remove(&self, id: SessionId) {
        self.shard_of(id).lock().remove(id);
    }

    /// What the sessions come to at this moment.
    pub(crate) fn counts(&self) -> Counts {
        self.shards.iter().fold(Counts::default(), |sum, shard| {
            let shard = shard.lock();
            Counts {
                sessions: sum.sessions + shard.len(),
                partitions: sum.partitions + shard.partitions(),
                evictions: sum.evictions + shard.evictions(),
            }
        })
    }

    fn shard_of(&self, id: SessionId) -> &Mutex<Cache<H>> {
        &self.shards[id.unsigned_abs() as usize % self.shards.len()]
    }
}

/// Positive numbers that lead to one shard, from a random one on.
fn ids(random: u64, shard: usize, shards: usize) -> impl Iterator<Item = SessionId> {
    let (shard, shards) = (shard as u64, shards as u64);
    let rows = i32::MAX as u64 / shards;
    (0..).map(move |step: u64| {
        let row = (random % rows + step) % rows;
        SessionId::try_from(row * shards + shard).expect("below rows times shards")
    })
}

impl<H> Taken<'_, H> {
    /// Its id.
    pub(crate) const fn id(&self) -> SessionId {
        self.claim.id
    }

    /// Ends it: the session is the caller's.
    pub(crate) fn end(mut self) -> Box<Session<H>> {
        self.shard.lock().remove(self.claim.id);
        self.session.take().expect("it goes back only when this is dropped")
    }
}

impl<H> Deref for Taken<'_, H> {
    type Target = Session<H>;

    fn deref(&self) -> &Session<H> {
        self.session.as_ref().expect("it goes back only when this is dropped")
    }
}

impl<H> DerefMut for Taken<'_, H> {
    fn deref_mut(&mut self) -> &mut Session<H> {
        self.session.as_mut().expect("it goes back only when this is dropped")
    }
}

impl<H> Drop for Taken<'_, H> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.shard.lock().put_back(self.claim.id, self.claim.epoch, session);
        }
    }
}
