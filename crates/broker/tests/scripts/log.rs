//! Commands about what a partition's log holds: its start, its epochs, its producers.

use ottla_protocol::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use ottla_protocol::describe_producers::{DescribeProducersRequest, TopicRequest};
use ottla_protocol::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_testkit::Command;

use super::session::{Session, error, joined, now};
use crate::support::{ListOffsetsOf, PATIENCE, list_offsets_of};

/// What ListOffsets calls the beginning of a log.
const EARLIEST: i64 = -2;

/// `TOPIC/PARTITION@NUMBER`, or without the number.
fn place(word: &str) -> (String, i32, i64) {
    let (topic, place) = word.split_once('/').expect("TOPIC/PARTITION");
    let (partition, number) = place.split_once('@').unwrap_or((place, "0"));
    (topic.replace("''", ""), partition.parse().expect("a partition"), number.parse().expect("a number"))
}

pub(super) fn delete_records(session: &mut Session, command: &Command<'_>) -> String {
    let mut request = DeleteRecordsRequest { timeout_ms: 60_000, ..DeleteRecordsRequest::default() };
    for (name, partition_index, offset) in command.words.iter().map(|word| place(word)) {
        let partition = DeleteRecordsPartition { partition_index, offset };
        match request.topics.last_mut().filter(|last| last.name == name) {
            Some(last) => last.partitions.push(partition),
            None => request.topics.push(DeleteRecordsTopic { name, partitions: vec![partition] }),
        }
    }
    session.ask(command.parsed("v", 2), &request, |_, answer| {
        let mut lines: Vec<_> = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
            .map(|(topic, it)| {
                let outcome = error(it.error_code, None);
                format!("{}/{} {outcome} low={}", topic.name, it.partition_index, it.low_watermark)
            })
            .collect();
        // Kafka's order is its hash map's.
        lines.sort();
        joined(lines)
    })
}

/// Asks where the logs begin until it is where they should: how soon retention comes is the broker's business.
pub(super) fn await_start(session: &mut Session, command: &Command<'_>) -> String {
    let patience = std::time::Instant::now() + PATIENCE;
    for (topic, partition, offset) in command.words.iter().map(|word| place(word)) {
        let request = list_offsets_of(&ListOffsetsOf { topic: &topic, partition, timestamp: EARLIEST });
        loop {
            let begins = session.client().ask(7, &request).topics[0].partitions[0].offset;
            if begins == offset {
                break;
            }
            assert!(std::time::Instant::now() < patience, "{topic}/{partition} begins at {begins}, not at {offset}");
        }
    }
    String::new()
}

pub(super) fn epoch_end(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 4);
    let replica_id = if version >= 3 { command.parsed("replica", -1) } else { -2 };
    let mut request = OffsetForLeaderEpochRequest { replica_id, topics: Vec::new() };
    for (topic, partition, epoch) in command.words.iter().map(|word| place(word)) {
        let current_leader_epoch = if version >= 2 { command.parsed("epoch", -1) } else { -1 };
        let leader_epoch = i32::try_from(epoch).expect("an epoch");
        let partition = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
        request.topics.push(OffsetForLeaderTopic { topic, partitions: vec![partition] });
    }
    session.ask(version, &request, |_, answer| {
        let topics = answer.topics.iter();
        joined(topics.flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition))).map(
            |(topic, it)| {
                let outcome = error(it.error_code, None);
                let (epoch, end) = (it.leader_epoch, it.end_offset);
                format!("{}/{} {outcome} epoch={epoch} end={end}", topic.topic, it.partition)
            },
        ))
    })
}

pub(super) fn describe_producers(session: &mut Session, command: &Command<'_>) -> String {
    let topics = command.words.iter().map(|word| {
        let (name, partition, _) = place(word);
        TopicRequest { name, partition_indexes: vec![partition] }
    });
    let request = DescribeProducersRequest { topics: topics.collect() };
    session.ask(command.parsed("v", 0), &request, |_, answer| {
        let mut lines = Vec::new();
        for (topic, it) in answer.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (topic, it))) {
            let outcome = error(it.error_code, it.error_message.as_deref());
            lines.push(format!("{}/{} {outcome}", topic.name, it.partition_index));
            let mut producers: Vec<_> = it.active_producers.iter().collect();
            producers.sort_by_key(|producer| producer.producer_id);
            for producer in producers {
                lines.push(format!(
                    "  id={} epoch={} sequence={} time=now{:+} coordinator={} txn={}",
                    producer.producer_id,
                    producer.producer_epoch,
                    producer.last_sequence,
                    producer.last_timestamp - now(),
                    producer.coordinator_epoch,
                    producer.current_txn_start_offset
                ));
            }
        }
        joined(lines)
    })
}
