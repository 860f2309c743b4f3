//! Who keeps a group, and how far the group is: FindCoordinator, OffsetFetch, OffsetCommit.
//!
//! What a member of a group does besides is in `group`, what administrates groups in `admin/groups`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use ottla_protocol::{ApiKey, Request};
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use crate::address::Address;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::{ClientError, Refusal};

/// From this version on FindCoordinator takes several keys (KIP-699).
const FIND_SEVERAL: i16 = 4;
/// From this version on OffsetFetch takes several groups (KIP-709).
const FETCH_SEVERAL: i16 = 8;
/// From this version on OffsetFetch may ask for what no open transaction can change (KIP-447).
const FETCH_STABLE: i16 = 7;
/// From this version on OffsetCommit names static members (KIP-345).
const COMMIT_STATIC: i16 = 7;

/// A partition by its topic's name and its number.
pub(crate) type PartitionKey = (Arc<str>, i32);

/// How far a group is, by topic and partition.
pub type GroupOffsets = BTreeMap<(Arc<str>, i32), CommittedOffset>;

/// What is committed for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The offset of the record that shall be read next.
    pub offset: Offset,
    /// The epoch of the leader that the last record came from; unknown from and for brokers before 2.1.
    pub leader_epoch: LeaderEpoch,
    /// What the committer noted beside it.
    pub metadata: String,
}

impl CommittedOffset {
    /// An offset, and nothing beside it.
    #[must_use]
    pub fn at(offset: Offset) -> Self {
        Self { offset, leader_epoch: LeaderEpoch::UNKNOWN, metadata: String::new() }
    }
}

/// The broker that keeps a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Coordinator {
    /// Its id.
    pub id: BrokerId,
    /// Where it is.
    pub address: Address,
}

/// Who commits or asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The member; empty for an outsider.
    pub member: String,
    /// Its generation or epoch; -1 for an outsider.
    pub generation: i32,
    /// The id of a static member (KIP-345).
    pub instance: Option<String>,
}

impl Identity {
    /// Nobody of the group's: administrators.
    pub(crate) const OUTSIDER: Self = Self { member: String::new(), generation: -1, instance: None };
}

impl Cluster {
    /// Asks any broker who keeps `group`.
    pub(crate) async fn find_coordinator(&self, group: &str) -> Result<Coordinator, ClientError> {
        let connection = self.any_connection().await?;
        let version = connection.version(ApiKey::FindCoordinator)?;
        let mut request = FindCoordinatorRequest::default();
        if version >= FIND_SEVERAL {
            request.coordinator_keys = vec![group.to_owned()];
        } else {
            group.clone_into(&mut request.key);
        }
        let response = connection.begin(version, &request).await?.answer().await?;
        let (code, message, id, host, port) = match response.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.node_id, found.host, found.port),
            None => (response.error_code, response.error_message, response.node_id, response.host, response.port),
        };
        Refusal::check(code, message)?;
        let port = u16::try_from(port).map_err(|_| {
            let message = Some(format!("{host}:{port} is no address of a coordinator"));
            ClientError::from(Refusal { code: ErrorCode::CoordinatorNotAvailable, message })
        })?;
        Ok(Coordinator { id: BrokerId(id), address: Address { host, port } })
    }

    /// The connection, shared with all else, to whoever keeps `group`.
    pub(crate) async fn coordinator_connection(&self, group: &str) -> Result<Arc<Connection>, ClientError> {
        let coordinator = self.find_coordinator(group).await?;
        Ok(self.connection_to(&coordinator.address).await?)
    }

    /// Asks whoever keeps `group`.
    pub(crate) async fn ask_coordinator<R: Request>(
        &self,
        group: &str,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        Ok(self.coordinator_connection(group).await?.ask(request).await?)
    }
}

/// Fetches committed offsets over `connection`, all of the group's for `None`. Partitions without one are left out.
pub(crate) async fn fetch_offsets(
    connection: &Connection,
    group: &str,
    identity: &Identity,
    wanted: Option<&[PartitionKey]>,
) -> Result<GroupOffsets, ClientError> {
    let version = connection.version(ApiKey::OffsetFetch)?;
    let request = fetch_request(version, group, identity, wanted);
    read_fetched(connection.begin(version, &request).await?.answer().await?)
}

fn fetch_request(
    version: i16,
    group: &str,
    identity: &Identity,
    wanted: Option<&[PartitionKey]>,
) -> OffsetFetchRequest {
    let mut request = OffsetFetchRequest { require_stable: version >= FETCH_STABLE, ..OffsetFetchRequest::default() };
    let topics = wanted.map(by_topic);
    if version >= FETCH_SEVERAL {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
            name,
            partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
        let mut asked = OffsetFetchRequestGroup {
            group_id: group.to_owned(),
            topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
            ..OffsetFetchRequestGroup::default()
        };
        if version >= 9 && !identity.member.is_empty() {
            asked.member_id = Some(identity.member.clone());
            asked.member_epoch = identity.generation;
        }
        request.groups = vec![asked];
    } else {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        group.clone_into(&mut request.group_id);
        request.topics = topics.map(|topics| topics.into_iter().map(topic).collect());
    }
    request
}

fn by_topic(partitions: &[PartitionKey]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic.to_string()).or_default().push(*index);
    }
    topics
}

fn read_fetched(response: OffsetFetchResponse) -> Result<GroupOffsets, ClientError> {
    Refusal::check(response.error_code, None)?;
    let mut found = GroupOffsets::new();
    let mut take = |topic: &Arc<str>, index: i32, code: i16, offset: i64, epoch: i32, metadata: Option<String>| {
        Refusal::check(code, Some(format!("{topic}-{index}")))?;
        if offset >= 0 {
            let metadata = metadata.unwrap_or_default();
            let committed = CommittedOffset { offset: Offset(offset), leader_epoch: LeaderEpoch(epoch), metadata };
            found.insert((Arc::clone(topic), index), committed);
        }
        Ok::<(), ClientError>(())
    };
    for topic in response.topics {
        let name: Arc<str> = topic.name.into();
        for one in topic.partitions {
            let (code, epoch) = (one.error_code, one.committed_leader_epoch);
            take(&name, one.partition_index, code, one.committed_offset, epoch, one.metadata)?;
        }
    }
    for group in response.groups {
        Refusal::check(group.error_code, None)?;
        for topic in group.topics {
            let name: Arc<str> = topic.name.into();
            for one in topic.partitions {
                let (code, epoch) = (one.error_code, one.committed_leader_epoch);
                take(&name, one.partition_index, code, one.committed_offset, epoch, one.metadata)?;
            }
        }
    }
    Ok(found)
}

/// Commits offsets over `connection`. The first partition that is refused makes the error.
pub(crate) async fn commit_offsets(
    connection: &Connection,
    group: &str,
    identity: &Identity,
    offsets: &GroupOffsets,
) -> Result<(), ClientError> {
    let version = connection.version(ApiKey::OffsetCommit)?;
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, index), committed) in offsets {
        topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: *index,
            committed_offset: committed.offset.0,
            committed_leader_epoch: committed.leader_epoch.0,
            committed_metadata: Some(committed.metadata.clone()),
            ..OffsetCommitRequestPartition::default()
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: identity.generation,
        member_id: identity.member.clone(),
        group_instance_id: identity.instance.clone().filter(|_| version >= COMMIT_STATIC),
        topics: topics.into_iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    };
    let response = connection.begin(version, &request).await?.answer().await?;
    for topic in response.topics {
        for one in topic.partitions {
            Refusal::check(one.error_code, Some(format!("{}-{}", topic.name, one.partition_index)))?;
        }
    }
    Ok(())
}
