//! The subscribers of a topic ordered by how much they have: who gives a partition next, and who gets it.
//!
//! Those with least stand left. A group of them, all with equally many, is filled by one each before it grows to the right;
//! another group, from the right end, gives one each before it grows to the left. When what the two groups have differs by
//! one or less, nothing is to be gained. Counts of members change while this is used, as the caller moves partitions.

/// Two groups of members in an order.
pub(super) struct Levels {
    /// The members, those with least first.
    members: Vec<usize>,
    /// The left group is `[0, low_end)`; each in it has `low_count`, or one more if it got its own already.
    low_end: usize,
    low_count: isize,
    low_next: usize,
    /// The right group is `[high_start, high_end)`; each in it has `high_count`, or one less if it gave already. Right of it
    /// are those who have nothing to give.
    high_start: usize,
    high_end: usize,
    high_count: isize,
    /// One more than the place of who gives next.
    high_next: usize,
}

impl Levels {
    /// Both groups empty, at the ends. There is at least one member.
    pub(super) fn new(mut members: Vec<usize>, counts: &[isize]) -> Self {
        members.sort_by_key(|member| (counts[*member], *member));
        let (least, most) = (counts[members[0]], counts[members[members.len() - 1]]);
        let end = members.len();
        Self {
            low_end: 0,
            low_count: least - 1,
            low_next: 0,
            high_start: end,
            high_end: end,
            high_count: most + 1,
            high_next: end,
            members,
        }
    }

    /// How much the member with most has more than the one with least.
    pub(super) fn spread(&self, counts: &[isize]) -> isize {
        counts[self.members[self.members.len() - 1]] - counts[self.members[0]]
    }

    /// Who gets the next partition.
    pub(super) fn receiver(&mut self, counts: &[isize]) -> usize {
        if self.low_next >= self.low_end {
            self.low_count += 1;
            while self.members.get(self.low_end).is_some_and(|member| counts[*member] == self.low_count) {
                self.low_end += 1;
            }
            self.low_next = 0;
        }
        let member = self.members[self.low_next];
        self.low_next += 1;
        member
    }

    /// Who gives the next partition; `None` if nobody has one left.
    pub(super) fn giver(&mut self, counts: &[isize]) -> Option<usize> {
        if self.high_next <= self.high_start {
            if self.high_end <= self.high_start && self.high_start > 0 {
                // All of the group had nothing to give: it begins anew with the next, whatever that one has.
                self.high_count = counts[self.members[self.high_start - 1]];
            } else {
                self.high_count -= 1;
            }
            while self.high_start > 0 && counts[self.members[self.high_start - 1]] == self.high_count {
                self.high_start -= 1;
            }
            self.high_next = self.high_end;
        }
        self.high_next = self.high_next.checked_sub(1)?;
        Some(self.members[self.high_next])
    }

    /// The last giver has nothing to give, and is not asked again.
    pub(super) fn exclude_giver(&mut self) {
        self.high_end -= 1;
        self.members.swap(self.high_next, self.high_end);
    }

    /// Whether moving one more would even nothing out.
    pub(super) fn is_even(&self) -> bool {
        self.high_count - self.low_count <= 1
    }
}
