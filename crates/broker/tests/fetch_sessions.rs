//! Fetch sessions over sockets: many partitions, few answers. What is answered stands in `scripts/fetch_sessions.txt`.

use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};

use crate::support::{Client, Recipe, Running, built, create, fetch_of, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const PARTITIONS: i32 = 300;
/// Longer than any test has patience for.
const LONG_MS: i32 = 60_000;

/// Opens a session on every partition of a new topic, and returns the topic's id and the session's.
fn session_on_many(client: &mut Client) -> (ottla_types::Uuid, i32) {
    let topic_id = create(client, "a", PARTITIONS, &[]);
    let partitions = (0..PARTITIONS).map(|partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    });
    let topics = vec![FetchTopic { topic_id, partitions: partitions.collect(), ..FetchTopic::default() }];
    let full = FetchRequest { session_epoch: 0, topics, ..fetch_of(FETCH, ("a", topic_id), 0, 0) };
    let answer = client.ask(FETCH, &full);
    let told: usize = answer.responses.iter().map(|topic| topic.partitions.len()).sum();
    assert_eq!(i32::try_from(told).ok(), Some(PARTITIONS));
    assert_ne!(answer.session_id, 0);
    (topic_id, answer.session_id)
}

fn next(session_id: i32, session_epoch: i32) -> FetchRequest {
    let asked = fetch_of(FETCH, ("", ottla_types::Uuid::ZERO), 0, 0);
    FetchRequest { session_id, session_epoch, topics: Vec::new(), max_wait_ms: LONG_MS, ..asked }
}

#[test]
fn a_waiting_session_is_woken_by_any_of_its_partitions_and_hears_of_that_one_only() {
    let running = Running::start();
    let (mut consumer, mut producer) = (running.connect(), running.connect());
    let (topic_id, session_id) = session_on_many(&mut consumer);
    let written = [PARTITIONS - 1, 0, 150];
    for (partition, epoch) in written.into_iter().zip(1..) {
        // The last one's records have been read now.
        let read = written[..epoch as usize - 1].last().map(|partition| FetchPartition {
            partition: *partition,
            fetch_offset: 1,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        });
        let topics = read.map(|read| FetchTopic { topic_id, partitions: vec![read], ..FetchTopic::default() });
        consumer.send(FETCH, &FetchRequest { topics: topics.into_iter().collect(), ..next(session_id, epoch) });
        let records = built(&Recipe::of(1, 10));
        producer.ask(PRODUCE, &produce_of(PRODUCE, ("a", topic_id), partition, 1, records));
        let answer = consumer.receive::<FetchRequest>(FETCH).expect("an answer");
        let told: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partitions).collect();
        assert_eq!(told.iter().map(|told| told.partition_index).collect::<Vec<_>>(), [partition]);
        assert!(told[0].records.as_ref().is_some_and(|records| !records.is_empty()));
    }
}

#[test]
fn a_session_outlives_its_connection_but_not_its_broker() {
    let mut running = Running::start();
    let mut consumer = running.connect();
    let (_, session_id) = session_on_many(&mut consumer);
    drop(consumer);
    let answer = running.connect().ask(FETCH, &FetchRequest { max_wait_ms: 0, ..next(session_id, 1) });
    assert_eq!((answer.error_code, answer.session_id), (0, session_id));
    running.stop();
    running.start_again();
    let answer = running.connect().ask(FETCH, &FetchRequest { max_wait_ms: 0, ..next(session_id, 2) });
    assert_eq!(answer.error_code, ottla_types::ErrorCode::FetchSessionIdNotFound.raw());
}

#[test]
fn without_slots_there_are_no_sessions() {
    let running = Running::with("max.incremental.fetch.session.cache.slots=0\n");
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    let answer = client.ask(FETCH, &FetchRequest { session_epoch: 0, ..fetch_of(FETCH, topic, 0, 0) });
    assert_eq!((answer.error_code, answer.session_id, answer.responses.len()), (0, 0, 1));
}
