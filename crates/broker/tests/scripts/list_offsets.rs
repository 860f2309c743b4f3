//! `list-offsets`: offsets by timestamp or by what stands for one.

use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_testkit::Command;

use super::session::{Session, error, joined, now};

pub(super) fn list_offsets(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 11);
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for word in &command.words {
        let (topic, place) = word.split_once('/').expect("TOPIC/PARTITION@TIMESTAMP");
        let (partition, timestamp) = place.split_once('@').expect("PARTITION@TIMESTAMP");
        let timestamp = match timestamp.strip_prefix("now") {
            Some("") => now(),
            Some(after) => now() + after.parse::<i64>().expect("±ms"),
            None => named(timestamp),
        };
        let partition = ListOffsetsPartition {
            partition_index: partition.parse().expect("a partition"),
            current_leader_epoch: command.parsed("epoch", -1),
            timestamp,
            max_num_offsets: command.parsed("most", 1),
        };
        match topics.last_mut().filter(|last| last.name == topic) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(ListOffsetsTopic { name: topic.to_owned(), partitions: vec![partition] }),
        }
    }
    let request = ListOffsetsRequest {
        replica_id: command.parsed("replica", -1),
        isolation_level: command.parsed("isolation", 0),
        topics,
        timeout_ms: 0,
    };
    session.ask(version, &request, |_, answer| {
        let mut lines = Vec::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                if version == 0 {
                    let (index, outcome) = (partition.partition_index, error(partition.error_code, None));
                    lines.push(format!("{}/{index} {outcome} {:?}", topic.name, partition.old_style_offsets));
                    continue;
                }
                let time = match partition.timestamp {
                    -1 => String::new(),
                    time => format!(" time=now{:+}", time - now()),
                };
                lines.push(format!(
                    "{}/{} {} offset={}{time} epoch={}",
                    topic.name,
                    partition.partition_index,
                    error(partition.error_code, None),
                    partition.offset,
                    partition.leader_epoch
                ));
            }
        }
        joined(lines)
    })
}

/// The number, or what stands for a negative one.
fn named(timestamp: &str) -> i64 {
    match timestamp {
        "latest" => -1,
        "earliest" => -2,
        "max-timestamp" => -3,
        "earliest-local" => -4,
        "latest-tiered" => -5,
        "earliest-pending" => -6,
        number => number.parse().expect("a timestamp"),
    }
}
