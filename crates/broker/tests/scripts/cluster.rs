//! Commands about the cluster: its brokers, its quorum, its features.

use ottla_protocol::describe_cluster::DescribeClusterRequest;
use ottla_protocol::describe_quorum::{DescribeQuorumRequest, DescribedPartition, DescribedTopic};
use ottla_protocol::unregister_broker::UnregisterBrokerRequest;
use ottla_protocol::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use ottla_testkit::Command;
use ottla_types::Uuid;

use super::session::{Session, error};

/// `operations fenced type=2`.
pub(super) fn describe_cluster(session: &mut Session, command: &Command<'_>) -> String {
    let request = DescribeClusterRequest {
        include_cluster_authorized_operations: command.has("operations"),
        endpoint_type: command.parsed("type", 1),
        include_fenced_brokers: command.has("fenced"),
    };
    session.ask(command.parsed("v", 2), &request, |_, answer| {
        let cluster = if answer.cluster_id.is_empty() { "without id" } else { "with id" };
        let mut lines = vec![format!(
            "{} type={} {cluster} controller={} operations={:#x}",
            error(answer.error_code, answer.error_message.as_deref()),
            answer.endpoint_type,
            answer.controller_id,
            answer.cluster_authorized_operations
        )];
        lines.extend(answer.brokers.iter().map(|broker| {
            let fenced = if broker.is_fenced { " fenced" } else { "" };
            format!("broker {} {} rack={:?}{fenced}", broker.broker_id, broker.host, broker.rack)
        }));
        lines.join("\n")
    })
}

/// `topic/0…`; nothing for the partition that there is. Numbers that rise by themselves are told by how they compare.
pub(super) fn describe_quorum(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 2);
    let mut topics: Vec<DescribedTopic> = Vec::new();
    let words = if command.words.is_empty() { &["__cluster_metadata/0"][..] } else { &command.words };
    for word in words.iter().filter(|word| **word != "none") {
        let (name, index) = word.split_once('/').expect("a topic and a partition");
        let partition = DescribedPartition { partition_index: index.parse().expect("a partition") };
        match topics.last_mut().filter(|topic| topic.topic_name == name) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(DescribedTopic { topic_name: name.to_owned(), partitions: vec![partition] }),
        }
    }
    session.ask(version, &DescribeQuorumRequest { topics }, |_, answer| {
        let mut lines = vec![error(answer.error_code, answer.error_message.as_deref())];
        for (topic, one) in answer.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)))
        {
            lines.push(format!(
                "{}/{} {} leader={} led={} offsets={}",
                topic.topic_name,
                one.partition_index,
                error(one.error_code, one.error_message.as_deref()),
                one.leader_id,
                one.leader_epoch > 0,
                one.high_watermark > 0
            ));
            let replicas = [("voter", &one.current_voters), ("observer", &one.observers)];
            for (kind, replica) in replicas.iter().flat_map(|(kind, all)| all.iter().map(move |one| (kind, one))) {
                lines.push(format!(
                    "  {kind} {} directory={} has-all={} seen={} caught-up={}",
                    replica.replica_id,
                    replica.replica_directory_id != Uuid::ZERO,
                    replica.log_end_offset >= one.high_watermark,
                    replica.last_fetch_timestamp > 0,
                    replica.last_caught_up_timestamp > 0
                ));
            }
        }
        lines.extend(
            answer.nodes.iter().map(|node| format!("node {} listeners={}", node.node_id, node.listeners.len())),
        );
        lines.join("\n")
    })
}

/// `NAME=LEVEL` or `NAME=LEVEL,TYPE`; for v0 the type `down` allows a downgrade. `at-once`: without time for an answer.
pub(super) fn update_features(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 2);
    let update = |(name, wanted): &(&str, &str)| {
        let (level, upgrade_type) = wanted.split_once(',').unwrap_or((*wanted, "1"));
        FeatureUpdateKey {
            feature: (*name).to_owned(),
            max_version_level: level.parse().expect("a level"),
            allow_downgrade: upgrade_type == "down",
            upgrade_type: upgrade_type.parse().unwrap_or(1),
        }
    };
    let request = UpdateFeaturesRequest {
        timeout_ms: if command.has("at-once") { 0 } else { 60_000 },
        feature_updates: command.arguments.iter().filter(|(key, _)| *key != "v").map(update).collect(),
        validate_only: command.has("validate-only"),
    };
    session.ask(version, &request, |_, answer| {
        let mut lines = vec![error(answer.error_code, answer.error_message.as_deref())];
        lines.extend(
            answer.results.iter().map(|result| {
                format!("{} {}", result.feature, error(result.error_code, result.error_message.as_deref()))
            }),
        );
        lines.join("\n")
    })
}

pub(super) fn unregister_broker(session: &mut Session, command: &Command<'_>) -> String {
    let request = UnregisterBrokerRequest { broker_id: command.words[0].parse().expect("a broker's id") };
    session.ask(0, &request, |_, answer| error(answer.error_code, answer.error_message.as_deref()))
}
