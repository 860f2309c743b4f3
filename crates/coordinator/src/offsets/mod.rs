//! How far groups have come: one offset for each partition that they read.
//!
//! # What is kept, and for how long
//!
//! An offset is committed by a member of the group, in the group's generation, or by anybody if the group has no members:
//! by tools, and by consumers that are told their partitions (a *simple* group, which nobody joins). Beside the offset there
//! are the leader epoch of the record before it, a text of the client's, and the topic's id, which tells a topic from a
//! later one of the same name.
//!
//! Every `offsets.retention.check.interval.ms` what is older than `offsets.retention.minutes` is forgotten:
//!
//! - of a group without members: counted from when the last one left;
//! - of a simple group: counted from the commit;
//! - of a consumer group at work: counted from the commit, of topics that no member reads;
//! - an offset that was committed with a retention of its own (OffsetCommit v2 to v4): when that is over, by the same
//!   rules for topics that are still read.
//!
//! A group without members and without offsets is forgotten as a whole, and so are the offsets of a deleted topic.

mod commit;
mod delete;
mod expire;
mod fetch;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::{LeaderEpoch, Offset, Timestamp, Uuid};

pub(crate) use commit::commit;
pub(crate) use delete::{delete, topics_deleted};
pub(crate) use expire::expire;
pub(crate) use fetch::fetch;

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The next record to read.
    pub offset: Offset,
    /// The leader epoch of the record before it, if the client said one.
    pub leader_epoch: LeaderEpoch,
    /// What the client keeps with it.
    pub metadata: Box<str>,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// When it is to be forgotten, if the client said so; [`Timestamp::NONE`] otherwise.
    pub expires_at: Timestamp,
    /// The topic's id; zero if the client does not know ids.
    pub topic_id: Uuid,
}

/// A group's offsets.
#[derive(Default, Debug)]
pub(crate) struct Offsets(BTreeMap<Arc<str>, BTreeMap<i32, CommittedOffset>>);

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(topic)?.get(&partition)
    }

    pub(crate) fn put(&mut self, topic: &Arc<str>, partition: i32, offset: CommittedOffset) {
        // One text for a topic, however often it is committed.
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.insert(partition, offset);
        } else {
            self.0.insert(topic.clone(), BTreeMap::from([(partition, offset)]));
        }
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// Every offset, by topic and partition.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32, &CommittedOffset)> {
        self.0
            .iter()
            .flat_map(|(topic, partitions)| partitions.iter().map(move |(index, offset)| (topic, *index, offset)))
    }

    /// The topics that have any.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// The offsets of one topic.
    pub(crate) fn of(&self, topic: &str) -> impl Iterator<Item = (i32, &CommittedOffset)> {
        self.0.get(topic).into_iter().flatten().map(|(index, offset)| (*index, offset))
    }
}
