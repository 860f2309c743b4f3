//! A client of the classic protocol that follows it: joins, assigns if it leads, asks for its assignment, works.
//!
//! Some give everything back whenever they join again; others keep what they have until they are told that it is another's
//! (KIP-429). Whoever leads respects that: what somebody still has goes to nobody else in this round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_coordinator::{
    CommitPartition, CommitTopic, Heartbeat, JoinGroup, Joined, JoinedMember, LeaveGroup, Leaver, OffsetCommit,
    Protocol, Reply, Request, SyncGroup,
};
use ottla_metadata::Image;
use ottla_types::{ErrorCode, Uuid};
use ottla_wire::framing::{read_versioned_leniently, write_versioned};
use ottla_wire::records::client::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use ottla_wire::records::client::consumer_protocol_subscription::{self as subscription, ConsumerProtocolSubscription};

use super::client::{Place, Taken};
use super::reads::{Partition, Partitions, Reads, partitions};

/// How long a client may be silent, and how long a static one may: that is there to outlive a round.
const SESSIONS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(45)];
/// How long a client may take to join again.
const REBALANCE: Duration = Duration::from_secs(20);

/// What a client does next.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    /// It joins.
    Joins,
    /// It asks for its assignment; as leader with what it assigned.
    Syncs(Vec<(Arc<str>, Bytes)>),
    /// It works on its partitions.
    Works,
}

/// A client, from its beginning to its end.
pub(super) struct Client {
    place: Place,
    /// Whether it knows the newest versions of the protocol or the first ones.
    is_new: bool,
    /// Whether it keeps its partitions when it joins again.
    keeps: bool,
    /// Whether it joins again when topics changed: if a member leads, any; if the coordinator assigns, its own.
    follows_topics: bool,
    member: Arc<str>,
    generation: i32,
    phase: Phase,
    owned: Partitions,
    pub(super) reads: Reads,
    /// The names of topics for which it joined.
    names: BTreeSet<Arc<str>>,
    /// What it says to the leader beside that; another number is something new.
    says: u8,
    /// Whether a member of the group leads, and not the coordinator.
    has_leader: bool,
    /// Which topics it knew when it joined, as a place in the metadata log; `None` if the assignment may be older.
    knew: Option<u64>,
}

impl Client {
    pub(super) fn new(index: usize, place: Place, reads: Reads, follows_topics: bool) -> Self {
        let is_new = index % 4 != 3;
        // Who comes back under its name does not know any longer what it had, and could not give it back.
        let keeps = is_new && index % 3 == 1;
        Self {
            place,
            is_new,
            keeps,
            follows_topics,
            member: "".into(),
            generation: -1,
            phase: Phase::Joins,
            owned: Partitions::new(),
            reads,
            names: BTreeSet::new(),
            says: 0,
            has_leader: false,
            knew: None,
        }
    }

    pub(super) const fn member(&self) -> &Arc<str> {
        &self.member
    }

    /// The generation that it is in, and what it has there.
    pub(super) fn works(&self) -> Option<(i32, &Partitions)> {
        (self.phase == Phase::Works).then_some((self.generation, &self.owned))
    }

    /// It has something new to say.
    pub(super) fn change(&mut self, reads: Reads) {
        if self.phase == Phase::Works {
            self.reads = reads;
            self.says = self.says.wrapping_add(1);
            self.joins();
        }
    }

    /// Topics may have changed since it joined, and whoever leads has not seen that.
    pub(super) fn look_at(&mut self, image: &Image) {
        if self.follows_topics && self.knew != Some(image.position().index) {
            self.change(self.reads);
        }
    }

    fn joins(&mut self) {
        self.phase = Phase::Joins;
        if !self.keeps {
            self.owned.clear();
        }
    }

    /// What it asks for next. `offset` is what it would commit, `fresh` a random number.
    pub(super) fn request(&mut self, commits: bool, offset: i64, fresh: u128, image: &Image) -> Request {
        if self.has_leader || self.names != self.reads.names(image) {
            self.look_at(image);
        }
        let (Place { group, instance }, member) = (self.place.clone(), self.member.clone());
        let generation = self.generation;
        match &self.phase {
            Phase::Joins => {
                let may_be_older = self.member.is_empty() && self.place.instance.is_some();
                self.names = self.reads.names(image);
                self.knew = (!may_be_older).then_some(image.position().index);
                Request::JoinGroup(self.join(fresh, image))
            }
            Phase::Syncs(assignments) => Request::SyncGroup(SyncGroup {
                group,
                generation,
                member,
                instance,
                protocol_type: None,
                protocol: None,
                assignments: assignments.clone(),
            }),
            Phase::Works => {
                let known = |(id, index): &Partition| Some((image.topic_by_id(*id)?.name.as_str().into(), *index));
                if let Some((name, index)) = self.owned.first().filter(|_| commits).and_then(known) {
                    let partitions = vec![CommitPartition { index, offset, leader_epoch: -1, metadata: "".into() }];
                    let topics = vec![CommitTopic { name, id: Uuid::ZERO, partitions }];
                    let (knows_missing_groups, retention) = (self.is_new, None);
                    let commit =
                        OffsetCommit { group, generation, member, instance, knows_missing_groups, retention, topics };
                    return Request::OffsetCommit(commit);
                }
                Request::Heartbeat(Heartbeat { group, generation, member, instance })
            }
        }
    }

    fn join(&self, fresh: u128, image: &Image) -> JoinGroup {
        let mut owned = BTreeMap::<Uuid, Vec<i32>>::new();
        self.owned.iter().for_each(|(topic, index)| owned.entry(*topic).or_default().push(*index));
        let topic = |(id, partitions)| {
            let topic = image.topic_by_id(id)?.name.as_str().to_owned();
            Some(subscription::TopicPartition { topic, partitions })
        };
        let says = ConsumerProtocolSubscription {
            topics: self.names.iter().map(|name| (**name).to_owned()).collect(),
            user_data: Some(Bytes::copy_from_slice(&[self.says])),
            owned_partitions: owned.into_iter().filter_map(topic).collect(),
            generation_id: -1,
            rack_id: None,
        };
        let metadata = write_versioned(&says, if self.is_new { 1 } else { 0 }).expect("names are short").into();
        JoinGroup {
            group: self.place.group.clone(),
            member: self.member.clone(),
            instance: self.place.instance.clone(),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: SESSIONS[usize::from(self.place.instance.is_some())],
            rebalance_timeout: REBALANCE,
            protocol_type: "consumer".into(),
            protocols: vec![Protocol { name: "range".into(), metadata }],
            wants_member_id: self.is_new,
            may_skip_assignment: self.is_new,
            fresh: Uuid(fresh.to_be_bytes()),
        }
    }

    /// Its farewell. A client that has no id yet goes without one.
    pub(super) fn leave(&self) -> Option<Request> {
        let leaver = Leaver { member: self.member.clone(), instance: self.place.instance.clone() };
        let leave = LeaveGroup { group: self.place.group.clone(), members: vec![leaver] };
        (!self.member.is_empty()).then_some(Request::LeaveGroup(leave))
    }

    /// Takes an answer, and does what the protocol says. `asked` are the topics as they were when it asked, `image` as they
    /// are now.
    pub(super) fn take(&mut self, reply: Reply, asked: &Image, image: &Image) -> Taken {
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
                let assignments = if leads { assign(&members, image) } else { Vec::new() };
                if leads {
                    self.knew = Some(asked.position().index);
                }
                self.has_leader = !leader.is_empty();
                (self.generation, self.member) = (generation, member);
                self.phase = Phase::Syncs(assignments);
            }
            Reply::JoinGroup(Joined { error: ErrorCode::MemberIdRequired, member, .. }) => self.member = member,
            Reply::JoinGroup(Joined { error, .. }) => return self.refused(error),
            Reply::SyncGroup(synced) if synced.error == ErrorCode::None => {
                let assigned = read(&synced.assignment, asked);
                let is_less = self.owned.difference(&assigned).next().is_some();
                self.owned = assigned;
                self.phase = Phase::Works;
                if self.keeps && is_less {
                    // It has given back what others wait for.
                    self.joins();
                }
                return Taken::Partitions;
            }
            Reply::SyncGroup(synced) => return self.refused(synced.error),
            Reply::Heartbeat(error) | Reply::OffsetCommit(Err(error)) if error != ErrorCode::None => {
                return self.refused(error);
            }
            _ => {}
        }
        Taken::Nothing
    }

    fn refused(&mut self, error: ErrorCode) -> Taken {
        match error {
            // It asks again.
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => return Taken::Nothing,
            ErrorCode::RebalanceInProgress => {
                self.joins();
                return Taken::Nothing;
            }
            ErrorCode::IllegalGeneration => {
                self.owned.clear();
                self.joins();
                return Taken::Nothing;
            }
            ErrorCode::FencedInstanceId => return Taken::Fenced,
            ErrorCode::InconsistentGroupProtocol => return Taken::Refused(error),
            _ => {}
        }
        self.member = "".into();
        self.owned.clear();
        self.joins();
        Taken::Forgotten(error)
    }
}

/// Every partition to somebody who reads its topic, in turn; but to nobody for now if another one still has it.
fn assign(members: &[JoinedMember], image: &Image) -> Vec<(Arc<str>, Bytes)> {
    let said = |member: &JoinedMember| read_versioned_leniently(&member.metadata).expect("members write it so");
    let said: Vec<ConsumerProtocolSubscription> = members.iter().map(said).collect();
    let has = |said: &ConsumerProtocolSubscription, topic: &str, index: i32| {
        said.owned_partitions.iter().any(|owned| owned.topic == topic && owned.partitions.contains(&index))
    };
    let mut assigned: Vec<Vec<TopicPartition>> = vec![Vec::new(); members.len()];
    for topic in image.topics().map(|topic| topic.name.as_str()) {
        let readers: Vec<_> = (0..said.len()).filter(|at| said[*at].topics.iter().any(|name| name == topic)).collect();
        for (turn, (_, index)) in partitions(image, topic).into_iter().enumerate() {
            let Some(reader) = readers.get(turn % readers.len().max(1)) else { continue };
            if !(0..said.len()).any(|at| at != *reader && has(&said[at], topic, index)) {
                assigned[*reader].push(TopicPartition { topic: topic.to_owned(), partitions: vec![index] });
            }
        }
    }
    let bytes = |assigned_partitions| {
        let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
        Bytes::from(write_versioned(&assignment, 0).expect("names are short"))
    };
    members.iter().map(|member| member.member.clone()).zip(assigned.into_iter().map(bytes)).collect()
}

/// What was assigned, of topics that existed. Nothing is written as no bytes.
fn read(assignment: &[u8], image: &Image) -> Partitions {
    if assignment.is_empty() {
        return Partitions::new();
    }
    let read: ConsumerProtocolAssignment = read_versioned_leniently(assignment).expect("it is written so");
    let topics = read.assigned_partitions.into_iter();
    let topics = topics.filter_map(|topic| Some((image.topic_by_name(&topic.topic)?.id, topic.partitions)));
    topics.flat_map(|(id, partitions)| partitions.into_iter().map(move |index| (id, index))).collect()
}
