//! What members of a group may read, and what must be committed: lines in, findings out. No process, no clock.
//!
//! The rules, for each partition:
//! - a member that is given it begins at what was committed when it was given, or later, and skips nothing from there on;
//! - what is committed never goes back;
//! - at the end every record has been read by somebody, and what is committed is what the last commit said.
//!
//! A member that is not given a partition, or no longer, may tell records that it had already: a paused one wakes with them
//! in its hands. They count as read and are otherwise nobody's business; that it cannot commit them, the second rule says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a member or a watcher tells, line by line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// Partitions that the member reads from now on, beside those that it has.
    Assigned(Vec<u32>),
    /// Partitions that it reads no longer.
    Revoked(Vec<u32>),
    /// A record: partition and offset.
    Read(u32, u64),
    /// A commit that succeeded, or what a watcher found committed: partition and the offset that is read next.
    Committed(u32, u64),
    /// Something was refused; the member goes on. Why.
    Refused(String),
    /// It has left its group.
    Left,
    /// The watcher has looked once more.
    Round,
}

impl Told {
    /// Reads a line; none if it is none of these, but a word of a library's own.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let partitions = || rest.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>();
        let place = || {
            let (partition, offset) = rest.split_once(' ')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        };
        match word {
            "assigned" => partitions().map(Self::Assigned),
            "revoked" => partitions().map(Self::Revoked),
            "read" => place().map(|(partition, offset)| Self::Read(partition, offset)),
            "committed" => place().map(|(partition, offset)| Self::Committed(partition, offset)),
            "refused" => Some(Self::Refused(rest.to_owned())),
            "left" if rest.is_empty() => Some(Self::Left),
            "round" if rest.is_empty() => Some(Self::Round),
            _ => None,
        }
    }
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// A member began before what was committed when it was given the partition.
    Again { member: String, partition: u32, offset: u64, committed: u64 },
    /// A member told an offset where another had to follow.
    Jumped { member: String, partition: u32, expected: u64, got: u64 },
    /// What is committed went back.
    Back { partition: u32, from: u64, to: u64 },
    /// At the end something else is committed than the last commit said.
    Uncommitted { partition: u32, told: u64, found: Option<u64> },
    /// Records that nobody read: how many, and the first.
    Unread { partition: u32, count: usize, first: u64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again { member, partition, offset, committed } => {
                write!(f, "{member} began partition {partition} at {offset}, where {committed} was committed before")
            }
            Self::Jumped { member, partition, expected, got } => {
                write!(f, "{member} read offset {got} of partition {partition}, where {expected} had to follow")
            }
            Self::Back { partition, from, to } => {
                write!(f, "what is committed in partition {partition} went back from {from} to {to}")
            }
            Self::Uncommitted { partition, told, found } => {
                write!(f, "partition {partition}: a commit of {told} succeeded, and {found:?} is committed in the end")
            }
            Self::Unread { partition, count, first } => {
                write!(f, "partition {partition}: {count} records were read by nobody, the first at offset {first}")
            }
        }
    }
}

/// A partition in a member's hands.
#[derive(Debug)]
struct Held {
    /// What was committed when it was given.
    committed: u64,
    /// The offset that must follow; none before the first record.
    next: Option<u64>,
}

/// Everything that was told of one group in one topic.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// What each member holds, by its name.
    held: BTreeMap<String, BTreeMap<u32, Held>>,
    /// The greatest offset known to be committed, by partition.
    committed: BTreeMap<u32, u64>,
    /// What the watcher saw last, by partition.
    watched: BTreeMap<u32, u64>,
    /// Offsets that were read by anybody, by partition.
    read: BTreeMap<u32, BTreeSet<u64>>,
    /// What is wrong so far.
    findings: Vec<Finding>,
}

impl Judge {
    /// Takes what a member tells.
    pub(super) fn member(&mut self, member: &str, told: &Told) {
        match told {
            Told::Assigned(partitions) => {
                let held = self.held.entry(member.to_owned()).or_default();
                for partition in partitions {
                    let committed = self.committed.get(partition).copied().unwrap_or_default();
                    held.insert(*partition, Held { committed, next: None });
                }
            }
            Told::Revoked(partitions) => {
                let held = self.held.entry(member.to_owned()).or_default();
                held.retain(|partition, _| !partitions.contains(partition));
            }
            Told::Read(partition, offset) => self.read(member, *partition, *offset),
            Told::Committed(partition, offset) => self.commit(*partition, *offset),
            Told::Refused(_) | Told::Left | Told::Round => {}
        }
    }

    fn read(&mut self, member: &str, partition: u32, offset: u64) {
        self.read.entry(partition).or_default().insert(offset);
        let Some(held) = self.held.get_mut(member).and_then(|held| held.get_mut(&partition)) else { return };
        let member = member.to_owned();
        match held.next {
            None if offset < held.committed => {
                self.findings.push(Finding::Again { member, partition, offset, committed: held.committed });
            }
            Some(expected) if offset != expected => {
                self.findings.push(Finding::Jumped { member, partition, expected, got: offset });
            }
            _ => {}
        }
        held.next = Some(offset + 1);
    }

    fn commit(&mut self, partition: u32, offset: u64) {
        let known = self.committed.entry(partition).or_default();
        *known = offset.max(*known);
    }

    /// Takes what the watcher tells.
    pub(super) fn watcher(&mut self, told: &Told) {
        let Told::Committed(partition, offset) = told else { return };
        if let Some(before) = self.watched.insert(*partition, *offset)
            && before > *offset
        {
            self.findings.push(Finding::Back { partition: *partition, from: before, to: *offset });
        }
        self.commit(*partition, *offset);
    }

    /// What the watcher saw last in a partition.
    pub(super) fn watched(&self, partition: u32) -> u64 {
        self.watched.get(&partition).copied().unwrap_or_default()
    }

    /// Whether a record was read by anybody.
    pub(super) fn has_read(&self, partition: u32, offset: u64) -> bool {
        self.read.get(&partition).is_some_and(|read| read.contains(&offset))
    }

    /// How many records were read.
    pub(super) fn count(&self) -> usize {
        self.read.values().map(BTreeSet::len).sum()
    }

    /// What is wrong, once every member has gone and the watcher has looked after that. `ends` is how many records each
    /// partition has, from its first offset 0.
    pub(super) fn verdict(mut self, ends: &BTreeMap<u32, u64>) -> Vec<Finding> {
        for (partition, told) in &self.committed {
            let found = self.watched.get(partition).copied();
            if found != Some(*told) {
                self.findings.push(Finding::Uncommitted { partition: *partition, told: *told, found });
            }
        }
        for (partition, end) in ends {
            let read = self.read.entry(*partition).or_default();
            let unread: Vec<u64> = (0..*end).filter(|offset| !read.contains(offset)).collect();
            if let Some(first) = unread.first() {
                self.findings.push(Finding::Unread { partition: *partition, count: unread.len(), first: *first });
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings of a script: `MEMBER LINE` or `watch LINE` each; one partition with records up to `end`.
    fn verdict(script: &str, end: u64) -> Vec<String> {
        let mut judge = Judge::default();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (who, line) = line.split_once(' ').expect("a name and a line");
            let told = Told::read(line).expect("a line of a member");
            if who == "watch" { judge.watcher(&told) } else { judge.member(who, &told) }
        }
        judge.verdict(&BTreeMap::from([(0, end)])).iter().map(ToString::to_string).collect()
    }

    const WELL: &str = "a assigned 0\n a read 0 0\n a committed 0 1\n watch committed 0 1";

    #[test]
    fn a_member_that_goes_on_where_another_committed_is_well() {
        let script = format!("{WELL}\n a read 0 1\n b assigned 0\n b read 0 1\n b committed 0 2\n watch committed 0 2");
        assert_eq!(verdict(&script, 2), Vec::<String>::new());
    }

    #[test]
    fn what_was_committed_is_not_read_again() {
        let found = verdict(&format!("{WELL}\n b assigned 0\n b read 0 0"), 1);
        assert_eq!(found, ["b began partition 0 at 0, where 1 was committed before"]);
    }

    #[test]
    fn a_member_may_tell_what_it_had_before_a_partition_was_taken() {
        let script = "a assigned 0\n a revoked 0\n b assigned 0\n b read 0 0\n b committed 0 1\n watch committed 0 1\n a read 0 0";
        assert_eq!(verdict(script, 1), Vec::<String>::new());
    }

    #[test]
    fn a_skipped_record_a_record_twice_and_an_unread_one_are_found() {
        assert_eq!(
            verdict("a assigned 0\n a read 0 0\n a read 0 2", 3),
            [
                "a read offset 2 of partition 0, where 1 had to follow",
                "partition 0: 1 records were read by nobody, the first at offset 1",
            ]
        );
        let twice = verdict("a assigned 0\n a read 0 0\n a read 0 0", 1);
        assert_eq!(twice, ["a read offset 0 of partition 0, where 1 had to follow"]);
    }

    #[test]
    fn a_commit_that_goes_back_or_is_lost_is_found() {
        let back = verdict(&format!("{WELL}\n watch committed 0 0\n watch committed 0 1"), 1);
        assert_eq!(back, ["what is committed in partition 0 went back from 1 to 0"]);
        let lost = verdict(&format!("{WELL}\n a read 0 1\n a committed 0 2"), 2);
        assert_eq!(lost, ["partition 0: a commit of 2 succeeded, and Some(1) is committed in the end"]);
    }

    #[test]
    fn words_of_a_library_are_no_lines() {
        assert_eq!(Told::read("assigned 2,0"), Some(Told::Assigned(vec![2, 0])));
        assert_eq!(Told::read("refused it is late"), Some(Told::Refused("it is late".to_owned())));
        for line in ["", "assigned", "read 1", "read 1 x", "left us", "%3|FAIL|rdkafka"] {
            assert_eq!(Told::read(line), None, "{line}");
        }
    }
}
