//! Clients of Kafka 0.10, for whom batches are converted on their way in and out. Beside Kafka 3.9.1, the last that does.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Row, Subject};
use crate::bench::works::{CPU, Measure, OFF, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "old", what: "clients of Kafka 0.10", minutes: 3.0, levelled: true, rows, measure };

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

fn works(scale: f64) -> Vec<Work> {
    let records = (1e6 * scale).ceil();
    let work = |name: &str, what: &str, words: String, before: String| Work {
        key: format!("old/{name}"),
        what: format!("client of Kafka 0.10, {what}"),
        words,
        before,
        ottlas: OFF,
        against: Subject::OldKafka,
        measures: vec![Measure::times("cpu", "", CPU, 4.0, 4.0)],
    };
    vec![
        work("produce", "produce", format!("produce -records {records} -protocol 0.10"), String::new()),
        work(
            "fetch",
            "fetch",
            format!("consume -records {records} -protocol 0.10"),
            format!("produce -records {records}"),
        ),
    ]
}
