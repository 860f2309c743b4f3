//! All rows of the table, a file for each family: what is done, what is measured, and which goal it has.
//!
//! Sizes are those of `--scale 1`: large enough that what happens once does not count, and such that the whole table takes
//! an hour and a half at most.

mod codecs;
mod cold;
mod consume;
mod crash;
mod directories;
mod latency;
mod limits;
mod memory;
mod old;
mod partitions;
mod produce;
mod rolls;
mod small;
mod start;
mod tail;

use super::Bench;
use super::load::Answer;
use super::row::{Better, Goal, Row, Subject};
use super::works::Work;

/// Rows that are measured together, on brokers that are started for them.
pub(crate) struct Family {
    /// Its name, with which the keys of its rows begin.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) what: &'static str,
    /// How long it takes, with Kafka and three rounds.
    pub(crate) minutes: f64,
    /// Whether its works find the same memory each, of which little is left ([`super::level`]). Not those that are about
    /// what a broker holds or starts with.
    pub(crate) levelled: bool,
    /// Its rows, in the table's order.
    pub(crate) rows: fn() -> Vec<Row>,
    /// Measures those that are asked for.
    pub(crate) measure: fn(&mut Bench) -> Result<(), String>,
}

/// All families, in the table's order.
pub(crate) const FAMILIES: &[Family] = &[
    produce::FAMILY,
    small::FAMILY,
    consume::FAMILY,
    tail::FAMILY,
    latency::FAMILY,
    rolls::FAMILY,
    cold::FAMILY,
    directories::FAMILY,
    old::FAMILY,
    codecs::FAMILY,
    limits::FAMILY,
    start::FAMILY,
    memory::FAMILY,
    partitions::FAMILY,
    crash::FAMILY,
];

/// The rows of works.
fn rows_of(works: &[Work]) -> Vec<Row> {
    works.iter().flat_map(Work::rows).collect()
}

/// A row that compares Ottla as it is started without settings with Kafka, at a cost.
fn cost(key: &str, what: &str, unit: &str, goal: Goal) -> Row {
    Row {
        key: key.to_owned(),
        what: what.to_owned(),
        unit: unit.to_owned(),
        better: Better::Low,
        ottla: Subject::FlushOn,
        against: Some(Subject::Kafka),
        goal,
    }
}

/// The rows of a work with and without a disturbance, for either promise: both percentiles, and how many times the
/// disturbance made of it.
fn disturbed_rows(key: &str, what: &str, percentile: &str, most: f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (ottla, flush) in [(Subject::FlushOff, "flush off"), (Subject::FlushOn, "flush on")] {
        for (figure, words, unit, goal) in [
            ("without", "without", "ms", Goal::Told),
            ("with", "with", "ms", Goal::Told),
            ("times", "times longer", "times", Goal::AtMost(most)),
        ] {
            let row = cost(&format!("{key}/{figure}"), &format!("{what}, {percentile} {words}, {flush}"), unit, goal);
            rows.push(Row { ottla, ..row });
        }
    }
    rows
}

/// Tells the figures of [`disturbed_rows`]; `path` is the percentile's in the load generator's answer.
fn tell_disturbed(bench: &mut Bench, key: &str, subject: Subject, path: &str, without: &Answer, with: &Answer) {
    match without.number(path).zip(with.number(path)) {
        Some((without, with)) => {
            bench.add(&format!("{key}/without"), subject, without);
            bench.add(&format!("{key}/with"), subject, with);
            bench.add(&format!("{key}/times"), subject, with / without.max(f64::MIN_POSITIVE));
        }
        None => bench.trouble(key, Some(subject), "the load generator does not tell it"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Row> {
        FAMILIES.iter().flat_map(|family| (family.rows)()).collect()
    }

    #[test]
    fn rows_are_told_apart_and_belong_to_their_family() {
        let ids: BTreeSet<_> = all().iter().map(Row::id).collect();
        assert_eq!(ids.len(), all().len());
        for family in FAMILIES {
            let rows = (family.rows)();
            assert!(!rows.is_empty() && rows.iter().all(|row| row.key.starts_with(&format!("{}/", family.name))));
            assert!(rows.iter().all(|row| row.key.split('/').count() == 3), "{}: FAMILY/WORK/FIGURE", family.name);
        }
    }

    #[test]
    fn words_tell_rows_apart_too() {
        let words: BTreeSet<_> = all().into_iter().map(|row| (row.what, row.unit)).collect();
        assert_eq!(words.len(), all().len());
    }

    #[test]
    fn the_table_takes_an_hour_and_a_half_at_most() {
        let minutes: f64 = FAMILIES.iter().map(|family| family.minutes).sum();
        assert!((40.0..90.0).contains(&minutes), "{minutes}");
    }
}
