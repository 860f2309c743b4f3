//! Equal shares where all subscribe to the same topics.
//!
//! Everybody may keep as much as a share; what is beyond it, and what nobody has, goes to those with less. Shares differ by
//! one where the partitions do not divide: the larger ones go to those who have as much already, and failing that to the
//! last members.

use ottla_types::Uuid;

use crate::assignors::ownership::Ownership;
use crate::assignors::{GroupSpec, Targets, TopicsView, UnknownTopic, hash_order};

pub(super) fn assign(spec: &GroupSpec, view: &dyn TopicsView) -> Result<Targets, UnknownTopic> {
    let members = hash_order::of_map(spec.members.keys().cloned());
    let mut ownership = Ownership::before(spec, &members, view)?;
    let topics = hash_order::of_set(ownership.topics().map(|(topic, _)| topic));
    let free_of = |topic: Uuid| ownership.free(topic).into_iter().map(move |partition| (topic, partition));
    let mut free: Vec<(Uuid, i32)> = topics.into_iter().flat_map(free_of).collect();

    let total: usize = ownership.topics().map(|(_, owners)| owners.len()).sum();
    let share = total / members.len().max(1);
    // How many members still get one more than a share.
    let mut extras = total % members.len().max(1);
    let mut wanting = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let mut may_take_extra = extras > 0;
        let mut rest = share + usize::from(may_take_extra);
        let assigned = &spec.members[member].assigned;
        for topic in hash_order::of_map(assigned.keys().copied()) {
            let owned = ownership.owned(topic, &assigned[&topic], index);
            let kept = owned.len().min(rest);
            if kept < owned.len() {
                for partition in hash_order::of_set(owned).split_off(kept) {
                    ownership.set(topic, partition, None);
                    free.push((topic, partition));
                }
            }
            rest -= kept;
        }
        // One that is not full leaves the larger share to another, while there are enough to take it.
        if may_take_extra && rest > 0 && members.len() - index > extras {
            rest -= 1;
            may_take_extra = false;
        }
        extras -= usize::from(may_take_extra);
        wanting.push((index, rest));
    }

    let mut free = free.into_iter();
    for (index, rest) in wanting {
        for (topic, partition) in free.by_ref().take(rest) {
            ownership.set(topic, partition, Some(index));
        }
    }
    Ok(ownership.targets(spec, &members))
}
