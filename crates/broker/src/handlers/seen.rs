//! The cluster as clients of one listener see it, and what somebody may do: what Metadata, DescribeCluster and
//! DescribeTopicPartitions answer alike. No handler; it knows no message.

use ottla_metadata::{Image, Partition};
use ottla_types::{BrokerId, ErrorCode};

/// What the wire carries where authorized operations were not asked for.
pub(super) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;
/// Every operation that exists on a cluster, as bits by Kafka's operation codes: who needs no permission may do all.
pub(super) const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// Every operation that exists on a group.
pub(super) const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// Every operation that exists on a topic.
pub(super) const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

/// Whether a topic of this name is the brokers' own (`Topic.isInternal`).
pub(super) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// The cluster as clients of one listener see it.
pub(super) struct Seen<'a> {
    pub(super) image: &'a Image,
    pub(super) listener: &'a str,
}

/// A partition as they see it.
pub(super) struct SeenPartition {
    /// Who leads and can be reached; [`BrokerId::NONE`] otherwise.
    pub(super) leader: BrokerId,
    /// LEADER_NOT_AVAILABLE or LISTENER_NOT_FOUND if nobody does; the latter where somebody leads who has no such listener.
    pub(super) error: ErrorCode,
    /// The replicas that cannot be reached.
    pub(super) offline: Vec<BrokerId>,
}

impl Seen<'_> {
    pub(super) fn partition(&self, partition: &Partition) -> SeenPartition {
        let error = if !self.image.is_active(partition.leader) {
            ErrorCode::LeaderNotAvailable
        } else if !self.reaches(partition.leader) {
            ErrorCode::ListenerNotFound
        } else {
            ErrorCode::None
        };
        SeenPartition {
            leader: if error.is_none() { partition.leader } else { BrokerId::NONE },
            error,
            offline: partition.replicas.iter().copied().filter(|id| !self.reaches(*id)).collect(),
        }
    }

    /// Whether a broker is active and has such a listener.
    pub(super) fn reaches(&self, id: BrokerId) -> bool {
        self.image.is_active(id) && self.image.broker(id).is_some_and(|broker| broker.endpoint(self.listener).is_some())
    }
}

/// Broker ids as the wire has them.
pub(super) fn raw(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
