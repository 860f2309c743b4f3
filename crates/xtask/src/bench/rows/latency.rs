//! Open loops: records are due at a rate, whatever the broker does, and time runs from then until a reader has them.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{BOTH, CPU, LATE, Measure, P50, P99, P999, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "latency", what: "open loops at three rates", minutes: 10.0, levelled: true, rows, measure };

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

fn works(scale: f64) -> Vec<Work> {
    // Ten thousand records tell a p99.9. At 100,000/s the generator takes 150 MB of new memory a second: a collection of its
    // garbage would be the p99 of all brokers, so it has more, and stops before that is full.
    let rates =
        [(1000, "1,000", 3.0, 10.0, 1000), (20_000, "20,000", 3.0, 10.0, 1000), (100_000, "100,000", 2.0, 6.0, 2000)];
    rates
        .map(|(rate, words, warm, seconds, memory)| Work {
            key: format!("latency/{rate}"),
            what: format!("{words}/s of 1 KB"),
            words: format!(
                "latency -rate {rate} -memory {memory} -warm {} -seconds {}",
                (warm * scale).ceil(),
                (seconds * scale).ceil()
            ),
            before: String::new(),
            ottlas: BOTH,
            against: Subject::Kafka,
            measures: vec![
                Measure::told("p50", "end to end p50", P50),
                Measure::times("p99", "end to end p99", P99, 5.0, 4.0),
                Measure::times("p999", "end to end p99.9", P999, 4.0, 4.0),
                Measure { floor: Some(Goal::Told), ..Measure::times("cpu", "broker", CPU, 6.0, 6.0) },
                Measure::told("late", "of it the generator's own delay p99", LATE),
            ],
        })
        .into()
}
