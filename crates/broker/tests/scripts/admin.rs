//! Commands about topics, producer ids and versions.

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla_protocol::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla_protocol::init_producer_id::InitProducerIdRequest;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_testkit::Command;

use super::session::{Session, error, joined};

pub(super) fn create_topics(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 7);
    let names = command.words.iter().filter(|word| **word != "validate-only" && !word.starts_with("config:"));
    let request = CreateTopicsRequest {
        topics: names.map(|name| creatable(name, command)).collect(),
        timeout_ms: command.parsed("timeout", 60_000),
        validate_only: command.has("validate-only"),
    };
    session.ask(version, &request, |session, mut answer| {
        session.settle();
        answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
        joined(answer.topics.iter().map(|topic| {
            session.note_id(&topic.name, topic.topic_id);
            let mut line = format!("{:?} {}", topic.name, error(topic.error_code, topic.error_message.as_deref()));
            if topic.error_code == 0 && version >= 5 {
                line += &format!(" partitions={} factor={}", topic.num_partitions, topic.replication_factor);
                let configs = topic.configs.iter().flatten();
                // 1: set for this topic.
                for config in configs.filter(|config| config.config_source == 1) {
                    line += &format!(" {}={}", config.name, config.value.as_deref().unwrap_or("null"));
                }
                line += if topic.topic_id.is_zero() { " without id" } else { "" };
            }
            line
        }))
    })
}

fn creatable(name: &str, command: &Command<'_>) -> CreatableTopic {
    let mut topic = CreatableTopic {
        name: name.replace("''", ""),
        num_partitions: command.parsed("partitions", -1),
        replication_factor: command.parsed("factor", -1),
        ..CreatableTopic::default()
    };
    for (key, value) in &command.arguments {
        if let Some(name) = key.strip_prefix("config:") {
            topic.configs.push(CreatableTopicConfig { name: name.to_owned(), value: Some((*value).to_owned()) });
        } else if let Some(partition) = key.strip_prefix("assign:") {
            topic.assignments.push(CreatableReplicaAssignment {
                partition_index: partition.parse().expect("a partition"),
                broker_ids: value.split(',').filter_map(|id| id.parse().ok()).collect(),
            });
        }
    }
    let null = command.words.iter().filter_map(|word| word.strip_prefix("config:"));
    topic.configs.extend(null.map(|name| CreatableTopicConfig { name: name.to_owned(), value: None }));
    topic
}

pub(super) fn delete_topics(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 6);
    let mut request = DeleteTopicsRequest { timeout_ms: 60_000, ..DeleteTopicsRequest::default() };
    for word in &command.words {
        let (name, topic_id) = session.topic(word);
        if version >= 6 {
            request.topics.push(DeleteTopicState { name, topic_id });
        } else {
            request.topic_names.push(name.unwrap_or_default());
        }
    }
    session.ask(version, &request, |session, answer| {
        session.settle();
        let mut lines: Vec<_> = answer
            .responses
            .iter()
            .map(|topic| {
                let name = topic.name.as_deref().unwrap_or_default();
                let both = if name.is_empty() || topic.topic_id.is_zero() { "" } else { "<id>" };
                let outcome = error(topic.error_code, topic.error_message.as_deref());
                format!("{}{both} {outcome}", session.printed(name, topic.topic_id))
            })
            .collect();
        lines.sort();
        lines.join("\n")
    })
}

pub(super) fn metadata(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 13);
    let named = |word: &&str| {
        let (name, topic_id) = session.topic(word);
        MetadataRequestTopic { topic_id, name }
    };
    let words =
        command.words.iter().filter(|word| !["all", "none", "cluster-operations", "topic-operations"].contains(word));
    let request = MetadataRequest {
        topics: (!command.has("all")).then(|| words.map(named).collect()),
        allow_auto_topic_creation: command.parsed("auto-create", true),
        include_cluster_authorized_operations: command.has("cluster-operations"),
        include_topic_authorized_operations: command.has("topic-operations"),
    };
    session.ask(version, &request, |session, answer| printed_metadata(session, version, &answer))
}

fn printed_metadata(session: &mut Session, version: i16, answer: &MetadataResponse) -> String {
    let brokers = answer.brokers.iter().map(|broker| {
        let rack = broker.rack.as_ref().map_or(String::new(), |rack| format!(" rack={rack}"));
        let controller = if answer.controller_id == broker.node_id { " controller" } else { "" };
        format!("broker {}{rack}{controller}", broker.node_id)
    });
    let mut lines: Vec<_> = brokers.collect();
    if answer.cluster_authorized_operations != i32::MIN {
        lines.push(format!("cluster operations={:#x}", answer.cluster_authorized_operations));
    }
    for topic in &answer.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        let id = if name.is_empty() || topic.topic_id.is_zero() { "" } else { "<id>" };
        let internal = if topic.is_internal { " internal" } else { "" };
        let printed = session.printed(name, topic.topic_id);
        let operations = match topic.topic_authorized_operations {
            i32::MIN => String::new(),
            operations => format!(" operations={operations:#x}"),
        };
        lines.push(format!("{printed}{id} {}{internal}{operations}", error(topic.error_code, None)));
        if !name.is_empty() {
            session.note_id(name, topic.topic_id);
        }
        for partition in &topic.partitions {
            let epoch = if version >= 7 { format!(" epoch={}", partition.leader_epoch) } else { String::new() };
            lines.push(format!(
                "  {} {} leader={}{epoch} replicas={:?} isr={:?} offline={:?}",
                partition.partition_index,
                error(partition.error_code, None),
                partition.leader_id,
                partition.replica_nodes,
                partition.isr_nodes,
                partition.offline_replicas
            ));
        }
    }
    lines.join("\n")
}

pub(super) fn init_producer_id(session: &mut Session, command: &Command<'_>) -> String {
    let request = InitProducerIdRequest {
        transactional_id: command.argument("txn").map(|id| id.replace("''", "")),
        transaction_timeout_ms: 1000,
        ..InitProducerIdRequest::default()
    };
    session.ask(command.parsed("v", 5), &request, |_, answer| {
        format!("{} id={} epoch={}", error(answer.error_code, None), answer.producer_id, answer.producer_epoch)
    })
}

pub(super) fn api_versions(session: &mut Session, command: &Command<'_>) -> String {
    let version: i16 = command.parsed("v", 4);
    let named =
        |key| if version >= 3 { command.argument(key).unwrap_or("tests").replace("''", "") } else { String::new() };
    let request =
        ApiVersionsRequest { client_software_name: named("software"), client_software_version: named("version") };
    session.ask(version, &request, |_, answer| {
        let apis = answer.api_keys.iter().map(|api| format!("{}:{}-{}", api.api_key, api.min_version, api.max_version));
        let mut lines = vec![format!("{} {}", error(answer.error_code, None), apis.collect::<Vec<_>>().join(" "))];
        let levels = &answer.finalized_features;
        lines.extend(answer.supported_features.iter().map(|feature| {
            let level =
                levels.iter().find(|level| level.name == feature.name).map_or(0, |level| level.max_version_level);
            format!("{}:{}-{} at {level}", feature.name, feature.min_version, feature.max_version)
        }));
        if version >= 3 && answer.error_code == 0 {
            lines.push(format!("epoch={}", answer.finalized_features_epoch >= 0));
        }
        lines.join("\n")
    })
}
