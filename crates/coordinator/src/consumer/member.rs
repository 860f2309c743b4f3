//! A member of a consumer group: what it said about itself, and where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_types::Uuid;

use crate::request::Protocol;

/// Partitions by their topics, each with the epoch in which its holder got it (KIP-1251).
pub type Held = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a member that is no more.
pub(crate) const LEFT: i32 = -1;
/// The epoch of a static member that is away and will be back.
pub(crate) const AWAY: i32 = -2;

/// A member, under its id in the group.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Member {
    pub(crate) said: Subscription,
    pub(crate) standing: Standing,
}

/// What a member says about itself. Remembered whenever it says something new.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// Of a static member (KIP-345): the id that outlives its processes.
    pub instance: Option<Arc<str>>,
    /// Where it is, in the cluster's terms.
    pub rack: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// Where it is, as `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// Names of the topics that it reads.
    pub topics: Arc<BTreeSet<Arc<str>>>,
    /// And whatever topics this pattern matches; empty or `None` for no others.
    pub regex: Option<Arc<str>>,
    /// How long it may take to give partitions back, in milliseconds; −1 if it did not say.
    pub rebalance_timeout_ms: i32,
    /// The way of assignment that it wants.
    pub assignor: Option<Arc<str>>,
    /// Of a member that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What a member that speaks the classic protocol has said beyond that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassicMember {
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// The ways of assignment that it knows, the most wanted first.
    pub protocols: Vec<Protocol>,
}

/// Where a member stands on the way to its target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The epoch that it has reached; −2 for a static member that is away.
    pub epoch: i32,
    /// The epoch before: a member that missed an answer asks in that one.
    pub previous_epoch: i32,
    /// What it waits for.
    pub state: MemberState,
    /// What it may read.
    pub assigned: Held,
    /// What it has to give back.
    pub revoking: Held,
}

/// What a member waits for. Kafka's `MemberState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberState {
    /// Nothing: it has what its epoch grants.
    Stable,
    /// It has to give partitions back.
    Unrevoked,
    /// It waits for partitions that others still hold.
    Unreleased,
    /// A later version of the coordinator knew.
    Unknown,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            instance: None,
            rack: None,
            client_id: "".into(),
            client_host: "".into(),
            topics: Arc::default(),
            regex: Some("".into()),
            rebalance_timeout_ms: -1,
            assignor: None,
            classic: None,
        }
    }
}

impl Default for Standing {
    /// Of one that has just come.
    fn default() -> Self {
        Self { epoch: 0, previous_epoch: -1, state: MemberState::Stable, assigned: Held::new(), revoking: Held::new() }
    }
}

impl Subscription {
    /// The pattern, if there is one.
    pub(crate) fn pattern(&self) -> Option<&Arc<str>> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// How long it may take to give partitions back.
    pub(crate) fn rebalance_timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.rebalance_timeout_ms).unwrap_or(0))
    }
}

impl Standing {
    /// Whether it has all that `epoch` grants it.
    pub(crate) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// The epoch in which it got a partition that it has, or has to give back.
    pub(crate) fn holds_since(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let within = |held: &Held| held.get(&topic)?.get(&partition).copied();
        within(&self.assigned).or_else(|| within(&self.revoking))
    }
}

impl MemberState {
    /// The state with that number.
    #[must_use]
    pub const fn from_raw(raw: i8) -> Self {
        match raw {
            0 => Self::Stable,
            1 => Self::Unrevoked,
            2 => Self::Unreleased,
            _ => Self::Unknown,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn raw(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::Unrevoked => 1,
            Self::Unreleased => 2,
            Self::Unknown => 127,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_states_are_those_of_the_records() {
        for state in [MemberState::Stable, MemberState::Unrevoked, MemberState::Unreleased, MemberState::Unknown] {
            assert_eq!(MemberState::from_raw(state.raw()), state);
        }
        assert_eq!(MemberState::from_raw(3), MemberState::Unknown);
    }
}
