//! Groups as those who watch the broker see them, and settings of a single group that change while it has members.

use ottla_protocol::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use ottla_protocol::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};

use crate::support::{Client, Recipe, Running, built, create, produce_of};

/// The type of the resource, as Kafka numbers it.
const GROUP: i8 = 32;
const PRODUCE: i16 = 13;

fn watched() -> Running {
    Running::with("ottla.http.listener=http://127.0.0.1:0\noffsets.topic.num.partitions=3\n")
}

fn metrics(running: &Running) -> String {
    let (status, text) = running.http("/metrics");
    assert_eq!(status, 200);
    text
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|known| known == line)
}

pub(crate) fn find_coordinator(client: &mut Client) {
    let request = FindCoordinatorRequest { key: "g".to_owned(), ..FindCoordinatorRequest::default() };
    while client.ask(1, &request).error_code != 0 {}
}

/// Commits an offset of partition 0 as one who is no member.
pub(crate) fn commit(client: &mut Client, group: &str, topic: &str, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        committed_metadata: Some(String::new()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.to_owned(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    client.ask(6, &request).topics[0].partitions[0].error_code
}

fn join(client: &mut Client) -> i32 {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "new".to_owned(),
        member_id: "m".to_owned(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["a".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    loop {
        let answer = client.ask(1, &request);
        if answer.error_code == 0 {
            return answer.heartbeat_interval_ms;
        }
        // The group's log is read first.
        assert_eq!(answer.error_code, 14);
    }
}

#[test]
fn groups_are_counted_by_protocol_and_state_and_their_lag_is_told() {
    let running = watched();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 2, &[]));
    client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(10, 10))));
    find_coordinator(&mut client);
    join(&mut client);
    while commit(&mut client, "g", "a", 4) != 0 {}
    while commit(&mut client, "h", "a", 10) != 0 {}
    let text = metrics(&running);
    for line in [
        "kafka_coordinator_group_groupmetadatamanager_numgroups 2",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsempty 2",
        "kafka_coordinator_group_groupmetadatamanager_numgroupsstable 0",
        "kafka_coordinator_group_groupmetadatamanager_numoffsets 2",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"classic\"} 2",
        "kafka_server_group_coordinator_metrics_group_count{protocol=\"consumer\"} 1",
        "kafka_server_group_coordinator_metrics_offset_commit_count 2",
        "kafka_server_group_coordinator_metrics_consumer_group_rebalance_count 1",
        "ottla_group_lag{group=\"g\",topic=\"a\",partition=\"0\"} 6",
        "ottla_group_lag{group=\"h\",topic=\"a\",partition=\"0\"} 0",
        "ottla_group_lag_untold 0",
    ] {
        assert!(has(&text, line), "{line} is not in\n{text}");
    }
    let states: i64 = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("kafka_server_group_coordinator_metrics_num_partitions")?.split(' ').nth(1)
        })
        .map(|count| count.parse::<i64>().expect("a number"))
        .sum();
    assert_eq!(states, 3, "each partition is either read or served");
}

#[test]
fn what_a_group_has_of_its_own_holds_for_members_that_are_there() {
    let running = watched();
    let mut client = running.connect();
    create(&mut client, "a", 2, &[]);
    find_coordinator(&mut client);
    assert_eq!(join(&mut client), 5000);
    let mut set = |value: Option<&str>| {
        let config = AlterableConfig {
            name: "consumer.heartbeat.interval.ms".to_owned(),
            config_operation: i8::from(value.is_none()),
            value: value.map(str::to_owned),
        };
        let resource =
            AlterConfigsResource { resource_type: GROUP, resource_name: "new".to_owned(), configs: vec![config] };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        assert_eq!(client.ask(1, &request).responses[0].error_code, 0);
    };
    set(Some("9000"));
    let mut other = running.connect();
    // It is told to the group's machine in its own time.
    while join(&mut other) != 9000 {}
    set(None);
    while join(&mut other) != 5000 {}
}
