//! The range assignor: of each topic, neighbouring partitions go to neighbouring members, static ones first.
//!
//! It does not look at what members have. That little moves when a member comes back rests on the order: static members
//! are ordered by their instance ids, which stay.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Assignment, GroupSpec, MemberSpec, Targets, TopicsView, UnknownTopic, count, targets};

/// What is left of a topic.
struct Rest {
    /// The next partition to hand out.
    next: usize,
    /// How many everybody gets.
    each: usize,
    /// How many more members get one more.
    extras: usize,
}

pub(super) fn assign(spec: &GroupSpec, view: &dyn TopicsView) -> Result<Targets, UnknownTopic> {
    let mut subscribers = BTreeMap::new();
    for topic in spec.members.values().flat_map(|member| member.topics.iter()) {
        *subscribers.entry(*topic).or_insert(0) += 1;
    }
    let mut rests = BTreeMap::new();
    for (topic, subscribers) in subscribers {
        let count = count(view, topic)?;
        rests.insert(topic, Rest { next: 0, each: count / subscribers, extras: count % subscribers });
    }
    let assignments = ordered(spec).into_iter().map(|(id, member)| {
        let mut assignment = Assignment::new();
        for topic in &*member.topics {
            let rest = rests.get_mut(topic).expect("its subscribers put it in");
            let end = rest.next + rest.each + usize::from(rest.extras > 0);
            rest.extras = rest.extras.saturating_sub(1);
            let partitions = std::mem::replace(&mut rest.next, end)..end;
            if !partitions.is_empty() {
                let index = |at| i32::try_from(at).expect("the count was one");
                assignment.insert(*topic, partitions.map(index).collect());
            }
        }
        (id.clone(), assignment)
    });
    Ok(targets(spec, assignments))
}

/// Static members by their instance ids, then the others by their own. Java orders texts by their UTF-16.
fn ordered(spec: &GroupSpec) -> Vec<(&Arc<str>, &MemberSpec)> {
    let mut members: Vec<_> = spec.members.iter().collect();
    members.sort_by_cached_key(|(id, member)| {
        let name = member.instance.as_ref().unwrap_or(id);
        (member.instance.is_none(), name.encode_utf16().collect::<Vec<_>>())
    });
    members
}
