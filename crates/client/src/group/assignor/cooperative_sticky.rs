//! Cooperative and sticky (KIP-54, KIP-429): a fair division that moves as little as it can, and where what moves is
//! left out until its owner has given it up.
//!
//! Three steps. *Kept*: everybody keeps what is theirs; where two claim a partition, the younger generation has it, and
//! nobody if both have the same. *Dealt*: what nobody has goes to whoever may read it and has least. *Evened*: while
//! somebody has two more than another who could read one of these, one moves. That is fair as Kafka's is, but may
//! choose other partitions to move. *Held back*: what a member gets that another owns is left out; the owner sees that
//! it has lost it, gives it up and joins again, and then it is free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Subscription;
use crate::group::{PartitionKey, Partitions};

pub(super) fn assign(
    counts: &BTreeMap<Arc<str>, i32>,
    members: &BTreeMap<String, Subscription>,
    assigned: &mut BTreeMap<String, Partitions>,
) {
    let owners = owners(counts, members);
    for (partition, owner) in &owners {
        if let Some(partitions) = owner.and_then(|owner| assigned.get_mut(owner)) {
            partitions.insert(partition.clone());
        }
    }
    deal(counts, members, assigned, &owners);
    while let Some((partition, from, to)) = uneven(members, assigned) {
        assigned.get_mut(&from).map(|partitions| partitions.remove(&partition));
        assigned.entry(to).or_default().insert(partition);
    }
    hold_back(members, assigned, &owners);
}

/// Leaves out what another still reads, unless the member is its rightful owner.
fn hold_back(
    members: &BTreeMap<String, Subscription>,
    assigned: &mut BTreeMap<String, Partitions>,
    owners: &BTreeMap<PartitionKey, Option<&String>>,
) {
    let mut readers: BTreeMap<&PartitionKey, Vec<&String>> = BTreeMap::new();
    for (member, said) in members {
        for partition in &said.owned {
            readers.entry(partition).or_default().push(member);
        }
    }
    for (member, partitions) in assigned.iter_mut() {
        partitions.retain(|partition| {
            let only_reader = readers.get(partition).is_none_or(|readers| readers.iter().all(|other| *other == member));
            only_reader || owners.get(partition) == Some(&Some(member))
        });
    }
}

/// Who keeps which partition, as far as nothing speaks against it; `None` where two have the same right to it.
fn owners<'a>(
    counts: &BTreeMap<Arc<str>, i32>,
    members: &'a BTreeMap<String, Subscription>,
) -> BTreeMap<PartitionKey, Option<&'a String>> {
    let mut owners: BTreeMap<PartitionKey, (i32, Option<&String>)> = BTreeMap::new();
    for (member, said) in members {
        for partition in &said.owned {
            let exists = counts.get(&partition.0).is_some_and(|count| (0..*count).contains(&partition.1));
            if !exists || !said.topics.contains(&partition.0) {
                continue;
            }
            let claim = (said.generation, Some(member));
            match owners.get_mut(partition) {
                None => drop(owners.insert(partition.clone(), claim)),
                Some(other) if other.0 < claim.0 => *other = claim,
                Some(other) if other.0 == claim.0 => other.1 = None,
                Some(_) => {}
            }
        }
    }
    owners.into_iter().map(|(partition, (_, owner))| (partition, owner)).collect()
}

/// Gives what nobody has to whoever may read it and has least.
fn deal(
    counts: &BTreeMap<Arc<str>, i32>,
    members: &BTreeMap<String, Subscription>,
    assigned: &mut BTreeMap<String, Partitions>,
    owners: &BTreeMap<PartitionKey, Option<&String>>,
) {
    // By how much somebody has, so that the one with least is found without looking at all.
    let mut by_count: BTreeSet<(usize, String)> =
        assigned.iter().map(|(member, partitions)| (partitions.len(), member.clone())).collect();
    // Topics with few readers first: those have least choice.
    let readers = |topic: &Arc<str>| members.values().filter(|said| said.topics.contains(topic)).count();
    let mut topics: Vec<_> = counts.iter().map(|(topic, count)| (readers(topic), topic, *count)).collect();
    topics.sort();
    for (_, topic, count) in topics.into_iter().filter(|(readers, ..)| *readers > 0) {
        for index in 0..count {
            let partition = (Arc::clone(topic), index);
            if matches!(owners.get(&partition), Some(Some(_))) {
                continue;
            }
            let least = by_count.iter().find(|(_, member)| members[member].topics.contains(topic)).cloned();
            let Some((has, member)) = least else { continue };
            by_count.remove(&(has, member.clone()));
            assigned.entry(member.clone()).or_default().insert(partition);
            by_count.insert((has + 1, member));
        }
    }
}

/// A partition that should move: from whom, and to whom, who has two less at least. What was not owned before moves
/// before what was.
fn uneven(
    members: &BTreeMap<String, Subscription>,
    assigned: &BTreeMap<String, Partitions>,
) -> Option<(PartitionKey, String, String)> {
    let mut by_count: Vec<(usize, &String)> = assigned.iter().map(|(member, all)| (all.len(), member)).collect();
    by_count.sort_unstable();
    for (has, from) in by_count.iter().rev() {
        for (less, to) in by_count.iter().take_while(|(less, _)| less + 1 < *has) {
            debug_assert!(less < has);
            let movable = |partition: &&PartitionKey| members[*to].topics.contains(&partition.0);
            let owned = |partition: &&PartitionKey| members[*from].owned.contains(*partition);
            let choice = assigned[*from].iter().filter(movable).min_by_key(|partition| (owned(partition), *partition));
            if let Some(partition) = choice {
                return Some((partition.clone(), (*from).clone(), (*to).clone()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::tests::{counts, members, told};
    use super::*;

    fn assigned(topics: &[(&str, i32)], subscriptions: &[&str]) -> String {
        told(&Assignor::CooperativeSticky.assign(&counts(topics), &members(subscriptions)))
    }

    #[test]
    fn a_new_group_is_divided_fairly() {
        assert_eq!(assigned(&[("t", 3)], &["a=t", "b=t"]), "a=t/0,t/2 b=t/1");
        assert_eq!(assigned(&[("t", 2), ("u", 2)], &["a=t", "b=t,u"]), "a=t/0,t/1 b=u/0,u/1");
        assert_eq!(assigned(&[], &["a=t"]), "a=");
    }

    #[test]
    fn what_moves_is_held_back_until_its_owner_has_given_it_up() {
        assert_eq!(assigned(&[("t", 4)], &["a=t:t/0,t/1,t/2,t/3", "b=t"]), "a=t/2,t/3 b=");
        assert_eq!(assigned(&[("t", 4)], &["a=t:t/2,t/3@2", "b=t:@2"]), "a=t/2,t/3 b=t/0,t/1");
    }

    #[test]
    fn who_stays_keeps_what_it_has_when_another_leaves() {
        assert_eq!(assigned(&[("t", 6)], &["a=t:t/0,t/3", "c=t:t/2,t/5"]), "a=t/0,t/1,t/3 c=t/2,t/4,t/5");
    }

    #[test]
    fn a_partition_with_two_owners_is_the_youngers_or_nobodys() {
        assert_eq!(assigned(&[("t", 2)], &["a=t:t/0,t/1@3", "b=t:t/1@4"]), "a=t/0 b=t/1");
        // Neither may go on: both have to give it up first.
        assert_eq!(assigned(&[("t", 2)], &["a=t:t/0,t/1@4", "b=t:t/1@4"]), "a=t/0 b=");
    }

    #[test]
    fn what_is_gone_or_no_longer_wanted_is_not_kept() {
        assert_eq!(assigned(&[("t", 1), ("u", 1)], &["a=t:t/0,t/1,u/0,gone/0", "b=u"]), "a=t/0 b=");
    }

    /// Random groups: nothing twice, nobody with two more than another who could read one of them, and after the
    /// second round all that can be read is.
    #[test]
    fn random_groups_settle_in_two_rounds_and_stay() {
        let mut state = 7u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let topics: BTreeMap<Arc<str>, i32> =
                (0..1 + random(4)).map(|n| (Arc::from(format!("t{n}")), random(7) as i32)).collect();
            let mut members: BTreeMap<String, Subscription> = BTreeMap::new();
            for n in 0..1 + random(5) {
                let wants: BTreeSet<Arc<str>> = topics.keys().filter(|_| random(3) > 0).cloned().collect();
                let owned =
                    topics.iter().flat_map(|(topic, count)| (0..*count).map(|index| (Arc::clone(topic), index)));
                let owned: Partitions = owned.filter(|_| random(3) == 0).collect();
                let generation = random(3) as i32;
                members.insert(format!("m{n}"), Subscription { topics: wants, owned, generation, instance: None });
            }
            let mut last = BTreeMap::new();
            for generation in 10..13 {
                last = Assignor::CooperativeSticky.assign(&topics, &members);
                for (member, said) in &mut members {
                    said.owned = last[member].clone();
                    said.generation = generation;
                }
            }
            let all: Vec<&PartitionKey> = last.values().flatten().collect();
            let distinct: BTreeSet<&PartitionKey> = all.iter().copied().collect();
            assert_eq!(all.len(), distinct.len(), "{members:?}");
            let read = |topic: &Arc<str>| members.values().any(|said| said.topics.contains(topic));
            let wanted: i32 = topics.iter().filter(|(topic, _)| read(topic)).map(|(_, count)| *count).sum();
            assert_eq!(all.len(), wanted as usize, "{members:?}");
            assert_eq!(uneven(&members, &last), None);
            assert_eq!(Assignor::CooperativeSticky.assign(&topics, &members), last, "it stays");
        }
    }
}
