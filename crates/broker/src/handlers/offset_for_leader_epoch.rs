//! `OffsetForLeaderEpoch` (key 23): where a leader's epoch ended, so that who has records beyond it knows that they were
//! lost (KIP-101, KIP-279, KIP-320).
//!
//! - v1: the answer names the epoch. v2: throttle time, the epoch that the asker knows of the leader. v3: replica id.
//! - v4: flexible.
//!
//! An epoch that the leader cannot know is answered with epoch and offset -1.
//!
//! Errors by partition: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
//! KAFKA_STORAGE_ERROR.

use ottla_protocol::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_storage::EpochEnd;
use ottla_types::{ErrorCode, LeaderEpoch, Offset};

use super::Api;
use crate::node::{Lookup, Node};

pub(super) const API: Api = Api {
    key: ApiKey::OffsetForLeaderEpoch,
    served: 0..=4,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body, request.version))
        })
    },
};

/// The first version whose answer names the epoch.
const EPOCHS_FROM: i16 = 1;
const NOWHERE: EpochEnd = EpochEnd { epoch: LeaderEpoch::UNKNOWN, end_offset: Offset(-1) };

fn handle(node: &Node, body: &OffsetForLeaderEpochRequest, version: i16) -> OffsetForLeaderEpochResponse {
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let (error, end) = match find(node, &topic.topic, asked) {
                Ok(end) => (ErrorCode::None, end.unwrap_or(NOWHERE)),
                Err(error) => (error, NOWHERE),
            };
            EpochEndOffset {
                error_code: error.raw(),
                partition: asked.partition,
                leader_epoch: if version >= EPOCHS_FROM { end.epoch.0 } else { LeaderEpoch::UNKNOWN.0 },
                end_offset: end.end_offset.0,
            }
        });
        OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: partitions.collect() }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
}

fn find(node: &Node, topic: &str, asked: &OffsetForLeaderPartition) -> Result<Option<EpochEnd>, ErrorCode> {
    let partition = match node.partition(&TopicKey::Name(topic), asked.partition.into()) {
        Lookup::Here(partition) => partition,
        Lookup::Elsewhere { .. } => return Err(ErrorCode::NotLeaderOrFollower),
        Lookup::Unknown(error) => return Err(error),
    };
    partition.check_epoch(asked.current_leader_epoch.into())?;
    Ok(partition.log().end_offset_for_epoch(asked.leader_epoch.into()))
}
