//! `DescribeQuorum` (key 55): who keeps the cluster's metadata, who leads them, and how far each has come (KIP-595).
//!
//! - v1: when each replica fetched last, and when it had all (KIP-836). v2: error messages, and where the voters listen
//!   (KIP-853).
//!
//! The only partition that there is to ask for is number 0 of `__cluster_metadata`, as with Kafka, although the log behind
//! it is Ottla's own: offsets are indices of its entries, the epoch is its term, voters have no directory ids. Errors of
//! the partition: UNKNOWN_TOPIC_OR_PARTITION for any other, NOT_LEADER_OR_FOLLOWER where another node leads.

use ottla_protocol::ApiKey;
use ottla_protocol::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node as VoterNode, PartitionData, ReplicaState, TopicData,
};
use ottla_quorum::{Standing, Voter};
use ottla_types::{ErrorCode, Uuid};

use super::Api;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeQuorum,
    served: 0..=2,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body, request.version))
        })
    },
};

/// Kafka's name for the log of the cluster's metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

fn handle(node: &Node, body: DescribeQuorumRequest, version: i16) -> DescribeQuorumResponse {
    let is_metadata = matches!(&body.topics[..], [topic] if topic.topic_name == METADATA_TOPIC
        && matches!(&topic.partitions[..], [partition] if partition.partition_index == 0));
    if !is_metadata {
        return refused(
            body,
            ErrorCode::UnknownTopicOrPartition,
            "only partition 0 of __cluster_metadata has a quorum",
        );
    }
    let standing = node.quorum.watch().borrow().clone();
    if standing.leading.is_none() {
        return refused(body, ErrorCode::NotLeaderOrFollower, "another node leads the quorum, or none");
    }
    let partitions = vec![partition(node, &standing)];
    let listed = standing.voters.iter().filter(|_| version >= 2);
    let nodes = listed.map(|voter| listens_at(node, voter)).collect();
    DescribeQuorumResponse {
        topics: vec![TopicData { topic_name: METADATA_TOPIC.to_owned(), partitions }],
        nodes,
        ..DescribeQuorumResponse::default()
    }
}

fn refused(body: DescribeQuorumRequest, error: ErrorCode, message: &str) -> DescribeQuorumResponse {
    let partition = |partition_index| PartitionData {
        partition_index,
        error_code: error.raw(),
        error_message: Some(message.to_owned()),
        ..PartitionData::default()
    };
    let topics = body.topics.into_iter().map(|topic| TopicData {
        topic_name: topic.topic_name,
        partitions: topic.partitions.into_iter().map(|asked| partition(asked.partition_index)).collect(),
    });
    DescribeQuorumResponse { topics: topics.collect(), ..DescribeQuorumResponse::default() }
}

fn partition(node: &Node, standing: &Standing) -> PartitionData {
    let high_watermark = offset(standing.applied.index + 1);
    let now = node.runtime.clock.wall().0;
    let voters = standing.voters.iter().map(|voter| {
        // The leader has all of its own log, at any time. When others were there last is not known.
        let leads = voter.id == node.config().node_id;
        let seen = if leads { now } else { -1 };
        let known = voter.log_end.map_or(-1, offset);
        ReplicaState {
            replica_id: voter.id.0,
            replica_directory_id: Uuid::ZERO,
            // Both numbers are told by openraft one after the other, but nothing is committed that is not in the log.
            log_end_offset: if leads { known.max(high_watermark) } else { known },
            last_fetch_timestamp: seen,
            last_caught_up_timestamp: seen,
        }
    });
    PartitionData {
        partition_index: 0,
        leader_id: node.config().node_id.0,
        leader_epoch: i32::try_from(standing.term.0).unwrap_or(i32::MAX),
        high_watermark,
        current_voters: voters.collect(),
        ..PartitionData::default()
    }
}

/// Where a voter listens: at the same addresses as a broker.
fn listens_at(node: &Node, voter: &Voter) -> VoterNode {
    let image = node.image();
    let endpoints = image.broker(voter.id).into_iter().flat_map(|broker| &broker.endpoints);
    let listeners = endpoints.map(|endpoint| Listener {
        name: endpoint.listener.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
    });
    VoterNode { node_id: voter.id.0, listeners: listeners.collect() }
}

fn offset(index: u64) -> i64 {
    i64::try_from(index).expect("a log is shorter than 2^63")
}
