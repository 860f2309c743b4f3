//! `CreateTopics` (key 19): creates topics.
//!
//! - v1: validate only; error messages. v2: throttle time.
//! - v4: the broker's defaults for -1 partitions and replicas (KIP-464); they are taken in older versions too, as Kafka
//!   does.
//! - v5: flexible; the created topic's settings in the answer (KIP-525). v7: its id (KIP-516).
//!
//! Errors by topic: INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
//! INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, INVALID_REQUEST, POLICY_VIOLATION (too many at once), NOT_CONTROLLER,
//! REQUEST_TIMED_OUT. The answer comes when this broker serves the partitions.

use std::collections::BTreeMap;

use ottla_config::describe_created_topic_config;
use ottla_controller::{Assignment, CreateTopics, CreatedTopic, NewTopic, Reply, Request as Ask};
use ottla_protocol::ApiKey;
use ottla_protocol::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_types::{BrokerId, ErrorCode, PartitionIndex, Uuid};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::CreateTopics,
    served: 0..=7,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: CreateTopicsRequest) -> CreateTopicsResponse {
    let names: Vec<_> = body.topics.iter().map(|topic| topic.name.clone()).collect();
    let configs: BTreeMap<_, _> = body.topics.iter().map(|topic| (topic.name.clone(), overrides(topic))).collect();
    let topics = body.topics.into_iter().map(|topic| new_topic(topic, node.random_id())).collect();
    let ask = Ask::CreateTopics(CreateTopics { topics, validate_only: body.validate_only });
    let topics = match node.controller.ask_within(ask, body.timeout_ms).await {
        Reply::CreateTopics(results) => results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(created) => created_topic(node, configs.get(&name), name, &created),
                Err(refusal) => refused(name, refusal.code(), refusal.to_string()),
            })
            .collect(),
        Reply::Refused(refusal) => {
            names.into_iter().map(|name| refused(name, refusal.code(), refusal.to_string())).collect()
        }
        other => unreachable!("the controller answers what it was asked, not {other}"),
    };
    CreateTopicsResponse { topics, ..CreateTopicsResponse::default() }
}

fn new_topic(topic: CreatableTopic, id: Uuid) -> NewTopic {
    let assignments = topic.assignments.into_iter().map(|assignment| Assignment {
        partition: PartitionIndex(assignment.partition_index),
        replicas: assignment.broker_ids.into_iter().map(BrokerId).collect(),
    });
    NewTopic {
        name: topic.name,
        id,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: topic.configs.into_iter().map(|config| (config.name, config.value)).collect(),
    }
}

fn overrides(topic: &CreatableTopic) -> BTreeMap<String, String> {
    topic.configs.iter().filter_map(|config| Some((config.name.clone(), config.value.clone()?))).collect()
}

fn created_topic(
    node: &Node,
    overrides: Option<&BTreeMap<String, String>>,
    name: String,
    created: &CreatedTopic,
) -> CreatableTopicResult {
    let none = BTreeMap::new();
    let described = describe_created_topic_config(overrides.unwrap_or(&none), &node.config());
    let configs = described.into_iter().map(|config| CreatableTopicConfigs {
        name: config.name,
        value: config.value,
        read_only: config.read_only,
        config_source: config.source.raw(),
        is_sensitive: config.sensitive,
    });
    CreatableTopicResult {
        name,
        topic_id: created.id,
        error_code: ErrorCode::None.raw(),
        num_partitions: i32::try_from(created.partitions).expect("the controller bounds partitions"),
        replication_factor: i16::try_from(created.replication_factor).expect("the controller bounds replicas"),
        configs: Some(configs.collect()),
        ..CreatableTopicResult::default()
    }
}

fn refused(name: String, error: ErrorCode, message: String) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: error.raw(),
        error_message: Some(message),
        num_partitions: -1,
        replication_factor: -1,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}
