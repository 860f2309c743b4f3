//! The judge of what a load was told: what was acknowledged against what stands in the log. Two lists in, findings out.
//!
//! Each partition's producer numbers its records from 0. So in each partition of the log offsets and sequences both must
//! rise one by one, and every acknowledged record must stand where the answer said.

use std::collections::BTreeMap;
use std::fmt;

/// One numbered record and its place, as acknowledged or as read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The partition.
    pub(crate) partition: u32,
    /// Its offset there.
    pub(crate) offset: u64,
    /// Its number, by which its sender knows it: from 0 in each partition.
    pub(crate) sequence: u64,
}

impl Entry {
    /// Reads `WORD PARTITION OFFSET SEQUENCE`.
    pub(crate) fn read(word: &str, line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split(' ').collect();
        let entry = match fields[..] {
            [first, partition, offset, sequence] if first == word => (|| {
                let partition = partition.parse().ok()?;
                Some(Self { partition, offset: offset.parse().ok()?, sequence: sequence.parse().ok()? })
            })(),
            _ => None,
        };
        entry.ok_or_else(|| format!("\"{line}\" is not a line of \"{word} PARTITION OFFSET SEQUENCE\""))
    }
}

/// Where partitions begin, by number; at 0 where nothing is said.
pub(crate) type Starts = BTreeMap<u32, u64>;

/// What is wrong with the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    /// An acknowledged record that is nowhere in its partition.
    Lost(Entry),
    /// An acknowledged record that stands at these offsets instead.
    Moved(Entry, Vec<u64>),
    /// A record that stands at several offsets.
    Twice { partition: u32, sequence: u64, offsets: Vec<u64> },
    /// A record whose predecessor in the log was sent later.
    Reordered { entry: Entry, after: u64 },
    /// An offset that holds no record although later ones do.
    Hole { partition: u32, expected: u64, got: u64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(Entry { partition, offset, sequence }) => {
                write!(f, "partition {partition}: record {sequence}, acknowledged at offset {offset}, is lost")
            }
            Self::Moved(Entry { partition, offset, sequence }, at) => {
                write!(f, "partition {partition}: record {sequence}, acknowledged at offset {offset}, stands at {at:?}")
            }
            Self::Twice { partition, sequence, offsets } => {
                write!(f, "partition {partition}: record {sequence} stands at each of {offsets:?}")
            }
            Self::Reordered { entry: Entry { partition, offset, sequence }, after } => {
                write!(f, "partition {partition} offset {offset}: record {sequence} follows record {after}")
            }
            Self::Hole { partition, expected, got } => {
                write!(f, "partition {partition}: offset {got} follows, where {expected} should")
            }
        }
    }
}

/// Compares both lists. `acknowledged` may come in any order, `log` must be in each partition's own.
///
/// A record that was never acknowledged may be there or not. The log begins with `starts`; what stood before has left.
pub(crate) fn check(acknowledged: &[Entry], log: &[Entry], starts: &Starts) -> Vec<Finding> {
    let start = |partition: u32| starts.get(&partition).copied().unwrap_or_default();
    let mut findings = in_order(log, start);
    let mut places: BTreeMap<(u32, u64), Vec<u64>> = BTreeMap::new();
    for entry in log {
        places.entry((entry.partition, entry.sequence)).or_default().push(entry.offset);
    }
    for (&(partition, sequence), offsets) in &places {
        if offsets.len() > 1 {
            findings.push(Finding::Twice { partition, sequence, offsets: offsets.clone() });
        }
    }
    for &entry in acknowledged.iter().filter(|entry| entry.offset >= start(entry.partition)) {
        match places.get(&(entry.partition, entry.sequence)) {
            None => findings.push(Finding::Lost(entry)),
            Some(offsets) if !offsets.contains(&entry.offset) => findings.push(Finding::Moved(entry, offsets.clone())),
            Some(_) => {}
        }
    }
    findings
}

/// Holes and wrong order. A record that stands twice is told by [`check`], not here.
fn in_order(log: &[Entry], start: impl Fn(u32) -> u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut last: BTreeMap<u32, Entry> = BTreeMap::new();
    for &entry in log {
        let before = last.insert(entry.partition, entry);
        let expected = before.map_or_else(|| start(entry.partition), |before| before.offset + 1);
        if entry.offset != expected {
            findings.push(Finding::Hole { partition: entry.partition, expected, got: entry.offset });
        }
        if let Some(before) = before.filter(|before| before.sequence > entry.sequence) {
            findings.push(Finding::Reordered { entry, after: before.sequence });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a log from which nothing has left.
    fn check(acknowledged: &[Entry], log: &[Entry]) -> Vec<Finding> {
        super::check(acknowledged, log, &Starts::new())
    }

    /// Partition 0 of a log with these sequences, from offset 0 on.
    fn log(sequences: &[u64]) -> Vec<Entry> {
        (0..).zip(sequences).map(|(offset, &sequence)| Entry { partition: 0, offset, sequence }).collect()
    }

    #[test]
    fn a_whole_log_is_clean_whatever_the_order_of_the_answers() {
        let whole = log(&[0, 1, 2, 3]);
        let mut answers = whole.clone();
        answers.reverse();
        assert_eq!(check(&answers, &whole), []);
        assert_eq!(check(&[], &[]), []);
    }

    #[test]
    fn what_was_not_acknowledged_may_be_there_or_not() {
        assert_eq!(check(&log(&[0, 1]), &log(&[0, 1, 2])), []);
    }

    #[test]
    fn finds_a_lost_tail() {
        assert_eq!(check(&log(&[0, 1, 2]), &log(&[0, 1])), [Finding::Lost(log(&[0, 1, 2])[2])]);
        assert_eq!(check(&log(&[0]), &[]), [Finding::Lost(log(&[0])[0])]);
    }

    #[test]
    fn finds_a_lost_record_whose_place_was_taken() {
        let findings = check(&log(&[0, 1, 2]), &log(&[0, 2]));
        assert_eq!(findings, [Finding::Lost(log(&[0, 1])[1]), Finding::Moved(log(&[0, 1, 2])[2], vec![1])]);
    }

    #[test]
    fn finds_a_record_that_stands_twice() {
        let findings = check(&log(&[0, 1]), &log(&[0, 1, 1]));
        assert_eq!(findings, [Finding::Twice { partition: 0, sequence: 1, offsets: vec![1, 2] }]);
    }

    #[test]
    fn finds_records_that_changed_places() {
        let findings = check(&[], &log(&[0, 2, 1]));
        assert_eq!(findings, [Finding::Reordered { entry: log(&[0, 2, 1])[2], after: 2 }]);
    }

    #[test]
    fn finds_a_hole_and_a_missing_beginning() {
        let mut holed = log(&[0, 1, 2]);
        holed.remove(1);
        assert_eq!(check(&[], &holed), [Finding::Hole { partition: 0, expected: 1, got: 2 }]);
        assert_eq!(check(&[], &log(&[0, 1])[1..]), [Finding::Hole { partition: 0, expected: 0, got: 1 }]);
    }

    #[test]
    fn what_has_left_the_log_is_not_missed_and_what_should_be_there_is() {
        let starts = Starts::from([(0, 2)]);
        let whole = log(&[0, 1, 2, 3]);
        assert_eq!(super::check(&whole, &whole[2..], &starts), []);
        assert_eq!(super::check(&whole, &whole[3..], &starts)[0], Finding::Hole { partition: 0, expected: 2, got: 3 });
        assert_eq!(super::check(&whole, &[], &starts).len(), 2);
    }

    #[test]
    fn partitions_do_not_mix() {
        let mut both = log(&[0, 1]);
        both.extend(log(&[0, 1]).into_iter().map(|entry| Entry { partition: 1, ..entry }));
        assert_eq!(check(&both, &both), []);
        let elsewhere = Entry { partition: 2, offset: 0, sequence: 0 };
        assert_eq!(check(&[elsewhere], &both), [Finding::Lost(elsewhere)]);
    }

    #[test]
    fn reads_lines_and_refuses_others() {
        assert_eq!(Entry::read("ack", "ack 1 2 3"), Ok(Entry { partition: 1, offset: 2, sequence: 3 }));
        for bad in ["ack 1 2", "ack 1 2 3 4", "record 1 2 3", "ack 1 -1 3", ""] {
            assert!(Entry::read("ack", bad).is_err(), "{bad}");
        }
    }
}
