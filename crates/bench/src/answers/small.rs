//! The answers without records: which versions there are, where topics are, where they begin and end.

use std::ops::RangeInclusive;

use ottla_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::frame::response_frame;
use ottla_protocol::init_producer_id::InitProducerIdResponse;
use ottla_protocol::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::{ApiKey, Message};
use ottla_wire::Reader;

use crate::{Answers, Outcome};

/// Kafka's error code for a partition that is not there.
pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// Kafka's error code for a version that is not served.
const UNSUPPORTED_VERSION: i16 = 35;
/// The only broker.
const NODE: i32 = 0;
/// ListOffsets' timestamp for the first offset.
const EARLIEST: i64 = -2;
/// Every producer gets it: nobody looks at it.
const PRODUCER_ID: i64 = 1;

/// The versions that are answered: those that name topics, as brokers without ids of topics do.
pub(crate) fn versions(api: ApiKey) -> Option<RangeInclusive<i16>> {
    match api {
        ApiKey::Produce => Some(3..=12),
        ApiKey::Fetch => Some(4..=12),
        ApiKey::ListOffsets => Some(1..=7),
        ApiKey::Metadata => Some(1..=9),
        ApiKey::CreateTopics => Some(2..=6),
        ApiKey::ApiVersions | ApiKey::InitProducerId => Some(api.versions()),
        _ => None,
    }
}

pub(crate) fn answer(answers: &Answers, api: ApiKey, correlation: i32, version: i16, body: &[u8]) -> Outcome<Vec<u8>> {
    let frame = match api {
        ApiKey::ApiVersions => response_frame(correlation, version, &api_versions()),
        ApiKey::Metadata => response_frame(correlation, version, &metadata(answers, &decode(body, version)?)?),
        ApiKey::CreateTopics => response_frame(correlation, version, &create_topics(answers, decode(body, version)?)?),
        ApiKey::ListOffsets => response_frame(correlation, version, &list_offsets(answers, decode(body, version)?)?),
        ApiKey::InitProducerId => response_frame(
            correlation,
            version,
            &InitProducerIdResponse { producer_id: PRODUCER_ID, ..Default::default() },
        ),
        _ => return Err(format!("{} has no answer", api.name())),
    };
    frame.map_err(|error| error.to_string())
}

/// What there is, in the version that every client reads.
pub(crate) fn too_new(correlation: i32) -> Outcome<Vec<u8>> {
    let answer = ApiVersionsResponse { error_code: UNSUPPORTED_VERSION, ..api_versions() };
    response_frame(correlation, 0, &answer).map_err(|error| error.to_string())
}

fn decode<M: Message>(body: &[u8], version: i16) -> Outcome<M> {
    M::decode(&mut Reader::new(body), version).map_err(|error| format!("{}: {error}", M::NAME))
}

fn api_versions() -> ApiVersionsResponse {
    let served = ApiKey::ALL.iter().filter_map(|api| Some((api, versions(*api)?)));
    let api_keys = served
        .map(|(api, served)| ApiVersion {
            api_key: api.raw(),
            min_version: *served.start(),
            max_version: *served.end(),
        })
        .collect();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

fn metadata(answers: &Answers, request: &MetadataRequest) -> Outcome<MetadataResponse> {
    let names = request.topics.iter().flatten().filter_map(|topic| topic.name.as_deref());
    let topics = names.map(|name| {
        let partitions = (0..answers.topics.topic(name, None)?.len() as i32).map(|partition_index| {
            let (replica_nodes, isr_nodes) = (vec![NODE], vec![NODE]);
            MetadataResponsePartition {
                partition_index,
                leader_id: NODE,
                replica_nodes,
                isr_nodes,
                ..Default::default()
            }
        });
        Ok(MetadataResponseTopic { name: Some(name.into()), partitions: partitions.collect(), ..Default::default() })
    });
    let (host, port) = (answers.address.ip().to_string(), answers.address.port().into());
    Ok(MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: NODE, host, port, rack: None }],
        cluster_id: Some("answers".into()),
        controller_id: NODE,
        topics: topics.collect::<Outcome<_>>()?,
        ..Default::default()
    })
}

fn create_topics(answers: &Answers, request: CreateTopicsRequest) -> Outcome<CreateTopicsResponse> {
    let topics = request.topics.into_iter().map(|topic| {
        // −1 leaves it to the broker.
        let partitions = answers.topics.topic(&topic.name, usize::try_from(topic.num_partitions).ok())?.len();
        let num_partitions = i32::try_from(partitions).map_err(|_| "too many partitions")?;
        Ok(CreatableTopicResult { name: topic.name, num_partitions, replication_factor: 1, ..Default::default() })
    });
    Ok(CreateTopicsResponse { topics: topics.collect::<Outcome<_>>()?, ..Default::default() })
}

fn list_offsets(answers: &Answers, request: ListOffsetsRequest) -> Outcome<ListOffsetsResponse> {
    let topics = request.topics.into_iter().map(|topic| {
        let logs = answers.topics.topic(&topic.name, None)?;
        let partitions = topic.partitions.into_iter().map(|wanted| {
            let log = usize::try_from(wanted.partition_index).ok().and_then(|index| logs.get(index));
            let offset = log.map(|log| if wanted.timestamp == EARLIEST { 0 } else { log.next_offset() });
            ListOffsetsPartitionResponse {
                partition_index: wanted.partition_index,
                error_code: if offset.is_some() { 0 } else { UNKNOWN_TOPIC_OR_PARTITION },
                offset: offset.unwrap_or(-1),
                leader_epoch: 0,
                ..Default::default()
            }
        });
        Ok(ListOffsetsTopicResponse { name: topic.name, partitions: partitions.collect() })
    });
    Ok(ListOffsetsResponse { topics: topics.collect::<Outcome<_>>()?, ..Default::default() })
}
