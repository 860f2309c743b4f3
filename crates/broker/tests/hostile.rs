//! What no client means: recorded and made requests, damaged in every way, and bombs. The same ones in every run.
//!
//! Whatever comes, the broker answers or hangs up, serves others meanwhile, and in the end holds nothing of it. Tasks that
//! panic fail the test: [`Running`] sees to that. `cargo xtask hostile` does more, for longer, to the real binary.

use ottla_hostile::bombs::{boasts, nested, old_record, one_record};
use ottla_hostile::damage::damaged;
use ottla_hostile::random::Random;
use ottla_hostile::{grown, recorded};
use ottla_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ottla_protocol::fetch::FetchRequest;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla_record::{Codec, OldMagic};
use ottla_types::Uuid;

use crate::support::{Client, Recipe, Running, WALL, built, create, fetch_of, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
/// With it a fetch that asks to wait for days is answered soon.
const SETTINGS: &str = "connections.max.idle.ms=400\nottla.http.listener=http://127.0.0.1:0\n\
     queued.max.request.bytes=4000000\nsocket.request.max.bytes=2000000\n";
/// Peers that are heard to the end at a time.
const TOGETHER: usize = 100;

/// A number that the broker tells at its HTTP port.
fn told(running: &Running, name: &str) -> u64 {
    let (_, text) = running.http("/metrics");
    let lines = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

/// Sends each of `sent` on a connection of its own and expects an end of each; then that nothing is left of them.
fn survives(running: &Running, sent: impl Iterator<Item = Vec<u8>>) {
    let mut sent = sent.peekable();
    while sent.peek().is_some() {
        let mut peers = Vec::new();
        for bytes in sent.by_ref().take(TOGETHER) {
            let mut peer = running.connect();
            peer.send_bytes(&bytes);
            peer.finish();
            peers.push((peer, bytes));
        }
        assert!(running.connect().is_served());
        for (peer, bytes) in &mut peers {
            assert!(peer.hears_the_end(), "neither answered nor closed: {}", bytes.escape_ascii());
        }
    }
    // The broker hears of the last ends in its own time.
    while told(running, "kafka_server_socket_server_metrics_connection_count") > 0 {}
    assert_eq!(told(running, "ottla_request_memory_bytes"), 0);
    assert_eq!(told(running, "ottla_request_memory_waiting"), 0);
}

/// Writes and reads a record as a client would.
fn serves(running: &Running, topic: (&str, Uuid)) {
    let mut client = running.connect();
    let batch = built(&Recipe::default());
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, batch.clone()));
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, 0, "{:?}", partition.error_message);
    let answer = client.ask(FETCH, &fetch_of(FETCH, topic, 0, partition.base_offset));
    assert_eq!(answer.responses[0].partitions[0].records.as_ref().map(|records| records.len()), Some(batch.len()));
}

fn topic(running: &Running) -> (&'static str, Uuid) {
    ("honest", create(&mut running.connect(), "honest", 1, &[]))
}

#[test]
fn recorded_requests_survive_as_they_are_and_damaged() {
    let running = Running::with(SETTINGS);
    let topic = topic(&running);
    let frames = recorded::requests();
    let mut random = Random::new(1);
    let damaged =
        frames.iter().flat_map(|frame| (0..8).map(|_| damaged(frame, &frames, &mut random)).collect::<Vec<_>>());
    let damaged: Vec<_> = damaged.collect();
    survives(&running, frames.iter().cloned().chain(damaged));
    serves(&running, topic);
}

#[test]
fn requests_of_every_api_and_version_survive_as_they_are_and_damaged() {
    let running = Running::with(SETTINGS);
    let topic = topic(&running);
    let frames = grown::requests(2, &mut Random::new(2));
    let mut random = Random::new(3);
    let damaged: Vec<_> = frames.iter().map(|frame| damaged(frame, &frames, &mut random)).collect();
    survives(&running, frames.into_iter().chain(damaged));
    serves(&running, topic);
}

#[test]
fn several_damaged_requests_on_one_connection_survive() {
    let running = Running::with(SETTINGS);
    let topic = topic(&running);
    let mut frames = recorded::requests();
    frames.extend(grown::requests(1, &mut Random::new(4)));
    let mut random = Random::new(5);
    let mut together = || -> Vec<u8> {
        let count = 2 + random.below(10);
        let one = |random: &mut Random| {
            let at = random.below(frames.len());
            if random.below(2) == 0 { frames[at].clone() } else { damaged(&frames[at], &frames, random) }
        };
        (0..count).flat_map(|_| one(&mut random)).collect()
    };
    let packets: Vec<_> = (0..500).map(|_| together()).collect();
    survives(&running, packets.into_iter());
    serves(&running, topic);
}

#[test]
fn bytes_that_mean_nothing_survive() {
    let running = Running::with(SETTINGS);
    let topic = topic(&running);
    let mut random = Random::new(6);
    let mut some = || {
        let (count, end) = (random.below(600), *random.one_of(&[3, 256]));
        let bytes = random.bytes(count, end);
        if random.below(3) == 0 { bytes } else { recorded::with_size(&bytes) }
    };
    let packets: Vec<_> = (0..1500).map(|_| some()).collect();
    survives(&running, packets.into_iter());
    serves(&running, topic);
}

#[test]
fn bombs_are_answered_with_errors_and_leave_nothing() {
    let running = Running::with("ottla.http.listener=http://127.0.0.1:0\n");
    let topic = topic(&running);
    let mut client = running.connect();
    let mut refused = |version: i16, records: bytes::Bytes, what: &str| {
        let answer = client.ask(version, &produce_of(version, topic, 0, 1, records));
        assert_ne!(answer.responses[0].partition_responses[0].error_code, 0, "{what}");
    };
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        refused(PRODUCE, one_record(codec, 101 << 20, WALL), codec.name());
    }
    for (what, batch) in boasts(WALL) {
        refused(PRODUCE, batch, what);
    }
    for (magic, version) in [(OldMagic::V0, 0), (OldMagic::V1, 2)] {
        refused(version, nested(magic, 2, 1000), "a wrapper in a wrapper");
        refused(version, nested(magic, 50, 1000), "fifty wrappers");
        refused(version, old_record(magic, Codec::Gzip, 101 << 20), "an old bomb");
    }
    drop(client);
    survives(&running, std::iter::empty());
    serves(&running, topic);
}

#[test]
fn a_fetch_waits_no_longer_than_a_connection_may_be_idle() {
    let running = Running::with(SETTINGS);
    let topic = topic(&running);
    let mut client = running.connect();
    client.send(FETCH, &FetchRequest { max_wait_ms: i32::MAX, ..fetch_of(FETCH, topic, 0, 0) });
    client.finish();
    assert!(client.receive::<FetchRequest>(FETCH).is_some(), "answered, and then the connection ends");
    assert!(client.receive_frame().is_none());
}

#[test]
fn an_answer_that_would_be_enormous_is_none() {
    let running = Running::with("socket.request.max.bytes=104857600\n");
    let topic = topic(&running);
    let resource =
        DescribeConfigsResource { resource_type: 4, resource_name: "1".to_owned(), configuration_keys: None };
    let all = |count| DescribeConfigsRequest {
        resources: vec![resource.clone(); count],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut client = running.connect();
    assert_eq!(client.ask(4, &all(20)).results.len(), 20);
    let mut greedy = running.connect();
    greedy.send(4, &all(100_000));
    assert!(greedy.receive_frame().is_none());
    serves(&running, topic);
}

#[test]
fn a_request_of_more_elements_than_a_cluster_can_have_ends_its_connection() {
    let running = Running::start();
    let topic = topic(&running);
    let names = |count| MetadataRequest {
        topics: Some(vec![
            MetadataRequestTopic { name: Some("a".to_owned()), ..MetadataRequestTopic::default() };
            count
        ]),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let mut client = running.connect();
    assert_eq!(client.ask(12, &names(900_000)).topics.len(), 1);
    client.send(12, &names(1_100_000));
    assert!(client.receive_frame().is_none());
    serves(&running, topic);
}

#[test]
fn whoever_reads_late_is_answered_all_the_same_and_holds_up_nobody() {
    let running = Running::start();
    let topic = topic(&running);
    let resource =
        DescribeConfigsResource { resource_type: 4, resource_name: "1".to_owned(), configuration_keys: None };
    let settings =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, include_documentation: true };
    let mut deaf: Client = running.connect();
    let frames: Vec<u8> = (0..400).flat_map(|_| deaf.frame(4, &settings)).collect();
    deaf.send_bytes(&frames);
    serves(&running, topic);
    for _ in 0..400 {
        assert!(deaf.receive_frame().is_some(), "one that was read makes room for the next");
    }
}
