//! Old segments leave a running broker, as its topics say, and as they say later.

use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_types::Timestamp;

use crate::support::{Client, ListOffsetsOf, Recipe, Running, WALL, built, create, list_offsets_of, produce_of};

const PRODUCE: i16 = 13;
const HOUR_MS: i64 = 3_600_000;
/// A look for old segments with every millisecond, so that a test waits for none.
const EAGER: &str = "log.retention.check.interval.ms=1\n";

fn offset(client: &mut Client, topic: &str, timestamp: i64) -> i64 {
    let answer = client.ask(11, &list_offsets_of(&ListOffsetsOf { topic, partition: 0, timestamp }));
    answer.topics[0].partitions[0].offset
}

/// Asks until the topic's first offset is `expected`.
fn wait_for_start(client: &mut Client, topic: &str, expected: i64) {
    let asked = std::time::Instant::now();
    while offset(client, topic, -2) != expected {
        assert!(asked.elapsed().as_secs() < 60, "the log still starts at {}", offset(client, topic, -2));
        std::thread::yield_now();
    }
}

fn set(client: &mut Client, topic: &str, key: &str, value: &str) {
    let config = AlterableConfig { name: key.to_owned(), config_operation: 0, value: Some(value.to_owned()) };
    let resource = AlterConfigsResource { resource_type: 2, resource_name: topic.to_owned(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(1, &request).responses[0].error_code, 0);
}

#[test]
fn a_topic_that_keeps_less_from_now_on_loses_what_is_older() {
    let running = Running::with(EAGER);
    let mut client = running.connect();
    let id = create(&mut client, "t", 1, &[]);
    for hours in [100, 50, 1] {
        let old = Recipe { timestamp: Timestamp(WALL.0 - hours * HOUR_MS), ..Recipe::of(1, 600_000) };
        let answer = client.ask(PRODUCE, &produce_of(PRODUCE, ("t", id), 0, -1, built(&old)));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        // The next one finds no place in the segment any more.
        set(&mut client, "t", "segment.bytes", "1048576");
    }
    assert_eq!((offset(&mut client, "t", -2), offset(&mut client, "t", -1)), (0, 3), "a week is kept");
    set(&mut client, "t", "retention.ms", &(75 * HOUR_MS).to_string());
    wait_for_start(&mut client, "t", 1);
    set(&mut client, "t", "retention.bytes", "700000");
    set(&mut client, "t", "cleanup.policy", "compact");
    set(&mut client, "t", "retention.ms", "1");
    // What is compacted only does not leave for its age, which another topic's segments prove by leaving.
    let other = create(&mut client, "other", 1, &[("retention.ms", "1")]);
    let old = Recipe { timestamp: Timestamp(WALL.0 - HOUR_MS), ..Recipe::default() };
    client.ask(PRODUCE, &produce_of(PRODUCE, ("other", other), 0, -1, built(&old)));
    wait_for_start(&mut client, "other", 1);
    assert_eq!(offset(&mut client, "t", -2), 1);
    set(&mut client, "t", "cleanup.policy", "delete");
    wait_for_start(&mut client, "t", 3);
    assert_eq!(offset(&mut client, "t", -1), 3, "the active segment left too, and the log goes on behind it");
}
