//! The groups of a shard as those who watch the broker see them: how many in which state, and how far they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::Offset;

use crate::group::Groups;

/// The groups of a shard at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Census {
    /// How many there are of each type and state, as Kafka calls them.
    pub groups: BTreeMap<(&'static str, &'static str), usize>,
    /// How many offsets are kept.
    pub offsets: usize,
    /// Offsets, in the order of groups, topics and partitions: the first of them, as many as were asked for.
    pub positions: Vec<Position>,
}

/// How far a group is in a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// The group's id.
    pub group: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
    /// The next record that it reads.
    pub offset: Offset,
}

impl Census {
    pub(crate) fn of(groups: &Groups, positions_max: usize) -> Self {
        let mut census = Self::default();
        for (id, group) in groups {
            let listed = group.listed();
            *census.groups.entry((listed.kind, listed.state)).or_default() += 1;
            census.offsets += group.offsets.count();
            let rest = positions_max - census.positions.len();
            let position = |(topic, partition, known): (&Arc<str>, i32, &crate::CommittedOffset)| Position {
                group: id.clone(),
                topic: topic.clone(),
                partition,
                offset: known.offset,
            };
            census.positions.extend(group.offsets.iter().take(rest).map(position));
        }
        census
    }
}
