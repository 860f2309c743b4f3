//! A client of the consumer protocol that follows it: heartbeats, gives back at once what it is no longer assigned.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::{CommitPartition, CommitTopic, ConsumerBeat, ConsumerHeartbeat, OffsetCommit, Reply, Request};
use ottla_metadata::Image;
use ottla_types::{ErrorCode, Uuid};

use super::client::{Place, Taken};
use super::reads::{Partitions, Reads};

/// How long a client may take to give partitions back.
const REBALANCE_MS: i32 = 20_000;

/// A client, from its beginning to its end.
pub(super) struct Client {
    place: Place,
    member: Arc<str>,
    /// The epoch that it has reached; 0 joins.
    epoch: i32,
    owned: Partitions,
    pub(super) reads: Reads,
    /// Whether it has to say what it owns.
    has_news: bool,
    /// Whether it has to say everything, so that it is told everything.
    says_all: bool,
}

impl Client {
    pub(super) fn new(member: Arc<str>, place: Place, reads: Reads) -> Self {
        Self { place, member, epoch: 0, owned: Partitions::new(), reads, has_news: true, says_all: true }
    }

    /// Back to the beginning, with nothing.
    fn again(&mut self) {
        self.owned.clear();
        self.epoch = 0;
        (self.has_news, self.says_all) = (true, true);
    }

    pub(super) const fn member(&self) -> &Arc<str> {
        &self.member
    }

    /// What it has, and in which epoch; `None` while it joins.
    pub(super) fn works(&self) -> Option<(i32, &Partitions)> {
        (self.epoch > 0).then_some((self.epoch, &self.owned))
    }

    /// Says everything again with the next heartbeat.
    pub(super) fn change(&mut self, reads: Reads) {
        self.reads = reads;
        (self.has_news, self.says_all) = (true, true);
    }

    pub(super) fn request(&mut self, commits: bool, offset: i64, image: &Image) -> Request {
        if let Some((id, index)) = self.owned.first().copied().filter(|_| commits && self.epoch > 0)
            && let Some(topic) = image.topic_by_id(id)
        {
            let partitions = vec![CommitPartition { index, offset, leader_epoch: -1, metadata: "".into() }];
            return Request::OffsetCommit(OffsetCommit {
                group: self.place.group.clone(),
                generation: self.epoch,
                member: self.member.clone(),
                instance: self.place.instance.clone(),
                knows_missing_groups: true,
                retention: None,
                topics: vec![CommitTopic { name: topic.name.as_str().into(), id, partitions }],
            });
        }
        let heartbeat = self.heartbeat(self.epoch);
        (self.has_news, self.says_all) = (false, false);
        Request::ConsumerHeartbeat(heartbeat)
    }

    fn heartbeat(&self, epoch: i32) -> ConsumerHeartbeat {
        let joins = epoch == 0 || self.says_all;
        let mut owned = BTreeMap::<Uuid, Vec<i32>>::new();
        self.owned.iter().for_each(|(topic, index)| owned.entry(*topic).or_default().push(*index));
        ConsumerHeartbeat {
            group: self.place.group.clone(),
            member: self.member.clone(),
            epoch,
            instance: self.place.instance.clone(),
            rack: None,
            rebalance_timeout_ms: if joins { REBALANCE_MS } else { -1 },
            topics: joins.then(|| self.reads.names.iter().map(|name| Arc::from(*name)).collect()),
            regex: joins.then(|| self.reads.pattern.into()),
            assignor: None,
            owned: (joins || self.has_news).then(|| owned.into_iter().collect()),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            must_have_id: true,
            fresh: Uuid::ZERO,
        }
    }

    /// Its farewell; a static one says that it will be back.
    pub(super) fn leave(&self) -> Option<Request> {
        let epoch = if self.place.instance.is_some() { -2 } else { -1 };
        self.works().map(|_| Request::ConsumerHeartbeat(self.heartbeat(epoch)))
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, reply: Reply) -> Taken {
        match reply {
            Reply::ConsumerHeartbeat(Ok(ConsumerBeat { epoch, assignment, .. })) => {
                self.has_news |= assignment.is_some();
                self.epoch = epoch;
                if let Some(assignment) = assignment {
                    let topics = assignment.into_iter();
                    self.owned =
                        topics.flat_map(|(id, indexes)| indexes.into_iter().map(move |index| (id, index))).collect();
                }
                return Taken::Partitions;
            }
            Reply::ConsumerHeartbeat(Err(refusal)) => match refusal.error {
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => self.change(self.reads),
                ErrorCode::FencedInstanceId | ErrorCode::UnreleasedInstanceId => return Taken::Fenced,
                ErrorCode::GroupIdNotFound if self.epoch == 0 => return Taken::Refused(refusal.error),
                error => {
                    self.again();
                    return Taken::Forgotten(error);
                }
            },
            Reply::OffsetCommit(Err(error @ (ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch))) => {
                self.again();
                return Taken::Forgotten(error);
            }
            _ => {}
        }
        Taken::Nothing
    }
}
