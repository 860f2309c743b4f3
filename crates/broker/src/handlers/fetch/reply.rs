//! The answer to a fetch, from what was found.

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_protocol::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint};
use ottla_protocol::{FetchedPartition, FetchedTopic, RecordsAt, TopicKey};
use ottla_storage::Slice;
use ottla_types::{BrokerId, ErrorCode, Uuid};

use super::Request;
use super::read::{Got, Outcome};
use super::session::Partitions;
use crate::answer::Part;
use crate::node::Node;

/// The first version whose clients know KAFKA_STORAGE_ERROR; older ones take it for the end.
const STORAGE_ERROR_FROM: i16 = 6;
/// The first version that names leaders in errors.
const LEADERS_FROM: i16 = 16;

/// Where the records of a partition are.
pub(super) enum RecordsPlace {
    /// There are none.
    Nowhere,
    /// In a segment file.
    File(Slice),
    /// In memory.
    Memory(Vec<Bytes>),
}

impl RecordsPlace {
    /// The parts of the answer that they are.
    pub(super) fn send_by(self, parts: &mut Vec<Part>) {
        match self {
            Self::Nowhere => {}
            Self::File(slice) => parts.push(Part::Records(slice)),
            Self::Memory(pieces) => parts.extend(pieces.into_iter().map(Part::Bytes)),
        }
    }
}

/// The topics of an answer in a version's form, in the order in which they were read: one entry for neighbours of one topic.
pub(super) fn topics(partitions: &Partitions, got: Vec<Got>, version: i16) -> Vec<FetchedTopic<'_, RecordsPlace>> {
    let mut topics: Vec<FetchedTopic<'_, RecordsPlace>> = Vec::new();
    let mut last = None;
    for Got { place, outcome, .. } in got {
        if last.is_none_or(|last| !partitions.same_topic(last, place)) {
            let (topic, topic_id) = match partitions.topic(place).key() {
                TopicKey::Name(name) => (name, Uuid::ZERO),
                TopicKey::Id(id) => ("", id),
            };
            topics.push(FetchedTopic { topic, topic_id, partitions: Vec::new() });
        }
        last = Some(place);
        let index = partitions.followed(place).index.0;
        let topic = topics.last_mut().expect("one was pushed for the first partition");
        topic.partitions.push(partition(index, outcome, version));
    }
    topics
}

fn partition(index: i32, outcome: Outcome, version: i16) -> FetchedPartition<RecordsPlace> {
    // No records at all, which is not null: clients may count on a field that is there.
    let records = Some(RecordsAt { length: 0, place: RecordsPlace::Nowhere });
    let empty = FetchedPartition { partition_index: index, records, ..FetchedPartition::default() };
    match outcome {
        Outcome::Refused { error, leader } => FetchedPartition {
            error_code: error_in(version, error).raw(),
            high_watermark: -1,
            current_leader: leader
                .filter(|_| version >= LEADERS_FROM)
                .map(|(id, epoch)| LeaderIdAndEpoch { leader_id: id.0, leader_epoch: epoch.0 })
                .unwrap_or_default(),
            ..empty
        },
        Outcome::Unknown(error) => FetchedPartition {
            error_code: error.raw(),
            high_watermark: -1,
            // As Kafka says it, whatever the isolation level.
            aborted_transactions: Some(Vec::new()),
            ..empty
        },
        Outcome::Records { bounds, slice, aborted, diverging } => FetchedPartition {
            high_watermark: bounds.high_watermark.0,
            last_stable_offset: bounds.last_stable_offset.0,
            log_start_offset: bounds.log_start.0,
            aborted_transactions: aborted.map(|aborted| aborted.iter().map(told).collect()),
            diverging_epoch: diverging
                .map(|end| EpochEndOffset { epoch: end.epoch.0, end_offset: end.end_offset.0 })
                .unwrap_or_default(),
            records: Some(RecordsAt {
                length: slice.as_ref().map_or(0, |slice| slice.bytes),
                place: slice.map_or(RecordsPlace::Nowhere, RecordsPlace::File),
            }),
            ..empty
        },
        // These versions have no other bounds, and know no transactions.
        Outcome::Converted { bounds, records } => FetchedPartition {
            high_watermark: bounds.high_watermark.0,
            records: Some(RecordsAt { length: records.bytes, place: RecordsPlace::Memory(records.pieces) }),
            ..empty
        },
    }
}

fn told(aborted: &ottla_storage::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction { producer_id: aborted.producer_id.0, first_offset: aborted.first_offset.0 }
}

/// An error as clients of the version understand it: what makes them ask again elsewhere.
const fn error_in(version: i16, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::KafkaStorageError if version < STORAGE_ERROR_FROM => ErrorCode::NotLeaderOrFollower,
        error => error,
    }
}

/// The addresses of the leaders that partitions name, on the listener that the client came in on (KIP-951). Followers
/// know them.
pub(super) fn leaders(node: &Node, request: &Request, replica_id: i32, got: &[Got]) -> Vec<NodeEndpoint> {
    if request.version < LEADERS_FROM || replica_id >= 0 {
        return Vec::new();
    }
    let named = got.iter().filter_map(|got| match &got.outcome {
        Outcome::Refused { leader, .. } => leader.map(|(id, _)| id),
        Outcome::Records { .. } | Outcome::Converted { .. } | Outcome::Unknown(_) => None,
    });
    let named: BTreeSet<BrokerId> = named.collect();
    if named.is_empty() {
        return Vec::new();
    }
    let image = node.image();
    let brokers = image.brokers_at(&request.listener).filter(|(broker, _)| named.contains(&broker.id));
    let endpoints = brokers.map(|(broker, endpoint)| NodeEndpoint {
        node_id: broker.id.0,
        host: endpoint.host.clone(),
        port: i32::from(endpoint.port),
        rack: broker.rack.clone(),
    });
    endpoints.collect()
}
