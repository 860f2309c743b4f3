//! `AlterReplicaLogDirs` (key 34): moves partitions between the log directories of this broker (KIP-113).
//!
//! - v0, v1: the same. v2: flexible.
//!
//! The answer says that a move has begun, or that there is nothing to do; how far it is, DescribeLogDirs tells. Another
//! directory for a partition that is being moved replaces that move, the one that it is in cancels it. A partition that is
//! not there is refused, and its directory remembered for when it is made. One that stands twice in a request goes where
//! its last mention says.
//!
//! Errors by partition: INVALID_TOPIC_EXCEPTION for a name too long for what a move adds to it, LOG_DIR_NOT_FOUND,
//! INVALID_REPLICA_ASSIGNMENT for a cordoned directory (KIP-1066), UNKNOWN_TOPIC_OR_PARTITION, REPLICA_NOT_AVAILABLE for a
//! partition of another broker's, KAFKA_STORAGE_ERROR for one whose log or directory is offline, and for all while some
//! directory is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ottla_protocol::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use ottla_protocol::{ApiKey, TopicKey};
use ottla_storage::{LogDirectory, can_be_moved};
use ottla_types::{ErrorCode, PartitionIndex, TopicName, TopicPartition};

use super::Api;
use crate::node::{Lookup, Node};

pub(super) const API: Api = Api {
    key: ApiKey::AlterReplicaLogDirs,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, &body).await)
        })
    },
};

async fn handle(node: &Node, body: &AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse {
    let mut wishes: BTreeMap<(&str, i32), &str> = BTreeMap::new();
    for directory in &body.dirs {
        for topic in &directory.topics {
            wishes
                .extend(topic.partitions.iter().map(|index| ((topic.name.as_str(), *index), directory.path.as_str())));
        }
    }
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for ((topic_name, partition_index), path) in wishes {
        let error_code = alter(node, topic_name, partition_index, path).await.err().unwrap_or(ErrorCode::None).raw();
        let partition = AlterReplicaLogDirPartitionResult { partition_index, error_code };
        match results.last_mut().filter(|last| last.topic_name == topic_name) {
            Some(last) => last.partitions.push(partition),
            None => {
                let (topic_name, partitions) = (topic_name.to_owned(), vec![partition]);
                results.push(AlterReplicaLogDirTopicResult { topic_name, partitions });
            }
        }
    }
    AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() }
}

async fn alter(node: &Node, topic: &str, index: i32, path: &str) -> Result<(), ErrorCode> {
    let name = TopicName::new(topic).map(|topic| TopicPartition { topic, partition: PartitionIndex(index) });
    match &name {
        Ok(name) if !can_be_moved(name) => return Err(ErrorCode::InvalidTopicException),
        Err(_) if topic.len() > TopicName::LENGTH_MAX => return Err(ErrorCode::InvalidTopicException),
        _ => {}
    }
    let target = target(node, path)?;
    let name = name.map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
    match node.partition(&TopicKey::Name(topic), name.partition) {
        Lookup::Here(partition) => {
            let topic_id = node.image().topic_by_name(topic).map(|topic| topic.id);
            node.moves.ask(&partition, topic_id.ok_or(ErrorCode::UnknownTopicOrPartition)?, &target).await
        }
        Lookup::Unknown(ErrorCode::KafkaStorageError) => Err(ErrorCode::KafkaStorageError),
        Lookup::Unknown(error) => {
            node.directories.prefer(&name, target.path());
            Err(error)
        }
        Lookup::Elsewhere { .. } => {
            node.directories.prefer(&name, target.path());
            Err(ErrorCode::ReplicaNotAvailable)
        }
    }
}

/// The directory that clients call `path`, if partitions may be moved there.
fn target(node: &Node, path: &str) -> Result<Arc<LogDirectory>, ErrorCode> {
    let slot = node.directories.slots().iter().find(|slot| slot.path.as_os_str() == path);
    let directory = slot.ok_or(ErrorCode::LogDirNotFound)?.online().ok_or(ErrorCode::KafkaStorageError)?;
    match node.directories.is_cordoned(Path::new(path)) {
        true => Err(ErrorCode::InvalidReplicaAssignment),
        false => Ok(directory),
    }
}
