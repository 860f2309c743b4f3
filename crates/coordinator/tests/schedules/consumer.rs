//! A client of the consumer protocol that follows it: heartbeats, gives back at once what it is no longer assigned.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordinator::{
    CommitPartition, CommitTopic, ConsumerBeat, ConsumerHeartbeat, OffsetCommit, Reply, Request, TopicsChanged,
};
use ottla_metadata::{BrokerEpoch, FACTS_VERSION, Fact, Image, LEVEL_NEWEST, PartitionEpoch, Position};
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, TopicName, Uuid};

use super::classic::{PARTITIONS, TOPIC};

/// The id of the topic.
const TOPIC_ID: Uuid = Uuid([7; 16]);
/// How long a client may take to give partitions back.
const REBALANCE_MS: i32 = 20_000;

/// A client.
pub(super) struct Client {
    pub(super) group: Arc<str>,
    /// Its instance id, if it is static.
    pub(super) instance: Option<Arc<str>>,
    pub(super) member: Arc<str>,
    /// The epoch that it has reached; 0 joins.
    pub(super) epoch: i32,
    is_at_work: bool,
    owned: BTreeSet<u8>,
    /// Whether it has to say what it owns.
    has_news: bool,
    /// Whether it has to say everything, so that it is told everything.
    says_all: bool,
    /// How often it was started: each time it is another member.
    lives: usize,
    index: usize,
}

impl Client {
    pub(super) fn new(index: usize, group: Arc<str>, is_static: bool) -> Self {
        let instance = is_static.then(|| format!("i{index}").into());
        let (owned, member) = (BTreeSet::new(), "".into());
        Self {
            group,
            instance,
            member,
            epoch: 0,
            is_at_work: false,
            owned,
            has_news: true,
            says_all: true,
            lives: 0,
            index,
        }
    }

    pub(super) fn begin(&mut self) {
        self.lives += 1;
        self.member = format!("c{}-{}", self.index, self.lives).into();
        self.is_at_work = true;
        self.again();
    }

    pub(super) fn end(&mut self) {
        self.is_at_work = false;
        self.again();
    }

    /// Back to the beginning, with nothing.
    fn again(&mut self) {
        self.owned.clear();
        self.epoch = 0;
        (self.has_news, self.says_all) = (true, true);
    }

    pub(super) const fn is_out(&self) -> bool {
        !self.is_at_work
    }

    /// What it has, and in which epoch; `None` while it joins.
    pub(super) fn works(&self) -> Option<(i32, &BTreeSet<u8>)> {
        (self.is_at_work && self.epoch > 0).then_some((self.epoch, &self.owned))
    }

    /// Says everything again with the next heartbeat.
    pub(super) fn change(&mut self) {
        (self.has_news, self.says_all) = (true, true);
    }

    pub(super) fn request(&self, commits: bool, offset: i64) -> Option<Request> {
        if self.is_out() {
            return None;
        }
        if let Some(partition) = self.owned.first().filter(|_| commits && self.epoch > 0) {
            let index = i32::from(*partition);
            let partitions = vec![CommitPartition { index, offset, leader_epoch: -1, metadata: "".into() }];
            return Some(Request::OffsetCommit(OffsetCommit {
                group: self.group.clone(),
                generation: self.epoch,
                member: self.member.clone(),
                instance: self.instance.clone(),
                knows_missing_groups: true,
                retention: None,
                topics: vec![CommitTopic { name: TOPIC.into(), id: Uuid::ZERO, partitions }],
            }));
        }
        Some(Request::ConsumerHeartbeat(self.heartbeat(self.epoch)))
    }

    fn heartbeat(&self, epoch: i32) -> ConsumerHeartbeat {
        let joins = epoch == 0 || self.says_all;
        let owned: Vec<i32> = self.owned.iter().map(|partition| i32::from(*partition)).collect();
        let owned = if owned.is_empty() { Vec::new() } else { vec![(TOPIC_ID, owned)] };
        ConsumerHeartbeat {
            group: self.group.clone(),
            member: self.member.clone(),
            epoch,
            instance: self.instance.clone(),
            rack: None,
            rebalance_timeout_ms: if joins { REBALANCE_MS } else { -1 },
            topics: joins.then(|| vec![TOPIC.into()]),
            regex: None,
            assignor: None,
            owned: (joins || self.has_news).then_some(owned),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            must_have_id: true,
            fresh: Uuid::ZERO,
        }
    }

    /// Its farewell; a static one says that it will be back.
    pub(super) fn leave(&self) -> Option<Request> {
        let epoch = if self.instance.is_some() { -2 } else { -1 };
        self.works().map(|_| Request::ConsumerHeartbeat(self.heartbeat(epoch)))
    }

    /// Takes an answer. Whether it may have other partitions, or the same in another epoch.
    pub(super) fn take(&mut self, reply: Reply) -> bool {
        match reply {
            Reply::ConsumerHeartbeat(Ok(ConsumerBeat { epoch, assignment, .. })) => {
                (self.has_news, self.says_all) = (assignment.is_some(), false);
                self.epoch = epoch;
                if let Some(assignment) = assignment {
                    let partitions = assignment.into_iter().flat_map(|(_, partitions)| partitions);
                    self.owned = partitions.map(|partition| u8::try_from(partition).expect("few")).collect();
                }
                return true;
            }
            Reply::ConsumerHeartbeat(Err(refusal)) => match refusal.error {
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => self.change(),
                ErrorCode::FencedInstanceId | ErrorCode::UnreleasedInstanceId => self.end(),
                _ => self.again(),
            },
            Reply::OffsetCommit(Err(ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch)) => self.again(),
            _ => {}
        }
        false
    }
}

/// The topic, as a shard is told of it.
pub(super) fn topics() -> TopicsChanged {
    let mut image = Image::default();
    let mut apply = |fact: Fact| image.apply(&fact).expect("possible");
    apply(Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: LEVEL_NEWEST });
    apply(Fact::BrokerRegistered {
        id: BrokerId(1),
        incarnation: Uuid([1; 16]),
        epoch: BrokerEpoch(1),
        rack: None,
        endpoints: Vec::new(),
        fenced: false,
    });
    apply(Fact::TopicCreated { id: TOPIC_ID, name: TopicName::new(TOPIC).expect("legal") });
    for index in 0..PARTITIONS {
        let leader = BrokerId(1);
        apply(Fact::PartitionCreated {
            topic_id: TOPIC_ID,
            index: PartitionIndex(i32::from(index)),
            replicas: vec![leader],
            isr: vec![leader],
            leader,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        });
    }
    image.set_position(Position { index: 1, ..image.position() });
    TopicsChanged { image, changed: Arc::new([TOPIC.into()].into()), has_new: true }
}
