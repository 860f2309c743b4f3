//! The connections that are open: how one is let in, what is known of it, and how it is closed from this side.
//!
//! Who may connect is decided in `connection_quota.rs`, whom to close in `sweep.rs`; what a connection does is
//! `connection/`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_runtime::Clock;
use ottla_types::Instant;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::connection_quota::{Admission, ConnectionQuota};
use crate::memory::Memory;
use crate::seldom::Seldom;
use crate::settings::Settings;
use crate::sweep::{self, Observed, Reason, Situation};

/// How often it is looked for connections to close, at most.
const SWEEP: Duration = Duration::from_secs(1);
/// How often refused connections are told of.
const TELL_REFUSED: Duration = Duration::from_secs(10);

/// All connections of a broker.
pub(crate) struct Connections {
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    state: Mutex<State>,
    /// A connection ended, or the limits changed.
    room: Notify,
    /// Their tasks.
    pub(crate) tasks: TaskTracker,
    pub(crate) memory: Arc<Memory>,
    refused: Seldom,
    unread: Seldom,
    counts: Counts,
}

struct State {
    quota: ConnectionQuota,
    /// The settings that the quota knows.
    followed: Arc<BrokerConfig>,
    open: BTreeMap<u64, Arc<Peer>>,
    next: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    closed_idle: AtomicU64,
    closed_excess: AtomicU64,
    closed_stalled: AtomicU64,
}

/// Why connections were closed from this side, in the order of [`Census::closed`].
pub(crate) const CLOSED_BECAUSE: [&str; 3] = ["idle", "excess", "stalled"];

/// Who is connected, and what happened so far.
#[derive(Debug)]
pub(crate) struct Census {
    pub(crate) by_listener: BTreeMap<Arc<str>, usize>,
    /// Those that told, by listener and software.
    pub(crate) by_software: BTreeMap<(Arc<str>, Software), usize>,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) closed: [u64; 3],
}

/// One connection, as others know it.
pub(crate) struct Peer {
    /// Its number in this run of the broker.
    pub(crate) id: u64,
    /// The listener that it came in on.
    pub(crate) listener: Arc<str>,
    /// The other end; an IPv4 address that came over IPv6 is written as IPv4.
    pub(crate) address: SocketAddr,
    /// The client's software and its version, once ApiVersions told (KIP-511).
    pub(crate) software: OnceLock<Software>,
    clock: Arc<dyn Clock>,
    /// When bytes last came or went, in microseconds since the start.
    active_us: AtomicU64,
    /// Whether the broker works for it.
    at_work: AtomicU64,
    /// Bytes that it holds for an unfinished request, and when that began.
    unfinished: AtomicU64,
    unfinished_since_us: AtomicU64,
    hang_up: Notify,
}

/// What a client says that it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Software {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// An open connection's place among them. Dropped, it is free for another.
pub(crate) struct Place {
    pub(crate) peer: Arc<Peer>,
    home: Arc<Connections>,
}

impl Connections {
    pub(crate) fn new(clock: Arc<dyn Clock>, settings: Arc<Settings>, memory: Arc<Memory>) -> Self {
        let followed = Arc::clone(&settings.present());
        let quota = ConnectionQuota::new(followed.connections.clone());
        let state = State { quota, followed, open: BTreeMap::new(), next: 0 };
        Self {
            settings,
            refused: Seldom::every(TELL_REFUSED),
            unread: Seldom::every(TELL_REFUSED),
            clock,
            state: Mutex::new(state),
            room: Notify::new(),
            tasks: TaskTracker::new(),
            memory,
            counts: Counts::default(),
        }
    }

    /// Takes over limits that were changed while the broker runs.
    fn follow_settings(&self) {
        let present = self.settings.present();
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.followed, &present) {
            state.followed = Arc::clone(&present);
            state.quota.set_limits(present.connections.clone());
            drop(state);
            self.room.notify_waiters();
        }
    }

    /// Lets a connection in, perhaps after a wait; `None` if its address has as many as it may have.
    pub(crate) async fn admit(self: &Arc<Self>, listener: &Arc<str>, address: SocketAddr) -> Option<Place> {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        loop {
            let room = self.room.notified();
            let now = self.clock.now();
            self.follow_settings();
            match self.admit_now(now, listener, address) {
                Ok(place) => return Some(place),
                Err(Admission::Refuse { limit }) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    self.tell_refused(now, address.ip(), limit);
                    return None;
                }
                Err(Admission::Wait { until: Some(until) }) => tokio::select! {
                    biased;
                    () = room => {}
                    () = self.clock.sleep_until(until) => {}
                },
                Err(_) => room.await,
            }
        }
    }

    fn admit_now(self: &Arc<Self>, now: Instant, listener: &Arc<str>, address: SocketAddr) -> Result<Place, Admission> {
        let mut state = self.state.lock();
        match state.quota.admit(now, listener, address.ip()) {
            Admission::Serve => {}
            other => return Err(other),
        }
        let id = state.next;
        state.next += 1;
        let peer = Arc::new(Peer::new(id, listener.clone(), address, self.clock.clone()));
        state.open.insert(id, peer.clone());
        drop(state);
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Place { peer, home: self.clone() })
    }

    fn tell_refused(&self, now: Instant, address: IpAddr, limit: u32) {
        if let Some(untold) = self.refused.ask(now) {
            warn!(%address, limit, untold, "connection refused: max.connections.per.ip");
        }
    }

    /// An answer had to be broken off, since the disk did not give its records.
    pub(crate) fn tell_unread(&self, fault: &dyn std::fmt::Display) {
        if let Some(untold) = self.unread.ask(self.clock.now()) {
            error!(%fault, untold, "connection ended in the middle of an answer");
        }
    }

    /// Looks for connections to close until `stop`.
    pub(crate) async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            // An idle time shorter than the usual interval is looked at as often as it needs.
            let idle_max = self.settings.present().connections.idle_max;
            let pause = idle_max.map_or(SWEEP, |max| SWEEP.min(max / 2)).max(Duration::from_millis(10));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.clock.sleep_until(self.clock.now() + pause) => {}
            }
            self.follow_settings();
            for (id, reason) in self.to_close() {
                self.close(id, reason);
            }
        }
    }

    fn to_close(&self) -> Vec<(u64, Reason)> {
        let pressed = self.memory.fill().waiting > 0;
        let idle_max = self.settings.present().connections.idle_max;
        let state = self.state.lock();
        let excess = state.quota.excess();
        if idle_max.is_none() && excess == 0 && !pressed {
            return Vec::new();
        }
        let open: Vec<_> = state.open.values().map(|peer| peer.observed(&state.quota)).collect();
        drop(state);
        sweep::choose(Situation { now: self.clock.now(), idle_max, excess, pressed }, &open)
    }

    /// Counts.
    pub(crate) fn census(&self) -> Census {
        let (mut by_listener, mut by_software) = (BTreeMap::new(), BTreeMap::new());
        for peer in self.state.lock().open.values() {
            *by_listener.entry(peer.listener.clone()).or_default() += 1;
            if let Some(software) = peer.software.get() {
                *by_software.entry((peer.listener.clone(), software.clone())).or_default() += 1;
            }
        }
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { accepted, refused, closed_idle, closed_excess, closed_stalled } = &self.counts;
        let closed = [closed_idle, closed_excess, closed_stalled].map(read);
        Census { by_listener, by_software, accepted: read(accepted), refused: read(refused), closed }
    }

    fn close(&self, id: u64, reason: Reason) {
        let Some(peer) = self.state.lock().open.get(&id).cloned() else { return };
        let count = match reason {
            Reason::Idle => &self.counts.closed_idle,
            Reason::Excess => &self.counts.closed_excess,
            Reason::Stalled => &self.counts.closed_stalled,
        };
        count.fetch_add(1, Ordering::Relaxed);
        debug!(peer = %peer.address, %reason, "connection is closed");
        peer.hang_up.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.home.state.lock();
        state.open.remove(&self.peer.id);
        state.quota.leave(&self.peer.listener, self.peer.address.ip());
        drop(state);
        self.home.memory.settle(self.peer.id);
        self.home.room.notify_waiters();
    }
}

impl Peer {
    fn new(id: u64, listener: Arc<str>, address: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        let now = micros(clock.now());
        Self {
            id,
            listener,
            address,
            software: OnceLock::new(),
            clock,
            active_us: AtomicU64::new(now),
            at_work: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
            unfinished_since_us: AtomicU64::new(now),
            hang_up: Notify::new(),
        }
    }

    /// Bytes came or went. Returns the time that was noted.
    pub(crate) fn touch(&self) -> Instant {
        let now = self.clock.now();
        self.active_us.store(micros(now), Ordering::Relaxed);
        now
    }

    /// Whether the broker works for it from now on.
    pub(crate) fn set_at_work(&self, at_work: bool) {
        self.at_work.store(u64::from(at_work), Ordering::Relaxed);
    }

    /// How much memory it holds for a request that its peer is sending; 0 when there is none, or while it waits for more
    /// memory itself.
    pub(crate) fn set_unfinished(&self, bytes: u64) {
        if self.unfinished.swap(bytes, Ordering::Relaxed) == 0 && bytes > 0 {
            self.unfinished_since_us.store(micros(self.touch()), Ordering::Relaxed);
        }
    }

    /// Completes when it is to be closed.
    pub(crate) async fn closed(&self) {
        self.hang_up.notified().await;
    }

    fn observed(&self, quota: &ConnectionQuota) -> Observed {
        let instant = |us: &AtomicU64| Instant::after_start(Duration::from_micros(us.load(Ordering::Relaxed)));
        Observed {
            id: self.id,
            active_at: instant(&self.active_us),
            at_work: self.at_work.load(Ordering::Relaxed) != 0,
            unfinished: self.unfinished.load(Ordering::Relaxed),
            unfinished_since: instant(&self.unfinished_since_us),
            spared: quota.is_protected(&self.listener),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} of {} on {}", self.id, self.address, self.listener)
    }
}

fn micros(at: Instant) -> u64 {
    u64::try_from(at.since_start().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use ottla_runtime::{TokioClock, WallClock};
    use ottla_types::Timestamp;

    use super::*;

    struct NoCalendar;

    impl WallClock for NoCalendar {
        fn wall(&self, _since_start: Duration) -> Timestamp {
            Timestamp::NONE
        }
    }

    /// A connection from port `id` of this computer. To be called with an executor entered.
    pub(crate) fn peer(id: u16) -> Arc<Peer> {
        let clock = Arc::new(TokioClock::start(NoCalendar));
        Arc::new(Peer::new(id.into(), "PLAINTEXT".into(), ([127, 0, 0, 1], id).into(), clock))
    }
}
