//! Commands about partitions: more of them, their leaders, their replicas, and pages that describe them.

use ottla_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::describe_topic_partitions::{Cursor, DescribeTopicPartitionsRequest, TopicRequest};
use ottla_protocol::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use ottla_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use ottla_testkit::Command;

use super::session::{Session, error, joined};

/// `t=3` or `t=3:1/1`, the brokers of each new partition behind the count.
pub(super) fn create_partitions(session: &mut Session, command: &Command<'_>) -> String {
    let grown = |(name, wanted): &(&str, &str)| {
        let (count, assigned) = wanted.split_once(':').map_or((*wanted, None), |(count, rest)| (count, Some(rest)));
        let replicas = |ids: &str| CreatePartitionsAssignment { broker_ids: numbers(ids) };
        CreatePartitionsTopic {
            name: (*name).replace("''", ""),
            count: count.parse().expect("a count"),
            assignments: assigned.map(|assigned| assigned.split_terminator('/').map(replicas).collect()),
        }
    };
    let topics = command.arguments.iter().filter(|(key, _)| !is_option(key)).map(grown).collect();
    let request = CreatePartitionsRequest {
        topics,
        timeout_ms: command.parsed("timeout", 60_000),
        validate_only: command.has("validate-only"),
    };
    session.ask(command.parsed("v", 3), &request, |session, mut answer| {
        session.settle();
        answer.results.sort_by(|a, b| a.name.cmp(&b.name));
        joined(
            answer
                .results
                .iter()
                .map(|result| format!("{} {}", result.name, error(result.error_code, result.error_message.as_deref()))),
        )
    })
}

/// `preferred t=0,1`, `unclean all`.
pub(super) fn elect_leaders(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 2);
    let topic =
        |(name, indices): &(&str, &str)| TopicPartitions { topic: (*name).to_owned(), partitions: numbers(indices) };
    let named = || command.arguments.iter().filter(|(key, _)| !is_option(key)).map(topic).collect();
    let request = ElectLeadersRequest {
        election_type: if command.has("unclean") { 1 } else { command.parsed("type", 0) },
        topic_partitions: (!command.has("all")).then(named),
        timeout_ms: command.parsed("timeout", 60_000),
    };
    session.ask(version, &request, |_, answer| {
        let mut lines = if version >= 1 { vec![error(answer.error_code, None)] } else { Vec::new() };
        for topic in &answer.replica_election_results {
            lines.push(topic.topic.clone());
            lines.extend(
                topic.partition_result.iter().map(|one| {
                    format!("  {} {}", one.partition_id, error(one.error_code, one.error_message.as_deref()))
                }),
            );
        }
        lines.join("\n")
    })
}

/// `t/0=1,2 t/1=cancel same-factor`.
pub(super) fn reassign(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 1);
    let mut topics: Vec<ReassignableTopic> = Vec::new();
    for (partition, replicas) in command.arguments.iter().filter(|(key, _)| !is_option(key)) {
        let (name, index) = partition.split_once('/').expect("a topic and a partition");
        let partition = ReassignablePartition {
            partition_index: index.parse().expect("a partition"),
            replicas: (*replicas != "cancel").then(|| numbers(replicas)),
        };
        match topics.last_mut().filter(|topic| topic.name == name) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(ReassignableTopic { name: name.to_owned(), partitions: vec![partition] }),
        }
    }
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 60_000,
        allow_replication_factor_change: !command.has("same-factor"),
        topics,
    };
    session.ask(version, &request, |session, answer| {
        session.settle();
        let mut lines = vec![error(answer.error_code, answer.error_message.as_deref())];
        if version >= 1 && !answer.allow_replication_factor_change {
            lines[0] += " same-factor";
        }
        for topic in &answer.responses {
            lines.extend(topic.partitions.iter().map(|one| {
                let outcome = error(one.error_code, one.error_message.as_deref());
                format!("{}/{} {outcome}", topic.name, one.partition_index)
            }));
        }
        lines.join("\n")
    })
}

/// `t=0,1` or `all`.
pub(super) fn list_reassignments(session: &mut Session, command: &Command<'_>) -> String {
    let topic = |(name, indices): &(&str, &str)| ListPartitionReassignmentsTopics {
        name: (*name).to_owned(),
        partition_indexes: numbers(indices),
    };
    let topics = (!command.has("all")).then(|| command.arguments.iter().map(topic).collect());
    let request = ListPartitionReassignmentsRequest { timeout_ms: 60_000, topics };
    session.ask(0, &request, |_, answer| {
        format!("{} topics={}", error(answer.error_code, answer.error_message.as_deref()), answer.topics.len())
    })
}

/// `t u limit=2 from=t/1`.
pub(super) fn describe_topic_partitions(session: &mut Session, command: &Command<'_>) -> String {
    let from = command.argument("from").map(|from| {
        let (topic, index) = from.split_once('/').expect("a topic and a partition");
        Cursor { topic_name: topic.to_owned(), partition_index: index.parse().expect("a partition") }
    });
    let request = DescribeTopicPartitionsRequest {
        topics: command.words.iter().map(|name| TopicRequest { name: name.replace("''", "") }).collect(),
        response_partition_limit: command.parsed("limit", 2000),
        cursor: from,
    };
    session.ask(0, &request, |_, answer| {
        let mut lines = Vec::new();
        for topic in &answer.topics {
            let id = if topic.topic_id.is_zero() { "" } else { "<id>" };
            let internal = if topic.is_internal { " internal" } else { "" };
            let name = topic.name.as_deref().unwrap_or("null");
            let outcome = error(topic.error_code, None);
            lines.push(format!("{name}{id} {outcome}{internal} operations={:#x}", topic.topic_authorized_operations));
            lines.extend(topic.partitions.iter().map(|one| {
                format!(
                    "  {} {} leader={} epoch={} replicas={:?} isr={:?} elr={:?} last-elr={:?} offline={:?}",
                    one.partition_index,
                    error(one.error_code, None),
                    one.leader_id,
                    one.leader_epoch,
                    one.replica_nodes,
                    one.isr_nodes,
                    one.eligible_leader_replicas,
                    one.last_known_elr,
                    one.offline_replicas
                )
            }));
        }
        lines
            .extend(answer.next_cursor.iter().map(|next| format!("next {}/{}", next.topic_name, next.partition_index)));
        lines.join("\n")
    })
}

fn is_option(key: &str) -> bool {
    ["v", "timeout", "type"].contains(&key)
}

fn numbers(list: &str) -> Vec<i32> {
    list.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().expect("a number")).collect()
}
