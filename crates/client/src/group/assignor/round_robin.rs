//! Round robin: all partitions of all topics in their order are dealt to the members in theirs; one that does not read
//! a topic is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Subscription, in_order};
use crate::group::Partitions;

pub(super) fn assign(
    counts: &BTreeMap<Arc<str>, i32>,
    members: &BTreeMap<String, Subscription>,
    assigned: &mut BTreeMap<String, Partitions>,
) {
    let order = in_order(members);
    let mut turn = 0;
    for (topic, &count) in counts {
        if !order.iter().any(|member| members[*member].topics.contains(topic)) {
            continue;
        }
        for index in 0..count {
            // Ends, as somebody reads the topic.
            while !members[order[turn % order.len()]].topics.contains(topic) {
                turn += 1;
            }
            let member = order[turn % order.len()];
            assigned.entry(member.clone()).or_default().insert((Arc::clone(topic), index));
            turn += 1;
        }
    }
}
