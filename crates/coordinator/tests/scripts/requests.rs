//! Requests from a script's words.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_coordinator::{
    CommitPartition, CommitTopic, ConsumerHeartbeat, Heartbeat, JoinGroup, LeaveGroup, Leaver, ListGroups,
    OffsetCommit, OffsetDelete, OffsetFetch, Protocol, Request, SyncGroup, WantedTopic,
};
use ottla_testkit::Command;
use ottla_types::Uuid;
use ottla_wire::framing::write_versioned;
use ottla_wire::records::client::consumer_protocol_subscription::ConsumerProtocolSubscription;

use super::topics::Topics;

/// A command, and what it has to be read with.
pub(super) struct Reader<'a> {
    pub(super) command: &'a Command<'a>,
    /// Ids of members, and what the script calls them.
    pub(super) names: &'a [(String, String)],
    /// The number of the request.
    pub(super) number: u64,
    pub(super) topics: &'a Topics,
}

impl Reader<'_> {
    pub(super) fn request(&self) -> Request {
        let command = self.command;
        match command.name {
            "join" => Request::JoinGroup(self.join()),
            "sync" => Request::SyncGroup(SyncGroup {
                member: self.word(0),
                group: self.word(1),
                generation: command.parsed("generation", 1),
                instance: self.optional("instance"),
                protocol_type: self.optional("type"),
                protocol: self.optional("protocol"),
                assignments: self.pairs("assign"),
            }),
            "heartbeat" => Request::Heartbeat(Heartbeat {
                member: self.word(0),
                group: self.word(1),
                generation: command.parsed("generation", 1),
                instance: self.optional("instance"),
            }),
            "leave" => {
                let leaver = |word: &&str| {
                    let (member, instance) = word.split_once('/').map_or((*word, None), |(m, i)| (m, Some(i.into())));
                    Leaver { member: self.arc(member), instance }
                };
                let members = command.words[1..].iter().map(leaver).collect();
                Request::LeaveGroup(LeaveGroup { group: self.word(0), members })
            }
            "list" => {
                let list = |key: &str| {
                    let names = command.argument(key).unwrap_or_default().split(',');
                    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
                };
                Request::ListGroups(ListGroups { states: list("states"), types: list("types") })
            }
            "describe" => Request::DescribeGroup(self.word(0)),
            "delete" => Request::DeleteGroup(self.word(0)),
            "beat" => Request::ConsumerHeartbeat(self.beat()),
            "describe-consumer" => Request::DescribeConsumerGroup(self.word(0)),
            _ => self.offsets(),
        }
    }

    fn join(&self) -> JoinGroup {
        let version: i16 = self.command.parsed("v", 9);
        let protocol = |(name, metadata)| Protocol { name, metadata };
        JoinGroup {
            member: self.word(0),
            group: self.word(1),
            instance: self.optional("instance"),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: self.millis("session", 10_000),
            rebalance_timeout: self.millis("rebalance", 60_000),
            protocol_type: self.arc(self.command.argument("type").unwrap_or("consumer")),
            protocols: self.pairs("protocols").into_iter().map(protocol).collect(),
            wants_member_id: version >= 4,
            may_skip_assignment: version >= 9,
            // Ids end in the number of the request.
            fresh: Uuid(u128::from(self.number).to_be_bytes()),
        }
    }

    fn beat(&self) -> ConsumerHeartbeat {
        let command = self.command;
        let epoch = command.parsed("epoch", 0);
        let joins = epoch == 0;
        let names = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(Into::into).collect();
        let owned = command.argument("owns").or(joins.then_some("-")).filter(|owned| *owned != "?");
        let topics = command.argument("reads").or((joins && command.argument("pattern").is_none()).then_some(""));
        ConsumerHeartbeat {
            member: self.word(0),
            group: self.word(1),
            epoch,
            instance: self.optional("instance"),
            rack: self.optional("rack"),
            rebalance_timeout_ms: command.parsed("timeout", if joins { 60_000 } else { -1 }),
            topics: topics.filter(|names| *names != "?").map(names),
            regex: command.argument("pattern").map(|pattern| self.arc(pattern)),
            assignor: self.optional("assignor"),
            owned: owned.map(|owned| self.owned(owned)),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            must_have_id: command.parsed("v", 1) >= 1,
            fresh: Uuid(u128::from(self.number).to_be_bytes()),
        }
    }

    /// `TOPIC/PARTITION,…+TOPIC/…`, or `-`.
    fn owned(&self, text: &str) -> Vec<(Uuid, Vec<i32>)> {
        let topic = |topic: &str| {
            let (name, partitions) = topic.split_once('/').expect("TOPIC/PARTITION,…");
            let partitions = partitions.split(',').map(|index| index.parse().expect("a number")).collect();
            let topic = self.topics.image().topic_by_name(name);
            (topic.map(|topic| topic.id).unwrap_or_default(), partitions)
        };
        text.split('+').filter(|topic| *topic != "-").map(topic).collect()
    }

    fn offsets(&self) -> Request {
        let command = self.command;
        match command.name {
            "commit-offset" => Request::OffsetCommit(OffsetCommit {
                group: self.word(0),
                generation: command.parsed("generation", -1),
                member: command.argument("member").map_or_else(|| "".into(), |name| self.arc(name)),
                instance: self.optional("instance"),
                knows_missing_groups: command.parsed("v", 9) >= 9,
                retention: command.argument("retention").map(|_| self.millis("retention", 0)),
                topics: command.words[1..].iter().map(|word| self.commit_topic(word)).collect(),
            }),
            "fetch-offset" => {
                let wanted = |word: &&str| {
                    let (name, partition) = partition(word);
                    WantedTopic { name, id: topic_id(command), partitions: vec![partition] }
                };
                let is_all = command.words.len() == 1;
                let topics = (!is_all).then(|| command.words[1..].iter().map(wanted).collect());
                let member = command.argument("member").map(|name| self.arc(name));
                Request::OffsetFetch(OffsetFetch {
                    group: self.word(0),
                    member,
                    epoch: command.parsed("member-epoch", -1),
                    topics,
                })
            }
            "delete-offset" => {
                let named = |word: &&str| {
                    let (name, partition) = partition(word);
                    (name, vec![partition])
                };
                let topics = command.words[1..].iter().map(named).collect();
                Request::OffsetDelete(OffsetDelete { group: self.word(0), topics })
            }
            other => panic!("no command is called {other}"),
        }
    }

    /// `TOPIC/PARTITION@OFFSET` with what `epoch=`, `metadata=`, `long=` and `id=` say.
    fn commit_topic(&self, word: &str) -> CommitTopic {
        let (place, offset) = word.split_once('@').expect("TOPIC/PARTITION@OFFSET");
        let (name, index) = partition(place);
        let metadata = match self.command.argument("metadata") {
            Some(text) => text.into(),
            None => "m".repeat(self.command.parsed("long", 0)).into(),
        };
        let (offset, leader_epoch) = (offset.parse().expect("a number"), self.command.parsed("epoch", -1));
        let partitions = vec![CommitPartition { index, offset, leader_epoch, metadata }];
        CommitTopic { name, id: topic_id(self.command), partitions }
    }

    /// A word; `-` for nothing, and a member's id where the script calls it so.
    fn arc(&self, text: &str) -> Arc<str> {
        let id = self.names.iter().find(|(_, name)| name == text).map(|(id, _)| id.as_str());
        if text == "-" { "".into() } else { id.unwrap_or(text).into() }
    }

    fn word(&self, index: usize) -> Arc<str> {
        self.arc(self.command.words.get(index).copied().unwrap_or_default())
    }

    fn optional(&self, key: &str) -> Option<Arc<str>> {
        self.command.argument(key).map(Into::into)
    }

    fn millis(&self, key: &str, default: u64) -> Duration {
        Duration::from_millis(self.command.parsed(key, default))
    }

    /// `NAME:TEXT,…`, or `NAME:reads=TOPIC+TOPIC`.
    fn pairs(&self, key: &str) -> Vec<(Arc<str>, Bytes)> {
        let pair = |pair: &str| {
            let (name, text) = pair.split_once(':').unwrap_or((pair, ""));
            match text.strip_prefix("reads=") {
                Some(topics) => (self.arc(name), subscription(topics)),
                None => (self.arc(name), Bytes::copy_from_slice(text.as_bytes())),
            }
        };
        let pairs = self.command.argument(key).unwrap_or_default().split(',');
        pairs.filter(|pair| !pair.is_empty()).map(pair).collect()
    }
}

/// `TOPIC/PARTITION`.
pub(super) fn partition(word: &str) -> (Arc<str>, i32) {
    let (topic, partition) = word.split_once('/').expect("TOPIC/PARTITION");
    (topic.into(), partition.parse().expect("a number"))
}

/// `id=`, a small number that stands for a topic's id.
pub(super) fn topic_id(command: &Command<'_>) -> Uuid {
    Uuid(command.parsed::<u128>("id", 0).to_be_bytes())
}

/// What a consumer says that reads these topics, in version 0 of its protocol.
fn subscription(topics: &str) -> Bytes {
    let topics = topics.split('+').map(str::to_owned).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..ConsumerProtocolSubscription::default() };
    write_versioned(&subscription, 0).expect("short").into()
}
