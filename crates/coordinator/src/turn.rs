//! What one input may use and bring about: the time, the settings, the deadlines; facts and answers.

use std::time::Duration;

use ottla_types::{Instant, Timestamp};

use crate::consumer::Topics;
use crate::fact::Fact;
use crate::request::{Reply, RequestId};
use crate::settings::Settings;
use crate::tally::Tally;
use crate::timers::{Timer, Timers};

/// The time of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// What deadlines are measured against.
    pub instant: Instant,
    /// What facts carry.
    pub date: Timestamp,
}

/// One input at work.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) settings: &'a Settings,
    pub(crate) timers: &'a mut Timers,
    pub(crate) topics: &'a Topics,
    /// What is counted.
    pub(crate) tally: &'a mut Tally,
    /// What is to be remembered, in order.
    pub(crate) facts: Vec<Fact>,
    /// Answers that may leave at once.
    pub(crate) replies: Vec<(RequestId, Reply)>,
    /// Answers that rest on facts, of this turn or before: they leave when these are committed.
    pub(crate) held: Vec<(RequestId, Reply)>,
}

impl Turn<'_> {
    /// Answers at once.
    pub(crate) fn reply(&mut self, id: RequestId, reply: Reply) {
        self.replies.push((id, reply));
    }

    /// Answers as soon as all facts so far are committed.
    pub(crate) fn reply_when_committed(&mut self, id: RequestId, reply: Reply) {
        self.held.push((id, reply));
    }

    /// Remembers a fact.
    pub(crate) fn remember(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Sets a deadline `after` from now.
    pub(crate) fn set(&mut self, timer: Timer, after: Duration) {
        self.timers.set(timer, self.now.instant + after);
    }

    /// Sets a deadline `after` from now, unless there is one.
    pub(crate) fn set_if_absent(&mut self, timer: Timer, after: Duration) {
        if !self.timers.is_set(&timer) {
            self.set(timer, after);
        }
    }

    /// Forgets a deadline.
    pub(crate) fn cancel(&mut self, timer: &Timer) {
        self.timers.cancel(timer);
    }
}
