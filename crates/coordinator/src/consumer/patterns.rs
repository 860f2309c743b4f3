//! Patterns that members read by: when they are matched against the topics, and what follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ConsumerGroup;
use super::fact::{ConsumerFact, Resolved};
use crate::sown::{self, Bug};
use crate::timers::Timer;
use crate::turn::Turn;

/// Patterns are not matched again within this time, whatever happens.
const NOT_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// What has become of a member's pattern.
#[derive(Clone, Copy, Default)]
pub(super) struct PatternChange {
    /// It is another one, or none any more.
    pub(super) is_other: bool,
    /// And what it matches is known.
    pub(super) is_resolved: bool,
}

impl ConsumerGroup {
    /// A member has this pattern now, which the group has taken over already. Has patterns be matched if that is due.
    pub(super) fn patterns_changed(
        &mut self,
        turn: &mut Turn<'_>,
        before: Option<&Arc<str>>,
        now: Option<&Arc<str>>,
    ) -> PatternChange {
        let mut change = PatternChange { is_other: before != now, is_resolved: false };
        let mut is_new = false;
        if change.is_other {
            if let Some(before) = before.filter(|before| self.subscribed.count_of(before) == 0) {
                self.remember(turn, ConsumerFact::Regex(before.clone(), None));
            }
            match now {
                Some(now) if self.subscribed.count_of(now) == 1 => is_new = true,
                Some(now) => change.is_resolved = self.resolved.contains_key(now),
                None => change.is_resolved = true,
            }
        }
        if self.subscribed.patterns().len() > 0 && self.is_matching_due(turn, is_new) {
            // Not here: who asks need not wait for it.
            turn.set(Timer::ConsumerPatterns(self.id.clone()), Duration::ZERO);
        }
        change
    }

    fn is_matching_due(&self, turn: &Turn<'_>, is_new: bool) -> bool {
        let Some(last) = self.resolved.values().next() else { return true };
        let since = turn.now.date.0.saturating_sub(last.resolved_at.0);
        let is_longer_than = |time: Duration| i128::from(since) > time.as_millis().cast_signed();
        is_longer_than(NOT_AGAIN_WITHIN)
            && (is_new
                || self.subscribed.patterns().len() != self.resolved.len()
                || (last.version < turn.topics.has_new_since && !sown::is(Bug::PatternsNotMatchedAgain))
                || is_longer_than(turn.settings.consumer_regex_refresh))
    }

    /// Matches all patterns against all topics. The epoch rises if any matches others than before.
    pub(crate) fn match_patterns(&mut self, turn: &mut Turn<'_>) {
        let patterns: Vec<_> = self.subscribed.patterns().cloned().collect();
        if patterns.is_empty() {
            return;
        }
        let names: Vec<Arc<str>> = turn.topics.image.topics().map(|topic| topic.name.as_str().into()).collect();
        let (version, resolved_at) = (turn.topics.version(), turn.now.date);
        let matched = patterns.into_iter().map(|pattern| {
            // One that came from the log and is none here matches nothing.
            let topics = crate::subscription::matching(&pattern, &names).unwrap_or_default();
            (pattern, Resolved { topics, version, resolved_at })
        });
        let matched: BTreeMap<_, _> = matched.collect();
        let mut has_changed = false;
        for (pattern, resolved) in matched {
            let nothing = Resolved::default();
            has_changed |= self.resolved.get(&pattern).unwrap_or(&nothing).topics != resolved.topics;
            self.remember(turn, ConsumerFact::Regex(pattern, Some(resolved)));
        }
        let metadata_hash = turn.topics.hash(self.subscribed.topics());
        if has_changed || metadata_hash != self.epoch.metadata_hash {
            self.look_at_topics(turn, true);
        }
    }
}
