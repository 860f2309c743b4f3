//! What members of consumer groups and tools ask, and what they are answered. Kafka's messages are translated into these by
//! the broker.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::Uuid;

/// ConsumerGroupHeartbeat (KIP-848). What is `None` is as it was said before.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerHeartbeat {
    /// The group's id.
    pub group: Arc<str>,
    /// The member's id; empty if it has none yet.
    pub member: Arc<str>,
    /// The epoch that the member has reached; 0 joins, −1 leaves, −2 leaves for a while.
    pub epoch: i32,
    /// Of a static member: the id that outlives its processes.
    pub instance: Option<Arc<str>>,
    /// Where it is, in the cluster's terms.
    pub rack: Option<Arc<str>>,
    /// How long it may take to give partitions back, in milliseconds; −1 if it does not say.
    pub rebalance_timeout_ms: i32,
    /// Names of the topics that it reads.
    pub topics: Option<Vec<Arc<str>>>,
    /// A pattern of topics that it reads; empty for none.
    pub regex: Option<Arc<str>>,
    /// The way of assignment that it wants.
    pub assignor: Option<Arc<str>>,
    /// The partitions that it holds, by their topics.
    pub owned: Option<Vec<(Uuid, Vec<i32>)>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// Where it is, as `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// From version 1 on: members have ids from the start (KIP-1082).
    pub must_have_id: bool,
    /// Random, for the id of a member without one.
    pub fresh: Uuid,
}

/// The answer to ConsumerGroupHeartbeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerBeat {
    /// The member's id.
    pub member: Arc<str>,
    /// The epoch that it has reached; −1 or −2 if it left.
    pub epoch: i32,
    /// When it shall be heard of again.
    pub heartbeat_interval: Duration,
    /// What it may read, by topic, if that changed or it asked for all.
    pub assignment: Option<Vec<(Uuid, Vec<i32>)>>,
}

impl ConsumerBeat {
    /// The answer to a member that leaves.
    pub(crate) const fn gone(member: Arc<str>, epoch: i32) -> Self {
        Self { member, epoch, heartbeat_interval: Duration::ZERO, assignment: None }
    }
}

/// A group of the consumer protocol, described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedConsumerGroup {
    /// Its state, as Kafka calls it.
    pub state: &'static str,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch for which partitions were dealt out.
    pub target_epoch: i32,
    /// The way of assignment.
    pub assignor: &'static str,
    /// Its members.
    pub members: Vec<DescribedConsumer>,
}

/// A member of such a group, described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedConsumer {
    /// Its id.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// Where it is, in the cluster's terms.
    pub rack: Option<Arc<str>>,
    /// The epoch that it has reached.
    pub epoch: i32,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// Where it is.
    pub client_host: Arc<str>,
    /// Names of the topics that it reads.
    pub topics: Vec<Arc<str>>,
    /// A pattern of topics that it reads.
    pub regex: Option<Arc<str>>,
    /// What it has.
    pub assignment: Vec<DescribedAssignment>,
    /// What it is to have.
    pub target: Vec<DescribedAssignment>,
    /// Whether it speaks the classic protocol.
    pub is_classic: bool,
}

/// Partitions of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedAssignment {
    /// The topic's id.
    pub id: Uuid,
    /// The topic's name.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: Vec<i32>,
}
