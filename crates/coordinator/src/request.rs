//! What may be asked of a shard, and what it answers. Kafka's messages are translated into these by the broker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_types::{ErrorCode, Uuid};

use crate::consumer::{ConsumerBeat, ConsumerHeartbeat, DescribedConsumerGroup, Refusal};
use crate::settings::Settings;

/// Tells requests apart; the driver's own number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// A request to a group.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// Join, or join again.
    JoinGroup(JoinGroup),
    /// Ask for an assignment, and, as leader, bring all.
    SyncGroup(SyncGroup),
    /// Still here.
    Heartbeat(Heartbeat),
    /// Leave, or remove others.
    LeaveGroup(LeaveGroup),
    /// Remember how far the group is.
    OffsetCommit(OffsetCommit),
    /// Tell how far the group is.
    OffsetFetch(OffsetFetch),
    /// Forget how far the group is.
    OffsetDelete(OffsetDelete),
    /// Which groups there are.
    ListGroups(ListGroups),
    /// What a group is.
    DescribeGroup(Arc<str>),
    /// Forget a group and its offsets.
    DeleteGroup(Arc<str>),
    /// Of the consumer protocol: join, go on, leave.
    ConsumerHeartbeat(ConsumerHeartbeat),
    /// What a group of the consumer protocol is.
    DescribeConsumerGroup(Arc<str>),
}

/// What is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// To a JoinGroup.
    JoinGroup(Joined),
    /// To a SyncGroup.
    SyncGroup(Synced),
    /// To a Heartbeat.
    Heartbeat(ErrorCode),
    /// To a LeaveGroup.
    LeaveGroup(Left),
    /// To an OffsetCommit: what is wrong with each partition, in the request's order; or with all of it.
    OffsetCommit(Result<Vec<ErrorCode>, ErrorCode>),
    /// To an OffsetFetch.
    OffsetFetch(Result<Vec<FetchedTopic>, ErrorCode>),
    /// To an OffsetDelete: as to an OffsetCommit.
    OffsetDelete(Result<Vec<ErrorCode>, ErrorCode>),
    /// To a ListGroups.
    ListGroups(Result<Vec<ListedGroup>, ErrorCode>),
    /// To a DescribeGroup.
    DescribeGroup(Result<DescribedGroup, ErrorCode>),
    /// To a DeleteGroup.
    DeleteGroup(ErrorCode),
    /// To a ConsumerHeartbeat.
    ConsumerHeartbeat(Result<ConsumerBeat, Refusal>),
    /// To a DescribeConsumerGroup.
    DescribeConsumerGroup(Result<DescribedConsumerGroup, Refusal>),
}

/// JoinGroup of the classic protocol.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinGroup {
    /// The group's id, never empty.
    pub group: Arc<str>,
    /// The member's id; empty if it has none yet.
    pub member: Arc<str>,
    /// Of a static member (KIP-345): the id that outlives its processes.
    pub instance: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// Where it is, as `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// How long it may take to join again; in version 0 the session timeout.
    pub rebalance_timeout: Duration,
    /// What the members agree about: `consumer`, `connect`…
    pub protocol_type: Arc<str>,
    /// The ways of assignment that it knows, the most wanted first, each with what the leader has to know of it.
    pub protocols: Vec<Protocol>,
    /// From version 4 on: a member without an id is given one, and has to come again with it (KIP-394).
    pub wants_member_id: bool,
    /// From version 9 on: the leader may be told that its old assignment still holds (KIP-814).
    pub may_skip_assignment: bool,
    /// Random, for the id of a new member.
    pub fresh: Uuid,
}

/// One way of assignment, as a member knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// Its name, such as `range`.
    pub name: Arc<str>,
    /// What the leader has to know: bytes for the coordinator.
    pub metadata: Bytes,
}

/// The answer to JoinGroup.
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    /// What was wrong.
    pub error: ErrorCode,
    /// The generation, −1 in errors.
    pub generation: i32,
    /// What the members agree about.
    pub protocol_type: Option<Arc<str>>,
    /// The way that was chosen.
    pub protocol: Option<Arc<str>>,
    /// The leader's member id; empty in errors.
    pub leader: Arc<str>,
    /// Whether the leader need not assign anew.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member: Arc<str>,
    /// All members, for the leader.
    pub members: Vec<JoinedMember>,
}

impl Joined {
    /// An answer that is nothing but an error.
    #[must_use]
    pub fn refused(error: ErrorCode, member: Arc<str>) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: "".into(),
            skip_assignment: false,
            member,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedMember {
    /// Its id.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// What it says about the chosen way.
    pub metadata: Bytes,
}

/// SyncGroup.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncGroup {
    /// The group's id.
    pub group: Arc<str>,
    /// The generation that it is about.
    pub generation: i32,
    /// The member's id.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// From version 5 on: what it believes that the members agree about.
    pub protocol_type: Option<Arc<str>>,
    /// Likewise, the way that was chosen.
    pub protocol: Option<Arc<str>>,
    /// By the leader: member ids and what each is assigned.
    pub assignments: Vec<(Arc<str>, Bytes)>,
}

/// The answer to SyncGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// What was wrong.
    pub error: ErrorCode,
    /// What the members agree about; `None` in errors.
    pub protocol_type: Option<Arc<str>>,
    /// The way that was chosen.
    pub protocol: Option<Arc<str>>,
    /// What the member is assigned; empty in errors.
    pub assignment: Bytes,
}

impl Synced {
    /// An answer that is nothing but an error.
    #[must_use]
    pub const fn refused(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

/// Heartbeat of the classic protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// The group's id.
    pub group: Arc<str>,
    /// The generation that the member is in.
    pub generation: i32,
    /// The member's id.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
}

/// LeaveGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveGroup {
    /// The group's id.
    pub group: Arc<str>,
    /// Who leaves.
    pub members: Vec<Leaver>,
}

/// Somebody who leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaver {
    /// The member's id; empty if only the instance is named.
    pub member: Arc<str>,
    /// The instance id of a static member.
    pub instance: Option<Arc<str>>,
}

/// The answer to LeaveGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// What was wrong with all of it.
    pub error: ErrorCode,
    /// What became of each, in the request's order.
    pub members: Vec<(Leaver, ErrorCode)>,
}

/// OffsetCommit.
#[derive(Clone, PartialEq, Debug)]
pub struct OffsetCommit {
    /// The group's id.
    pub group: Arc<str>,
    /// The generation that the member is in; negative if it is no member.
    pub generation: i32,
    /// The member's id; empty if it is no member.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// From version 9 on: a missing group is named so, and not an illegal generation.
    pub knows_missing_groups: bool,
    /// Of versions 2 to 4: how long to keep the offsets, if the client says so.
    pub retention: Option<Duration>,
    /// What is committed. Every topic and partition exists: whoever asks has seen to that.
    pub topics: Vec<CommitTopic>,
}

/// What is committed of a topic.
#[derive(Clone, PartialEq, Debug)]
pub struct CommitTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; zero if the client does not know it.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: Vec<CommitPartition>,
}

/// What is committed of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitPartition {
    /// Its index.
    pub index: i32,
    /// The next record to read.
    pub offset: i64,
    /// The leader epoch of the record before; −1 if unknown.
    pub leader_epoch: i32,
    /// What the client keeps with it.
    pub metadata: Box<str>,
}

impl CommitPartition {
    /// Whether the client keeps more with it than it may: Java's characters are counted.
    pub(crate) fn is_too_long(&self, settings: &Settings) -> bool {
        self.metadata.encode_utf16().count() > settings.offset_metadata_max
    }
}

/// OffsetFetch of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct OffsetFetch {
    /// The group's id.
    pub group: Arc<str>,
    /// From version 9 on: the member that asks, if it says so.
    pub member: Option<Arc<str>>,
    /// The member's epoch; −1 if it does not say.
    pub epoch: i32,
    /// What is wanted; `None` for all that there is.
    pub topics: Option<Vec<WantedTopic>>,
}

/// A topic whose offsets are wanted.
#[derive(Clone, PartialEq, Debug)]
pub struct WantedTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; zero if the client does not know it.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: Vec<i32>,
}

/// The offsets of a topic.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, as it was asked for.
    pub id: Uuid,
    /// Its partitions, in the request's order.
    pub partitions: Vec<FetchedOffset>,
}

/// The offset of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedOffset {
    /// The partition.
    pub index: i32,
    /// What was wrong.
    pub error: ErrorCode,
    /// The next record to read; −1 if nothing is committed.
    pub offset: i64,
    /// The leader epoch of the record before; −1 if unknown.
    pub leader_epoch: i32,
    /// What the client keeps with it.
    pub metadata: Box<str>,
}

/// OffsetDelete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetDelete {
    /// The group's id.
    pub group: Arc<str>,
    /// Topics and partitions, all of which exist.
    pub topics: Vec<(Arc<str>, Vec<i32>)>,
}

/// ListGroups.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ListGroups {
    /// Only groups in one of these states, whatever the case of its letters; all if empty.
    pub states: Vec<String>,
    /// Only groups of one of these types; all if empty.
    pub types: Vec<String>,
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// Its id.
    pub group: Arc<str>,
    /// What its members agree about; empty for a simple group.
    pub protocol_type: Arc<str>,
    /// Its state, as Kafka calls it.
    pub state: &'static str,
    /// Its type, as Kafka calls it.
    pub kind: &'static str,
}

/// A group described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedGroup {
    /// Its state, as Kafka calls it.
    pub state: &'static str,
    /// What its members agree about; empty for a simple group.
    pub protocol_type: Arc<str>,
    /// The way of assignment; empty unless the group is stable.
    pub protocol: Arc<str>,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedMember {
    /// Its id.
    pub member: Arc<str>,
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// Where it is.
    pub client_host: Arc<str>,
    /// What it says about the way of assignment; empty unless the group is stable.
    pub metadata: Bytes,
    /// What it was assigned last.
    pub assignment: Bytes,
}
