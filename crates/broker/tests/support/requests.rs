//! Requests with what the version in question has, and no more: a field that it lacks cannot be written.

use bytes::Bytes;
use ottla_protocol::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_types::Uuid;

use super::Client;

/// The first version of Produce and of Fetch that names topics by id.
const IDS_FROM: i16 = 13;

/// Creates a topic that must not fail, and returns its id.
pub(crate) fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
    let configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name: (*name).to_owned(), value: Some((*value).to_owned()) });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..CreateTopicsRequest::default() };
    let answer = client.ask(7, &request);
    assert_eq!(answer.topics[0].error_code, 0, "{name}: {:?}", answer.topics[0].error_message);
    answer.topics[0].topic_id
}

/// Records for one partition of a topic, named as the version does.
pub(crate) fn produce_of(version: i16, topic: (&str, Uuid), index: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let (name, topic_id) = named_in(version, topic);
    let partition_data = vec![PartitionProduceData { index, records: Some(records) }];
    ProduceRequest {
        acks,
        timeout_ms: 60_000,
        topic_data: vec![TopicProduceData { name, topic_id, partition_data }],
        ..ProduceRequest::default()
    }
}

/// A fetch of one partition, without patience.
pub(crate) fn fetch_of(version: i16, topic: (&str, Uuid), partition: i32, fetch_offset: i64) -> FetchRequest {
    let (topic, topic_id) = named_in(version, topic);
    let partition =
        FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 50 << 20,
        // Outside a session.
        session_epoch: -1,
        topics: vec![FetchTopic { topic, topic_id, partitions: vec![partition] }],
        ..FetchRequest::default()
    }
}

fn named_in(version: i16, (name, id): (&str, Uuid)) -> (String, Uuid) {
    if version >= IDS_FROM { (String::new(), id) } else { (name.to_owned(), Uuid::ZERO) }
}

/// What to ask ListOffsets for.
pub(crate) struct ListOffsetsOf<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    /// Or one of the negative numbers that stand for something.
    pub(crate) timestamp: i64,
}

pub(crate) fn list_offsets_of(of: &ListOffsetsOf<'_>) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition {
        partition_index: of.partition,
        timestamp: of.timestamp,
        ..ListOffsetsPartition::default()
    };
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic { name: of.topic.to_owned(), partitions: vec![partition] }],
        ..ListOffsetsRequest::default()
    }
}
