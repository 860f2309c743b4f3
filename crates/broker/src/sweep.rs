//! Which connections are closed from this side: idle ones, those too many, those that hold memory that others need.
//!
//! Only the choice, from what is observed; `connections.rs` observes, and closes.

use std::fmt;
use std::time::Duration;

use ottla_types::Instant;

/// How long a peer may leave a request unfinished without sending more of it, while others wait for its memory.
const STALL: Duration = Duration::from_secs(5);
/// What it has to send of it in a second at least, on the average since it began and after [`STALL`].
const PACE_BYTES: u64 = 16 * 1024;

/// A connection at a glance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) id: u64,
    /// When bytes last came or went.
    pub(crate) active_at: Instant,
    /// Whether the broker works for it: then it is not idle, whatever the time.
    pub(crate) at_work: bool,
    /// Memory that it holds for a request that is not whole yet, in bytes; 0 while there is none.
    pub(crate) unfinished: u64,
    /// When that request began.
    pub(crate) unfinished_since: Instant,
    /// Whether it may be closed to make room for others.
    pub(crate) spared: bool,
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// Nothing happened for `connections.max.idle.ms`.
    Idle,
    /// More than `max.connections` are open, and this one was idle for longest.
    Excess,
    /// It holds memory for a request that does not come on, and others wait for memory.
    Stalled,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "nothing happened on it for connections.max.idle.ms",
            Self::Excess => "brokers took more connections than max.connections, and it was idle for longest",
            Self::Stalled => "its request did not come on, and others waited for the memory",
        })
    }
}

/// What the choice depends on beside the connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) now: Instant,
    /// `connections.max.idle.ms`; `None` keeps idle connections.
    pub(crate) idle_max: Option<Duration>,
    /// Connections beyond `max.connections`.
    pub(crate) excess: usize,
    /// Whether requests wait for memory.
    pub(crate) pressed: bool,
}

/// The connections to close, and why.
pub(crate) fn choose(situation: Situation, open: &[Observed]) -> Vec<(u64, Reason)> {
    let Situation { now, idle_max, excess, pressed } = situation;
    let mut chosen = Vec::new();
    let mut others = Vec::new();
    for one in open {
        let quiet = now.since(one.active_at);
        if !one.at_work && idle_max.is_some_and(|max| quiet >= max) {
            chosen.push((one.id, Reason::Idle));
        } else if pressed && is_stalled(now, one) {
            chosen.push((one.id, Reason::Stalled));
        } else if !one.spared {
            others.push(one);
        }
    }
    others.sort_by_key(|one| (one.active_at, one.id));
    let too_many = excess.saturating_sub(chosen.len());
    chosen.extend(others.iter().take(too_many).map(|one| (one.id, Reason::Excess)));
    chosen
}

fn is_stalled(now: Instant, one: &Observed) -> bool {
    if one.unfinished == 0 {
        return false;
    }
    let age = now.since(one.unfinished_since);
    now.since(one.active_at) >= STALL || (age >= STALL && one.unfinished / age.as_secs().max(1) < PACE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Situation = Situation { now: at(100), idle_max: None, excess: 0, pressed: false };

    const fn at(seconds: u64) -> Instant {
        Instant::after_start(Duration::from_secs(seconds))
    }

    const fn seen(id: u64, active: u64) -> Observed {
        Observed { id, active_at: at(active), at_work: false, unfinished: 0, unfinished_since: at(0), spared: false }
    }

    #[test]
    fn idle_ones_are_closed_unless_the_broker_works_for_them() {
        let open = [seen(1, 90), seen(2, 91), Observed { at_work: true, ..seen(3, 0) }];
        let idle_max = Some(Duration::from_secs(10));
        assert_eq!(choose(Situation { idle_max, ..CALM }, &open), [(1, Reason::Idle)]);
        assert_eq!(choose(CALM, &open), []);
    }

    #[test]
    fn of_too_many_those_idle_for_longest_go_but_not_the_brokers() {
        let open = [seen(1, 50), seen(2, 40), Observed { spared: true, ..seen(3, 10) }, seen(4, 60)];
        assert_eq!(choose(Situation { excess: 2, ..CALM }, &open), [(2, Reason::Excess), (1, Reason::Excess)]);
        assert_eq!(choose(Situation { excess: 9, ..CALM }, &open).len(), 3);
    }

    #[test]
    fn an_unfinished_request_gives_up_its_memory_only_when_others_wait_and_it_does_not_come_on() {
        let fast = Observed { unfinished: 50 << 20, unfinished_since: at(50), ..seen(1, 100) };
        let silent = Observed { active_at: at(95), ..fast };
        let trickle = Observed { unfinished: 100 << 10, unfinished_since: at(50), ..seen(3, 100) };
        let new = Observed { unfinished: 100, unfinished_since: at(96), ..seen(4, 96) };
        let open = [fast, Observed { id: 2, ..silent }, trickle, new];
        assert_eq!(choose(CALM, &open), []);
        let pressed = choose(Situation { pressed: true, ..CALM }, &open);
        assert_eq!(pressed, [(2, Reason::Stalled), (3, Reason::Stalled)]);
    }
}
