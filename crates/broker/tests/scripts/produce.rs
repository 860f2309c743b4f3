//! `produce`: one batch to one or more partitions.

use bytes::Bytes;
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_record::{Codec, OldMagic};
use ottla_testkit::Command;
use ottla_types::Timestamp;

use super::session::{Session, error, joined, now};
use crate::support::{Recipe, built, corrupted, message_set};

/// The first version that names topics by id.
const IDS_FROM: i16 = 13;

pub(super) fn produce(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 13);
    let records = records(command);
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    for word in command.words.iter().filter(|word| word.contains('/')) {
        let (topic, partition) = word.split_once('/').expect("just seen");
        let (name, topic_id) = session.topic_in(topic, version, IDS_FROM);
        let data = PartitionProduceData { index: partition.parse().expect("a partition"), records: records.clone() };
        match topic_data.last_mut().filter(|last| last.name == name && last.topic_id == topic_id) {
            Some(last) => last.partition_data.push(data),
            None => topic_data.push(TopicProduceData { name, topic_id, partition_data: vec![data] }),
        }
    }
    let acks = command.parsed("acks", -1);
    let transactional_id = command.argument("txn").map(str::to_owned);
    let timeout_ms = command.parsed("timeout", 60_000);
    let request = ProduceRequest { transactional_id, acks, timeout_ms, topic_data };
    if acks == 0 {
        session.client().send(version, &request);
        return if session.client().is_served() { "no answer".to_owned() } else { session.closed() };
    }
    session.ask(version, &request, |session, answer| printed(session, version, &answer))
}

fn printed(session: &Session, version: i16, answer: &ProduceResponse) -> String {
    let mut lines = Vec::new();
    for topic in &answer.responses {
        let name = session.printed(&topic.name, topic.topic_id);
        for partition in &topic.partition_responses {
            let mut line = format!("{name}/{} ", partition.index);
            line += &error(partition.error_code, partition.error_message.as_deref());
            if partition.error_code == 0 || partition.base_offset != -1 {
                line += &format!(" base={}", partition.base_offset);
            }
            if version >= 5 && partition.log_start_offset != if partition.error_code == 0 { 0 } else { -1 } {
                line += &format!(" start={}", partition.log_start_offset);
            }
            if partition.log_append_time_ms != -1 {
                line += &format!(" append-time=now{:+}", partition.log_append_time_ms - now());
            }
            if partition.current_leader.leader_id != -1 {
                line += &format!(" leader={}", partition.current_leader.leader_id);
            }
            lines.push(line);
            lines.extend(partition.record_errors.iter().map(|record| {
                let message = record.batch_index_error_message.as_deref().unwrap_or("null");
                format!("  record {}: {message}", record.batch_index)
            }));
        }
    }
    joined(lines)
}

/// The field: `records=null`, `records=` for none, or a batch, with `magic=` a message set; `twice` has it two times.
fn records(command: &Command<'_>) -> Option<Bytes> {
    let recipe = match command.argument("records") {
        Some("null") => return None,
        Some("") => return Some(Bytes::new()),
        None => recipe(command, "k:v"),
        Some(records) => recipe(command, records),
    };
    if let Some(magic) = command.argument("magic") {
        let magic = if magic == "0" { OldMagic::V0 } else { OldMagic::V1 };
        let set = message_set(magic, &recipe, command.argument("broken").unwrap_or_default());
        return Some(if command.has("twice") { [&set[..], &set[..]].concat().into() } else { set });
    }
    let batch = built(&recipe);
    let batch = command.argument("broken").map_or(batch.clone(), |how| corrupted(&batch, how));
    Some(if command.has("twice") { [&batch[..], &batch[..]].concat().into() } else { batch })
}

/// `k:v` is a key and a value, `~` in their place null, and `x*1000` as many letters.
fn recipe(command: &Command<'_>, records: &str) -> Recipe {
    let text = |text: &str| match text.split_once('*') {
        Some((letter, count)) => Some(letter.repeat(count.parse().expect("a count"))),
        None => Some(text.to_owned()).filter(|text| text != "~"),
    };
    let record = |record: &'_ str| {
        let (key, value) = record.split_once(':').expect("a key, a colon, a value");
        (text(key), text(value))
    };
    let mut recipe = Recipe { records: records.split(',').map(record).collect(), ..Recipe::default() };
    if let Some(time) = command.argument("time") {
        let after =
            time.strip_prefix("now").map(|after| if after.is_empty() { 0 } else { after.parse().expect("±ms") });
        recipe.timestamp = Timestamp(after.map_or_else(|| time.parse().expect("a time"), |after: i64| now() + after));
    } else {
        recipe.timestamp = Timestamp(now());
    }
    recipe.step_ms = command.parsed("step", 1);
    if let Some(headers) = command.argument("headers") {
        let header = |(key, value): (Option<String>, _)| (key.expect("a header has a key"), value);
        recipe.headers = headers.split(',').map(record).map(header).collect();
    }
    if let Some(producer) = command.argument("producer") {
        let numbers: Vec<i64> = producer.split(',').map(|number| number.parse().expect("a number")).collect();
        let [id, epoch, sequence] = numbers[..] else { panic!("a producer is ID,EPOCH,SEQUENCE") };
        let narrow = "within its type";
        recipe = recipe.produced_by(id, epoch.try_into().expect(narrow), sequence.try_into().expect(narrow));
    }
    recipe.options.transactional = command.has("transactional");
    recipe.options.codec = match command.argument("codec") {
        None => Codec::None,
        Some("gzip") => Codec::Gzip,
        Some("snappy") => Codec::Snappy,
        Some("lz4") => Codec::Lz4,
        Some("zstd") => Codec::Zstd,
        Some(codec) => panic!("no codec is called {codec}"),
    };
    recipe
}
