//! What outlives a clean stop, the death of the process, and a loss of power.

use ottla_protocol::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla_protocol::init_producer_id::InitProducerIdRequest;
use ottla_protocol::list_offsets::ListOffsetsPartitionResponse;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::produce::PartitionProduceResponse;
use ottla_types::{ErrorCode, Uuid};

use crate::support::{Client, ListOffsetsOf, Recipe, Running, built, create, fetch_of, list_offsets_of, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;

/// How a broker ends, in words and in deed.
type End = (&'static str, fn(&mut Running));

/// The ways to end a broker.
const ENDS: [End; 3] =
    [("a clean stop", Running::stop), ("a kill", Running::kill), ("a power loss", Running::lose_power)];

/// Deletes a topic that is there.
pub(crate) fn delete(client: &mut Client, name: &str) {
    let topics = vec![DeleteTopicState { name: Some(name.to_owned()), topic_id: Uuid::ZERO }];
    let answer = client.ask(6, &DeleteTopicsRequest { topics, timeout_ms: 60_000, ..DeleteTopicsRequest::default() });
    assert_eq!(answer.responses[0].error_code, 0);
}

fn produce(client: &mut Client, topic: (&str, Uuid), acks: i16, recipe: &Recipe) -> PartitionProduceResponse {
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, acks, built(recipe)));
    answer.responses[0].partition_responses[0].clone()
}

/// The bytes of all records, and the high watermark.
fn fetch(client: &mut Client, topic: (&str, Uuid)) -> (Vec<u8>, i64) {
    let answer = client.ask(FETCH, &fetch_of(FETCH, topic, 0, 0));
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.records.as_ref().map(|records| records.to_vec()).unwrap_or_default(), partition.high_watermark)
}

fn offset_at(client: &mut Client, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
    let answer = client.ask(11, &list_offsets_of(&ListOffsetsOf { topic, partition: 0, timestamp }));
    answer.topics[0].partitions[0].clone()
}

/// The id, the leader's epoch and the error of a topic.
fn described(client: &mut Client, name: &str) -> (Uuid, i32, i16) {
    let asked = MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), allow_auto_topic_creation: false, ..Default::default() };
    let topic = client.ask(13, &request).topics[0].clone();
    (topic.topic_id, topic.partitions.first().map_or(-1, |partition| partition.leader_epoch), topic.error_code)
}

#[test]
fn acknowledged_records_and_their_offsets_outlive_every_end() {
    for (end, ends) in ENDS {
        let mut running = Running::start();
        let mut client = running.connect();
        let topic = ("a", create(&mut client, "a", 1, &[]));
        for size in [1, 2, 3] {
            assert_eq!(produce(&mut client, topic, -1, &Recipe::of(size, 1000)).error_code, 0);
        }
        let before = fetch(&mut client, topic);
        let latest = offset_at(&mut client, "a", -1);
        for again in 1..=3 {
            ends(&mut running);
            running.start_again();
            let mut client = running.connect();
            assert_eq!(fetch(&mut client, topic), before, "{end}");
            assert_eq!(described(&mut client, "a"), (topic.1, again, 0), "{end}: the epoch rises by one");
            assert_eq!(offset_at(&mut client, "a", -1).offset, latest.offset, "{end}");
            // The earliest record is still the first epoch's.
            assert_eq!(offset_at(&mut client, "a", -2).leader_epoch, 0, "{end}");
        }
        let mut client = running.connect();
        assert_eq!(produce(&mut client, topic, -1, &Recipe::default()).base_offset, 6, "{end}");
        assert_eq!(offset_at(&mut client, "a", -3).error_code, 0, "{end}");
    }
}

#[test]
fn what_a_consumer_has_read_outlives_a_power_loss_whatever_the_acks() {
    let mut running = Running::start();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    for acks in [1, 0, 1] {
        let request = produce_of(PRODUCE, topic, 0, acks, built(&Recipe::default()));
        client.send(PRODUCE, &request);
        if acks != 0 {
            client.receive::<ottla_protocol::produce::ProduceRequest>(PRODUCE).expect("an answer");
        }
    }
    let mut waiting = fetch_of(FETCH, topic, 0, 0);
    (waiting.max_wait_ms, waiting.min_bytes) =
        (600_000, i32::try_from(3 * built(&Recipe::default()).len()).expect("small"));
    let read = client.ask(FETCH, &waiting).responses[0].partitions[0].records.clone().expect("records");
    running.lose_power();
    running.start_again();
    assert_eq!(fetch(&mut running.connect(), topic).0, read);
}

#[test]
fn a_producers_sequence_outlives_every_end() {
    for (end, ends) in ENDS {
        let mut running = Running::start();
        let mut client = running.connect();
        let topic = ("a", create(&mut client, "a", 1, &[]));
        for sequence in 0..7 {
            let answer = produce(&mut client, topic, -1, &Recipe::default().produced_by(7, 0, sequence));
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(sequence)));
        }
        ends(&mut running);
        running.start_again();
        let mut client = running.connect();
        let mut ask = |epoch, sequence| {
            let answer = produce(&mut client, topic, -1, &Recipe::default().produced_by(7, epoch, sequence));
            (ErrorCode::from_raw(answer.error_code).expect("a code"), answer.base_offset)
        };
        assert_eq!(ask(0, 6), (ErrorCode::None, 6), "{end}: a duplicate has its first offset");
        assert_eq!(ask(0, 8), (ErrorCode::OutOfOrderSequenceNumber, -1), "{end}");
        assert_eq!(ask(0, 7), (ErrorCode::None, 7), "{end}");
        assert_eq!(ask(1, 0), (ErrorCode::None, 8), "{end}");
        assert_eq!(ask(0, 8), (ErrorCode::InvalidProducerEpoch, -1), "{end}");
    }
}

#[test]
fn topics_their_settings_and_their_absence_outlive_every_end() {
    for (end, ends) in ENDS {
        let mut running = Running::start();
        let mut client = running.connect();
        let small = ("small", create(&mut client, "small", 1, &[("max.message.bytes", "100")]));
        let gone = ("gone", create(&mut client, "gone", 1, &[]));
        produce(&mut client, gone, -1, &Recipe::default());
        delete(&mut client, "gone");
        let again = ("again", create(&mut client, "again", 1, &[]));
        produce(&mut client, again, -1, &Recipe::default());
        delete(&mut client, "again");
        let again = ("again", create(&mut client, "again", 1, &[]));
        ends(&mut running);
        running.start_again();
        let mut client = running.connect();
        let too_large = produce(&mut client, small, -1, &Recipe::of(1, 100));
        assert_eq!(too_large.error_code, ErrorCode::MessageTooLarge.raw(), "{end}");
        let (_, _, error) = described(&mut client, "gone");
        assert_eq!(error, ErrorCode::UnknownTopicOrPartition.raw(), "{end}");
        assert_eq!(produce(&mut client, gone, -1, &Recipe::default()).error_code, ErrorCode::UnknownTopicId.raw());
        assert_eq!(fetch(&mut client, again), (vec![], 0), "{end}: the second topic of that name is empty");
    }
}

#[test]
fn producer_ids_are_never_given_out_again() {
    let mut running = Running::start();
    let mut given = Vec::new();
    for (_, ends) in ENDS.into_iter().chain(ENDS) {
        let request = InitProducerIdRequest { transaction_timeout_ms: 1000, ..InitProducerIdRequest::default() };
        given.push(running.connect().ask(5, &request).producer_id);
        ends(&mut running);
        running.start_again();
    }
    assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
}

#[test]
fn the_clusters_id_is_the_same_after_every_end() {
    let mut running = Running::start();
    let cluster_id = |running: &Running| running.connect().ask(13, &MetadataRequest::default()).cluster_id;
    let first = cluster_id(&running);
    assert!(first.is_some());
    for (end, ends) in ENDS {
        ends(&mut running);
        running.start_again();
        assert_eq!(cluster_id(&running), first, "{end}");
    }
}
