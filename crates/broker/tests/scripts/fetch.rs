//! `fetch`: records of one or more partitions.

use ottla_protocol::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData,
    ReplicaState,
};
use ottla_record::{Batches, Codec, RecordBatch, Scratch};
use ottla_testkit::Command;

use super::session::{Session, error, joined, now};

/// The first version that names topics by id.
const IDS_FROM: i16 = 13;
/// The first version whose follower is named in a tagged field.
const REPLICA_STATE_FROM: i16 = 15;

pub(super) fn fetch(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 18);
    let mut topics: Vec<FetchTopic> = Vec::new();
    for word in &command.words {
        let (topic, place) = word.split_once('/').expect("TOPIC/PARTITION@OFFSET");
        let (partition, offset) = place.split_once('@').expect("PARTITION@OFFSET");
        let (name, topic_id) = session.topic_in(topic, version, IDS_FROM);
        let partition = FetchPartition {
            partition: partition.parse().expect("a partition"),
            current_leader_epoch: command.parsed("epoch", -1),
            fetch_offset: offset.parse().expect("an offset"),
            last_fetched_epoch: command.parsed("fetched", -1),
            partition_max_bytes: command.parsed("partition-max", 1 << 20),
            ..FetchPartition::default()
        };
        match topics.last_mut().filter(|last| last.topic == name && last.topic_id == topic_id) {
            Some(last) => last.partitions.push(partition),
            None => topics.push(FetchTopic { topic: name, topic_id, partitions: vec![partition] }),
        }
    }
    let (session_id, session_epoch) = command.argument("session").map_or((0, -1), |named| {
        let (id, epoch) = named.split_once(',').expect("ID,EPOCH");
        let id = session.fetch_sessions.get(id).copied().unwrap_or_else(|| id.parse().expect("a session or an id"));
        (id, epoch.parse().expect("an epoch"))
    });
    let forgotten = command.argument("forget").map(|list| list.split(',').map(|one| forgotten(session, one, version)));
    let forgotten_topics_data = forgotten.map(Iterator::collect).unwrap_or_default();
    let replica_id = command.parsed("replica", -1);
    let tagged = version >= REPLICA_STATE_FROM;
    let request = FetchRequest {
        replica_id: if tagged { -1 } else { replica_id },
        replica_state: ReplicaState { replica_id: if tagged { replica_id } else { -1 }, replica_epoch: -1 },
        max_wait_ms: command.parsed("wait", 0),
        min_bytes: command.parsed("min", 1),
        max_bytes: command.parsed("max", 50 << 20),
        isolation_level: command.parsed("isolation", 0),
        session_id,
        session_epoch,
        topics,
        forgotten_topics_data,
        rack_id: command.argument("rack").unwrap_or_default().to_owned(),
        ..FetchRequest::default()
    };
    session.ask(version, &request, |session, answer| {
        if let Some(name) = command.argument("as") {
            session.fetch_sessions.insert(name.to_owned(), answer.session_id);
        }
        printed(session, &answer)
    })
}

fn forgotten(session: &Session, word: &str, version: i16) -> ForgottenTopic {
    let (topic, partition) = word.split_once('/').expect("TOPIC/PARTITION");
    let (topic, topic_id) = session.topic_in(topic, version, IDS_FROM);
    ForgottenTopic { topic, topic_id, partitions: vec![partition.parse().expect("a partition")] }
}

fn printed(session: &Session, answer: &FetchResponse) -> String {
    let mut lines = Vec::new();
    if answer.error_code != 0 || answer.session_id != 0 {
        let name =
            session.fetch_sessions.iter().find(|(_, id)| **id == answer.session_id).map(|(name, _)| name.as_str());
        let id = if answer.session_id == 0 { "0" } else { name.unwrap_or("some") };
        lines.push(format!("{} session={id}", error(answer.error_code, None)));
    }
    for topic in &answer.responses {
        let name = session.printed(&topic.topic, topic.topic_id);
        lines.extend(topic.partitions.iter().map(|partition| printed_partition(&name, partition)));
    }
    for node in &answer.node_endpoints {
        let here = format!("{}:{}", node.host, node.port) == session.address().to_string();
        lines.push(format!("node {}{}", node.node_id, if here { " is here" } else { " is elsewhere" }));
    }
    if lines.is_empty() { "nothing".to_owned() } else { joined(lines) }
}

fn printed_partition(topic: &str, partition: &PartitionData) -> String {
    let mut line = format!("{topic}/{} {}", partition.partition_index, error(partition.error_code, None));
    let bounds = [partition.high_watermark, partition.last_stable_offset, partition.log_start_offset];
    if bounds != [-1; 3] {
        line += &format!(" high={} stable={} start={}", bounds[0], bounds[1], bounds[2]);
    }
    if let Some(aborted) = &partition.aborted_transactions {
        let of = |it: &AbortedTransaction| format!(" {}@{}", it.producer_id, it.first_offset);
        line += &format!(" aborted={}{}", aborted.len(), aborted.iter().map(of).collect::<String>());
    }
    if partition.diverging_epoch.epoch != -1 {
        let end = &partition.diverging_epoch;
        line += &format!(" diverging={}@{}", end.epoch, end.end_offset);
    }
    if partition.current_leader.leader_id != -1 {
        line += &format!(" leader={},{}", partition.current_leader.leader_id, partition.current_leader.leader_epoch);
    }
    match partition.records.as_deref() {
        None => line += " records=null",
        Some([]) => {}
        Some(bytes) => line += &printed_records(bytes),
    }
    line
}

/// A timestamp, by the broker's date where that is near.
fn moment(timestamp: i64) -> String {
    let after = timestamp - now();
    if after.abs() < 10_000_000 { format!("now{after:+}") } else { timestamp.to_string() }
}

/// Each batch on a line: its offsets, its epoch and its records; and what is left of one that was cut.
fn printed_records(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut scratch = Scratch::default();
    let mut batches = Batches::new(bytes);
    let short = |bytes: Option<&[u8]>| match bytes {
        None => "~".to_owned(),
        Some(bytes) if bytes.len() > 8 => format!("[{}]", bytes.len()),
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    for batch in batches.by_ref() {
        let Ok(batch): Result<RecordBatch<'_>, _> = batch else { break };
        batch.check_crc().expect("the bytes that the producer sent, or none");
        let header = *batch.header();
        let records = batch.records(&mut scratch, 1 << 20).expect("records");
        let records = records.map(|record| record.expect("a record"));
        if !header.is_current() {
            // Each record of an old format with its offset and timestamp, which only conversion could have changed.
            let records = records.map(|record| {
                let (key, value) = (short(record.key), short(record.value));
                format!("{}:{key}:{value}@{}", record.offset, moment(record.timestamp.0))
            });
            let records: Vec<_> = records.collect();
            let codec = header.codec().expect("a codec").name();
            text += &format!("\n  {} magic={} {codec} {}", header.base_offset, header.magic, records.join(","));
            continue;
        }
        let of =
            if header.attributes.is_transactional() { format!("txn={} ", header.producer_id) } else { String::new() };
        if header.attributes.is_control() {
            let kinds: Vec<_> = records
                .map(|record| if record.key.is_some_and(|key| key[3] == 0) { "abort" } else { "commit" })
                .collect();
            text += &format!("\n  {} {of}{}", header.base_offset, kinds.join(","));
            continue;
        }
        let records: Vec<_> = records.map(|record| format!("{}:{}", short(record.key), short(record.value))).collect();
        let codec = match header.codec().expect("a codec") {
            Codec::None => String::new(),
            codec => format!("{} ", codec.name()),
        };
        text += &format!("\n  {}-{} {of}{codec}{}", header.base_offset.0, header.last_offset().0, records.join(","));
    }
    let cut = bytes.len() - batches.position();
    if cut > 0 {
        text += "\n  and a part of the next";
    }
    text
}
