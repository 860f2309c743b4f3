//! Finds the partitions that a fetch is about. Those of a session are mostly found where they were found last time, which
//! takes no look into the cluster's image.

use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::TopicKey;
use ottla_types::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};

use super::session::Partitions;
use crate::fetch_sessions::Place;
use crate::node::{Lookup, Node};
use crate::partition::Partition;

/// One partition that is asked for.
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) target: Target,
    /// The high watermark up to which it was read last.
    pub(super) read_to: Offset,
    /// The bytes of records that were there then, within the limits.
    pub(super) bytes: usize,
}

/// Where it leads.
pub(super) enum Target {
    Partition(Arc<Partition>),
    /// Led elsewhere, or unfit: a reason to answer at once.
    Refused(ErrorCode, Option<(BrokerId, LeaderEpoch)>),
    /// The cluster knows no such partition. The client is told, but nobody hurries: Kafka lets such a fetch wait for the
    /// records of others, and so a client whose topic was deleted does not ask again and again without a pause.
    Unknown(ErrorCode),
}

impl Asked {
    pub(super) fn partition(&self) -> Option<&Arc<Partition>> {
        match &self.target {
            Target::Partition(partition) => Some(partition),
            Target::Refused(..) | Target::Unknown(_) => None,
        }
    }
}

/// Every partition in its order; behind them those that the cluster does not know.
pub(super) fn find_all(node: &Node, partitions: &mut Partitions) -> Vec<Asked> {
    let places: Vec<_> = partitions.places().collect();
    let mut asked = Vec::with_capacity(places.len());
    let mut unknown = Vec::new();
    for place in places {
        let target = find(node, partitions, place);
        let list = if matches!(target, Target::Unknown(_)) { &mut unknown } else { &mut asked };
        list.push(Asked { place, target, read_to: Offset(-1), bytes: 0 });
    }
    // First what the client does not even know the name of: Kafka's order.
    unknown.sort_by_key(|asked| !matches!(asked.target, Target::Unknown(ErrorCode::UnknownTopicId)));
    asked.append(&mut unknown);
    asked
}

fn find(node: &Node, partitions: &mut Partitions, place: Place) -> Target {
    let known = partitions.followed(place).handle.as_ref().and_then(std::sync::Weak::upgrade);
    if let Some(partition) = known.filter(|partition| !partition.is_closed()) {
        return Target::Partition(partition);
    }
    let index = partitions.followed(place).index;
    let target = find_anew(node, partitions, place, index);
    partitions.followed_mut(place).handle = match &target {
        Target::Partition(partition) => Some(Arc::downgrade(partition)),
        Target::Refused(..) | Target::Unknown(_) => None,
    };
    target
}

fn find_anew(node: &Node, partitions: &mut Partitions, place: Place, index: PartitionIndex) -> Target {
    let topic = partitions.topic_mut(place);
    if let TopicKey::Id(id) = topic.key() {
        let image = node.image();
        match &topic.resolved {
            Some(name) => match check_id(&image, name.as_str(), id) {
                Ok(()) => {}
                // The name leads to another topic now.
                Err(ErrorCode::InconsistentTopicId) => return Target::Refused(ErrorCode::InconsistentTopicId, None),
                Err(error) => return Target::Unknown(error),
            },
            None => topic.resolved = image.topic_by_id(id).map(|topic| topic.name.clone()),
        }
    }
    match node.partition(&topic.key(), index) {
        Lookup::Here(partition) => Target::Partition(partition),
        Lookup::Elsewhere { leader, epoch } => Target::Refused(ErrorCode::NotLeaderOrFollower, Some((leader, epoch))),
        Lookup::Unknown(ErrorCode::KafkaStorageError) => Target::Refused(ErrorCode::KafkaStorageError, None),
        Lookup::Unknown(error) => Target::Unknown(error),
    }
}

/// A session keeps the name that it once found for an id, and asks by it: so does Kafka.
fn check_id(image: &Image, name: &str, id: TopicId) -> Result<(), ErrorCode> {
    match image.topic_by_name(name) {
        None => Err(ErrorCode::UnknownTopicOrPartition),
        Some(topic) if topic.id != id => Err(ErrorCode::InconsistentTopicId),
        Some(_) => Ok(()),
    }
}

/// What became of a partition that was closed while a fetch had it.
pub(super) fn fate(node: &Node, partition: &Partition) -> ErrorCode {
    let name = &partition.name;
    match node.partition(&TopicKey::Name(name.topic.as_str()), name.partition) {
        Lookup::Unknown(error) => error,
        // Or led here again: the client finds out when it asks again.
        Lookup::Here(_) | Lookup::Elsewhere { .. } => ErrorCode::NotLeaderOrFollower,
    }
}
