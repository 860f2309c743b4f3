//! A client of the classic protocol that follows it: joins, assigns if it leads, asks for its assignment, works.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_coordinator::{
    CommitPartition, CommitTopic, Heartbeat, JoinGroup, Joined, LeaveGroup, Leaver, OffsetCommit, Protocol, Reply,
    Request, SyncGroup,
};
use ottla_types::{ErrorCode, Uuid};

/// The topic that all read.
pub(super) const TOPIC: &str = "t";
/// How many partitions it has.
pub(super) const PARTITIONS: u8 = 5;
/// How long a client may be silent, and how long a static one may: that is there to outlive a round.
const SESSIONS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(45)];
/// How long a client may take to join again.
const REBALANCE: Duration = Duration::from_secs(20);

/// What a client does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nothing: it is not at work.
    Out,
    /// It joins.
    Joins,
    /// It asks for its assignment; as leader with what it assigned.
    Syncs(Vec<(Arc<str>, Bytes)>),
    /// It works on its partitions.
    Works(BTreeSet<u8>),
}

/// A client.
pub(super) struct Client {
    pub(super) group: Arc<str>,
    /// Its instance id, if it is static.
    pub(super) instance: Option<Arc<str>>,
    /// Whether it knows the newest versions of the protocol or the first ones.
    is_new: bool,
    pub(super) member: Arc<str>,
    pub(super) generation: i32,
    pub(super) phase: Phase,
    /// What it says to the leader; another number is something new.
    says: u8,
}

impl Client {
    /// Every third client is static, every fourth one is old, and two of them believe to be the same.
    pub(super) fn new(index: usize, group: Arc<str>) -> Self {
        let instance = index.is_multiple_of(3).then(|| format!("i{}", index % 6).into());
        let member = "".into();
        Self { group, instance, is_new: index % 4 != 3, member, generation: -1, phase: Phase::Out, says: 0 }
    }

    /// Its process ends.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Out;
        self.member = "".into();
    }

    pub(super) fn change(&mut self) {
        if matches!(self.phase, Phase::Works(_)) {
            self.says = self.says.wrapping_add(1);
            self.phase = Phase::Joins;
        }
    }

    /// What it asks for next. `offset` is what it would commit, `fresh` a random number.
    pub(super) fn request(&self, commits: bool, offset: i64, fresh: u128) -> Option<Request> {
        let (group, member, instance) = (self.group.clone(), self.member.clone(), self.instance.clone());
        let generation = self.generation;
        Some(match &self.phase {
            Phase::Out => return None,
            Phase::Joins => Request::JoinGroup(JoinGroup {
                group,
                member,
                instance,
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout: SESSIONS[usize::from(self.instance.is_some())],
                rebalance_timeout: REBALANCE,
                protocol_type: "consumer".into(),
                protocols: vec![Protocol {
                    name: "range".into(),
                    metadata: Bytes::copy_from_slice(&[0, 0, self.says]),
                }],
                wants_member_id: self.is_new,
                may_skip_assignment: self.is_new,
                fresh: Uuid(fresh.to_be_bytes()),
            }),
            Phase::Syncs(assignments) => Request::SyncGroup(SyncGroup {
                group,
                generation,
                member,
                instance,
                protocol_type: None,
                protocol: None,
                assignments: assignments.clone(),
            }),
            Phase::Works(partitions) => match partitions.first() {
                Some(partition) if commits => {
                    let index = i32::from(*partition);
                    let partitions = vec![CommitPartition { index, offset, leader_epoch: -1, metadata: "".into() }];
                    let topics = vec![CommitTopic { name: TOPIC.into(), id: Uuid::ZERO, partitions }];
                    let (knows_missing_groups, retention) = (self.is_new, None);
                    let commit =
                        OffsetCommit { group, generation, member, instance, knows_missing_groups, retention, topics };
                    Request::OffsetCommit(commit)
                }
                _ => Request::Heartbeat(Heartbeat { group, generation, member, instance }),
            },
        })
    }

    /// Its farewell. A client that has no id yet goes without one.
    pub(super) fn leave(&self) -> Option<Request> {
        let leaver = Leaver { member: self.member.clone(), instance: self.instance.clone() };
        let leave = LeaveGroup { group: self.group.clone(), members: vec![leaver] };
        (!self.member.is_empty()).then_some(Request::LeaveGroup(leave))
    }

    /// Takes an answer, and does what the protocol says. Whether it has partitions of this generation since then.
    pub(super) fn take(&mut self, reply: Reply) -> bool {
        match reply {
            Reply::JoinGroup(Joined {
                error: ErrorCode::None,
                generation,
                leader,
                member,
                members,
                skip_assignment,
                ..
            }) => {
                let leads = leader == member && !skip_assignment;
                let assignments = if leads { assign(members.iter().map(|member| &member.member)) } else { Vec::new() };
                (self.generation, self.member) = (generation, member);
                self.phase = Phase::Syncs(assignments);
            }
            Reply::JoinGroup(Joined { error: ErrorCode::MemberIdRequired, member, .. }) => self.member = member,
            Reply::JoinGroup(Joined { error, .. }) => self.refused(error),
            Reply::SyncGroup(synced) if synced.error == ErrorCode::None => {
                self.phase = Phase::Works(synced.assignment.iter().copied().collect());
                return true;
            }
            Reply::SyncGroup(synced) => self.refused(synced.error),
            Reply::Heartbeat(error) | Reply::OffsetCommit(Err(error)) if error != ErrorCode::None => {
                self.refused(error)
            }
            _ => {}
        }
        false
    }

    fn refused(&mut self, error: ErrorCode) {
        match error {
            // It asks again.
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => {}
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => self.phase = Phase::Joins,
            ErrorCode::FencedInstanceId => self.end(),
            _ => {
                self.member = "".into();
                self.phase = Phase::Joins;
            }
        }
    }
}

/// Every partition to somebody, in turn.
fn assign<'a>(members: impl Iterator<Item = &'a Arc<str>>) -> Vec<(Arc<str>, Bytes)> {
    let members: Vec<_> = members.cloned().collect();
    let count = members.len().max(1);
    let of = |index| (0..PARTITIONS).filter(move |partition| usize::from(*partition) % count == index).collect();
    members.into_iter().enumerate().map(|(index, member)| (member, of(index))).collect()
}
