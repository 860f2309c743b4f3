//! What a broker holds, as `Moving tell` tells it: one line for each topic, setting, producer and record; compared.
//!
//! Pure. What the lines say is in `interop/java/Moving.java`.

use std::collections::BTreeMap;

/// The lines of one telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told(pub(super) Vec<String>);

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) topics: usize,
    pub(super) partitions: usize,
    pub(super) settings: usize,
    pub(super) records: usize,
}

impl Told {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(String::as_str).filter(move |line| line.split(' ').next() == Some(kind))
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            topics: self.of("topic").count(),
            partitions: self.of("start").chain(self.of("internal")).count(),
            settings: self.of("setting").count(),
            records: self.of("record").count(),
        }
    }

    /// An error unless `after` says the same.
    pub(super) fn is_same(&self, after: &Self) -> Result<(), String> {
        let longest = self.0.len().max(after.0.len());
        let line = |told: &Self, at: usize| told.0.get(at).cloned().unwrap_or_else(|| "(nothing more)".to_owned());
        let differing = (0..longest).find(|at| self.0.get(*at) != after.0.get(*at));
        differing.map_or(Ok(()), |at| {
            Err(format!("line {}:\n  before: {}\n  after:  {}", at + 1, line(self, at), line(after, at)))
        })
    }

    /// An error unless `after` has all of this, in this order, and `added` records more in every partition.
    pub(super) fn has_grown(&self, after: &Self, added: usize) -> Result<(), String> {
        let mut rest = after.0.iter();
        // The newest record is another one now, and what is committed goes further.
        let stays = |line: &&String| !line.starts_with("newest ") && !line.starts_with("committed ");
        for line in self.0.iter().filter(stays) {
            if !rest.any(|other| other == line) {
                return Err(format!("lost, or out of its place: {line}"));
            }
        }
        let (before, after) = (self.by_partition(), after.by_partition());
        let wrong = after.iter().find(|(partition, count)| before.get(*partition).map(|n| n + added) != Some(**count));
        wrong.map_or(Ok(()), |(partition, count)| {
            let had = before.get(partition).copied().unwrap_or_default();
            Err(format!("{partition} had {had} records, was given {added} and has {count}"))
        })
    }

    /// The number of records of each partition, empty ones too.
    fn by_partition(&self) -> BTreeMap<&str, usize> {
        let second = |line: &'_ str| line.split(' ').nth(1).map(str::len);
        let mut counts = BTreeMap::new();
        for (kind, more) in [("start", 0), ("record", 1)] {
            for line in self.0.iter().filter(|line| line.split(' ').next() == Some(kind)) {
                let name = second(line).map_or("", |length| &line[kind.len() + 1..=kind.len() + length]);
                *counts.entry(name).or_default() += more;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Told {
        Told(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    fn example() -> Told {
        told(&[
            "cluster c",
            "topic t id i partitions 2",
            "setting TOPIC t a=b",
            "newest t-0 at 0 time 5",
            "start t-0 at 0",
            "record t-0 0 a",
            "newest t-1 at -1 time -1",
            "start t-1 at 0",
        ])
    }

    fn grown() -> Vec<String> {
        let mut lines = example().0;
        lines.insert(6, "record t-0 1 b".to_owned());
        lines.push("record t-1 0 b".to_owned());
        lines[3] = "newest t-0 at 1 time 9".to_owned();
        lines
    }

    #[test]
    fn counts_what_was_told() {
        assert_eq!(example().counts(), Counts { topics: 1, partitions: 2, settings: 1, records: 1 });
    }

    #[test]
    fn any_line_that_differs_lacks_or_is_too_many_is_found() {
        assert_eq!(example().is_same(&example()), Ok(()));
        for at in 0..example().0.len() {
            let mut other = example();
            other.0[at].push('x');
            assert!(example().is_same(&other).is_err_and(|why| why.starts_with(&format!("line {}:", at + 1))));
            other.0.remove(at);
            assert!(example().is_same(&other).is_err());
            assert!(other.is_same(&example()).is_err());
        }
    }

    #[test]
    fn what_has_grown_lost_nothing_and_has_the_added_records_in_every_partition() {
        assert_eq!(example().has_grown(&Told(grown()), 1), Ok(()));
        assert!(example().has_grown(&Told(grown()), 2).is_err());
        for at in (0..grown().len()).filter(|at| *at != 3 && *at != 7) {
            let mut lines = grown();
            lines.remove(at);
            assert!(example().has_grown(&Told(lines.clone()), 1).is_err(), "{lines:?}");
        }
        let mut lines = grown();
        lines.swap(4, 5);
        assert!(example().has_grown(&Told(lines), 1).is_err());
    }
}
