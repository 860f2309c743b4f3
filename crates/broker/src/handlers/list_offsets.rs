//! `ListOffsets` (key 2): offsets by timestamp, or by a negative number that stands for a place in the log.
//!
//! - v0: several offsets, without timestamps: where segments begin that were written no later, as of old.
//! - v1: one offset and its timestamp. v2: isolation level: who reads what is committed sees the last stable offset as the
//!   end.
//! - v4: leader epochs (KIP-320). v6: flexible. v7: -3, the record with the largest timestamp (KIP-734).
//! - v8: -4, the earliest record on local disks (KIP-405): the log's start, since nothing is tiered.
//! - v9: -5, the latest tiered record (KIP-1005). v10: timeout. v11: -6, the earliest not yet tiered (KIP-1023). Without
//!   tiering both are answered with offset -1, as Kafka does.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
//! INVALID_REQUEST for a partition that is named twice, UNSUPPORTED_VERSION for a negative number that the version does
//! not know, KAFKA_STORAGE_ERROR.

use std::sync::Arc;

use ottla_protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_types::{ErrorCode, LeaderEpoch, Offset, Timestamp};

use super::Api;
use super::named::{Named, by_topic};
use crate::node::{Lookup, Node};
use crate::partition::Partition;

pub(super) const API: Api = Api {
    key: ApiKey::ListOffsets,
    served: 0..=11,
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
const READ_COMMITTED: i8 = 1;

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
    if version == 0 {
        return handle_old_style(node, body).await;
    }
    let named = body.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |asked| (topic, asked)));
    let named = named.map(|(topic, asked)| (topic.name.as_str(), asked.partition_index, asked));
    let mut topics = Vec::with_capacity(body.topics.len());
    for (name, named) in by_topic(named) {
        let mut partitions = Vec::with_capacity(named.len());
        for Named { asked, is_twice } in named {
            let found = match is_twice {
                true => Err(ErrorCode::InvalidRequest),
                false => find(node, name, asked, body, version).await,
            };
            partitions.push(response(asked.partition_index, found, version));
        }
        topics.push(ListOffsetsTopicResponse { name: name.to_owned(), partitions });
    }
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

async fn handle_old_style(node: &Node, body: &ListOffsetsRequest) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            partitions.push(old_style(node, &topic.name, asked, body.replica_id).await);
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

fn led(node: &Node, topic: &str, index: i32) -> Result<Arc<Partition>, ErrorCode> {
    match node.partition(&TopicKey::Name(topic), index.into()) {
        Lookup::Here(partition) => Ok(partition),
        Lookup::Elsewhere { .. } => Err(ErrorCode::NotLeaderOrFollower),
        Lookup::Unknown(error) => Err(error),
    }
}

/// The answer of v0: the offsets at which segments begin that were last written at the time or before, newest first, and
/// first of all the end.
async fn old_style(
    node: &Node,
    topic: &str,
    asked: &ListOffsetsPartition,
    replica_id: i32,
) -> ListOffsetsPartitionResponse {
    let (error, old_style_offsets) = match old_offsets(node, topic, asked, replica_id).await {
        Ok(offsets) => (ErrorCode::None, offsets),
        Err(error) => (error, Vec::new()),
    };
    let partition_index = asked.partition_index;
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.raw(),
        old_style_offsets,
        ..ListOffsetsPartitionResponse::default()
    }
}

async fn old_offsets(
    node: &Node,
    topic: &str,
    asked: &ListOffsetsPartition,
    replica_id: i32,
) -> Result<Vec<i64>, ErrorCode> {
    if asked.timestamp < -2 {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let partition = led(node, topic, asked.partition_index)?;
    let log = partition.log();
    log.date_segments().await.map_err(|fault| fault.error_code())?;
    let (segments, bounds) = (log.segments(), partition.bounds());
    let now = node.runtime.clock.wall();
    let mut places: Vec<(Offset, Timestamp)> =
        segments.iter().map(|segment| (segment.base.max(bounds.log_start), segment.modified.unwrap_or(now))).collect();
    if segments.last().is_some_and(|active| active.bytes > 0) {
        places.push((bounds.log_end, now));
    }
    let upto = match asked.timestamp {
        -1 => places.len(),
        -2 => 1,
        time => places.iter().rposition(|(_, written)| written.0 <= time).map_or(0, |at| at + 1),
    };
    let most = usize::try_from(asked.max_num_offsets).unwrap_or_default();
    let mut offsets: Vec<Offset> = places[..upto].iter().rev().take(most).map(|(offset, _)| *offset).collect();
    let end = bounds.high_watermark;
    if replica_id == CONSUMER && offsets.iter().any(|offset| *offset > end) {
        offsets.retain(|offset| *offset <= end);
        offsets.insert(0, end);
    }
    Ok(offsets.into_iter().map(|offset| offset.0).collect())
}

async fn find(
    node: &Node,
    topic: &str,
    asked: &ListOffsetsPartition,
    body: &ListOffsetsRequest,
    version: i16,
) -> Result<Found, ErrorCode> {
    let wanted = wanted(asked.timestamp, version)?;
    let partition = led(node, topic, asked.partition_index)?;
    partition.check_epoch(asked.current_leader_epoch.into())?;
    let log = partition.log();
    let bounds = partition.bounds();
    let fetchable = match (body.replica_id, body.isolation_level) {
        (CONSUMER, READ_COMMITTED) => partition.last_stable_offset(),
        (CONSUMER, _) => bounds.high_watermark,
        _ => bounds.log_end,
    };
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
            Ok(found.map_or(NOT_FOUND, |found| (found.offset, found.timestamp, found.leader_epoch)))
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
