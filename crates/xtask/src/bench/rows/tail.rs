//! Many readers at the tail: what each record costs when fifty wait for it.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{CPU, Measure, OFF, P99, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "tail", what: "50 readers at the tail", minutes: 3.0, levelled: true, rows, measure };

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

fn works(scale: f64) -> Vec<Work> {
    // Records of 1 KB would be a gigabyte a second, which the readers would take the machine for.
    let (warm, seconds) = ((3.0 * scale).ceil(), (8.0 * scale).ceil());
    vec![Work {
        key: "tail/50".to_owned(),
        what: "50 readers at the tail, 20,000/s of 100 B".to_owned(),
        words: format!("latency -rate 20000 -size 100 -readers 50 -linger 5ms -warm {warm} -seconds {seconds}"),
        before: String::new(),
        ottlas: OFF,
        against: Subject::Kafka,
        measures: vec![
            Measure { floor: Some(Goal::Told), ..Measure::times("cpu", "broker", CPU, 4.0, 4.0) },
            Measure::told("p99", "end to end p99", P99),
        ],
    }]
}
