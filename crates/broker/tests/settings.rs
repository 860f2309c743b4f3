//! Settings that have their effect when they are made, not at the next start; and when housekeeping begins.
//!
//! What clients are told about settings is in the scripts; what topics change is in `retention`.

use std::path::Path;
use std::time::Instant;

use ottla_protocol::describe_producers::{DescribeProducersRequest, TopicRequest};
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_storage::disk::Disk;
use ottla_types::{Timestamp, Uuid};

use crate::support::{
    Client, ListOffsetsOf, PATIENCE, Recipe, Running, WALL, built, create, list_offsets_of, produce_of,
};

const PRODUCE: i16 = 13;
const HOUR_MS: i64 = 3_600_000;

/// Sets a key of a broker, or with an empty name of all.
fn set(client: &mut Client, broker: &str, key: &str, value: &str) {
    let config = AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource = AlterConfigsResource { resource_type: 4, resource_name: broker.to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = client.ask(1, &request);
    assert_eq!((answer.responses[0].error_code, &answer.responses[0].error_message), (0, &None));
}

fn produce(client: &mut Client, topic: (&str, Uuid), recipe: &Recipe) {
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(recipe)));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

/// The ids of the producers that partition 0 remembers.
fn producers(client: &mut Client, topic: &str) -> Vec<i64> {
    let topics = vec![TopicRequest { name: topic.to_owned(), partition_indexes: vec![0] }];
    let answer = client.ask(0, &DescribeProducersRequest { topics });
    answer.topics[0].partitions[0].active_producers.iter().map(|producer| producer.producer_id).collect()
}

#[test]
fn a_directory_is_cordoned_and_freed_while_the_broker_runs() {
    let mut running = Running::with("log.dirs=/a,/b\n");
    let mut client = running.connect();
    let in_b = |running: &Running| {
        running.disk.list(Path::new("/b")).wait().expect("there").iter().filter(|e| e.is_directory).count()
    };
    set(&mut client, "1", "cordoned.log.dirs", "/b");
    create(&mut client, "t", 3, &[]);
    assert_eq!(in_b(&running), 0);
    set(&mut client, "1", "cordoned.log.dirs", "");
    create(&mut client, "u", 2, &[]);
    assert_eq!(in_b(&running), 2);
    // What was set while it ran holds after a restart.
    set(&mut client, "1", "cordoned.log.dirs", "*");
    set(&mut client, "1", "cordoned.log.dirs", "/b");
    running.stop();
    running.start_again();
    create(&mut running.connect(), "v", 4, &[]);
    assert_eq!(in_b(&running), 2);
}

#[test]
fn idle_producers_are_forgotten_after_the_time_that_is_set_now() {
    let running = Running::with("producer.id.expiration.check.interval.ms=1\n");
    let mut client = running.connect();
    let topic = ("t", create(&mut client, "t", 1, &[]));
    produce(&mut client, topic, &Recipe::default().produced_by(1, 0, 0));
    running.pass_wall_time(HOUR_MS);
    let later = Recipe { timestamp: Timestamp(WALL.0 + HOUR_MS), ..Recipe::default() };
    produce(&mut client, topic, &later.produced_by(2, 0, 0));
    assert_eq!(producers(&mut client, "t"), [1, 2], "a day is the default");
    set(&mut client, "", "producer.id.expiration.ms", &(HOUR_MS / 2).to_string());
    let begun = Instant::now();
    while producers(&mut client, "t") != [2] {
        assert!(begun.elapsed() < PATIENCE, "still known: {:?}", producers(&mut client, "t"));
    }
}

#[test]
fn housekeeping_begins_after_the_time_that_is_set() {
    // Otherwise it would after thirty seconds.
    let mut running = Running::with("log.initial.task.delay.ms=1\n");
    let mut client = running.connect();
    let topic = ("t", create(&mut client, "t", 1, &[]));
    produce(&mut client, topic, &Recipe { timestamp: Timestamp(WALL.0 - 200 * HOUR_MS), ..Recipe::default() });
    running.stop();
    running.start_again();
    let mut client = running.connect();
    let begun = Instant::now();
    let earliest = list_offsets_of(&ListOffsetsOf { topic: "t", partition: 0, timestamp: -2 });
    while client.ask(11, &earliest).topics[0].partitions[0].offset != 1 {
        assert!(begun.elapsed() < PATIENCE, "what is older than a week is still there");
    }
}
