//! What a shard remembers: records of `__consumer_offsets`, in Kafka's own schemas (`ottla_wire::records::group`).

use std::sync::Arc;

use ottla_wire::records::group::group_metadata::GroupMetadataValue;

use crate::consumer::ConsumerFact;
use crate::offsets::CommittedOffset;

/// One record. `None` as a value is a tombstone.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact {
    /// A classic group as of its last completed rebalance.
    ClassicGroup {
        /// The group's id.
        group: Arc<str>,
        /// The group; `None` once it is gone.
        value: Option<GroupMetadataValue>,
    },
    /// How far a group is in a partition.
    Offset {
        /// The group's id.
        group: Arc<str>,
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's index.
        partition: i32,
        /// The offset; `None` once it is forgotten.
        value: Option<CommittedOffset>,
    },
    /// Something about a group of the consumer protocol.
    Consumer {
        /// The group's id.
        group: Arc<str>,
        /// What it is.
        fact: ConsumerFact,
    },
}

impl Fact {
    /// How many bytes it takes in a batch, or a little less.
    #[must_use]
    pub fn size_at_most(&self) -> usize {
        /// Numbers, lengths, and the record's own.
        const OTHERS: usize = 96;
        match self {
            Self::ClassicGroup { group, value } => {
                let members = value.iter().flat_map(|value| &value.members).map(|member| {
                    let texts = member.member_id.len() + member.client_id.len() + member.client_host.len();
                    let instance = member.group_instance_id.as_ref().map_or(0, String::len);
                    texts + instance + member.subscription.len() + member.assignment.len() + OTHERS
                });
                group.len() + members.sum::<usize>() + 2 * OTHERS
            }
            Self::Consumer { group, fact } => group.len() + fact.size_at_most(),
            Self::Offset { group, topic, value, .. } => {
                group.len() + topic.len() + value.as_ref().map_or(0, |value| value.metadata.len()) + OTHERS
            }
        }
    }
}
