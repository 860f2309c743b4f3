//! The error codes of one answer, gathered while it is made, so that each costs the broker's counters one addition.

use smallvec::SmallVec;

/// How often each code stands in an answer. Most answers have one.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct ErrorCounts(SmallVec<[(i16, u32); 2]>);

impl ErrorCounts {
    /// There is one more.
    pub(crate) fn add(&mut self, code: i16) {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((code, 1)),
        }
    }

    /// The codes with their counts, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i16, u32)> {
        self.0.iter().copied()
    }
}
