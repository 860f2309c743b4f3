//! What is forgotten because it is old.

use std::sync::Arc;

use ottla_types::Timestamp;

use super::CommittedOffset;
use crate::fact::Fact;
use crate::group::{Group, Groups};
use crate::timers::Timer;
use crate::turn::Turn;

/// The most that is forgotten in one turn; the rest is looked at right behind it.
const FACTS_PER_TURN: usize = 1000;

/// Looks at all groups from `from` on, and sets the time of the next look.
pub(crate) fn expire(groups: &Groups, turn: &mut Turn<'_>, from: Option<Arc<str>>) {
    let start = from.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included);
    for (id, group) in groups.range((start, std::ops::Bound::Unbounded)) {
        if turn.facts.len() >= FACTS_PER_TURN {
            return turn.set(Timer::OffsetExpiry(Some(id.clone())), std::time::Duration::ZERO);
        }
        let mut is_left = false;
        for (topic, partition, offset) in group.offsets.iter() {
            if !group.reads(topic) && is_expired(turn, group, offset) {
                let (group, topic) = (id.clone(), topic.clone());
                turn.tally.offsets_expired += 1;
                turn.remember(Fact::Offset { group, topic, partition, value: None });
            } else {
                is_left = true;
            }
        }
        if !is_left && group.is_forgotten() {
            group.forget(turn, id);
        }
    }
    turn.set(Timer::OffsetExpiry(None), turn.settings.offsets_check_interval);
}

fn is_expired(turn: &Turn<'_>, group: &Group, offset: &CommittedOffset) -> bool {
    let now = turn.now.date.0;
    let retention = i64::try_from(turn.settings.offsets_retention.as_millis()).unwrap_or(i64::MAX);
    let Some(since) = group.offsets_age_since(offset.committed_at) else { return false };
    match offset.expires_at {
        Timestamp::NONE => now.saturating_sub(since.0) >= retention,
        at => now >= at.0,
    }
}
