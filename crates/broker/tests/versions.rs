//! Every API in every version that ApiVersions advertises: a valid request has a good answer, and a refused one has an
//! answer that can be written in that version too. An answer with a field that its version lacks would close the
//! connection.

use std::ops::RangeInclusive;

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest};
use ottla_protocol::fetch::FetchRequest;
use ottla_protocol::frame::request_frame;
use ottla_protocol::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use ottla_protocol::init_producer_id::InitProducerIdRequest;
use ottla_protocol::list_offsets::ListOffsetsRequest;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::produce::ProduceRequest;
use ottla_protocol::push_telemetry::PushTelemetryRequest;
use ottla_protocol::{ApiKey, Request as MessageRequest};
use ottla_types::{ErrorCode, LeaderEpoch, Uuid};

use crate::support::{
    Client, ListOffsetsOf, Recipe, Running, WALL, built, corrupted, create, fetch_of, list_offsets_of, produce_of,
};

/// The versions of `api` that are to be gone through; Produce is served from v3 only.
fn advertised(client: &mut Client, api: ApiKey) -> RangeInclusive<i16> {
    let offered = client.offered();
    let (_, versions) = offered.iter().find(|(key, _)| *key == api).unwrap_or_else(|| panic!("{api} is not offered"));
    if api == ApiKey::Produce { 3..=*versions.end() } else { versions.clone() }
}

#[test]
fn the_table_of_versions_is_the_same_in_every_version_of_api_versions() {
    let running = Running::start();
    let mut client = running.connect();
    let first = client.ask(0, &ApiVersionsRequest::default()).api_keys;
    let keys: Vec<_> = first.iter().map(|api| api.api_key).collect();
    assert!(keys.is_sorted() && keys.contains(&ApiKey::ApiVersions.raw()), "{keys:?}");
    for version in advertised(&mut client, ApiKey::ApiVersions) {
        let answer = client.ask(version, &api_versions(version, "tests"));
        assert_eq!((answer.error_code, &answer.api_keys), (0, &first), "v{version}");
    }
}

fn api_versions(version: i16, software: &str) -> ApiVersionsRequest {
    let named = |text: &str| if version >= 3 { text.to_owned() } else { String::new() };
    ApiVersionsRequest { client_software_name: named(software), client_software_version: named("1.0") }
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_the_first_form() {
    let running = Running::start();
    let mut client = running.connect();
    for version in [5, 99, i16::MAX] {
        let mut frame = client.frame(4, &api_versions(4, "tests"));
        // Size, key, then the version.
        frame[6..8].copy_from_slice(&version.to_be_bytes());
        client.send_bytes(&frame);
        let (correlation_id, answer) = client.receive_as::<ApiVersionsRequest>(0).expect("an answer");
        assert_eq!(correlation_id, client.last_correlation_id());
        assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.raw());
        let keys: Vec<_> = answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        assert_eq!(keys, [(18, 0, 4)]);
    }
    assert!(client.is_served());
}

#[test]
fn a_client_software_without_a_proper_name_is_refused() {
    let running = Running::start();
    let mut client = running.connect();
    for version in 3..=4 {
        let answer = client.ask(version, &api_versions(version, "no name"));
        assert_eq!((answer.error_code, answer.api_keys.len()), (ErrorCode::InvalidRequest.raw(), 0));
    }
    assert!(client.is_served());
}

#[test]
fn metadata_answers_every_question_in_every_version() {
    let running = Running::with("auto.create.topics.enable=false\n");
    let mut client = running.connect();
    let id = create(&mut client, "there", 2, &[]);
    for version in advertised(&mut client, ApiKey::Metadata) {
        for operations in [false, true] {
            for (topics, expected) in questions(version, id) {
                let request = MetadataRequest {
                    topics: topics.clone(),
                    include_cluster_authorized_operations: operations && (8..=10).contains(&version),
                    include_topic_authorized_operations: operations && version >= 8,
                    ..MetadataRequest::default()
                };
                let answer = client.ask(version, &request);
                let found: Vec<_> =
                    answer.topics.iter().map(|topic| (topic.error_code, topic.partitions.len())).collect();
                let expected: Vec<_> = expected.iter().map(|(error, partitions)| (error.raw(), *partitions)).collect();
                assert_eq!(found, expected, "v{version} {topics:?}");
                // Such a request is refused as a whole.
                let refused = (10..12).contains(&version)
                    && found.iter().any(|(error, _)| *error == ErrorCode::InvalidRequest.raw());
                assert_eq!((answer.error_code, answer.brokers.len()), (0, usize::from(!refused)), "v{version}");
                let asked = operations && version >= 8;
                for topic in &answer.topics {
                    // Of what nobody knows by that id, nobody may do anything.
                    let told = asked && !refused && topic.error_code != ErrorCode::UnknownTopicId.raw();
                    assert_eq!(topic.topic_authorized_operations != i32::MIN, told, "v{version} {topic:?}");
                }
                let of_cluster = asked && version <= 10 && !refused;
                assert_eq!(answer.cluster_authorized_operations != i32::MIN, of_cluster, "v{version}");
            }
        }
    }
}

/// What to ask for, and the errors and numbers of partitions that come back.
type Question = (Option<Vec<MetadataRequestTopic>>, Vec<(ErrorCode, usize)>);

fn questions(version: i16, id: Uuid) -> Vec<Question> {
    use ErrorCode::{InvalidRequest, InvalidTopicException, None as Fine, UnknownTopicId, UnknownTopicOrPartition};
    let named = |name: &str| MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() };
    let by_id = |topic_id| MetadataRequestTopic { topic_id, name: None };
    let names = ["there", "absent", "no name"].map(named).to_vec();
    let mut questions = vec![(Some(names), vec![(Fine, 2), (UnknownTopicOrPartition, 0), (InvalidTopicException, 0)])];
    // All topics: an empty list in v0, null from v1 on; an empty list asks for none then.
    questions.push((Some(vec![]), if version == 0 { vec![(Fine, 2)] } else { vec![] }));
    if version >= 1 {
        questions.push((None, vec![(Fine, 2)]));
    }
    let ids = Some(vec![by_id(id), by_id(Uuid([7; 16]))]);
    match version {
        0..10 => {}
        // The fields are there, but no broker took them.
        10..12 => questions.push((ids, vec![(InvalidRequest, 0), (InvalidRequest, 0)])),
        _ => questions.push((ids, vec![(Fine, 2), (UnknownTopicId, 0)])),
    }
    questions
}

#[test]
fn metadata_makes_a_topic_on_demand_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    for version in advertised(&mut client, ApiKey::Metadata) {
        let name = format!("demanded-{version}");
        let ask = |allow_auto_topic_creation| MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name: Some(name.clone()), ..MetadataRequestTopic::default() }]),
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        if version >= 4 {
            let refused = client.ask(version, &ask(false));
            assert_eq!(refused.topics[0].error_code, ErrorCode::UnknownTopicOrPartition.raw(), "v{version}");
        }
        let made = client.ask(version, &ask(true));
        assert_eq!((made.topics[0].error_code, made.topics[0].partitions.len()), (0, 1), "v{version}");
    }
}

#[test]
fn topics_are_created_and_deleted_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    create(&mut client, "there", 1, &[]);
    let created: Vec<String> = advertised(&mut client, ApiKey::CreateTopics)
        .map(|version| {
            let name = format!("created-{version}");
            let topic = |name: &str| CreatableTopic {
                name: name.to_owned(),
                num_partitions: 1,
                replication_factor: 1,
                ..CreatableTopic::default()
            };
            let topics = vec![topic(&name), topic("there"), topic("no name")];
            let request = CreateTopicsRequest { topics, timeout_ms: 60_000, ..CreateTopicsRequest::default() };
            let mut answer = client.ask(version, &request);
            answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
            let errors: Vec<_> = answer.topics.iter().map(|topic| topic.error_code).collect();
            let expected = [ErrorCode::None, ErrorCode::InvalidTopicException, ErrorCode::TopicAlreadyExists];
            assert_eq!(errors, expected.map(ErrorCode::raw), "v{version}");
            assert_eq!(answer.topics[1].error_message.is_some(), version >= 1, "v{version}");
            if version >= 5 {
                let configs = answer.topics[0].configs.as_ref().expect("the new topic's settings");
                assert!(configs.iter().any(|config| config.name == "retention.ms"), "v{version}");
                assert_eq!((answer.topics[0].num_partitions, answer.topics[0].replication_factor), (1, 1));
            }
            assert_eq!(answer.topics[0].topic_id.is_zero(), version < 7, "v{version}");
            name
        })
        .collect();
    for (version, name) in advertised(&mut client, ApiKey::DeleteTopics).zip(&created) {
        let answer = client.ask(version, &deletion(version, &[name, "absent"]));
        let mut errors: Vec<_> = answer.responses.iter().map(|topic| topic.error_code).collect();
        errors.sort_unstable();
        assert_eq!(errors, [0, ErrorCode::UnknownTopicOrPartition.raw()], "v{version}");
        let messages = |result: &DeletableTopicResult| result.error_message.is_some();
        assert_eq!(answer.responses.iter().filter(|result| messages(result)).count(), usize::from(version >= 5));
    }
    let by_id = |topic_id| DeleteTopicState { name: None, topic_id };
    let id = create(&mut client, "by-id", 1, &[]);
    let topics = vec![by_id(id), by_id(Uuid([7; 16]))];
    let answer = client.ask(6, &DeleteTopicsRequest { topics, timeout_ms: 60_000, ..DeleteTopicsRequest::default() });
    let errors: Vec<_> = answer.responses.iter().map(|topic| topic.error_code).collect();
    assert!(errors.contains(&0) && errors.contains(&ErrorCode::UnknownTopicId.raw()), "{errors:?}");
}

fn deletion(version: i16, names: &[&str]) -> DeleteTopicsRequest {
    let names = names.iter().map(|name| (*name).to_owned());
    let mut request = DeleteTopicsRequest { timeout_ms: 60_000, ..DeleteTopicsRequest::default() };
    if version >= 6 {
        request.topics = names.map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO }).collect();
    } else {
        request.topic_names = names.collect();
    }
    request
}

#[test]
fn producer_ids_are_given_out_once_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    let mut given = std::collections::BTreeSet::new();
    for version in advertised(&mut client, ApiKey::InitProducerId) {
        let answer = client.ask(version, &InitProducerIdRequest { transaction_timeout_ms: 1000, ..Default::default() });
        assert_eq!((answer.error_code, answer.producer_epoch), (0, 0), "v{version}");
        assert!(given.insert(answer.producer_id), "{} twice", answer.producer_id);
        let transactional = InitProducerIdRequest { transactional_id: Some("t".to_owned()), ..Default::default() };
        let refused = client.ask(version, &transactional);
        assert_eq!((refused.producer_id, refused.producer_epoch), (-1, -1), "v{version}");
        assert_ne!(refused.error_code, 0, "v{version}");
    }
}

#[test]
fn produce_takes_and_refuses_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    let good = built(&Recipe::default());
    let bad = corrupted(&good, "crc");
    let null_key = built(&Recipe { records: vec![(None, Some("v".to_owned())); 2], ..Recipe::default() });
    let compacted = ("c", create(&mut client, "c", 1, &[("cleanup.policy", "compact")]));
    for (expected, version) in (0..).zip(advertised(&mut client, ApiKey::Produce)) {
        for acks in [1, -1] {
            let answer = client.ask(version, &produce_of(version, topic, 0, acks, good.clone()));
            let partition = &answer.responses[0].partition_responses[0];
            let offset = expected * 2 + i64::from(acks == -1);
            assert_eq!((partition.error_code, partition.base_offset), (0, offset), "v{version} acks={acks}");
            assert_eq!(partition.log_append_time_ms, -1);
        }
        let refused = |request: &ProduceRequest, client: &mut Client| {
            let answer = client.ask(version, request);
            let partition = answer.responses[0].partition_responses[0].clone();
            assert_eq!(partition.base_offset, -1, "v{version}");
            assert_eq!(partition.error_message.is_some(), version >= 8 && partition.error_code != 3, "v{version}");
            (ErrorCode::from_raw(partition.error_code).expect("a code"), partition.record_errors.len())
        };
        let corrupt = refused(&produce_of(version, topic, 0, -1, bad.clone()), &mut client);
        assert_eq!(corrupt, (ErrorCode::CorruptMessage, 0), "v{version}");
        let keyless = refused(&produce_of(version, compacted, 0, -1, null_key.clone()), &mut client);
        assert_eq!(keyless, (ErrorCode::InvalidRecord, if version >= 8 { 2 } else { 0 }), "v{version}");
        let nowhere = refused(&produce_of(version, topic, 9, -1, good.clone()), &mut client);
        assert_eq!(nowhere.0, ErrorCode::UnknownTopicOrPartition, "v{version}");
    }
}

#[test]
fn fetch_reads_and_refuses_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    let batch = built(&Recipe::of(3, 10));
    client.ask(13, &produce_of(13, topic, 0, -1, batch.clone()));
    for version in advertised(&mut client, ApiKey::Fetch) {
        for isolation_level in [0, 1] {
            let request = FetchRequest { isolation_level, ..fetch_of(version, topic, 0, 1) };
            let answer = client.ask(version, &request);
            assert_eq!((answer.error_code, answer.session_id), (0, 0), "v{version}");
            let partition = &answer.responses[0].partitions[0];
            assert_eq!((partition.error_code, partition.high_watermark), (0, 3), "v{version}");
            // As they were sent, or the two records from offset 1 on as messages of magic 0 or 1.
            let bytes = match version {
                0..2 => 2 * (12 + 14 + "k".len() + 10),
                2..4 => 2 * (12 + 22 + "k".len() + 10),
                _ => batch.len(),
            };
            assert_eq!(partition.records.as_ref().map(|records| records.len()), Some(bytes), "v{version}");
            assert_eq!(partition.aborted_transactions.is_some(), version >= 4 && isolation_level == 1, "v{version}");
        }
        for (index, offset, expected) in
            [(0, 4, ErrorCode::OffsetOutOfRange), (9, 0, ErrorCode::UnknownTopicOrPartition)]
        {
            let answer = client.ask(version, &fetch_of(version, topic, index, offset));
            let partition = &answer.responses[0].partitions[0];
            assert_eq!((partition.error_code, partition.high_watermark), (expected.raw(), -1), "v{version}");
            assert!(partition.records.as_ref().is_none_or(|records| records.is_empty()), "v{version}");
        }
        if version >= 7 {
            let request = FetchRequest { session_id: 5, session_epoch: 1, ..fetch_of(version, topic, 0, 0) };
            let answer = client.ask(version, &request);
            assert_eq!(answer.error_code, ErrorCode::FetchSessionIdNotFound.raw(), "v{version}");
        }
    }
}

#[test]
fn list_offsets_answers_every_sentinel_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 1, &[]));
    client.ask(13, &produce_of(13, topic, 0, -1, built(&Recipe::of(3, 10))));
    // What is asked for, from which version on, and the offset and timestamp that come back.
    let now = WALL.0;
    let sentinels = [
        (-1, 1, 3, -1),
        (-2, 1, 0, -1),
        (-3, 7, 2, now + 2),
        (-4, 8, 0, -1),
        (-5, 9, -1, -1),
        (-6, 11, -1, -1),
        (0, 1, 0, now),
        (now + 1, 1, 1, now + 1),
        (now + 3, 1, -1, -1),
    ];
    for version in advertised(&mut client, ApiKey::ListOffsets).filter(|version| *version > 0) {
        let ask = |client: &mut Client, partition, timestamp| {
            let request: ListOffsetsRequest = list_offsets_of(&ListOffsetsOf { topic: "a", partition, timestamp });
            let answer = client.ask(version, &request);
            answer.topics[0].partitions[0].clone()
        };
        for (timestamp, from, offset, found_at) in sentinels {
            let partition = ask(&mut client, 0, timestamp);
            if version < from {
                let refused = (partition.error_code, partition.offset);
                assert_eq!(refused, (ErrorCode::UnsupportedVersion.raw(), -1), "v{version} {timestamp}");
                continue;
            }
            let found = (partition.error_code, partition.offset, partition.timestamp);
            assert_eq!(found, (0, offset, found_at), "v{version} {timestamp}");
            let has_epoch = version >= 4 && offset != -1;
            assert_eq!(partition.leader_epoch != LeaderEpoch::UNKNOWN.0, has_epoch, "v{version} {timestamp}");
        }
        for unknown in [-7, i64::MIN] {
            assert_eq!(ask(&mut client, 0, unknown).error_code, ErrorCode::UnsupportedVersion.raw(), "v{version}");
        }
        let nowhere = ask(&mut client, 9, -1);
        assert_eq!(nowhere.error_code, ErrorCode::UnknownTopicOrPartition.raw(), "v{version}");
    }
}

/// Goes through the versions of one API with the smallest request there is. Answers those that it has no form in.
fn ask_for_nothing<R: MessageRequest>(client: &mut Client) -> Option<Vec<String>> {
    let (_, versions) = client.offered().into_iter().find(|(key, _)| *key == R::KEY)?;
    let mut left_out = Vec::new();
    for version in versions {
        if request_frame(0, None, version, &R::default()).is_err() {
            left_out.push(format!("{} v{version}", R::KEY));
        } else if R::KEY != ApiKey::Produce {
            client.ask(version, &R::default());
        } else {
            // It has acks=0, and so no answer.
            client.send(version, &R::default());
            assert!(client.is_served(), "v{version}");
        }
    }
    Some(left_out)
}

#[test]
fn every_api_has_an_answer_to_the_smallest_request_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    let (mut apis, mut left_out) = (0, Vec::new());
    macro_rules! run {
        ($module:ident, $request:ident, $response:ident) => {
            if let Some(versions) = ask_for_nothing::<ottla_protocol::$module::$request>(&mut client) {
                apis += 1;
                left_out.extend(versions);
            }
        };
    }
    ottla_protocol::for_every_api!(run);
    assert_eq!(apis, client.offered().len());
    assert_eq!(left_out, ["Metadata v0", "OffsetFetch v0", "OffsetFetch v1"], "there null is not everything");
}

#[test]
fn telemetry_is_asked_for_taken_and_refused_in_every_version() {
    let running = Running::start();
    let mut client = running.connect();
    for version in advertised(&mut client, ApiKey::GetTelemetrySubscriptions) {
        let told = client.ask(version, &GetTelemetrySubscriptionsRequest::default());
        assert_eq!((told.error_code, told.client_instance_id.is_zero()), (0, false), "v{version}");
        assert!(
            told.telemetry_max_bytes > 0 && told.push_interval_ms > 0 && !told.accepted_compression_types.is_empty()
        );
        let known = GetTelemetrySubscriptionsRequest { client_instance_id: told.client_instance_id };
        let again = client.ask(version, &known);
        assert_eq!(
            again.error_code,
            ErrorCode::ThrottlingQuotaExceeded.raw(),
            "v{version}: sooner than it was told to"
        );
        for version in advertised(&mut client, ApiKey::PushTelemetry) {
            let push = |subscription_id| PushTelemetryRequest {
                client_instance_id: told.client_instance_id,
                subscription_id,
                ..PushTelemetryRequest::default()
            };
            let refused = client.ask(version, &push(told.subscription_id.wrapping_add(1)));
            assert_eq!(refused.error_code, ErrorCode::UnknownSubscriptionId.raw(), "v{version}");
            let nobody = PushTelemetryRequest { client_instance_id: Uuid::ZERO, ..push(told.subscription_id) };
            assert_eq!(client.ask(version, &nobody).error_code, ErrorCode::InvalidRequest.raw(), "v{version}");
            let mut other = running.connect();
            let told = other.ask(0, &GetTelemetrySubscriptionsRequest::default());
            let taken =
                PushTelemetryRequest { client_instance_id: told.client_instance_id, ..push(told.subscription_id) };
            assert_eq!(other.ask(version, &taken).error_code, 0, "v{version}");
        }
    }
}

#[test]
fn versions_that_are_not_offered_close_the_connection() {
    let running = Running::start();
    for (api, versions) in running.connect().offered() {
        if api == ApiKey::ApiVersions {
            continue;
        }
        let below = if api == ApiKey::Produce { 2 } else { versions.start() - 1 };
        for version in [below, versions.end() + 1] {
            let mut client = running.connect();
            let mut frame = client.frame(0, &ApiVersionsRequest::default());
            frame[4..6].copy_from_slice(&api.raw().to_be_bytes());
            frame[6..8].copy_from_slice(&version.to_be_bytes());
            client.send_bytes(&frame);
            assert!(client.receive_frame().is_none(), "{api} v{version}");
        }
    }
    assert!(running.connect().is_served());
}
