//! `ListPartitionReassignments` (key 46): which partitions are on their way to other brokers (KIP-455).
//!
//! v0 only. On a single node there are none. Partitions that do not exist are left out, as those that are not on their way.
//! No errors.

use ottla_metadata::{Partition, Topic};
use ottla_protocol::ApiKey;
use ottla_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, OngoingPartitionReassignment,
    OngoingTopicReassignment,
};
use ottla_types::PartitionIndex;

use super::Api;
use super::seen::raw;
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ListPartitionReassignments,
    served: 0..=0,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body))
        })
    },
};

fn handle(node: &Node, body: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    let image = node.image();
    let topics = match body.topics {
        None => image.topics().filter_map(|topic| ongoing(topic, topic.partitions())).collect(),
        Some(asked) => asked
            .into_iter()
            .filter_map(|asked| {
                let topic = image.topic_by_name(&asked.name)?;
                let indices = asked.partition_indexes.into_iter().map(PartitionIndex);
                ongoing(topic, indices.filter_map(|index| Some((index, topic.partition(index)?))))
            })
            .collect(),
    };
    ListPartitionReassignmentsResponse { topics, ..ListPartitionReassignmentsResponse::default() }
}

/// Those of `partitions` that are on their way, if there are any.
fn ongoing<'a>(
    topic: &Topic,
    partitions: impl Iterator<Item = (PartitionIndex, &'a std::sync::Arc<Partition>)>,
) -> Option<OngoingTopicReassignment> {
    let ongoing = partitions.filter(|(_, partition)| partition.is_reassigning()).map(|(index, partition)| {
        OngoingPartitionReassignment {
            partition_index: index.0,
            replicas: raw(&partition.replicas),
            adding_replicas: raw(&partition.adding),
            removing_replicas: raw(&partition.removing),
        }
    });
    let partitions: Vec<_> = ongoing.collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name: topic.name.to_string(), partitions })
}
