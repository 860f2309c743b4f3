//! Connections: frames however they arrive, answers in the order of the requests, what ends a connection and what does
//! not, and requests that wait.

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::fetch::{FetchPartition, FetchRequest};
use ottla_protocol::produce::ProduceRequest;
use ottla_types::Uuid;

use crate::support::{Client, Recipe, Running, built, corrupted, create, fetch_of, produce_of};

/// Longer than a test may take: what comes back in time was woken.
const LONG_MS: i32 = 600_000;

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;

fn topic(client: &mut Client) -> (&'static str, Uuid) {
    ("a", create(client, "a", 2, &[]))
}

#[test]
fn pipelined_produces_are_answered_in_order_whatever_their_acks() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = topic(&mut client);
    let batch = built(&Recipe::default());
    let mut sent = Vec::new();
    for acks in [-1, 1, 0, -1, 0, 1, 1, -1] {
        client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, acks, batch.clone()));
        sent.push((acks, client.last_correlation_id()));
    }
    for (offset, (acks, correlation_id)) in (0..).zip(sent) {
        if acks != 0 {
            let (id, answer) = client.receive_as::<ProduceRequest>(PRODUCE).expect("an answer");
            let partition = &answer.responses[0].partition_responses[0];
            assert_eq!((id, partition.error_code, partition.base_offset), (correlation_id, 0, offset));
        }
    }
    assert!(client.is_served());
}

#[test]
fn more_requests_than_may_be_in_flight_are_all_answered() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = topic(&mut client);
    let batch = built(&Recipe::default());
    let frames: Vec<u8> =
        (0..300).flat_map(|_| client.frame(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, batch.clone()))).collect();
    client.send_bytes(&frames);
    for offset in 0..300 {
        let answer = client.receive::<ProduceRequest>(PRODUCE).expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
}

#[test]
fn a_request_behind_a_waiting_fetch_is_answered_after_it() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = topic(&mut client);
    let waiting = FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) };
    client.send(FETCH, &waiting);
    client.send(0, &ApiVersionsRequest::default());
    let batch = built(&Recipe::default());
    running.connect().ask(PRODUCE, &produce_of(PRODUCE, topic, 0, 1, batch));
    let fetched = client.receive::<FetchRequest>(FETCH).expect("the fetch");
    assert!(!fetched.responses[0].partitions[0].records.as_ref().expect("records").is_empty());
    let (correlation_id, _) = client.receive_as::<ApiVersionsRequest>(0).expect("the other");
    assert_eq!(correlation_id, client.last_correlation_id());
}

#[test]
fn frames_may_arrive_in_pieces_or_together() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = topic(&mut client);
    let request = produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(1, 10_000)));
    for cut in [1, 4, 10, 70, 5000] {
        let frame = client.frame(PRODUCE, &request);
        client.send_bytes(&frame[..cut]);
        // Another connection is served meanwhile: nobody waits for the rest.
        assert!(running.connect().is_served());
        client.send_bytes(&frame[cut..]);
        assert_eq!(client.receive::<ProduceRequest>(PRODUCE).expect("an answer").responses.len(), 1);
    }
    let (first, second) = (client.frame(PRODUCE, &request), client.frame(PRODUCE, &request));
    let (whole, rest) = second.split_at(second.len() / 2);
    client.send_bytes(&[&first, whole].concat());
    client.send_bytes(rest);
    for offset in [5, 6] {
        let answer = client.receive::<ProduceRequest>(PRODUCE).expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
}

#[test]
fn impossible_sizes_close_the_connection() {
    let running = Running::with("socket.request.max.bytes=100000\n");
    for size in [-1, i32::MIN, 100_001, i32::MAX] {
        let mut client = running.connect();
        client.send_bytes(&size.to_be_bytes());
        assert!(client.receive_frame().is_none(), "{size}");
    }
    let mut client = running.connect();
    let topic = topic(&mut client);
    let fits = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(1, 90_000))));
    assert_eq!(fits.responses[0].partition_responses[0].error_code, 0);
}

#[test]
fn malformed_requests_close_their_connection_and_no_other() {
    let running = Running::start();
    let mut bystander = running.connect();
    let topic = topic(&mut bystander);
    for (api, versions) in bystander.offered() {
        for version in versions {
            // Header v1 with a null client id, then a tag section or an array that never ends.
            let header = [api.raw().to_be_bytes(), version.to_be_bytes()].concat();
            for body in [&[][..], &[0xff; 3], &[0x7f; 40]] {
                let frame = [&header[..], &[0, 0, 0, 1, 0xff, 0xff], body].concat();
                let mut client = running.connect();
                client.send_bytes(&[&i32::try_from(frame.len()).expect("short").to_be_bytes()[..], &frame].concat());
                // Some of these bytes are a request after all; none may harm the broker.
                // ListGroups and ApiVersions once asked without a word.
                let empty_is_a_request = version < 3 && [16, 18].contains(&api.raw());
                assert!(client.receive_frame().is_none() || empty_is_a_request, "{api} v{version} {body:?}");
            }
        }
    }
    for frame in [&[][..], &[0], &[0, 3, 0, 0, 0]] {
        let mut client = running.connect();
        client.send_bytes(&[&i32::try_from(frame.len()).expect("short").to_be_bytes()[..], frame].concat());
        assert!(client.receive_frame().is_none(), "{frame:?}");
    }
    // Every prefix of a good request, announced as all of it.
    let whole = bystander.frame(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
    for end in 4..whole.len() {
        let mut client = running.connect();
        let size = i32::try_from(end - 4).expect("short").to_be_bytes();
        client.send_bytes(&[&size, &whole[4..end]].concat());
        assert!(client.receive_frame().is_none(), "{end} of {}", whole.len());
    }
    assert!(bystander.is_served());
    let answer = bystander.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 0, "nothing of all that was appended");
}

#[test]
fn a_refused_produce_without_acks_closes_the_connection_behind_what_was_answered() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = topic(&mut client);
    let good = built(&Recipe::default());
    client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, 0, good.clone()));
    assert!(client.is_served(), "and nothing is said to what was taken");
    client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, 0, corrupted(&good, "crc")));
    assert!(client.receive_frame().is_none());
    let mut client = running.connect();
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, good));
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 1, "the first was appended, the second not");
}

#[test]
fn a_waiting_fetch_is_woken_by_a_produce_to_any_of_its_partitions() {
    let running = Running::start();
    let mut producer = running.connect();
    let topic = topic(&mut producer);
    let batch = built(&Recipe::default());
    for (partition, acks) in [(0, -1), (1, 1), (0, 0)] {
        let mut consumer = running.connect();
        let mut request = FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) };
        let ends = [0, 1].map(|index| {
            let end = producer.ask(FETCH, &fetch_of(FETCH, topic, index, 0));
            end.responses[0].partitions[0].high_watermark
        });
        request.topics[0].partitions[0].fetch_offset = ends[0];
        let mut second = request.topics[0].partitions[0].clone();
        (second.partition, second.fetch_offset) = (1, ends[1]);
        request.topics[0].partitions.push(second);
        consumer.send(FETCH, &request);
        producer.send(PRODUCE, &produce_of(PRODUCE, topic, partition, acks, batch.clone()));
        let answer = consumer.receive::<FetchRequest>(FETCH).expect("woken");
        let bytes: Vec<_> =
            answer.responses[0].partitions.iter().map(|p| p.records.as_ref().map_or(0, |r| r.len())).collect();
        let expected = if partition == 0 { [batch.len(), 0] } else { [0, batch.len()] };
        assert_eq!(bytes, expected);
        if acks != 0 {
            producer.receive::<ProduceRequest>(PRODUCE).expect("acknowledged");
        }
    }
}

#[test]
fn a_waiting_fetch_waits_for_as_many_bytes_as_it_wants() {
    let running = Running::start();
    let (mut producer, mut consumer) = (running.connect(), running.connect());
    let topic = topic(&mut producer);
    let batch = built(&Recipe::default());
    let min_bytes = i32::try_from(batch.len() * 3).expect("small");
    consumer.send(FETCH, &FetchRequest { max_wait_ms: LONG_MS, min_bytes, ..fetch_of(FETCH, topic, 0, 0) });
    for _ in 0..3 {
        producer.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, batch.clone()));
    }
    let answer = consumer.receive::<FetchRequest>(FETCH).expect("woken");
    assert_eq!(answer.responses[0].partitions[0].records.as_ref().map(|records| records.len()), Some(batch.len() * 3));
}

#[test]
fn a_waiting_fetch_looks_again_only_into_what_moved() {
    const PARTITIONS: i32 = 40;
    const BATCHES: usize = 10;
    let running = Running::with("ottla.http.listener=http://127.0.0.1:0\n");
    let looks = || {
        let (_, text) = running.http("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix("ottla_fetch_looks_total "));
        line.expect("it is told").parse::<i32>().expect("a number")
    };
    let (mut producer, mut consumer) = (running.connect(), running.connect());
    let topic = ("wide", create(&mut producer, "wide", PARTITIONS, &[]));
    let batch = built(&Recipe::default());
    let min_bytes = i32::try_from(batch.len() * BATCHES).expect("small");
    let mut request = FetchRequest { max_wait_ms: LONG_MS, min_bytes, ..fetch_of(FETCH, topic, 0, 0) };
    for partition in 1..PARTITIONS {
        let one = request.topics[0].partitions[0].clone();
        request.topics[0].partitions.push(FetchPartition { partition, ..one });
    }
    consumer.send(FETCH, &request);
    while looks() < PARTITIONS {}
    for _ in 0..BATCHES {
        producer.ask(PRODUCE, &produce_of(PRODUCE, topic, 7, -1, batch.clone()));
    }
    let answer = consumer.receive::<FetchRequest>(FETCH).expect("woken");
    let bytes = answer.responses[0].partitions[7].records.as_ref().map(|records| records.len());
    assert_eq!(bytes, Some(batch.len() * BATCHES));
    // All of them first and last, and in between the one that moved, once for each time at most.
    let most = 2 * PARTITIONS + i32::try_from(BATCHES).expect("few");
    assert!((2 * PARTITIONS..=most).contains(&looks()), "{}", looks());
}

#[test]
fn a_waiting_fetch_is_told_when_its_topic_is_deleted() {
    let running = Running::start();
    let (mut admin, mut consumer) = (running.connect(), running.connect());
    let topic = topic(&mut admin);
    consumer.send(FETCH, &FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) });
    // What is sent next on this connection is answered after the fetch, so the fetch waits by the time of the deletion
    // or comes after it: it is told either way.
    crate::restart::delete(&mut admin, "a");
    let answer = consumer.receive::<FetchRequest>(FETCH).expect("woken");
    assert_ne!(answer.responses[0].partitions[0].error_code, 0);
}

#[test]
fn a_stop_answers_those_who_wait_for_records() {
    const CONSUMERS: usize = 20;
    let mut running = Running::start();
    let mut producer = running.connect();
    let topic = topic(&mut producer);
    let mut consumers: Vec<_> = (0..CONSUMERS).map(|_| running.connect()).collect();
    for consumer in &mut consumers {
        consumer.ask(0, &ApiVersionsRequest::default());
        consumer.send(FETCH, &FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) });
    }
    // Some of them wait by the time that this was sent, written and answered.
    producer.ask(PRODUCE, &produce_of(PRODUCE, topic, 1, -1, built(&Recipe::default())));
    let stopped = running.begin_stop();
    let answers = consumers.iter_mut().filter_map(|consumer| consumer.receive::<FetchRequest>(FETCH)).count();
    stopped.join().expect("the broker stops");
    assert!(answers > 0, "whoever waited was cut off");
}

#[test]
fn a_stop_answers_what_was_begun() {
    let mut running = Running::start();
    let (mut producer, mut consumer) = (running.connect(), running.connect());
    let topic = topic(&mut producer);
    consumer.ask(0, &ApiVersionsRequest::default());
    consumer.send(FETCH, &FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) });
    // A produce is begun by the time that its records can be read.
    producer.send(PRODUCE, &produce_of(PRODUCE, topic, 1, -1, built(&Recipe::default())));
    let mut reader = running.connect();
    reader.ask(FETCH, &FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 1, 0) });
    let stopped = running.begin_stop();
    let answer = producer.receive::<ProduceRequest>(PRODUCE).expect("what was begun is answered");
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    if let Some(answer) = consumer.receive::<FetchRequest>(FETCH) {
        assert_eq!(answer.responses[0].partitions[0].error_code, 0);
    }
    assert!(producer.receive_frame().is_none() && consumer.receive_frame().is_none(), "and then closed");
    stopped.join().expect("the broker stops");
}
