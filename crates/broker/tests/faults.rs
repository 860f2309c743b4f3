//! Disks that fail or stall under a running broker: what the partition answers, and that others do not suffer.

use std::time::Instant;

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::fetch::{FetchRequest, PartitionData};
use ottla_protocol::produce::ProduceRequest;
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::{ErrorCode, Uuid};

use crate::support::{
    Client, Gate, ListOffsetsOf, PATIENCE, Recipe, Running, built, create, fetch_of, list_offsets_of, produce_of,
};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;

/// More than a log has set aside of the disk: to write it, a full disk must give space.
const BEYOND_RESERVED: usize = 500_000;

fn produce(client: &mut Client, topic: (&str, Uuid), acks: i16, recipe: &Recipe) -> ErrorCode {
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, acks, built(recipe)));
    ErrorCode::from_raw(answer.responses[0].partition_responses[0].error_code).expect("a code")
}

fn fetch(client: &mut Client, topic: (&str, Uuid)) -> PartitionData {
    client.ask(FETCH, &fetch_of(FETCH, topic, 0, 0)).responses[0].partitions[0].clone()
}

/// A broker with two topics of one record each; `count` of the file syncs that it took is in the disk's trace.
fn two_topics() -> (Running, Client, [(&'static str, Uuid); 2]) {
    let disk = SimulatedDisk::new(1);
    disk.start_trace();
    let running = Running::on(disk, "");
    let mut client = running.connect();
    let topics = ["broken", "whole"].map(|name| (name, create(&mut client, name, 1, &[])));
    for topic in topics {
        assert_eq!(produce(&mut client, topic, -1, &Recipe::default()), ErrorCode::None);
    }
    (running, client, topics)
}

/// What holds of a partition whose disk failed, and of its neighbour, until the broker is started again.
fn only_the_broken_partition_suffers(mut running: Running, mut client: Client, topics: [(&str, Uuid); 2]) {
    let [broken, whole] = topics;
    for acks in [1, -1] {
        let refused = produce(&mut client, broken, acks, &Recipe::default());
        assert_eq!(refused, ErrorCode::KafkaStorageError, "nothing is taken any more");
    }
    let earlier = fetch(&mut client, broken);
    assert_eq!((earlier.error_code, earlier.high_watermark), (0, 1));
    assert_eq!(earlier.records.as_deref().map(<[u8]>::len), Some(built(&Recipe::default()).len()));
    let latest = client.ask(11, &list_offsets_of(&ListOffsetsOf { topic: broken.0, partition: 0, timestamp: -1 }));
    assert_eq!(latest.topics[0].partitions[0].offset, 1);
    assert_eq!(produce(&mut client, whole, -1, &Recipe::default()), ErrorCode::None);
    assert_eq!(fetch(&mut client, whole).high_watermark, 2);

    let fault = running.stop_failing().to_string();
    assert!(fault.contains("/broken-0/"), "{fault}");
    running.start_again();
    let mut client = running.connect();
    assert_eq!(produce(&mut client, broken, -1, &Recipe::default()), ErrorCode::None, "the disk is fine again");
    assert_eq!(produce(&mut client, whole, -1, &Recipe::default()), ErrorCode::None);
    assert_eq!(fetch(&mut client, whole).high_watermark, 3);
}

#[test]
fn a_sync_that_fails_takes_one_partition_offline() {
    let (running, mut client, topics) = two_topics();
    let syncs = running.disk.trace().iter().filter(|line| line.starts_with("sync ")).count() as u64;
    running.disk.set_faults(Faults { fail_sync_at: Some(syncs + 1), ..Faults::default() });
    assert_eq!(produce(&mut client, topics[0], -1, &Recipe::default()), ErrorCode::KafkaStorageError);
    only_the_broken_partition_suffers(running, client, topics);
}

#[test]
fn a_full_disk_refuses_what_finds_no_room_and_goes_on_when_it_has_some() {
    let (mut running, mut client, topics) = two_topics();
    let [full, other] = topics;
    running.disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
    // With acks=1 too: the answer comes when the records are written.
    for acks in [1, -1] {
        let refused = produce(&mut client, full, acks, &Recipe::of(1, BEYOND_RESERVED));
        assert_eq!(refused, ErrorCode::KafkaStorageError);
        running.pass_wall_time(10_000);
    }
    let earlier = fetch(&mut client, full);
    assert_eq!((earlier.error_code, earlier.high_watermark), (0, 1), "reading goes on");
    assert_eq!(produce(&mut client, other, -1, &Recipe::default()), ErrorCode::None, "it has room set aside");
    running.disk.set_faults(Faults::default());
    assert_eq!(produce(&mut client, full, -1, &Recipe::of(1, BEYOND_RESERVED)), ErrorCode::None);
    let later = fetch(&mut client, full);
    assert_eq!((later.error_code, later.high_watermark), (0, 2), "the next offset, without a gap");
    running.stop();
}

/// Asks for a topic; answers the error.
fn create_with(client: &mut Client, name: &str, partitions: i32) -> ErrorCode {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..CreateTopicsRequest::default() };
    ErrorCode::from_raw(client.ask(7, &request).topics[0].error_code).expect("a code")
}

#[test]
fn a_full_disk_refuses_what_changes_metadata_and_nothing_else() {
    let (mut running, mut client, topics) = two_topics();
    running.disk.set_faults(Faults { full_after_bytes: Some(0), names_need_room: true, ..Faults::default() });
    // Its facts are more than what the metadata log has set aside.
    for _ in 0..2 {
        assert_eq!(create_with(&mut client, "large", 5000), ErrorCode::KafkaStorageError);
    }
    for topic in topics {
        assert_eq!(produce(&mut client, topic, -1, &Recipe::default()), ErrorCode::None, "it has room set aside");
        assert_eq!(fetch(&mut client, topic).high_watermark, 2);
    }
    running.disk.set_faults(Faults::default());
    assert_eq!(create_with(&mut client, "large", 3), ErrorCode::None, "the name is free");
    running.stop();
    running.start_again();
    let latest = list_offsets_of(&ListOffsetsOf { topic: "large", partition: 2, timestamp: -1 });
    assert_eq!(running.connect().ask(11, &latest).topics[0].partitions[0].offset, 0);
}

#[test]
fn a_partition_whose_files_find_no_room_is_made_when_there_is_some() {
    let (running, mut client, _) = two_topics();
    running.disk.set_faults(Faults { full_after_bytes: Some(0), names_need_room: true, ..Faults::default() });
    // Its facts still find room.
    let topic = ("late", create(&mut client, "late", 1, &[]));
    assert_eq!(produce(&mut client, topic, -1, &Recipe::default()), ErrorCode::KafkaStorageError);
    assert_eq!(fetch(&mut client, topic).error_code, ErrorCode::KafkaStorageError.raw());
    running.disk.set_faults(Faults::default());
    let begun = Instant::now();
    while produce(&mut client, topic, -1, &Recipe::default()) != ErrorCode::None {
        assert!(begun.elapsed() < PATIENCE, "it is not made");
    }
    assert_eq!(fetch(&mut client, topic).high_watermark, 1);
}

#[test]
fn a_waiting_fetch_is_not_disturbed_by_a_partition_that_fails() {
    let (running, mut client, topics) = two_topics();
    let mut consumer = running.connect();
    let mut request = fetch_of(FETCH, topics[0], 0, 1);
    request.max_wait_ms = 600_000;
    let of_the_other = fetch_of(FETCH, topics[1], 0, 1).topics.remove(0);
    request.topics.push(of_the_other);
    consumer.send(FETCH, &request);
    running.disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
    assert_eq!(produce(&mut client, topics[0], -1, &Recipe::of(1, BEYOND_RESERVED)), ErrorCode::KafkaStorageError);
    running.disk.set_faults(Faults::default());
    assert_eq!(produce(&mut client, topics[1], -1, &Recipe::default()), ErrorCode::None);
    let answer = consumer.receive::<FetchRequest>(FETCH).expect("woken by the other");
    let errors: Vec<_> = answer.responses.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(errors, [0, 0]);
    assert!(!answer.responses[1].partitions[0].records.as_ref().expect("records").is_empty());
}

/// After this offset's produce comes a request that needs no disk.
const QUICK_BEHIND: i64 = 1;

/// Asks until the log of `a` ends at `offset`, as those may see who are no consumers: the records are taken, if not safe.
fn wait_for_log_end(running: &Running, offset: i64) {
    let mut request = list_offsets_of(&ListOffsetsOf { topic: "a", partition: 0, timestamp: -1 });
    request.replica_id = -2;
    let mut client = running.connect();
    let begun = Instant::now();
    while client.ask(11, &request).topics[0].partitions[0].offset < offset {
        assert!(begun.elapsed() < PATIENCE, "the log does not get there");
    }
}

#[test]
fn a_produce_whose_time_is_over_is_told_so_and_may_still_succeed() {
    let (gate, disk) = Gate::with_disk();
    let running = Running::on(disk, "");
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    gate.close();
    let mut request = produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default().produced_by(7, 0, 0)));
    request.timeout_ms = 1;
    let answer = client.ask(PRODUCE, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::RequestTimedOut.raw());
    assert_eq!(fetch(&mut client, topic).high_watermark, 0, "what is not safe is not read");
    gate.open();
    request.timeout_ms = 60_000;
    let again = client.ask(PRODUCE, &request).responses[0].partition_responses[0].clone();
    assert_eq!((again.error_code, again.base_offset), (0, 0), "the same records, once");
    assert_eq!(fetch(&mut client, topic).high_watermark, 1);
}

#[test]
fn a_disk_that_stalls_keeps_answers_but_not_requests() {
    let (gate, disk) = Gate::with_disk();
    let running = Running::on(disk, "");
    let (mut client, mut consumer) = (running.connect(), running.connect());
    let topic = ("a", create(&mut client, "a", 1, &[]));
    consumer.send(FETCH, &FetchRequest { max_wait_ms: 600_000, ..fetch_of(FETCH, topic, 0, 0) });
    gate.close();
    let acks = [1, -1, 1, 0, -1];
    for (offset, acks) in (0..).zip(acks) {
        client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, acks, built(&Recipe::default())));
        if offset == QUICK_BEHIND {
            client.send(0, &ApiVersionsRequest::default());
        }
    }
    // All are taken, those behind the quick one too, though no answer came yet.
    wait_for_log_end(&running, 5);
    assert!(running.connect().is_served(), "others are served");
    gate.open();
    for (offset, _) in (0..).zip(acks).filter(|(_, acks)| *acks != 0) {
        let answer = client.receive::<ProduceRequest>(PRODUCE).expect("an answer");
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, offset));
        if offset == QUICK_BEHIND {
            client.receive::<ApiVersionsRequest>(0).expect("an answer, in its turn");
        }
    }
    let woken = consumer.receive::<FetchRequest>(FETCH).expect("woken");
    assert!(woken.responses[0].partitions[0].high_watermark > 0);
}

#[test]
fn a_stop_waits_for_a_flush_that_answers_wait_for() {
    let (gate, disk) = Gate::with_disk();
    let mut running = Running::on(disk, "");
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    gate.close();
    client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
    wait_for_log_end(&running, 1);
    let stopping = running.begin_stop();
    gate.open();
    let answer = client.receive::<ProduceRequest>(PRODUCE).expect("what was begun is answered");
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    assert!(client.receive_frame().is_none());
    stopping.join().expect("the broker stops");
}
