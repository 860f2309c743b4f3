//! Commands about coordinators, and how far groups are.

use ottla_protocol::find_coordinator::{Coordinator, FindCoordinatorRequest};
use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use ottla_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponsePartitions,
};
use ottla_testkit::Command;
use ottla_types::ErrorCode;

use super::session::{Session, error, joined};
use crate::support::PATIENCE;

pub(super) fn find_coordinator(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 6);
    let keys: Vec<_> = command.words.iter().map(|word| word.replace("''", "")).collect();
    let request = FindCoordinatorRequest {
        key: if version < 4 { keys[0].clone() } else { String::new() },
        coordinator_keys: if version < 4 { Vec::new() } else { keys.clone() },
        key_type: if version < 1 { 0 } else { command.parsed("kind", 0) },
    };
    session.ask(version, &request, |session, answer| {
        let mut coordinators = answer.coordinators;
        if version < 4 {
            coordinators.push(Coordinator {
                key: keys[0].clone(),
                node_id: answer.node_id,
                host: answer.host,
                port: answer.port,
                error_code: answer.error_code,
                error_message: answer.error_message.filter(|text| !text.is_empty()),
            });
        }
        joined(coordinators.into_iter().map(|it| {
            let address = session.address();
            let is_here = (it.host.as_str(), it.port) == (&*address.ip().to_string(), i32::from(address.port()));
            let place = if is_here { "here".to_owned() } else { format!("at \"{}\":{}", it.host, it.port) };
            let message = it.error_message.as_deref().filter(|_| it.error_code != 0);
            format!("{} {} node={} {place}", it.key, error(it.error_code, message), it.node_id)
        }))
    })
}

/// Asks until the coordinators of these groups are there and have read their logs: how soon is the broker's business.
pub(super) fn coordinator(session: &mut Session, command: &Command<'_>) -> String {
    let patience = std::time::Instant::now() + PATIENCE;
    for group in &command.words {
        let found = FindCoordinatorRequest { coordinator_keys: vec![(*group).to_owned()], ..<_>::default() };
        let asked =
            OffsetFetchRequestGroup { group_id: (*group).to_owned(), topics: Some(Vec::new()), ..<_>::default() };
        let asked = OffsetFetchRequest { groups: vec![asked], ..<_>::default() };
        loop {
            let error = session.client().ask(6, &found).coordinators[0].error_code;
            if error == 0 && session.client().ask(8, &asked).groups[0].error_code == 0 {
                break;
            }
            assert!(std::time::Instant::now() < patience, "{group} has no coordinator: {error}");
        }
    }
    String::new()
}

/// `TOPIC/PARTITION@OFFSET:METADATA`; the offset and the text may be missing.
fn place(word: &str) -> (String, i32, i64, Option<String>) {
    let (topic, place) = word.split_once('/').expect("TOPIC/PARTITION");
    let (partition, behind) = place.split_once('@').unwrap_or((place, "0"));
    let (offset, metadata) = behind.split_once(':').map_or((behind, None), |(offset, text)| (offset, Some(text)));
    let (partition, offset) = (partition.parse().expect("a partition"), offset.parse().expect("an offset"));
    (topic.replace("''", ""), partition, offset, metadata.map(str::to_owned))
}

pub(super) fn commit(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 9);
    let mut request = OffsetCommitRequest {
        group_id: command.words[0].replace("''", ""),
        generation_id_or_member_epoch: command.parsed("generation", -1),
        member_id: session.members.id(command.argument("member").unwrap_or_default()),
        group_instance_id: command.argument("instance").map(str::to_owned),
        retention_time_ms: command.parsed("retention", -1),
        topics: Vec::new(),
    };
    for (word, partition_index, committed_offset, committed_metadata) in
        command.words[1..].iter().map(|word| place(word))
    {
        let (name, topic_id) = session.topic_in(&word, version, 10);
        let partition = OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_leader_epoch: command.parsed("epoch", -1),
            committed_metadata,
            ..<_>::default()
        };
        match request.topics.last_mut().filter(|last| (&last.name, last.topic_id) == (&name, topic_id)) {
            Some(last) => last.partitions.push(partition),
            None => request.topics.push(OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] }),
        }
    }
    session.ask(version, &request, |session, answer| {
        let mut lines = Vec::new();
        for topic in &answer.topics {
            let name = session.printed(&topic.name, topic.topic_id);
            let told = topic
                .partitions
                .iter()
                .map(|it| format!("{name}/{} {}", it.partition_index, error(it.error_code, None)));
            lines.extend(told);
        }
        joined(lines)
    })
}

/// All offsets, or those of `partitions=TOPIC/PARTITION,…`.
pub(super) fn fetch(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 9);
    let wanted = command.argument("partitions").map(|words| {
        let mut topics = Vec::<OffsetFetchRequestTopics>::new();
        for (word, partition, ..) in words.split(',').filter(|word| !word.is_empty()).map(place) {
            let (name, topic_id) = session.topic_in(&word, version, 10);
            match topics.last_mut().filter(|last| (&last.name, last.topic_id) == (&name, topic_id)) {
                Some(last) => last.partition_indexes.push(partition),
                None => topics.push(OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![partition] }),
            }
        }
        topics
    });
    let groups: Vec<_> =
        command.words.iter().filter(|word| **word != "stable").map(|word| word.replace("''", "")).collect();
    let mut request = OffsetFetchRequest { require_stable: command.has("stable"), ..<_>::default() };
    if version < 8 {
        request.group_id.clone_from(&groups[0]);
        let plain = |topic: OffsetFetchRequestTopics| OffsetFetchRequestTopic {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
        };
        request.topics = wanted.map(|topics| topics.into_iter().map(plain).collect());
    } else {
        let of = |group_id| OffsetFetchRequestGroup {
            group_id,
            member_id: command.argument("member").map(str::to_owned),
            member_epoch: command.parsed("member-epoch", -1),
            topics: wanted.clone(),
        };
        request.groups = groups.into_iter().map(of).collect();
    }
    session.ask(version, &request, |session, answer| {
        let mut lines = Vec::new();
        if version < 8 {
            lines.push(error(answer.error_code, None));
            for topic in answer.topics {
                lines.extend(topic.partitions.into_iter().map(|it| {
                    let it = OffsetFetchResponsePartitions {
                        partition_index: it.partition_index,
                        committed_offset: it.committed_offset,
                        committed_leader_epoch: it.committed_leader_epoch,
                        metadata: it.metadata,
                        error_code: it.error_code,
                    };
                    fetched(&topic.name, &it)
                }));
            }
        }
        for group in answer.groups {
            lines.push(format!("{} {}", group.group_id, error(group.error_code, None)));
            let mut told = Vec::new();
            for topic in group.topics {
                let name = session.printed(&topic.name, topic.topic_id);
                told.extend(topic.partitions.iter().map(|it| fetched(&name, it)));
            }
            // Kafka's order is its hash map's.
            told.sort();
            lines.extend(told);
        }
        joined(lines)
    })
}

fn fetched(topic: &str, it: &OffsetFetchResponsePartitions) -> String {
    let error =
        if it.error_code == ErrorCode::None.raw() { String::new() } else { format!(" {}", error(it.error_code, None)) };
    let epoch =
        if it.committed_leader_epoch < 0 { String::new() } else { format!(" epoch={}", it.committed_leader_epoch) };
    let metadata = it.metadata.as_deref().unwrap_or("null");
    format!("  {topic}/{} {}{epoch} \"{metadata}\"{error}", it.partition_index, it.committed_offset)
}

pub(super) fn delete(session: &mut Session, command: &Command<'_>) -> String {
    let mut request = OffsetDeleteRequest { group_id: command.words[0].replace("''", ""), topics: Vec::new() };
    for (name, partition_index, ..) in command.words[1..].iter().map(|word| place(word)) {
        let partition = OffsetDeleteRequestPartition { partition_index };
        match request.topics.last_mut().filter(|last| last.name == name) {
            Some(last) => last.partitions.push(partition),
            None => request.topics.push(OffsetDeleteRequestTopic { name, partitions: vec![partition] }),
        }
    }
    session.ask(0, &request, |_, answer| {
        let mut lines = vec![error(answer.error_code, None)];
        for topic in &answer.topics {
            let told = |it: &ottla_protocol::offset_delete::OffsetDeleteResponsePartition| {
                format!("  {}/{} {}", topic.name, it.partition_index, error(it.error_code, None))
            };
            lines.extend(topic.partitions.iter().map(told));
        }
        joined(lines)
    })
}
