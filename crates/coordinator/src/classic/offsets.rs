//! What a classic group has to say about its offsets: who may commit them, which are in use, since when they are not.

use std::collections::BTreeSet;

use ottla_types::{ErrorCode, Timestamp};
use ottla_wire::records::client::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_wire::{Reader, Record as _};

use super::{ClassicGroup, State};
use crate::turn::Turn;

/// What the members of a group of consumers agree about.
const CONSUMER: &str = "consumer";

impl ClassicGroup {
    /// Whether a commit is legal; if it is a member's, that shows that it is alive.
    pub(crate) fn check_commit(
        &self,
        turn: &mut Turn<'_>,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation < 0 && member.is_empty() && instance.is_none() {
            // A client of the oldest kind, or a tool, where members are at work.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check(member, instance)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.heard_of(turn, &member.into());
        Ok(())
    }

    /// Whether its members are consumers, as far as is known.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether a member reads the topic. Consumers that cannot be asked might.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.is_of_consumers(), |topics| topics.contains(topic))
    }

    /// From when on an offset that nobody reads is old; `None` if it is not to be forgotten now.
    pub(crate) fn offsets_age_since(&self, committed_at: Timestamp) -> Option<Timestamp> {
        if self.protocol_type.is_none() {
            return Some(committed_at);
        }
        match self.state {
            State::Empty if self.since == Timestamp::NONE => Some(committed_at),
            State::Empty => Some(self.since),
            State::Stable if self.is_of_consumers() && self.subscribed.is_some() => Some(committed_at),
            State::Stable | State::PreparingRebalance | State::CompletingRebalance => None,
        }
    }

    /// Whether there is no more to it, if it has no offsets either.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.state == State::Empty
    }

    /// What its members read, as far as they are consumers and say so in a way that is understood.
    pub(super) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        let protocol = self.protocol.as_deref();
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(protocol?);
            let mut reader = Reader::new(&metadata);
            // All versions begin as the first one does.
            let first = reader.i16().and_then(|_| ConsumerProtocolSubscription::decode(&mut reader, 0));
            topics.extend(first.ok()?.topics);
        }
        Some(topics)
    }
}
