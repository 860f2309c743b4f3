//! Reading what was just written, by one reader with big fetches.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{CPU, MACHINE, Measure, OFF, SPEED, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "consume", what: "reading what is hot", minutes: 2.0, levelled: true, rows, measure };

/// What it may cost beside a bare sendfile.
const FLOOR: Goal = Goal::Times(1.0 / 1.1);

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

fn works(scale: f64) -> Vec<Work> {
    let records = (2e6 * scale).ceil();
    vec![Work {
        key: "consume/hot".to_owned(),
        what: "consume 1 KB, hot".to_owned(),
        words: format!("consume -records {records}"),
        before: format!("produce -records {records}"),
        ottlas: OFF,
        against: Subject::Kafka,
        measures: vec![
            Measure { floor: Some(FLOOR), ..Measure::times("cpu", "broker", CPU, 1.0, 1.0) },
            Measure { floor: Some(FLOOR), ..Measure::times("machine", "machine", MACHINE, 1.0, 1.0) },
            Measure::told("speed", "speed", SPEED),
        ],
    }]
}
