//! The machines' words in Kafka's messages, and the answers back. What a retry may mend becomes an input; what none
//! does, such as a version that the broker lacks, is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use ottla_types::{ErrorCode, TopicId};
use ottla_wire::framing::{read_versioned_leniently, write_versioned};
use ottla_wire::records::client::consumer_protocol_assignment::{self as assignment, ConsumerProtocolAssignment};
use ottla_wire::records::client::consumer_protocol_subscription::{self as subscription, ConsumerProtocolSubscription};

use super::assignor::{Assignor, Subscription};
use super::member::{Ask, Assigned, ConsumerBeat, IdPartitions, Input, Joined, Trouble};
use super::{GroupProtocol, GroupSettings, Partitions};
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::coordinator::Identity;
use crate::error::{ClientError, Refusal};

/// What members of classic groups of consumers say that they are.
const PROTOCOL_TYPE: &str = "consumer";
/// The version of subscriptions and assignments that is written. Readers take later ones as far as they know them.
const CONSUMER_PROTOCOL: i16 = 3;
/// What a JoinGroup may take beyond the time that the others have to join.
const JOIN_GRACE: Duration = Duration::from_secs(5);
/// From this version on LeaveGroup names members in a list (KIP-345).
const LEAVE_SEVERAL: i16 = 3;

/// The way to a group's coordinator: a connection of the group's own, since a JoinGroup keeps all behind it waiting.
#[derive(Debug)]
pub(super) struct Exchange {
    pub cluster: Cluster,
    pub settings: Arc<GroupSettings>,
    /// The connection, once the coordinator is found.
    pub connection: Option<Arc<Connection>>,
}

impl Exchange {
    /// Asks, and tells the machine what came of it.
    pub(super) async fn ask(&mut self, ask: Ask) -> Result<Input, ClientError> {
        match ask {
            Ask::FindCoordinator => {
                self.connection = None;
                let found = self.find().await;
                Ok(Input::Found(trouble(found)?))
            }
            Ask::Topics(topics) => self.topics(&topics).await.map(Input::Topics),
            Ask::Join { member, topics, owned, generation } => {
                let joined = self.join(member, &topics, &owned, generation).await;
                Ok(match trouble(joined)? {
                    Ok(input) => input,
                    Err(trouble) => Input::Joined(Err(trouble)),
                })
            }
            Ask::Sync { identity, protocol, assignments } => {
                let synced = self.sync(identity, protocol, &assignments).await;
                Ok(Input::Synced(trouble(synced)?))
            }
            Ask::Heartbeat(identity) => {
                let beat = self.heartbeat(identity).await;
                Ok(Input::Beat(trouble(beat)?))
            }
            Ask::Leave(identity) => {
                // Whatever comes of it, the member is gone.
                if let Err(error) = self.leave(identity).await {
                    tracing::debug!(%error, group = self.settings.group, "not left in order");
                }
                Ok(Input::Left)
            }
            Ask::ConsumerHeartbeat(beat) => {
                let assigned = self.consumer_heartbeat(beat).await;
                Ok(Input::Assigned(trouble(assigned)?))
            }
        }
    }

    async fn find(&mut self) -> Result<(), ClientError> {
        let coordinator = self.cluster.find_coordinator(&self.settings.group).await?;
        let (runtime, settings) = (self.cluster.runtime(), self.cluster.settings());
        let connection = Connection::open(runtime, &coordinator.address, settings).await?;
        self.connection = Some(Arc::new(connection));
        Ok(())
    }

    fn connection(&self) -> Result<&Connection, ClientError> {
        let message = Some("it is not known yet".to_owned());
        let unknown = Refusal { code: ErrorCode::CoordinatorNotAvailable, message };
        Ok(self.connection.as_deref().ok_or(unknown)?)
    }

    /// How many partitions topics have, as fresh as can be. Nobody waits for those that are not there.
    pub(super) async fn topics(&self, topics: &BTreeSet<Arc<str>>) -> Result<BTreeMap<Arc<str>, i32>, ClientError> {
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        let mut patience = self.cluster.patience("asking for the group's topics");
        while let (false, Err(error)) = (names.is_empty(), self.cluster.refresh(&names).await) {
            patience.after(error).await?;
        }
        let count = |topic: &Arc<str>| {
            let known = self.cluster.known_topic(topic)?;
            Some((Arc::clone(topic), i32::try_from(known.partitions.len()).unwrap_or(i32::MAX)))
        };
        Ok(topics.iter().filter_map(count).collect())
    }

    /// The names of topics, of those that are subscribed to.
    pub(super) async fn names(
        &self,
        ids: &BTreeSet<TopicId>,
        subscribed: &BTreeSet<Arc<str>>,
    ) -> Result<BTreeMap<TopicId, Arc<str>>, ClientError> {
        self.topics(subscribed).await?;
        let known = subscribed.iter().filter_map(|topic| self.cluster.known_topic(topic));
        Ok(known.filter(|topic| ids.contains(&topic.id)).map(|topic| (topic.id, Arc::clone(&topic.name))).collect())
    }

    async fn join(
        &self,
        member: String,
        topics: &BTreeSet<Arc<str>>,
        owned: &Partitions,
        generation: i32,
    ) -> Result<Input, ClientError> {
        let settings = &self.settings;
        let protocol = |assignor: &Assignor| {
            let metadata = subscription_bytes(*assignor, topics, owned, generation);
            JoinGroupRequestProtocol { name: assignor.name().to_owned(), metadata }
        };
        let request = JoinGroupRequest {
            group_id: settings.group.clone(),
            session_timeout_ms: milliseconds(settings.session_timeout),
            rebalance_timeout_ms: milliseconds(settings.poll_interval_max),
            member_id: member,
            group_instance_id: settings.instance.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: settings.assignors.iter().map(protocol).collect(),
            reason: None,
        };
        let connection = self.connection()?;
        let timeout = self.cluster.settings().request_timeout.max(settings.poll_interval_max + JOIN_GRACE);
        let version = connection.version(ApiKey::JoinGroup)?;
        let response = connection.begin_within(version, &request, timeout).await?.answer().await?;
        if response.error_code == ErrorCode::MemberIdRequired.raw() {
            return Ok(Input::MemberId(response.member_id));
        }
        Refusal::check(response.error_code, None)?;
        Ok(Input::Joined(Ok(joined(response))))
    }

    async fn sync(
        &self,
        identity: Identity,
        protocol: String,
        assignments: &BTreeMap<String, Partitions>,
    ) -> Result<Partitions, ClientError> {
        let assignments = assignments.iter().map(|(member, partitions)| SyncGroupRequestAssignment {
            member_id: member.clone(),
            assignment: assignment_bytes(partitions),
        });
        let request = SyncGroupRequest {
            group_id: self.settings.group.clone(),
            generation_id: identity.generation,
            member_id: identity.member,
            group_instance_id: identity.instance,
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(protocol),
            assignments: assignments.collect(),
        };
        let response = self.connection()?.ask(&request).await?;
        Refusal::check(response.error_code, None)?;
        read_assignment(&response.assignment)
    }

    async fn heartbeat(&self, identity: Identity) -> Result<(), ClientError> {
        let request = HeartbeatRequest {
            group_id: self.settings.group.clone(),
            generation_id: identity.generation,
            member_id: identity.member,
            group_instance_id: identity.instance,
        };
        let response = self.connection()?.ask(&request).await?;
        Ok(Refusal::check(response.error_code, None)?)
    }

    async fn leave(&self, identity: Identity) -> Result<(), ClientError> {
        if self.settings.protocol == GroupProtocol::Consumer {
            let beat = ConsumerBeat { identity, topics: None, owned: None, whole: false };
            return self.consumer_heartbeat(beat).await.map(drop);
        }
        let connection = self.connection()?;
        let version = connection.version(ApiKey::LeaveGroup)?;
        let mut request = LeaveGroupRequest { group_id: self.settings.group.clone(), ..LeaveGroupRequest::default() };
        if version >= LEAVE_SEVERAL {
            let reason = Some("the consumer is closed".to_owned());
            let (member_id, group_instance_id) = (identity.member, identity.instance);
            request.members = vec![MemberIdentity { member_id, group_instance_id, reason }];
        } else {
            request.member_id = identity.member;
        }
        let response = connection.begin(version, &request).await?.answer().await?;
        Ok(Refusal::check(response.error_code, None)?)
    }

    async fn consumer_heartbeat(&self, beat: ConsumerBeat) -> Result<Assigned, ClientError> {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.settings.group.clone(),
            member_id: beat.identity.member,
            member_epoch: beat.identity.generation,
            instance_id: beat.identity.instance,
            rack_id: None,
            rebalance_timeout_ms: if beat.whole { milliseconds(self.settings.poll_interval_max) } else { -1 },
            subscribed_topic_names: beat.topics.map(|topics| topics.iter().map(ToString::to_string).collect()),
            subscribed_topic_regex: None,
            server_assignor: self.settings.remote_assignor.clone().filter(|_| beat.whole),
            topic_partitions: beat.owned.as_ref().map(by_id),
        };
        let response = self.connection()?.ask(&request).await?;
        Refusal::check(response.error_code, response.error_message)?;
        let assignment = response.assignment.map(|assignment| {
            let topics = assignment.topic_partitions.into_iter();
            topics.flat_map(|topic| topic.partitions.into_iter().map(move |index| (topic.topic_id, index))).collect()
        });
        Ok(Assigned {
            member: response.member_id.filter(|id| !id.is_empty()),
            epoch: response.member_epoch,
            heartbeat_interval: Duration::from_millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or(0)),
            assignment,
        })
    }
}

/// Tells what a retry may mend, and what the coordinator says, from what is wrong for good.
fn trouble<T>(result: Result<T, ClientError>) -> Result<Result<T, Trouble>, ClientError> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(ClientError::Refused(refusal)) => Ok(Err(Trouble::Refused(refusal))),
        Err(error) if error.is_retriable() => {
            tracing::debug!(%error, "the coordinator is not reached");
            Ok(Err(Trouble::Unreachable))
        }
        Err(error) => Err(error),
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn by_id(partitions: &IdPartitions) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for (id, index) in partitions {
        topics.entry(*id).or_default().push(*index);
    }
    topics.into_iter().map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions }).collect()
}

fn by_topic(partitions: &Partitions) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic.to_string()).or_default().push(*index);
    }
    topics
}

fn subscription_bytes(assignor: Assignor, topics: &BTreeSet<Arc<str>>, owned: &Partitions, generation: i32) -> Bytes {
    let owned = by_topic(owned).into_iter();
    let record = ConsumerProtocolSubscription {
        topics: topics.iter().map(ToString::to_string).collect(),
        // Before version 2 had a place for it, sticky members told their generation here.
        user_data: assignor.is_cooperative().then(|| Bytes::copy_from_slice(&generation.to_be_bytes())),
        owned_partitions: owned.map(|(topic, partitions)| subscription::TopicPartition { topic, partitions }).collect(),
        generation_id: generation,
        rack_id: None,
    };
    write_versioned(&record, CONSUMER_PROTOCOL).expect("names of topics fit into their fields").into()
}

fn assignment_bytes(partitions: &Partitions) -> Bytes {
    let topics = by_topic(partitions).into_iter();
    let record = ConsumerProtocolAssignment {
        assigned_partitions: topics
            .map(|(topic, partitions)| assignment::TopicPartition { topic, partitions })
            .collect(),
        user_data: None,
    };
    write_versioned(&record, CONSUMER_PROTOCOL).expect("names of topics fit into their fields").into()
}

/// What a leader, perhaps of another client, has assigned; nothing at all if it left the member out.
fn read_assignment(bytes: &[u8]) -> Result<Partitions, ClientError> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    let record: ConsumerProtocolAssignment = read_versioned_leniently(bytes).map_err(|error| {
        let message = Some(format!("the leader's assignment cannot be read: {error}"));
        ClientError::from(Refusal { code: ErrorCode::InconsistentGroupProtocol, message })
    })?;
    let named = |topic: assignment::TopicPartition| {
        let name: Arc<str> = topic.topic.into();
        topic.partitions.into_iter().map(move |index| (Arc::clone(&name), index))
    };
    Ok(record.assigned_partitions.into_iter().flat_map(named).collect())
}

fn joined(response: JoinGroupResponse) -> Joined {
    let leads = response.leader == response.member_id;
    let members = response.members.into_iter().map(|member| {
        let said = read_subscription(&member.metadata, member.group_instance_id);
        (member.member_id, said)
    });
    Joined {
        members: leads.then(|| members.collect()),
        member: response.member_id,
        generation: response.generation_id,
        protocol: response.protocol_name.unwrap_or_default(),
        skip_assignment: response.skip_assignment,
    }
}

/// What a member says, perhaps one of another client; one that cannot be read wants nothing.
fn read_subscription(bytes: &[u8], instance: Option<String>) -> Subscription {
    let Ok(record) = read_versioned_leniently::<ConsumerProtocolSubscription>(bytes) else {
        return Subscription { instance, generation: -1, ..Subscription::default() };
    };
    let named = |topic: subscription::TopicPartition| {
        let name: Arc<str> = topic.topic.into();
        topic.partitions.into_iter().map(move |index| (Arc::clone(&name), index))
    };
    let of_old =
        record.user_data.as_deref().and_then(|data| data.first_chunk()).map(|bytes| i32::from_be_bytes(*bytes));
    Subscription {
        topics: record.topics.into_iter().map(Arc::from).collect(),
        owned: record.owned_partitions.into_iter().flat_map(named).collect(),
        generation: if record.generation_id < 0 { of_old.unwrap_or(-1) } else { record.generation_id },
        instance,
    }
}
