//! Classic groups of consumers that become groups of the consumer protocol, and the other way round (KIP-848).

use std::sync::Arc;

use bytes::Bytes;
use ottla_types::{ErrorCode, Timestamp};

use super::member::Member;
use super::{ClassicGroup, State};
use crate::fact::Fact;
use crate::request::{Joined, Protocol, Reply, Synced};
use crate::turn::Turn;

/// A consumer that speaks the classic protocol, as both kinds of group know it.
pub(crate) struct ClassicConsumer {
    pub(crate) id: Arc<str>,
    pub(crate) instance: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) session_timeout: std::time::Duration,
    pub(crate) rebalance_timeout: std::time::Duration,
    pub(crate) protocols: Vec<Protocol>,
}

impl ClassicGroup {
    /// The generation, which becomes the epoch.
    pub(crate) const fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether everybody has what the last round gave them.
    pub(crate) fn is_stable(&self) -> bool {
        self.state == State::Stable
    }

    /// How many members there are.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// The members, each with what it says about the way of assignment, and what it is assigned.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = (ClassicConsumer, Bytes, Bytes)> {
        let protocol = self.protocol.clone().or_else(|| self.vote()).unwrap_or_else(|| "".into());
        self.members.iter().map(move |(id, member)| {
            let consumer = ClassicConsumer {
                id: id.clone(),
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout: member.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                protocols: member.protocols.clone(),
            };
            (consumer, member.metadata(&protocol), member.assignment.clone())
        })
    }

    /// The group ends here, for another of the same members: whoever waits is to join again, and no time runs any more.
    pub(crate) fn retire(&mut self, turn: &mut Turn<'_>) {
        let error = ErrorCode::RebalanceInProgress;
        for (id, member) in &mut self.members {
            if let Some(request) = member.joining.take() {
                turn.reply(request, Reply::JoinGroup(Joined::refused(error, id.clone())));
            }
            if let Some(request) = member.syncing.take() {
                turn.reply(request, Reply::SyncGroup(Synced::refused(error)));
            }
        }
        for id in self.members.keys().chain(&self.pending) {
            turn.cancel(&self.session(id));
        }
        turn.cancel(&self.join_timer());
        turn.cancel(&self.sync_timer());
    }

    /// A stable group of these consumers. What each is assigned is told by `assignment`, from what it says about the way
    /// that they choose.
    pub(crate) fn from_consumers(
        id: Arc<str>,
        turn: &mut Turn<'_>,
        generation: i32,
        consumers: Vec<ClassicConsumer>,
        assignment: impl Fn(&Arc<str>, &Bytes) -> Bytes,
    ) -> Self {
        let mut group = Self::new(id, turn.now.date);
        group.state = State::Stable;
        group.generation = generation;
        group.protocol_type = Some("consumer".into());
        for consumer in consumers {
            if let Some(instance) = &consumer.instance {
                group.statics.insert(instance.clone(), consumer.id.clone());
            }
            let member = Member {
                instance: consumer.instance,
                client_id: consumer.client_id,
                client_host: consumer.client_host,
                session_timeout: consumer.session_timeout,
                rebalance_timeout: consumer.rebalance_timeout,
                protocols: consumer.protocols,
                assignment: Bytes::new(),
                joining: None,
                syncing: None,
                is_new: false,
            };
            group.members.insert(consumer.id, member);
        }
        group.leader = group.members.keys().next().cloned();
        group.protocol = group.vote();
        group.subscribed = group.subscriptions();
        let protocol = group.protocol.clone().unwrap_or_else(|| "".into());
        for (id, member) in &mut group.members {
            member.assignment = assignment(id, &member.metadata(&protocol));
        }
        let members: Vec<_> = group.members.keys().cloned().collect();
        members.iter().for_each(|member| group.heard_of(turn, member));
        group
    }

    /// The group as it is to be remembered.
    pub(crate) fn picture(&self) -> Fact {
        self.fact()
    }

    /// Has everybody join again; also if the round is lost with the coordinator.
    pub(crate) fn begin_remembered_round(&mut self, turn: &mut Turn<'_>) {
        self.since = Timestamp::NONE;
        turn.remember(self.fact());
        self.rebalance(turn);
    }
}
