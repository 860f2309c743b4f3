//! Ranges: each topic by itself is cut into as many runs as it has readers, the first ones longer by one if need be.

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
    for (topic, &count) in counts {
        let readers: Vec<_> = order.iter().filter(|member| members[**member].topics.contains(topic)).collect();
        let Ok(among) = i32::try_from(readers.len()) else { continue };
        let mut next = 0;
        for (place, member) in (0..among).zip(readers) {
            let run = count / among + i32::from(place < count % among);
            let partitions = (next..next + run).map(|index| (Arc::clone(topic), index));
            assigned.entry((*member).clone()).or_default().extend(partitions);
            next += run;
        }
    }
}
