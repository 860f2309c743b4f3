//! Whether a log may look as it does, given what was acknowledged.
//!
//! Records are numbered in the order in which they are sent, each partition's in rising order. Three things must hold:
//! every acknowledged record is at the offset that was acknowledged; no record is there twice; what is there is in the
//! order sent. A record that was never acknowledged may be there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla_types::Offset;

/// What a producer was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    /// The record's number.
    pub number: u64,
    /// The partition it went to.
    pub partition: i32,
    /// The offset it got; `None` where the broker only said that it has the record already.
    pub offset: Option<Offset>,
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, partition, offset } = self;
        match offset {
            Some(offset) => write!(f, "record {number} was acknowledged at {partition}@{offset}"),
            None => write!(f, "record {number} was acknowledged in partition {partition}"),
        }
    }
}

/// Something that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// An acknowledged record is not at its offset.
    Lost {
        /// What was acknowledged.
        acknowledged: Acknowledged,
        /// The record that is there instead, if any.
        found: Option<u64>,
    },
    /// A record is in its partition twice.
    Twice {
        /// The record's number.
        number: u64,
        /// The partition.
        partition: i32,
    },
    /// A record comes after one that was sent later.
    OutOfOrder {
        /// The record's number.
        number: u64,
        /// The number before it.
        after: u64,
        /// The partition.
        partition: i32,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { acknowledged, found: Some(found) } => write!(f, "{acknowledged}, where record {found} is"),
            Self::Lost { acknowledged, found: None } => write!(f, "{acknowledged}, and is not there"),
            Self::Twice { number, partition } => write!(f, "record {number} is in partition {partition} twice"),
            Self::OutOfOrder { number, after, partition } => {
                write!(f, "record {number} comes after {after} in partition {partition}")
            }
        }
    }
}

/// Holds the logs (by partition, offset and number) against what was acknowledged.
#[must_use]
pub fn check(acknowledged: &[Acknowledged], logs: &BTreeMap<i32, Vec<(Offset, u64)>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut there, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for (&partition, records) in logs {
        let mut seen = BTreeSet::new();
        for (offset, number) in records {
            there.insert((partition, *offset), *number);
            if !seen.insert(*number) {
                findings.push(Finding::Twice { number: *number, partition });
            }
        }
        numbers.insert(partition, seen);
        let pairs = records.iter().zip(records.iter().skip(1));
        let backwards = pairs.filter(|((_, before), (_, after))| after < before);
        findings.extend(backwards.map(|((_, after), (_, number))| Finding::OutOfOrder {
            number: *number,
            after: *after,
            partition,
        }));
    }
    for acknowledged in acknowledged {
        let found = match acknowledged.offset {
            Some(offset) => there.get(&(acknowledged.partition, offset)).copied(),
            None => numbers.get(&acknowledged.partition).and_then(|seen| seen.get(&acknowledged.number)).copied(),
        };
        if found != Some(acknowledged.number) {
            findings.push(Finding::Lost { acknowledged: *acknowledged, found });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(numbers: &[u64]) -> BTreeMap<i32, Vec<(Offset, u64)>> {
        let records = numbers.iter().enumerate().map(|(i, number)| (Offset(i as i64), *number));
        BTreeMap::from([(0, records.collect())])
    }

    fn acknowledged(number: u64, offset: i64) -> Acknowledged {
        Acknowledged { number, partition: 0, offset: Some(Offset(offset)) }
    }

    #[test]
    fn a_log_with_all_that_was_acknowledged_and_more_is_fine() {
        assert_eq!(check(&[acknowledged(1, 0), acknowledged(3, 2)], &log(&[1, 2, 3, 4])), []);
    }

    #[test]
    fn losses_doubles_and_disorder_are_found() {
        let lost = check(&[acknowledged(3, 2)], &log(&[1, 2]));
        assert_eq!(lost, [Finding::Lost { acknowledged: acknowledged(3, 2), found: None }]);
        let moved = check(&[acknowledged(2, 1)], &log(&[1, 3, 4]));
        assert_eq!(moved, [Finding::Lost { acknowledged: acknowledged(2, 1), found: Some(3) }]);
        let unplaced = Acknowledged { offset: None, ..acknowledged(2, 0) };
        assert_eq!(check(&[unplaced], &log(&[1, 2])), []);
        assert_eq!(check(&[unplaced], &log(&[1])), [Finding::Lost { acknowledged: unplaced, found: None }]);
        assert_eq!(check(&[], &log(&[1, 1])), [Finding::Twice { number: 1, partition: 0 }]);
        assert_eq!(check(&[], &log(&[2, 1])), [Finding::OutOfOrder { number: 1, after: 2, partition: 0 }]);
    }
}
