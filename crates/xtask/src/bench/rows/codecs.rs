//! A topic with another codec than its producer's: beside Kafka, and beside what the codecs themselves take.
//!
//! The latter is measured by `codec-time` (crates/bench) on records like those of the load generator.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{CPU, Measure, OFF, Work, alternate};
use crate::process::{self, cargo};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "codecs",
    what: "a topic with another codec than its producer's",
    minutes: 2.0,
    levelled: true,
    rows,
    measure,
};

/// How much more than the codecs' own time it may take.
const OWN: Goal = Goal::Times(1.0 / 1.2);

fn rows() -> Vec<Row> {
    let mut rows = rows_of(&works(1.0));
    let own = |row: &Row| Row {
        what: format!("{}, beside the codecs alone", row.what),
        against: Some(Subject::Codec),
        goal: OWN,
        ..row.clone()
    };
    rows.extend(rows.iter().map(own).collect::<Vec<_>>());
    rows
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])?;
    process::run(&mut cargo(&["build", "--quiet", "--release", "--package", "ottla-bench", "--bin", "codec-time"]))?;
    let program = process::target().join("release/codec-time");
    for work in &works {
        for _ in 0..bench.options.rounds {
            let told = process::output(std::process::Command::new(&program).args(["lz4", "zstd"]))?;
            let figure = told.trim().parse().map_err(|_| format!("codec-time told \"{told}\""))?;
            bench.add(&format!("{}/cpu", work.key), Subject::Codec, figure);
        }
    }
    Ok(())
}

fn works(scale: f64) -> Vec<Work> {
    vec![Work {
        key: "codecs/lz4-zstd".to_owned(),
        what: "produce 1 KB, lz4 to a topic of zstd".to_owned(),
        words: format!("produce -records {} -codec lz4 -config compression.type=zstd", (1e6 * scale).ceil()),
        before: String::new(),
        ottlas: OFF,
        against: Subject::Kafka,
        measures: vec![Measure::told("cpu", "", CPU)],
    }]
}
