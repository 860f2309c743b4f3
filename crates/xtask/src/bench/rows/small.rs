//! Producing one record a request: what a request costs, and what a flush does.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{BOTH, Measure, RECORDS, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "small", what: "producing one record a request", minutes: 3.0, levelled: true, rows, measure };

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

fn works(scale: f64) -> Vec<Work> {
    // No linger and no room for a second record in a batch. One partition, for a request takes a batch of each.
    let work = |name: &str, what: &str, count: f64, producers: u32, on| Work {
        key: format!("small/{name}"),
        what: format!("one record of 1 KB a request, {what}"),
        words: format!(
            "produce -records {} -partitions 1 -linger 0s -batch 1200 -producers {producers}",
            (count * scale).ceil()
        ),
        before: String::new(),
        ottlas: BOTH,
        against: Subject::Kafka,
        measures: vec![Measure { on, floor: Some(Goal::Told), ..Measure::times("records", "", RECORDS, 4.0, 4.0) }],
    };
    vec![
        work("1", "1 connection", 6e4, 1, Goal::Times(1.0)),
        work("100", "100 connections", 2e5, 100, Goal::Times(4.0)),
    ]
}
