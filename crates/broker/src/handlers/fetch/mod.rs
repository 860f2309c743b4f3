//! `Fetch` (key 1): reads records from partitions that this broker leads.
//!
//! - v4: the lowest version served; batches of magic 2, isolation level (KIP-98). v5: log start offset.
//! - v7: sessions (KIP-227). None is kept: every answer has session id 0, as from a Kafka whose sessions are all taken.
//! - v9: the client's leader epoch (KIP-320). v11: rack. v12: flexible; the epoch last fetched (KIP-595).
//! - v13: topics by id (KIP-516). v15: the replica in a tagged field (KIP-903). v16: leaders' addresses (KIP-951).
//! - v17, v18: what followers of the metadata log say; ignored.
//!
//! Answers at once when something is wrong, when there are `min_bytes`, or when the client does not want to wait; else
//! when there are enough or `max_wait_ms` is over. The first partition that has any records yields its first batch
//! whatever its size. Errors: FETCH_SESSION_ID_NOT_FOUND; by partition UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
//! NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.

mod read;

use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::fetch::{EpochEndOffset, LeaderIdAndEpoch};
use ottla_protocol::{
    ApiKey, FetchPartitionView, FetchReply, FetchRequestView, FetchedPartition, FetchedTopic, Part as Piece, RecordsAt,
    TopicKey,
};
use ottla_storage::Slice;
use ottla_types::{ErrorCode, Uuid};
use tokio::sync::Notify;

use super::{Api, Request};
use crate::answer::{Answer, Hangup, Part, Response};
use crate::node::{Lookup, Node};
use read::{Asked, Got, Target};

pub(super) const API: Api = Api {
    key: ApiKey::Fetch,
    served: 4..=18,
    advertised: 4..=18,
    handle: |node, request| Box::pin(async move { handle(&node, &request).await }),
};

/// `READ_COMMITTED` on the wire.
const READ_COMMITTED: i8 = 1;

async fn handle(node: &Node, request: &Request) -> Result<Answer, Hangup> {
    let body = request.body();
    let view = FetchRequestView::parse(&body, request.version).map_err(|error| request.malformed(&error))?;
    if view.session_epoch > 0 {
        let error_code = ErrorCode::FetchSessionIdNotFound.raw();
        let reply =
            FetchReply { throttle_time_ms: 0, error_code, session_id: 0, topics: vec![], node_endpoints: vec![] };
        return respond(request, reply);
    }
    let mut asked = Vec::new();
    for topic in view.topics() {
        for partition in topic.partitions() {
            asked.push(look_up(node, &topic.topic, partition, view.replica_id));
        }
    }
    let got = wait_and_read(node, &view, &asked).await;
    asked.iter().zip(&got).for_each(|(asked, got)| count(node, asked, got));
    let committed_only = view.isolation_level == READ_COMMITTED;
    let mut got = got.into_iter();
    let mut topics = Vec::new();
    for topic in view.topics() {
        let (name, topic_id) = match topic.topic {
            TopicKey::Name(name) => (name, Uuid::ZERO),
            TopicKey::Id(id) => ("", id),
        };
        let indexes = topic.partitions().map(|partition| partition.partition);
        let partitions = indexes.zip(got.by_ref()).map(|(index, got)| fetched(index, got, committed_only)).collect();
        topics.push(FetchedTopic { topic: name, topic_id, partitions });
    }
    respond(request, FetchReply { throttle_time_ms: 0, error_code: 0, session_id: 0, topics, node_endpoints: vec![] })
}

fn count(node: &Node, asked: &Asked, got: &Got) {
    for traffic in [Some(&node.metrics.traffic), asked.partition().map(|p| &p.traffic)].into_iter().flatten() {
        match got {
            Got::Refused { .. } => traffic.refused_fetch(),
            Got::Records { .. } => traffic.fetched(got.bytes() as u64),
        }
    }
}

fn look_up(node: &Node, topic: &TopicKey<'_>, partition: FetchPartitionView, replica_id: i32) -> Asked {
    let target = match node.partition(topic, partition.partition.into()) {
        // A follower is only known where it is a replica, and a lone node has none.
        Lookup::Here(_) if replica_id >= 0 => Target::Refused(ErrorCode::NotLeaderOrFollower, None),
        Lookup::Here(partition) => Target::Partition(partition),
        Lookup::Elsewhere { leader, epoch } => Target::Refused(ErrorCode::NotLeaderOrFollower, Some((leader, epoch))),
        Lookup::Unknown(error) => Target::Refused(error, None),
    };
    Asked {
        target,
        from: partition.fetch_offset.into(),
        known_epoch: partition.current_leader_epoch.into(),
        fetched_epoch: partition.last_fetched_epoch.into(),
        bytes_max: usize::try_from(partition.partition_max_bytes).unwrap_or_default(),
    }
}

/// Reads until there is enough, something is wrong, or the client's time is over.
async fn wait_and_read(node: &Node, view: &FetchRequestView<'_>, asked: &[Asked]) -> Vec<Got> {
    let clock = &node.runtime.clock;
    let patience = Duration::from_millis(u64::try_from(view.max_wait_ms).unwrap_or_default());
    let deadline = clock.now() + patience;
    let bytes_min = usize::try_from(view.min_bytes).unwrap_or_default();
    let bytes_max = usize::try_from(view.max_bytes.min(node.config().fetch_bytes_max)).unwrap_or_default();
    let wake = Arc::new(Notify::new());
    loop {
        // Registered before reading, so that what arrives in between is not missed.
        let marks = asked.iter().filter_map(|asked| asked.partition()).map(|partition| (partition, partition.bounds()));
        let _registered: Vec<_> =
            marks.map(|(partition, bounds)| partition.watch(bounds.high_watermark.plus(1), &wake)).collect();
        let got = read::all(asked, bytes_max).await;
        let bytes: usize = got.iter().map(Got::bytes).sum();
        let at_once = bytes >= bytes_min || got.iter().any(Got::must_be_told) || asked.is_empty();
        if at_once || clock.now() >= deadline || node.stop.is_cancelled() {
            return got;
        }
        tokio::select! {
            biased;
            () = wake.notified() => {}
            () = clock.sleep_until(deadline) => {}
            () = node.stop.cancelled() => {}
        }
    }
}

fn fetched(index: i32, got: Got, committed_only: bool) -> FetchedPartition<Option<Slice>> {
    let empty = FetchedPartition { partition_index: index, ..FetchedPartition::default() };
    match got {
        Got::Refused { error, leader } => FetchedPartition {
            error_code: error.raw(),
            high_watermark: -1,
            current_leader: leader
                .map(|(id, epoch)| LeaderIdAndEpoch { leader_id: id.0, leader_epoch: epoch.0 })
                .unwrap_or_default(),
            // None at all, which is not null: clients may count on a field that is there.
            records: Some(RecordsAt { length: 0, place: None }),
            ..empty
        },
        Got::Records { bounds, slice, diverging } => FetchedPartition {
            high_watermark: bounds.high_watermark.0,
            last_stable_offset: bounds.high_watermark.0,
            log_start_offset: bounds.log_start.0,
            aborted_transactions: committed_only.then(Vec::new),
            diverging_epoch: diverging
                .map(|end| EpochEndOffset { epoch: end.epoch.0, end_offset: end.end_offset.0 })
                .unwrap_or_default(),
            records: Some(RecordsAt { length: slice.as_ref().map_or(0, |slice| slice.bytes), place: slice }),
            ..empty
        },
    }
}

fn respond(request: &Request, reply: FetchReply<'_, Option<Slice>>) -> Result<Answer, Hangup> {
    let frame = reply
        .into_frame(request.correlation_id, request.version)
        .map_err(|error| Hangup::Malformed(format!("the answer cannot be written: {error}")))?;
    let parts = frame.parts.into_iter().filter_map(|piece| match piece {
        Piece::Inline(bytes) => Some(Part::Bytes(bytes)),
        Piece::Records(slice) => slice.map(Part::Records),
    });
    Ok(Answer::Now(Response::parts(parts.collect())))
}
