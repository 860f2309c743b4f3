//! Groups: listed, described, deleted, and how far they are: shown, set, forgotten.
//!
//! Setting and forgetting want a group without members, as Kafka does: a member would commit over it at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ottla_protocol::consumer_group_describe::{self as consumer, ConsumerGroupDescribeRequest};
use ottla_protocol::delete_groups::DeleteGroupsRequest;
use ottla_protocol::describe_groups::{self as classic, DescribeGroupsRequest};
use ottla_protocol::list_groups::ListGroupsRequest;
use ottla_protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use ottla_types::{BrokerId, ErrorCode};
use ottla_wire::framing::read_versioned_leniently;
use ottla_wire::records::client::consumer_protocol_assignment::ConsumerProtocolAssignment;
use ottla_wire::records::client::consumer_protocol_subscription::ConsumerProtocolSubscription;

use super::{Admin, unanswered};
use crate::address::Address;
use crate::coordinator::{GroupOffsets, Identity, commit_offsets, fetch_offsets};
use crate::error::{ClientError, ConnectionError, Refusal};

/// The protocol type of classic groups whose members are consumers.
const CONSUMERS: &str = "consumer";
/// The state of a classic group that is not there.
const DEAD: &str = "Dead";

/// How the members of a group and its coordinator speak.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupKind {
    /// JoinGroup and SyncGroup: members assign.
    Classic,
    /// ConsumerGroupHeartbeat: the coordinator assigns (KIP-848).
    Consumer,
    /// Another, by Kafka's name: `share`, `streams`.
    Other(String),
}

impl GroupKind {
    /// A broker before 3.8 does not say; it has classic groups only.
    fn from_wire(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "" | "classic" => Self::Classic,
            "consumer" => Self::Consumer,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Other(name) => name,
        })
    }
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// Its id.
    pub id: String,
    /// How it speaks.
    pub kind: GroupKind,
    /// Of a classic group what its members are, such as `consumer` or `connect`; empty if it only has offsets.
    pub protocol_type: String,
    /// Its state by Kafka's name, such as `Stable`; empty from a broker before 2.6.
    pub state: String,
}

/// A group as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedGroup {
    /// Its id.
    pub id: String,
    /// How it speaks.
    pub kind: GroupKind,
    /// Its state by Kafka's name.
    pub state: String,
    /// Of a classic group what its members are.
    pub protocol_type: String,
    /// How partitions are assigned, such as `range` or `uniform`; empty while that is open.
    pub assignor: String,
    /// Of a group of the consumer protocol its epoch.
    pub epoch: Option<i32>,
    /// The broker that keeps it, and where that is.
    pub coordinator: (BrokerId, Address),
    /// Its members, by id.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct GroupMember {
    /// Its id.
    pub id: String,
    /// The id that outlives its processes (KIP-345).
    pub instance: Option<String>,
    /// What it calls itself.
    pub client_id: String,
    /// Where it is, as the broker sees it.
    pub host: String,
    /// The topics that it subscribed to by name.
    pub topics: Vec<String>,
    /// The expression that it subscribed to topics by.
    pub pattern: Option<String>,
    /// What it reads, by topic.
    pub assigned: BTreeMap<String, Vec<i32>>,
    /// What it shall read once the others have given it up, where the coordinator tells.
    pub target: Option<BTreeMap<String, Vec<i32>>>,
    /// Its epoch, where it has one.
    pub epoch: Option<i32>,
}

impl Admin {
    /// Every group that some broker keeps, by id.
    pub async fn list_groups(&self) -> Result<Vec<ListedGroup>, ClientError> {
        self.cluster
            .retry("listing the groups", async || {
                self.cluster.refresh(&[]).await?;
                let mut groups = Vec::new();
                for broker in self.cluster.brokers().into_keys() {
                    let connection = self.cluster.connection(broker).await?;
                    let response = connection.ask(&ListGroupsRequest::default()).await?;
                    Refusal::check(response.error_code, None)?;
                    groups.extend(response.groups.into_iter().map(|group| ListedGroup {
                        id: group.group_id,
                        kind: GroupKind::from_wire(&group.group_type),
                        protocol_type: group.protocol_type,
                        state: group.group_state,
                    }));
                }
                groups.sort_by(|a: &ListedGroup, b| a.id.cmp(&b.id));
                Ok(groups)
            })
            .await
    }

    /// One group, as it is now: by the consumer protocol if its coordinator knows that, otherwise as a classic one.
    pub async fn describe_group(&self, id: &str) -> Result<DescribedGroup, ClientError> {
        self.cluster
            .retry("describing the group", async || {
                let coordinator = self.cluster.find_coordinator(id).await?;
                let at = (coordinator.id, coordinator.address);
                let connection = self.cluster.connection_to(&at.1).await?;
                let request = ConsumerGroupDescribeRequest { group_ids: vec![id.to_owned()], ..Default::default() };
                let answered = match connection.ask(&request).await {
                    Ok(response) => response.groups.into_iter().next().ok_or_else(unanswered)?,
                    Err(ConnectionError::NoCommonVersion { .. }) => return self.describe_classic(id, at).await,
                    Err(error) => return Err(error.into()),
                };
                match Refusal::check(answered.error_code, answered.error_message.clone()) {
                    Ok(()) => Ok(of_consumers(answered, at)),
                    Err(Refusal { code: ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion, .. }) => {
                        self.describe_classic(id, at).await
                    }
                    Err(refusal) => Err(refusal.into()),
                }
            })
            .await
    }

    async fn describe_classic(&self, id: &str, at: (BrokerId, Address)) -> Result<DescribedGroup, ClientError> {
        let request = DescribeGroupsRequest { groups: vec![id.to_owned()], ..Default::default() };
        let response = self.cluster.connection_to(&at.1).await?.ask(&request).await?;
        let answered = response.groups.into_iter().next().ok_or_else(unanswered)?;
        match Refusal::check(answered.error_code, answered.error_message.clone()) {
            // Before version 6 a group that is not there is told as one that is dead.
            Ok(()) if answered.group_state == DEAD => Err(ClientError::UnknownGroup(id.to_owned())),
            Ok(()) => Ok(of_classic(answered, at)),
            Err(refusal) => Err(self.of_group(id, refusal)),
        }
    }

    /// Deletes a group without members, with its offsets.
    pub async fn delete_group(&self, id: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![id.to_owned()] };
        self.cluster
            .retry("deleting the group", async || {
                let response = self.cluster.ask_coordinator(id, &request).await?;
                let result = response.results.into_iter().next().ok_or_else(unanswered)?;
                Refusal::check(result.error_code, None).map_err(|refusal| self.of_group(id, refusal))
            })
            .await
    }

    /// How far a group is, wherever it has committed. A group that is not there has committed nothing.
    pub async fn group_offsets(&self, id: &str) -> Result<GroupOffsets, ClientError> {
        self.cluster
            .retry("asking for committed offsets", async || {
                let connection = self.cluster.coordinator_connection(id).await?;
                fetch_offsets(&connection, id, &Identity::OUTSIDER, None).await
            })
            .await
    }

    /// Says how far a group without members is. A group that is not there comes to be.
    pub async fn alter_group_offsets(&self, id: &str, offsets: &GroupOffsets) -> Result<(), ClientError> {
        self.cluster
            .retry("setting committed offsets", async || {
                let connection = self.cluster.coordinator_connection(id).await?;
                match commit_offsets(&connection, id, &Identity::OUTSIDER, offsets).await {
                    Err(ClientError::Refused(refusal)) => Err(self.of_group(id, refusal)),
                    result => result,
                }
            })
            .await
    }

    /// Forgets how far a group is with these partitions, which no member may be subscribed to. The first that is
    /// refused makes the error.
    pub async fn delete_group_offsets(&self, id: &str, partitions: &[(Arc<str>, i32)]) -> Result<(), ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for (topic, index) in partitions {
            topics.entry(topic).or_default().push(OffsetDeleteRequestPartition { partition_index: *index });
        }
        let topic = |(name, partitions): (&str, _)| OffsetDeleteRequestTopic { name: name.to_owned(), partitions };
        let request = OffsetDeleteRequest { group_id: id.to_owned(), topics: topics.into_iter().map(topic).collect() };
        self.cluster
            .retry("forgetting committed offsets", async || {
                let response = self.cluster.ask_coordinator(id, &request).await?;
                Refusal::check(response.error_code, None).map_err(|refusal| self.of_group(id, refusal))?;
                for topic in response.topics {
                    for one in topic.partitions {
                        let place = format!("{}-{}", topic.name, one.partition_index);
                        Refusal::check(one.error_code, Some(place))?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// What a coordinator's refusal means to whoever administrates the group.
    fn of_group(&self, id: &str, refusal: Refusal) -> ClientError {
        match refusal.code {
            ErrorCode::GroupIdNotFound => ClientError::UnknownGroup(id.to_owned()),
            // A commit by an outsider is refused so while there are members.
            ErrorCode::NonEmptyGroup | ErrorCode::UnknownMemberId => ClientError::GroupHasMembers(id.to_owned()),
            _ => refusal.into(),
        }
    }
}

fn of_consumers(group: consumer::DescribedGroup, coordinator: (BrokerId, Address)) -> DescribedGroup {
    let member = |member: consumer::Member| GroupMember {
        id: member.member_id,
        instance: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        topics: member.subscribed_topic_names,
        pattern: member.subscribed_topic_regex.filter(|pattern| !pattern.is_empty()),
        assigned: named(member.assignment),
        target: Some(named(member.target_assignment)),
        epoch: Some(member.member_epoch),
    };
    let mut members: Vec<_> = group.members.into_iter().map(member).collect();
    members.sort_by(|a, b| a.id.cmp(&b.id));
    DescribedGroup {
        id: group.group_id,
        kind: GroupKind::Consumer,
        state: group.group_state,
        protocol_type: CONSUMERS.to_owned(),
        assignor: group.assignor_name,
        epoch: Some(group.group_epoch),
        coordinator,
        members,
    }
}

fn named(assignment: consumer::Assignment) -> BTreeMap<String, Vec<i32>> {
    assignment.topic_partitions.into_iter().map(|topic| (topic.topic_name, sorted(topic.partitions))).collect()
}

fn of_classic(group: classic::DescribedGroup, coordinator: (BrokerId, Address)) -> DescribedGroup {
    let of_consumers = group.protocol_type == CONSUMERS;
    let member = |member: classic::DescribedGroupMember| {
        // Other kinds of members say what only they understand; one that says nonsense says nothing.
        let subscription: Option<ConsumerProtocolSubscription> = Some(&member.member_metadata)
            .filter(|_| of_consumers)
            .and_then(|bytes| read_versioned_leniently(bytes).ok());
        let assignment: Option<ConsumerProtocolAssignment> = Some(&member.member_assignment)
            .filter(|_| of_consumers)
            .and_then(|bytes| read_versioned_leniently(bytes).ok());
        let assigned = assignment.map(|assignment| assignment.assigned_partitions).unwrap_or_default();
        GroupMember {
            id: member.member_id,
            instance: member.group_instance_id,
            client_id: member.client_id,
            host: member.client_host,
            topics: subscription.map(|subscription| subscription.topics).unwrap_or_default(),
            assigned: assigned.into_iter().map(|topic| (topic.topic, sorted(topic.partitions))).collect(),
            ..GroupMember::default()
        }
    };
    let mut members: Vec<_> = group.members.into_iter().map(member).collect();
    members.sort_by(|a, b| a.id.cmp(&b.id));
    DescribedGroup {
        id: group.group_id,
        kind: GroupKind::Classic,
        state: group.group_state,
        protocol_type: group.protocol_type,
        assignor: group.protocol_data,
        epoch: None,
        coordinator,
        members,
    }
}

fn sorted(mut partitions: Vec<i32>) -> Vec<i32> {
    partitions.sort_unstable();
    partitions
}
