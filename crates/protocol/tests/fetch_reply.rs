//! The Fetch response in parts is, byte for byte, the owned response in a frame.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bytes::Bytes;
use ottla_protocol::fetch::{FetchResponse, PartitionData};
use ottla_protocol::frame::response_frame;
use ottla_protocol::{FetchReply, FetchedPartition, FetchedTopic, FramedParts, Message, Part, RecordsAt};
use ottla_wire::{EncodeError, Reader};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::sample::{self, Options};

fn reply_of(response: &FetchResponse) -> FetchReply<'_, Bytes> {
    let topics = response.responses.iter().map(|topic| FetchedTopic {
        topic: &topic.topic,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().cloned().map(partition_of).collect(),
    });
    FetchReply {
        throttle_time_ms: response.throttle_time_ms,
        error_code: response.error_code,
        session_id: response.session_id,
        topics: topics.collect(),
        node_endpoints: response.node_endpoints.clone(),
    }
}

fn partition_of(partition: PartitionData) -> FetchedPartition<Bytes> {
    FetchedPartition {
        partition_index: partition.partition_index,
        error_code: partition.error_code,
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        log_start_offset: partition.log_start_offset,
        diverging_epoch: partition.diverging_epoch,
        current_leader: partition.current_leader,
        snapshot_id: partition.snapshot_id,
        aborted_transactions: partition.aborted_transactions,
        preferred_read_replica: partition.preferred_read_replica,
        records: partition.records.map(|place| RecordsAt { length: place.len(), place }),
    }
}

fn joined(frame: &FramedParts<Bytes>) -> Vec<u8> {
    let bytes = frame.parts.iter().flat_map(|part| match part {
        Part::Inline(bytes) | Part::Records(bytes) => bytes.iter().copied(),
    });
    bytes.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn parts_joined_are_the_owned_response(seed: u64) {
        let (file, schema) = support::schema_of(FetchResponse::NAME);
        for version in FetchResponse::VERSIONS {
            let body = sample::bytes(file, schema, version, seed, Options::default());
            let owned = FetchResponse::decode(&mut Reader::new(&body), version).unwrap();
            let frame = reply_of(&owned).into_frame(42, version).unwrap();
            let expected = response_frame(42, version, &owned).unwrap();
            prop_assert_eq!(frame.length, expected.len());
            prop_assert_eq!(joined(&frame), expected, "v{}", version);
        }
    }
}

#[test]
fn records_are_handed_on_and_not_copied() {
    let records = Bytes::from(vec![7u8; 100]);
    let mut partition =
        FetchedPartition { records: Some(RecordsAt { length: 100, place: records.clone() }), ..Default::default() };
    let topic = |partitions| FetchedTopic { topic: "t", topic_id: Default::default(), partitions };
    let mut reply = FetchReply {
        throttle_time_ms: 0,
        error_code: 0,
        session_id: 0,
        topics: vec![topic(vec![partition.clone()])],
        node_endpoints: Vec::new(),
    };
    let frame = reply.clone().into_frame(1, 4).unwrap();
    let [Part::Inline(_), Part::Records(given)] = &frame.parts[..] else { panic!("{frame:?}") };
    assert_eq!(given.as_ptr(), records.as_ptr());

    partition.records = Some(RecordsAt { length: 0, place: Bytes::new() });
    reply.topics = vec![topic(vec![partition])];
    let frame = reply.into_frame(1, 12).unwrap();
    assert!(matches!(frame.parts[..], [Part::Inline(_)]), "empty records are no part: {frame:?}");
}

#[test]
fn fields_that_the_version_lacks_are_refused_or_dropped_as_by_the_owned_response() {
    let partition = FetchedPartition::<Bytes> { preferred_read_replica: 3, ..Default::default() };
    let topic = FetchedTopic { topic: "t", topic_id: Default::default(), partitions: vec![partition] };
    let reply =
        FetchReply { throttle_time_ms: 9, error_code: 1, session_id: 0, topics: vec![topic], node_endpoints: vec![] };
    assert!(reply.clone().into_frame(1, 11).is_ok());
    let refused = reply.clone().into_frame(1, 10).unwrap_err();
    assert_eq!(refused, EncodeError::NotInVersion { field: "FetchedPartition.preferred_read_replica", version: 10 });
    assert!(matches!(reply.into_frame(1, 19), Err(EncodeError::UnsupportedVersion { .. })));
}
