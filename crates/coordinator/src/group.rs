//! A group: its members, by whatever protocol, and the offsets that it has committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_types::Timestamp;

use crate::classic::ClassicGroup;
use crate::fact::Fact;
use crate::offsets::Offsets;

/// The groups of a shard by their ids.
pub(crate) type Groups = BTreeMap<Arc<str>, Group>;

/// A group. One without members and offsets is there until it is cleaned up.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) classic: ClassicGroup,
    pub(crate) offsets: Offsets,
}

impl Group {
    /// A group that nobody joined yet.
    pub(crate) fn new(id: Arc<str>, since: Timestamp) -> Self {
        Self { classic: ClassicGroup::new(id, since), offsets: Offsets::default() }
    }
}

/// Folds a fact in. While the shard is at work a classic group is what its picture shows already.
pub(crate) fn apply(groups: &mut Groups, fact: &Fact, is_loading: bool) {
    match fact {
        Fact::ClassicGroup { group, value: Some(value) } => {
            if is_loading {
                let classic = ClassicGroup::from_fact(group.clone(), value);
                let known =
                    groups.entry(group.clone()).or_insert_with_key(|id| Group::new(id.clone(), Timestamp::NONE));
                known.classic = classic;
            }
        }
        Fact::ClassicGroup { group, value: None } => {
            // Offsets have tombstones of their own; if one outlives its group, it makes it again.
            if let Some(known) = groups.remove(group).filter(|known| !known.offsets.is_empty()) {
                let since = known.classic.since();
                groups.insert(group.clone(), Group { offsets: known.offsets, ..Group::new(group.clone(), since) });
            }
        }
        Fact::Offset { group, topic, partition, value: Some(offset) } => {
            let at = offset.committed_at;
            let known = groups.entry(group.clone()).or_insert_with_key(|id| Group::new(id.clone(), at));
            known.offsets.put(topic, *partition, offset.clone());
        }
        Fact::Offset { group, topic, partition, value: None } => {
            if let Some(known) = groups.get_mut(group) {
                known.offsets.remove(topic, *partition);
            }
        }
    }
}
