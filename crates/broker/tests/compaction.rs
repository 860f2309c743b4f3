//! Compacted topics on a running broker: they are cleaned by themselves, go on from where they were cleaned, and one that
//! cannot be cleaned keeps no other from it.

use ottla_protocol::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest};
use ottla_protocol::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResult};
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_storage::disk::{Disk, Open, block_on};
use ottla_types::{Timestamp, Uuid};

use crate::support::{Client, ListOffsetsOf, Recipe, Running, WALL, built, create, list_offsets_of, produce_of};

const PRODUCE: i16 = 13;
/// A look for something to clean with every millisecond, so that a test waits for none.
const EAGER: &str = "log.cleaner.backoff.ms=1\nottla.http.listener=http://127.0.0.1:0\n";
/// Every batch begins a segment, for its time is so much later, and is cleaned as soon as the next one is there.
const COMPACTED: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0.01")];

/// A batch of a record for each letter, so many tenths of a second after the first.
fn put(client: &mut Client, (topic, id): (&str, Uuid), keys: &str, tenths: i64) {
    let records = keys.chars().map(|key| (Some(key.to_string()), Some(format!("at {tenths}")))).collect();
    let timestamp = Timestamp(WALL.0 - 1_000_000 + 100 * tenths);
    let batch = built(&Recipe { records, timestamp, ..Recipe::default() });
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, (topic, id), 0, -1, batch));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

/// The offset of the first record that is left.
fn first_left(client: &mut Client, topic: &str) -> i64 {
    let answer = client.ask(11, &list_offsets_of(&ListOffsetsOf { topic, partition: 0, timestamp: 0 }));
    answer.topics[0].partitions[0].offset
}

fn set(client: &mut Client, topic: &str, key: &str, value: &str) {
    let config = AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource = AlterConfigsResource { resource_type: 2, resource_name: topic.to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(1, &request).responses[0].error_code, 0);
}

/// Sets one of the brokers' settings.
fn set_broker(client: &mut Client, key: &str, value: &str) {
    let config = AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource = AlterConfigsResource { resource_type: 4, resource_name: String::new(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(1, &request).responses[0].error_code, 0);
}

/// Asks for partition 0 to be moved out of the directory that it is in.
fn move_to_the_other(client: &mut Client, topic: &str) {
    let described = client.ask(4, &DescribeLogDirsRequest { topics: None });
    let holds = |result: &&DescribeLogDirsResult| !result.topics.iter().any(|it| it.name == topic);
    let path = described.results.iter().find(holds).expect("the other directory").log_dir.clone();
    let topics = vec![AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![0] }];
    let request = AlterReplicaLogDirsRequest { dirs: vec![AlterReplicaLogDir { path, topics }] };
    assert_eq!(client.ask(2, &request).results[0].partitions[0].error_code, 0);
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let asked = std::time::Instant::now();
    while !is_there() {
        assert!(asked.elapsed().as_secs() < 60, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_compacted_topic_is_cleaned_by_itself_and_goes_on_after_a_restart() {
    let mut running = Running::with(EAGER);
    let mut client = running.connect();
    let id = create(&mut client, "t", 1, &COMPACTED);
    for tenths in 0..5 {
        put(&mut client, ("t", id), "a", tenths);
    }
    // The last one is in the active segment, and the one before is the last of its key among those that are cleaned.
    wait("the fourth record is the first", || first_left(&mut client, "t") == 3);
    drop(client);
    running.stop();
    running.start_again();
    let mut client = running.connect();
    assert_eq!(first_left(&mut client, "t"), 3);
    put(&mut client, ("t", id), "b", 5);
    put(&mut client, ("t", id), "b", 6);
    wait("the fifth record is the first", || first_left(&mut client, "t") == 4);
    // What is not compacted keeps all of it.
    let other = create(&mut client, "other", 1, &[("segment.ms", "1")]);
    (0..3).for_each(|tenths| put(&mut client, ("other", other), "a", tenths));
    assert_eq!(first_left(&mut client, "other"), 0);
}

#[test]
fn a_partition_that_cannot_be_cleaned_is_set_aside_and_the_others_are_cleaned() {
    let running = Running::with(EAGER);
    let mut client = running.connect();
    let lagging = [&COMPACTED[..], &[("min.compaction.lag.ms", "500000000")]].concat();
    let id = create(&mut client, "bad", 1, &lagging);
    for (tenths, keys) in (0..).zip(["az", "a", "a", "a"]) {
        put(&mut client, ("bad", id), keys, tenths);
    }
    // A byte of the first batch's CRC is another now. Of that batch one record stays, so that it is to be written anew.
    let path = "/kafka/bad-0/00000000000000000000.log".as_ref();
    let file = block_on(running.disk.open(path, Open::Write)).expect("there");
    let byte = block_on(file.read(20, 1)).expect("read")[0];
    block_on(file.write(20, vec![vec![!byte].into()])).expect("written");
    set(&mut client, "bad", "min.compaction.lag.ms", "0");
    let aside = "kafka_log_logcleanermanager_uncleanable_partitions_count{logdirectory=\"/kafka\"} 1";
    wait("it is set aside", || running.http("/metrics").1.contains(aside));
    let good = create(&mut client, "good", 1, &COMPACTED);
    (0..4).for_each(|tenths| put(&mut client, ("good", good), "a", tenths));
    wait("the other is cleaned", || first_left(&mut client, "good") == 2);
    put(&mut client, ("bad", id), "a", 9);
}

/// A move that waits, as after a restart, may have copied segments already: they are believed for what they were.
#[test]
fn a_partition_whose_move_waits_is_not_cleaned_before_it_is_over() {
    let running = Running::with(&format!("{EAGER}log.dirs=/a,/b\nnum.replica.alter.log.dirs.threads=1\n"));
    let mut client = running.connect();
    set_broker(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "0");
    let stuck = create(&mut client, "stuck", 1, &[]);
    put(&mut client, ("stuck", stuck), "a", 0);
    let lagging = [&COMPACTED[..], &[("min.compaction.lag.ms", "500000000")]].concat();
    let id = create(&mut client, "t", 1, &lagging);
    (0..4).for_each(|tenths| put(&mut client, ("t", id), "a", tenths));
    // The first move has the only worker, and does not go on; the second one waits.
    move_to_the_other(&mut client, "stuck");
    move_to_the_other(&mut client, "t");
    set(&mut client, "t", "min.compaction.lag.ms", "0");
    let other = create(&mut client, "u", 1, &COMPACTED);
    (0..4).for_each(|tenths| put(&mut client, ("u", other), "a", tenths));
    wait("the other is cleaned", || first_left(&mut client, "u") == 2);
    // Half of it is clean: a worker that looked at both would have taken the one that never was.
    (4..6).for_each(|tenths| put(&mut client, ("u", other), "a", tenths));
    wait("the other is cleaned again", || first_left(&mut client, "u") == 4);
    assert_eq!(first_left(&mut client, "t"), 0);
    set_broker(&mut client, "replica.alter.log.dirs.io.max.bytes.per.second", "1000000000");
    wait("it is moved and cleaned", || first_left(&mut client, "t") == 2);
}

#[test]
fn threads_and_rate_change_while_rounds_are_under_way() {
    // A byte a second: a round once begun goes on for minutes.
    let running = Running::with(&format!("{EAGER}log.cleaner.io.max.bytes.per.second=1\n"));
    let mut client = running.connect();
    for topic in ["t", "u"] {
        let id = create(&mut client, topic, 1, &COMPACTED);
        (0..4).for_each(|tenths| put(&mut client, (topic, id), "a", tenths));
    }
    let tells = |name: &str, value: &str| running.http("/metrics").1.contains(&format!("\n{name} {value}\n"));
    wait("a round is under way", || tells("ottla_log_cleaner_rounds_under_way", "1"));
    assert!(tells("ottla_log_cleaner_threads", "1"));
    set_broker(&mut client, "log.cleaner.threads", "2");
    wait("another one begins beside it", || tells("ottla_log_cleaner_rounds_under_way", "2"));
    assert!(tells("ottla_log_cleaner_rounds_total", "0") && tells("ottla_log_cleaner_threads", "2"));
    set_broker(&mut client, "log.cleaner.threads", "1");
    set_broker(&mut client, "log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308");
    wait("both are cleaned", || first_left(&mut client, "t") == 2 && first_left(&mut client, "u") == 2);
    wait("one thread has left", || tells("ottla_log_cleaner_threads", "1"));
    assert!(tells("kafka_log_logcleaner_deadthreadcount", "0"));
}
