//! `Metadata` (key 3): brokers, controller, topics and partitions as this broker knows them.
//!
//! - v0: an empty list of topics asks for all of them; from v1 null does, and an empty list for none.
//! - v1: controller, racks, internal topics. v2: cluster id. v3: throttle time.
//! - v4: the client says whether a topic may be made on demand; below, it may.
//! - v5: offline replicas. v7: leader epochs (KIP-320). v8 to v10: authorized operations of the cluster.
//! - v9: flexible. v10: topic ids in the answer (KIP-516). v12: topics may be asked for by id. v13: an error for the
//!   whole answer (KIP-1102), which this broker never has.
//!
//! A topic that is made on demand is in the same answer; Kafka has the client ask again. Errors by topic:
//! UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST; by partition:
//! LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND, REPLICA_NOT_AVAILABLE.

use std::collections::BTreeSet;

use ottla_controller::{CreateTopics, NewTopic, Reply, Request as Ask};
use ottla_metadata::{Image, Partition, Topic};
use ottla_protocol::ApiKey;
use ottla_protocol::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, TopicName, Uuid};

use super::Api;
use super::seen::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, Seen, TOPIC_OPERATIONS, is_internal, raw};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::Metadata,
    served: 0..=13,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, &request.listener, request.version).await)
        })
    },
};

async fn handle(node: &Node, body: MetadataRequest, listener: &str, version: i16) -> MetadataResponse {
    if version < 12 && body.topics.iter().flatten().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero()) {
        return too_early(body.topics.unwrap_or_default());
    }
    let asked = body.topics.filter(|topics| version > 0 || !topics.is_empty()).map(wanted);
    let may_create = node.config().auto_create_topics && (version < 4 || body.allow_auto_topic_creation);
    let image = match &asked {
        Some(topics) if may_create => create_missing(node, topics).await,
        _ => node.image(),
    };
    let view = View { seen: Seen { image: &image, listener }, version };
    let mut topics: Vec<_> = match &asked {
        None => image.topics().map(|topic| view.topic(topic)).collect(),
        Some(topics) => topics.iter().map(|topic| view.asked(topic)).collect(),
    };
    if body.include_topic_authorized_operations {
        // What a client may do with a topic is known where its name is.
        let named = topics.iter_mut().filter(|topic| topic.name.is_some());
        named.for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    let cluster_operations = body.include_cluster_authorized_operations && version <= 10;
    MetadataResponse {
        brokers: view.brokers(),
        cluster_id: image.cluster_id().map(str::to_owned),
        controller_id: node.config().node_id.0,
        topics,
        cluster_authorized_operations: if cluster_operations { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED },
        ..MetadataResponse::default()
    }
}

/// What a list of topics asks for, as Kafka reads it: each once; and where one is named by its id, only those that are.
fn wanted(topics: Vec<MetadataRequestTopic>) -> Vec<MetadataRequestTopic> {
    let by_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
    let mut seen = BTreeSet::new();
    let mut first = |topic: &MetadataRequestTopic| seen.insert((topic.topic_id, topic.name.clone().filter(|_| !by_id)));
    topics.into_iter().filter(|topic| !by_id || !topic.topic_id.is_zero()).filter(|topic| first(topic)).collect()
}

/// Makes the topics that are asked for by name alone and do not exist, but for the brokers' own. What cannot be made is
/// answered as unknown, or by what is wrong with its name.
async fn create_missing(node: &Node, asked: &[MetadataRequestTopic]) -> std::sync::Arc<Image> {
    let image = node.image();
    let named = asked.iter().filter(|topic| topic.topic_id.is_zero());
    let names = named.filter_map(|topic| topic.name.as_deref());
    let missing: BTreeSet<_> = names.filter(|name| image.topic_by_name(name).is_none()).collect();
    let topics: Vec<_> = missing
        .into_iter()
        .filter(|name| TopicName::new(name).is_ok() && !is_internal(name))
        .map(|name| NewTopic {
            name: name.to_owned(),
            id: node.random_id(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        })
        .collect();
    if topics.is_empty() {
        return image;
    }
    let reply = node.controller.ask(Ask::CreateTopics(CreateTopics { topics, validate_only: false })).await;
    if let Reply::CreateTopics(results) = reply {
        for (name, refusal) in results.iter().filter_map(|(name, result)| Some((name, result.as_ref().err()?))) {
            tracing::warn!(topic = %name, %refusal, "a topic could not be made on demand");
        }
    }
    node.image()
}

/// What clients of one listener see, in one version.
struct View<'a> {
    seen: Seen<'a>,
    version: i16,
}

impl View<'_> {
    fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let brokers = self.seen.image.brokers_at(self.seen.listener).map(|(broker, endpoint)| MetadataResponseBroker {
            node_id: broker.id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        });
        brokers.collect()
    }

    fn asked(&self, asked: &MetadataRequestTopic) -> MetadataResponseTopic {
        if !asked.topic_id.is_zero() {
            return match self.seen.image.topic_by_id(asked.topic_id) {
                Some(topic) => self.topic(topic),
                None => refused(None, asked.topic_id, ErrorCode::UnknownTopicId),
            };
        }
        let name = asked.name.as_deref().unwrap_or_default();
        match self.seen.image.topic_by_name(name) {
            Some(topic) => self.topic(topic),
            None if TopicName::new(name).is_err() => refused(Some(name), Uuid::ZERO, ErrorCode::InvalidTopicException),
            None => refused(Some(name), Uuid::ZERO, ErrorCode::UnknownTopicOrPartition),
        }
    }

    fn topic(&self, topic: &Topic) -> MetadataResponseTopic {
        MetadataResponseTopic {
            error_code: ErrorCode::None.raw(),
            name: Some(topic.name.to_string()),
            topic_id: topic.id,
            is_internal: is_internal(topic.name.as_str()),
            partitions: topic.partitions().map(|(index, partition)| self.partition(index, partition)).collect(),
            topic_authorized_operations: OPERATIONS_NOT_ASKED,
        }
    }

    fn partition(&self, index: PartitionIndex, partition: &Partition) -> MetadataResponsePartition {
        let seen = self.seen.partition(partition);
        // In the oldest version replicas that cannot be reached are left out, and that is an error.
        let shown = |ids: &[BrokerId]| -> Vec<_> {
            ids.iter().filter(|id| self.version > 0 || self.seen.reaches(**id)).map(|id| id.0).collect()
        };
        let error = match seen.error {
            // Up to v5 a leader without this listener was as good as none.
            ErrorCode::ListenerNotFound if self.version < 6 => ErrorCode::LeaderNotAvailable,
            ErrorCode::None if self.version == 0 && !seen.offline.is_empty() => ErrorCode::ReplicaNotAvailable,
            error => error,
        };
        MetadataResponsePartition {
            error_code: error.raw(),
            partition_index: index.0,
            leader_id: seen.leader.0,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: shown(&partition.replicas),
            isr_nodes: shown(&partition.isr),
            offline_replicas: raw(&seen.offline),
        }
    }
}

/// The answer to topics without a name, or with an id, before v12: the fields are there from v10, their meaning is not. It
/// says nothing about the cluster.
fn too_early(topics: Vec<MetadataRequestTopic>) -> MetadataResponse {
    let topics = topics.into_iter().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.raw(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
        ..MetadataResponseTopic::default()
    });
    MetadataResponse {
        topics: topics.collect(),
        cluster_authorized_operations: OPERATIONS_NOT_ASKED,
        ..MetadataResponse::default()
    }
}

fn refused(name: Option<&str>, topic_id: Uuid, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: error.raw(),
        name: name.map(str::to_owned),
        topic_id,
        is_internal: name.is_some_and(is_internal),
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
        ..MetadataResponseTopic::default()
    }
}
