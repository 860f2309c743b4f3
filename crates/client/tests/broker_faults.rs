//! What the client does when brokers are old, slow, gone or no longer the leader; against scripted brokers, in no time.

#![allow(clippy::unwrap_used, reason = "what a test expects to be there may panic where it is not")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ottla_client::{
    ClientError, Codec, Consumer, ConsumerSettings, OffsetReset, ProduceError, Producer, ProducerSettings, Record,
    Start,
};
use ottla_protocol::ApiKey;
use ottla_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ottla_protocol::init_producer_id::InitProducerIdResponse;
use ottla_protocol::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Compressor, MessageSetBuilder, OldMagic, Packing};
use ottla_types::{ErrorCode, Offset, Timestamp};
use support::{Action, Asked, TOPIC_ID, World, metadata, versions};

/// Answers what every client asks first, with `leader` as the leader of topic "t".
fn usual(asked: &Asked, leader: u16) -> Action {
    match asked.api {
        ApiKey::ApiVersions => asked.answer(&versions()),
        ApiKey::Metadata => asked.answer(&metadata(leader)),
        ApiKey::InitProducerId => asked.answer(&InitProducerIdResponse { producer_id: 40, ..Default::default() }),
        other => panic!("nobody expects {other}"),
    }
}

/// The batch of a Produce request.
fn batch(asked: &Asked) -> Bytes {
    let request: ProduceRequest = asked.read();
    request.topic_data[0].partition_data[0].records.clone().unwrap()
}

fn produced(asked: &Asked, code: ErrorCode, base_offset: i64) -> Action {
    let partition = PartitionProduceResponse { error_code: code.raw(), base_offset, ..Default::default() };
    let topic = TopicProduceResponse { topic_id: TOPIC_ID, partition_responses: vec![partition], ..Default::default() };
    asked.answer(&ProduceResponse { responses: vec![topic], ..Default::default() })
}

fn fetched(asked: &Asked, code: ErrorCode, high_watermark: i64, records: Vec<u8>) -> Action {
    let records = Some(Bytes::from(records));
    let partition = PartitionData { error_code: code.raw(), high_watermark, records, ..Default::default() };
    let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions: vec![partition], ..Default::default() };
    asked.answer(&FetchResponse { responses: vec![topic], ..Default::default() })
}

fn listed(asked: &Asked, offset: i64) -> Action {
    let partition = ListOffsetsPartitionResponse { offset, ..Default::default() };
    let topic = ListOffsetsTopicResponse { name: "t".into(), partitions: vec![partition] };
    asked.answer(&ListOffsetsResponse { topics: vec![topic], ..Default::default() })
}

/// A batch of records with these values.
fn records(base_offset: i64, codec: Codec, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions { base_offset: Offset(base_offset), codec, ..Default::default() });
    for value in values {
        builder.append(Timestamp(1), None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build(&mut Compressor::default()).unwrap().to_vec()
}

/// A broker's own marker of a transaction's end.
fn marker(base_offset: i64) -> Vec<u8> {
    let bytes = records(base_offset, Codec::None, &["marker"]);
    let header = BatchHeader::parse(&bytes).unwrap();
    with_header(BatchHeader { attributes: header.attributes.with_control(true), ..header }, &bytes[61..])
}

/// A batch whose records are gone by compaction, but for its offsets.
fn emptied(base_offset: i64, offsets: i32) -> Vec<u8> {
    let header = BatchHeader::parse(&records(base_offset, Codec::None, &["gone"])).unwrap();
    with_header(BatchHeader { batch_length: 49, last_offset_delta: offsets - 1, record_count: 0, ..header }, &[])
}

fn with_header(header: BatchHeader, payload: &[u8]) -> Vec<u8> {
    let bytes = [&header.to_bytes(), payload].concat();
    let crc = crc32c::crc32c(&bytes[21..]);
    [&BatchHeader { crc, ..header }.to_bytes(), payload].concat()
}

/// Messages of magic 1 with these offsets and the offsets as values, in one that is compressed.
fn message_set(offsets: &[i64]) -> Vec<u8> {
    let packing = Packing { codec: Codec::Gzip, level: None };
    let mut set = MessageSetBuilder::new(OldMagic::V1, packing, None).unwrap();
    for offset in offsets {
        set.append(Offset(*offset), Timestamp(1), None, Some(offset.to_string().as_bytes())).unwrap();
    }
    let mut bytes = Vec::new();
    set.build(&mut Compressor::default(), &mut bytes).unwrap();
    bytes
}

fn record(value: &[u8]) -> Record<'_> {
    Record { value: Some(value), ..Record::to("t") }
}

/// Batches that brokers saw.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Bytes>>>);

impl Seen {
    fn add(&self, batch: Bytes) -> usize {
        let mut seen = self.0.lock().unwrap();
        seen.push(batch);
        seen.len()
    }

    fn sequences(&self) -> Vec<(i64, i32)> {
        let headers = self.0.lock().unwrap().iter().map(|bytes| BatchHeader::parse(bytes).unwrap()).collect::<Vec<_>>();
        headers.iter().map(|header| (header.producer_id.0, header.base_sequence.0)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn versions_are_negotiated_with_brokers_that_do_not_know_the_newest_question() {
    // What an old broker says of ApiVersions in its refusal, and the version that it is then asked in.
    for (offered, second) in [(Some((0, 2)), "v2"), (Some((0, 3)), "v3"), (None, "v0")] {
        let world = World::default();
        world.broker(1, move |asked| match (asked.api, asked.version) {
            (ApiKey::ApiVersions, 4) => {
                let api_key = ApiKey::ApiVersions.raw();
                let known = offered.map(|(min_version, max_version)| ApiVersion { api_key, min_version, max_version });
                let refusal = ApiVersionsResponse {
                    error_code: ErrorCode::UnsupportedVersion.raw(),
                    api_keys: known.into_iter().collect(),
                    ..Default::default()
                };
                asked.answer_in(0, &refusal)
            }
            (ApiKey::ApiVersions, _) => {
                let metadata = ApiVersion { api_key: ApiKey::Metadata.raw(), min_version: 0, max_version: 5 };
                asked.answer(&ApiVersionsResponse { api_keys: vec![metadata], ..Default::default() })
            }
            _ => usual(asked, 1),
        });
        let cluster = world.connect(1).await.unwrap();
        let asked = world.log();
        let expected =
            ["1#0 ApiVersions v4".to_owned(), format!("1#0 ApiVersions {second}"), "1#0 Metadata v5".to_owned()];
        assert_eq!(asked, expected);
        // An API that the broker lacks is an error that names it.
        let error = cluster.offsets("t", &[(0, ottla_client::OffsetSpec::Latest)]).await.unwrap_err();
        assert_eq!(error.to_string(), "broker:1 offers no version of ListOffsets, 1..=11 are needed");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_told_at_once_and_by_address() {
    let error = World::default().connect(9092).await.unwrap_err();
    assert_eq!(error.to_string(), "no broker answers at broker:9092: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_again_with_the_same_bytes_after_its_connection_is_lost() {
    let (world, seen) = (World::default(), Seen::default());
    let batches = seen.clone();
    world.broker(1, move |asked| match asked.api {
        ApiKey::Produce if batches.add(batch(asked)) <= 2 => Action::Close,
        ApiKey::Produce => produced(asked, ErrorCode::None, 100),
        _ => usual(asked, 1),
    });
    let producer = Producer::start(world.connect(1).await.unwrap(), ProducerSettings::default()).await.unwrap();
    let first = producer.send(record(b"a")).await.unwrap();
    let second = producer.send(record(b"b")).await.unwrap();
    assert_eq!(first.wait().await.unwrap().offset, Some(Offset(100)));
    assert_eq!(second.wait().await.unwrap().offset, Some(Offset(101)));
    assert_eq!(seen.sequences(), [(40, 0), (40, 0), (40, 0)]);
    assert!(seen.0.lock().unwrap().windows(2).all(|two| two[0] == two[1]));
    // The next batch goes on where this one ended.
    drop(producer.send(record(b"c")).await.unwrap());
    producer.close().await.unwrap();
    assert_eq!(seen.sequences()[3], (40, 2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_not_taken_for_another() {
    let (world, seen) = (World::default(), Seen::default());
    let batches = seen.clone();
    world.broker(1, move |asked| match asked.api {
        // Later than the 30 seconds that an answer may take; and it would say 100.
        ApiKey::Produce if batches.add(batch(asked)) == 1 => {
            produced(asked, ErrorCode::None, 100).late(Duration::from_secs(31))
        }
        ApiKey::Produce => produced(asked, ErrorCode::DuplicateSequenceNumber, -1),
        _ => usual(asked, 1),
    });
    let producer = Producer::start(world.connect(1).await.unwrap(), ProducerSettings::default()).await.unwrap();
    let delivery = producer.send(record(b"a")).await.unwrap();
    assert_eq!(delivery.wait().await.unwrap().offset, None, "written, but the broker no longer says where");
    assert_eq!(seen.sequences(), [(40, 0), (40, 0)]);
    assert!(world.log().contains(&"1#1 Produce v13".to_owned()), "on a new connection: {:?}", world.log());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_request_ends_the_connection() {
    let world = World::default();
    world.broker(1, |asked| match asked.api {
        ApiKey::Metadata => match usual(asked, 1) {
            Action::Answer(mut frame) => {
                frame[7] ^= 1;
                Action::Answer(frame)
            }
            other => other,
        },
        _ => usual(asked, 1),
    });
    let error = world.connect(1).await.unwrap_err();
    let expected = "broker:1 does not speak Kafka's protocol as it should: Metadata: correlation id 0 where 1 is due";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_follows_the_leader_with_its_sequence() {
    let (world, seen) = (World::default(), Seen::default());
    let leader = Arc::new(Mutex::new(1));
    let (batches, led) = (seen.clone(), Arc::clone(&leader));
    world.broker(1, move |asked| match asked.api {
        ApiKey::Produce => {
            batches.add(batch(asked));
            *led.lock().unwrap() = 2;
            produced(asked, ErrorCode::NotLeaderOrFollower, -1)
        }
        _ => usual(asked, *led.lock().unwrap()),
    });
    let (batches, led) = (seen.clone(), Arc::clone(&leader));
    world.broker(2, move |asked| match asked.api {
        ApiKey::Produce => {
            batches.add(batch(asked));
            produced(asked, ErrorCode::None, 7)
        }
        _ => usual(asked, *led.lock().unwrap()),
    });
    let producer = Producer::start(world.connect(1).await.unwrap(), ProducerSettings::default()).await.unwrap();
    let delivery = producer.send(record(b"a")).await.unwrap();
    assert_eq!(delivery.wait().await.unwrap().offset, Some(Offset(7)));
    assert_eq!(seen.sequences(), [(40, 0), (40, 0)]);
    assert!(world.log().contains(&"2#0 Produce v13".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_fails_after_the_delivery_timeout_and_says_why() {
    let world = World::default();
    world.broker(1, |asked| match asked.api {
        ApiKey::Produce => produced(asked, ErrorCode::NotEnoughReplicas, -1),
        _ => usual(asked, 1),
    });
    let producer = Producer::start(world.connect(1).await.unwrap(), ProducerSettings::default()).await.unwrap();
    let delivery = producer.send(record(b"a")).await.unwrap();
    let started = tokio::time::Instant::now();
    let error = delivery.wait().await.unwrap_err();
    assert_eq!(error.to_string(), "t-0: not delivered in time; the last error was: NOT_ENOUGH_REPLICAS");
    assert_eq!(started.elapsed().as_secs(), 120);
    let next = producer.send(record(b"b")).await.unwrap_err();
    assert!(matches!(next, ProduceError::EarlierFailed { .. }), "{next}");
}

#[tokio::test(start_paused = true)]
async fn a_producer_out_of_memory_waits_until_records_are_answered() {
    let world = World::default();
    world.broker(1, |asked| match asked.api {
        ApiKey::Produce => produced(asked, ErrorCode::None, 0).late(Duration::from_secs(3)),
        _ => usual(asked, 1),
    });
    let settings = ProducerSettings { memory_bytes: 1000, ..Default::default() };
    let producer = Producer::start(world.connect(1).await.unwrap(), settings).await.unwrap();
    let value = [0; 600];
    let started = tokio::time::Instant::now();
    drop(producer.send(record(&value)).await.unwrap());
    assert!(started.elapsed() < Duration::from_secs(1));
    drop(producer.send(record(&value)).await.unwrap());
    assert!(started.elapsed() >= Duration::from_secs(3), "{:?}", started.elapsed());
    let error = producer.send(record(&[0; 1000])).await.unwrap_err();
    assert!(matches!(error, ProduceError::RecordTooLarge { .. }), "{error}");
}

async fn values(consumer: &mut Consumer) -> Vec<String> {
    let fetched = consumer.poll(Duration::from_secs(60)).await.unwrap().expect("records within a minute");
    let text = |record: ottla_client::FetchedRecord<'_>| String::from_utf8(record.value.unwrap().to_vec()).unwrap();
    fetched.records().map(|record| text(record.unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_consumer_follows_the_leader_and_reads_exactly_what_is_wanted() {
    let world = World::default();
    let leader = Arc::new(Mutex::new(1));
    let led = Arc::clone(&leader);
    world.broker(1, move |asked| match asked.api {
        ApiKey::Fetch => {
            *led.lock().unwrap() = 2;
            fetched(asked, ErrorCode::NotLeaderOrFollower, -1, vec![])
        }
        _ => usual(asked, *led.lock().unwrap()),
    });
    let led = Arc::clone(&leader);
    world.broker(2, move |asked| match asked.api {
        ApiKey::Fetch => {
            let request: FetchRequest = asked.read();
            let partition = &request.topics[0].partitions[0];
            assert_eq!(partition.current_leader_epoch, 2);
            match partition.fetch_offset {
                // A batch that begins earlier, a marker, a compressed batch, and one that is cut.
                11 => {
                    let mut answer = records(10, Codec::None, &["ten", "eleven", "twelve"]);
                    let mut marker = records(13, Codec::None, &["marker"]);
                    marker[22] |= 0x20;
                    answer.extend(marker);
                    answer.extend(records(14, Codec::Zstd, &["fourteen"]));
                    answer.extend(&records(15, Codec::None, &["fifteen"])[..70]);
                    fetched(asked, ErrorCode::None, 16, answer)
                }
                15 => fetched(asked, ErrorCode::None, 16, records(15, Codec::None, &["fifteen"])),
                16 => Action::Ignore,
                other => panic!("nobody should ask for {other}"),
            }
        }
        _ => usual(asked, *led.lock().unwrap()),
    });
    let mut consumer = Consumer::new(world.connect(1).await.unwrap(), ConsumerSettings::default());
    consumer.assign("t", 0, Start::Offset(Offset(11))).await.unwrap();
    assert_eq!(values(&mut consumer).await, ["eleven", "twelve", "fourteen"]);
    assert_eq!(values(&mut consumer).await, ["fifteen"]);
    assert!(consumer.poll(Duration::from_secs(1)).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_gets_past_what_holds_no_records() {
    let world = World::default();
    world.broker(1, move |asked| match asked.api {
        ApiKey::Fetch => match asked.read::<FetchRequest>().topics[0].partitions[0].fetch_offset {
            0 => fetched(asked, ErrorCode::None, 40, marker(0)),
            1 => fetched(asked, ErrorCode::None, 40, emptied(1, 9)),
            // The reader stands behind the first record, whose successors are gone.
            10 => fetched(asked, ErrorCode::None, 40, message_set(&[7, 9, 14])),
            // The next one comes after a gap.
            15 => fetched(asked, ErrorCode::None, 40, message_set(&[21, 22])),
            23 => fetched(asked, ErrorCode::None, 40, [marker(30), emptied(31, 9)].concat()),
            40 => Action::Ignore,
            other => panic!("nobody should ask for {other}"),
        },
        _ => usual(asked, 1),
    });
    let mut consumer = Consumer::new(world.connect(1).await.unwrap(), ConsumerSettings::default());
    consumer.assign("t", 0, Start::Offset(Offset(0))).await.unwrap();
    let (mut seen, mut positions) = (Vec::new(), Vec::new());
    while let Some(fetched) = consumer.poll(Duration::from_secs(1)).await.unwrap() {
        positions.push(fetched.next.0);
        seen.extend(fetched.records().map(|record| record.unwrap().offset.0));
    }
    assert_eq!(positions, [1, 10, 15, 23, 40]);
    assert_eq!(seen, [14, 21, 22]);
    assert_eq!(world.count(ApiKey::Fetch), 6, "and asks once for each");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_nothing_at_once_is_not_asked_again_at_once() {
    // A broker with nothing to say waits for as long as it is told; this one does not.
    let world = World::default();
    let mut answers = 0;
    world.broker(1, move |asked| match asked.api {
        ApiKey::Fetch if answers < 50 => {
            answers += 1;
            fetched(asked, ErrorCode::None, 7, vec![])
        }
        // The clock stands still while there is something to do.
        ApiKey::Fetch => Action::Ignore,
        _ => usual(asked, 1),
    });
    let mut consumer = Consumer::new(world.connect(1).await.unwrap(), ConsumerSettings::default());
    consumer.assign("t", 0, Start::Offset(Offset(5))).await.unwrap();
    assert!(consumer.poll(Duration::from_secs(2)).await.unwrap().is_none());
    let asked = world.count(ApiKey::Fetch);
    assert!((16..=26).contains(&asked), "{asked} times in two seconds");
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_is_gone_is_handled_as_the_policy_says() {
    let policies = [OffsetReset::Error, OffsetReset::Earliest, OffsetReset::Latest];
    for (policy, timestamp) in policies.into_iter().zip([0, -2, -1]) {
        let world = World::default();
        world.broker(1, move |asked| match asked.api {
            ApiKey::Fetch => match asked.read::<FetchRequest>().topics[0].partitions[0].fetch_offset {
                5 => fetched(asked, ErrorCode::OffsetOutOfRange, -1, vec![]),
                50 => fetched(asked, ErrorCode::None, 51, records(50, Codec::None, &["fifty"])),
                _ => Action::Ignore,
            },
            ApiKey::ListOffsets => {
                let request: ListOffsetsRequest = asked.read();
                assert_eq!(request.topics[0].partitions[0].timestamp, timestamp);
                listed(asked, 50)
            }
            _ => usual(asked, 1),
        });
        let settings = ConsumerSettings { offset_reset: policy, ..Default::default() };
        let mut consumer = Consumer::new(world.connect(1).await.unwrap(), settings);
        consumer.assign("t", 0, Start::Offset(Offset(5))).await.unwrap();
        if policy == OffsetReset::Error {
            let error = consumer.poll(Duration::from_secs(60)).await.unwrap_err();
            assert_eq!(error, ClientError::OffsetOutOfRange { topic: "t".into(), partition: 0, offset: Offset(5) });
        } else {
            assert_eq!(values(&mut consumer).await, ["fifty"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_batch_is_an_error_that_says_where() {
    let world = World::default();
    world.broker(1, |asked| match asked.api {
        ApiKey::Fetch => {
            let mut bytes = records(0, Codec::None, &["a"]);
            *bytes.last_mut().unwrap() ^= 1;
            fetched(asked, ErrorCode::None, 1, bytes)
        }
        _ => usual(asked, 1),
    });
    let mut consumer = Consumer::new(world.connect(1).await.unwrap(), ConsumerSettings::default());
    consumer.assign("t", 0, Start::Offset(Offset(0))).await.unwrap();
    let error = consumer.poll(Duration::from_secs(60)).await.unwrap_err().to_string();
    assert!(error.starts_with("the batch at offset 0 of t-0 cannot be read: the CRC is"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_does_not_exist_is_named() {
    let world = World::default();
    world.broker(1, |asked| usual(asked, 1));
    let cluster = world.connect(1).await.unwrap();
    assert_eq!(cluster.topic("nix").await.unwrap_err(), ClientError::UnknownTopic("nix".to_owned()));
    let before = world.count(ApiKey::Metadata);
    assert_eq!(cluster.topic("t").await.unwrap().partitions.len(), 1);
    assert_eq!(world.count(ApiKey::Metadata), before, "what was learned by the way is known");
}

#[test]
fn the_same_seed_does_the_same_again() {
    let run = || {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        executor.block_on(async {
            let world = World::default();
            let mut produces = 0;
            world.broker(1, move |asked| match asked.api {
                ApiKey::Produce => {
                    produces += 1;
                    match produces % 4 {
                        0 => Action::Close,
                        1 => produced(asked, ErrorCode::NotLeaderOrFollower, -1),
                        _ => produced(asked, ErrorCode::None, produces),
                    }
                }
                _ => usual(asked, 1),
            });
            let settings = ProducerSettings { batch_bytes: 100, ..Default::default() };
            let producer = Producer::start(world.connect(1).await.unwrap(), settings).await.unwrap();
            for number in 0..40u8 {
                drop(producer.send(record(&[number; 60])).await.unwrap());
            }
            producer.close().await.unwrap();
            world.trace()
        })
    };
    let first = run();
    assert!(first.iter().filter(|(_, line)| line.contains("Produce")).count() > 50, "with many retries: {first:?}");
    assert_eq!(first, run());
}
