//! A client of one protocol or the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordinator::{Reply, Request};

use super::classic::Phase;
use super::{classic, consumer};

/// A client. Groups `g…` are classic, groups `c…` are of the consumer protocol.
pub(super) enum Client {
    Classic(classic::Client),
    Consumer(consumer::Client),
}

impl Client {
    /// Whether it does nothing.
    pub(super) fn is_out(&self) -> bool {
        match self {
            Self::Classic(client) => client.phase == Phase::Out,
            Self::Consumer(client) => client.is_out(),
        }
    }

    pub(super) fn group(&self) -> &Arc<str> {
        match self {
            Self::Classic(client) => &client.group,
            Self::Consumer(client) => &client.group,
        }
    }

    /// Who it is to others: a static member that comes back owns what its former self did.
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Self::Classic(client) => client.instance.as_ref().unwrap_or(&client.member),
            Self::Consumer(client) => client.instance.as_ref().unwrap_or(&client.member),
        }
    }

    /// The generation or epoch that it is in, and what it has there.
    pub(super) fn works(&self) -> Option<(i32, &BTreeSet<u8>)> {
        match self {
            Self::Classic(client) => match &client.phase {
                Phase::Works(partitions) => Some((client.generation, partitions)),
                _ => None,
            },
            Self::Consumer(client) => client.works(),
        }
    }

    pub(super) fn begin(&mut self) {
        match self {
            Self::Classic(client) => client.phase = Phase::Joins,
            Self::Consumer(client) => client.begin(),
        }
    }

    /// Its process ends.
    pub(super) fn end(&mut self) {
        match self {
            Self::Classic(client) => client.end(),
            Self::Consumer(client) => client.end(),
        }
    }

    pub(super) fn change(&mut self) {
        match self {
            Self::Classic(client) => client.change(),
            Self::Consumer(client) => client.change(),
        }
    }

    /// An answer did not come.
    pub(super) fn lost_answer(&mut self) {
        match self {
            Self::Classic(_) => {}
            // It may have held an assignment: whoever says everything is told everything.
            Self::Consumer(client) => client.change(),
        }
    }

    /// What it asks for next. `offset` is what it would commit, `fresh` a random number.
    pub(super) fn request(&self, commits: bool, offset: i64, fresh: u128) -> Option<Request> {
        match self {
            Self::Classic(client) => client.request(commits, offset, fresh),
            Self::Consumer(client) => client.request(commits, offset),
        }
    }

    pub(super) fn leave(&self) -> Option<Request> {
        match self {
            Self::Classic(client) => client.leave(),
            Self::Consumer(client) => client.leave(),
        }
    }

    /// Takes an answer. Whether it has partitions since then.
    pub(super) fn take(&mut self, reply: Reply) -> bool {
        match self {
            Self::Classic(client) => client.take(reply),
            Self::Consumer(client) => client.take(reply),
        }
    }
}
