//! `ListOffsets` (key 2): offsets by timestamp, or by a negative number that stands for a place in the log.
//!
//! - v1: one offset and its timestamp; the lowest version served. v2: isolation level.
//! - v4: leader epochs (KIP-320). v6: flexible. v7: -3, the record with the largest timestamp (KIP-734).
//! - v8: -4, the earliest record on local disks (KIP-405): the log's start, since nothing is tiered.
//! - v9: -5, the latest tiered record (KIP-1005). v10: timeout. v11: -6, the earliest not yet tiered (KIP-1023). Without
//!   tiering both are answered with offset -1, as Kafka does.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
//! INVALID_REQUEST for a partition that is named twice, UNSUPPORTED_VERSION for a negative number that the version does
//! not know, KAFKA_STORAGE_ERROR.

use std::collections::BTreeSet;

use ottla_protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_types::{ErrorCode, LeaderEpoch, Offset, Timestamp};

use super::Api;
use crate::node::{Lookup, Node};
use crate::partition::Partition;

pub(super) const API: Api = Api {
    key: ApiKey::ListOffsets,
    served: 1..=11,
    advertised: 1..=11,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body, request.version).await)
        })
    },
};

/// The first version whose answer has leader epochs.
const EPOCHS_FROM: i16 = 4;
/// The replica id of a consumer. Others see the log's end instead of the high watermark.
const CONSUMER: i32 = -1;

/// What a negative timestamp stands for.
enum Wanted {
    Latest,
    Earliest,
    MaxTimestamp,
    /// Something about tiered storage, of which there is none.
    Tiered,
    /// The first record that is not older.
    At(Timestamp),
}

/// An offset, its timestamp or -1, and its leader's epoch or -1.
type Found = (Offset, Timestamp, LeaderEpoch);

const NOT_FOUND: Found = (Offset(-1), Timestamp::NONE, LeaderEpoch::UNKNOWN);

async fn handle(node: &Node, body: &ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for (topic, partition) in body.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p))) {
        if !once.insert((&topic.name, partition.partition_index)) {
            twice.insert((&topic.name, partition.partition_index));
        }
    }
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let found = if twice.contains(&(&topic.name, asked.partition_index)) {
                Err(ErrorCode::InvalidRequest)
            } else {
                find(node, &topic.name, asked, body.replica_id, version).await
            };
            partitions.push(response(asked.partition_index, found, version));
        }
        topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
    }
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

fn wanted(timestamp: i64, version: i16) -> Result<Wanted, ErrorCode> {
    match timestamp {
        0.. => Ok(Wanted::At(Timestamp(timestamp))),
        -1 => Ok(Wanted::Latest),
        -2 => Ok(Wanted::Earliest),
        -3 if version >= 7 => Ok(Wanted::MaxTimestamp),
        -4 if version >= 8 => Ok(Wanted::Earliest),
        -5 if version >= 9 => Ok(Wanted::Tiered),
        -6 if version >= 11 => Ok(Wanted::Tiered),
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

async fn find(
    node: &Node,
    topic: &str,
    asked: &ListOffsetsPartition,
    replica_id: i32,
    version: i16,
) -> Result<Found, ErrorCode> {
    let wanted = wanted(asked.timestamp, version)?;
    let partition = match node.partition(&TopicKey::Name(topic), asked.partition_index.into()) {
        Lookup::Here(partition) => partition,
        Lookup::Elsewhere { .. } => return Err(ErrorCode::NotLeaderOrFollower),
        Lookup::Unknown(error) => return Err(error),
    };
    partition.check_epoch(asked.current_leader_epoch.into())?;
    let log = partition.log();
    let bounds = partition.bounds();
    let fetchable = if replica_id == CONSUMER { bounds.high_watermark } else { bounds.log_end };
    match wanted {
        Wanted::Latest => Ok((fetchable, Timestamp::NONE, partition.leader_epoch())),
        Wanted::Earliest => Ok((bounds.log_start, Timestamp::NONE, earliest_epoch(&partition, bounds.log_start))),
        Wanted::Tiered => Ok(NOT_FOUND),
        Wanted::MaxTimestamp | Wanted::At(_) => {
            let found = match wanted {
                Wanted::At(timestamp) => log.find_by_timestamp(timestamp).await,
                _ => log.max_timestamp_offset().await,
            };
            let found = found.map_err(|_| ErrorCode::KafkaStorageError)?.filter(|found| found.offset < fetchable);
            let epoch = |found: Offset| log.epoch_of(found).unwrap_or(LeaderEpoch::UNKNOWN);
            Ok(found.map_or(NOT_FOUND, |found| (found.offset, found.timestamp, epoch(found.offset))))
        }
    }
}

/// The epoch that wrote the log's first record. An epoch counts from where it began, so an empty log may have none.
fn earliest_epoch(partition: &Partition, log_start: Offset) -> LeaderEpoch {
    partition.log().epoch_of(log_start).unwrap_or(LeaderEpoch::UNKNOWN)
}

fn response(partition_index: i32, found: Result<Found, ErrorCode>, version: i16) -> ListOffsetsPartitionResponse {
    let (error, (offset, timestamp, leader_epoch)) = match found {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOT_FOUND),
    };
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.raw(),
        timestamp: timestamp.0,
        offset: offset.0,
        leader_epoch: if version >= EPOCHS_FROM { leader_epoch.0 } else { LeaderEpoch::UNKNOWN.0 },
        ..ListOffsetsPartitionResponse::default()
    }
}
