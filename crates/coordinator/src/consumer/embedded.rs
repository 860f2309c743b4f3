//! What consumers of the classic protocol tell each other in bytes of their own: what they read, what they are assigned.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_types::Uuid;
use ottla_wire::framing::{read_versioned_leniently, write_versioned};
use ottla_wire::records::client::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use ottla_wire::records::client::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_wire::{DecodeError, Reader, Record as _};

use super::topics::Topics;
use crate::assignors::Assignment;

/// What a consumer says that it reads and holds.
pub(super) struct Says {
    pub(super) topics: Arc<BTreeSet<Arc<str>>>,
    pub(super) rack: Option<Arc<str>>,
    /// The partitions that it holds, of topics that exist.
    pub(super) owned: Vec<(Uuid, Vec<i32>)>,
}

/// Reads what a consumer says.
pub(super) fn says(topics: &Topics, metadata: &[u8]) -> Result<Says, DecodeError> {
    let said: ConsumerProtocolSubscription = read_versioned_leniently(metadata)?;
    let owned = said.owned_partitions.into_iter();
    Ok(Says {
        topics: Arc::new(said.topics.into_iter().map(Into::into).collect()),
        rack: said.rack_id.filter(|rack| !rack.is_empty()).map(Into::into),
        owned: owned.filter_map(|topic| Some((topics.id_of(&topic.topic)?, topic.partitions))).collect(),
    })
}

/// Why what a leader assigned cannot be taken over.
pub(super) enum Strange {
    /// It cannot be read.
    Malformed(DecodeError),
    /// There is more to it than partitions.
    UserData,
}

/// Reads what a leader assigned, as far as topics exist. No bytes are no partitions.
pub(super) fn assigned(topics: &Topics, assignment: &[u8]) -> Result<Assignment, Strange> {
    if assignment.is_empty() {
        return Ok(Assignment::new());
    }
    let read: ConsumerProtocolAssignment = read_versioned_leniently(assignment).map_err(Strange::Malformed)?;
    if read.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(Strange::UserData);
    }
    let mut assigned = Assignment::new();
    for topic in read.assigned_partitions {
        if let Some(id) = topics.id_of(&topic.topic) {
            // A leader may name a topic more than once.
            assigned.entry(id).or_default().extend(topic.partitions);
        }
    }
    Ok(assigned)
}

/// Writes an assignment for a consumer, in the version in which it speaks.
pub(super) fn written<'a, P: IntoIterator<Item = &'a i32>>(
    topics: &Topics,
    assignment: impl Iterator<Item = (&'a Uuid, P)>,
    metadata: &[u8],
) -> Bytes {
    let version = Reader::new(metadata).i16().unwrap_or(0).clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
    let topic = |(id, partitions): (&Uuid, P)| {
        let partitions = partitions.into_iter().copied().collect();
        Some(TopicPartition { topic: topics.name_of(*id)?.to_owned(), partitions })
    };
    let assignment =
        ConsumerProtocolAssignment { assigned_partitions: assignment.filter_map(topic).collect(), user_data: None };
    write_versioned(&assignment, version).expect("names of topics are short").into()
}
