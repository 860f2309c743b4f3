//! What is due when. One deadline for each key: setting it again moves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::Instant;

/// What a deadline is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// A classic member, or one that has an id and did not join yet, was heard of last.
    ClassicSession(Arc<str>, Arc<str>),
    /// A classic group waits for its members to join.
    ClassicJoin(Arc<str>),
    /// A classic group waits for its members to ask for their assignments.
    ClassicSync(Arc<str>),
    /// A member of a consumer group was heard of last.
    ConsumerSession(Arc<str>, Arc<str>),
    /// A member of a consumer group has to give partitions back.
    ConsumerRebalance(Arc<str>, Arc<str>),
    /// A member of a consumer group that speaks the classic protocol has to join again.
    ConsumerJoin(Arc<str>, Arc<str>),
    /// Such a member has to ask for its assignment.
    ConsumerSync(Arc<str>, Arc<str>),
    /// The patterns of a consumer group are to be matched.
    ConsumerPatterns(Arc<str>),
    /// Old offsets are looked for, from this group on if a look was not finished.
    OffsetExpiry(Option<Arc<str>>),
}

impl Timer {
    /// The group that it is about.
    pub(crate) fn group(&self) -> Option<&Arc<str>> {
        match self {
            Self::ClassicSession(group, _)
            | Self::ClassicJoin(group)
            | Self::ClassicSync(group)
            | Self::ConsumerSession(group, _)
            | Self::ConsumerRebalance(group, _)
            | Self::ConsumerJoin(group, _)
            | Self::ConsumerSync(group, _)
            | Self::ConsumerPatterns(group) => Some(group),
            Self::OffsetExpiry(_) => None,
        }
    }
}

/// Deadlines, the next one first.
#[derive(Default, Debug)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_key: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets the deadline of `timer`, whether it had one or not.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(before) = self.by_key.insert(timer.clone(), at) {
            self.by_time.remove(&(before, timer.clone()));
        }
        self.by_time.insert((at, timer));
    }

    /// Whether `timer` has a deadline.
    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.by_key.contains_key(timer)
    }

    /// Forgets the deadline of `timer`, if it has one.
    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_key.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_key.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_that_is_set_again_or_cancelled_is_due_once_or_never() {
        let at = |seconds| Instant::after_start(Duration::from_secs(seconds));
        let (join, sync) = (Timer::ClassicJoin("g".into()), Timer::ClassicSync("g".into()));
        let mut timers = Timers::default();
        timers.set(join.clone(), at(1));
        timers.set(sync.clone(), at(2));
        timers.set(join.clone(), at(3));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.due(at(1)), None);
        timers.cancel(&sync);
        assert_eq!(timers.due(at(2)), None);
        assert_eq!(timers.due(at(3)), Some(join));
        assert_eq!((timers.due(at(9)), timers.next()), (None, None));
    }
}
