//! Producing in batches, as fast as the broker takes them: sizes, codecs, acks, many partitions, many producers.

use super::{Family, rows_of};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};
use crate::bench::works::{BOTH, CPU, MACHINE, Measure, OFF, SPEED, Work, alternate};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "produce", what: "producing in batches", minutes: 12.0, levelled: true, rows, measure };

fn rows() -> Vec<Row> {
    rows_of(&works(1.0))
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let works = works(bench.options.scale);
    alternate(bench, &works, &[])
}

/// What a row of this family may cost beside the bare loop that receives and writes.
const FLOOR: Goal = Goal::Times(1.0 / 1.4);

fn works(scale: f64) -> Vec<Work> {
    let records = |count: f64| format!("-records {}", (count * scale).ceil());
    let work = |name: &str, what: &str, words: String, ottlas, measures| Work {
        key: format!("produce/{name}"),
        what: format!("produce {what}"),
        words: format!("produce {words}"),
        before: String::new(),
        ottlas,
        against: Subject::Kafka,
        measures,
    };
    let cpu = |times| vec![Measure::times("cpu", "", CPU, times, times)];
    vec![
        work(
            "1k",
            "1 KB",
            records(1.5e6),
            BOTH,
            vec![
                Measure { floor: Some(FLOOR), ..Measure::times("cpu", "broker", CPU, 5.0, 3.0) },
                Measure { floor: Some(FLOOR), ..Measure::times("machine", "machine", MACHINE, 5.0, 3.0) },
                Measure::told("speed", "speed", SPEED),
            ],
        ),
        work(
            "100",
            "100 B",
            records(5e6) + " -size 100",
            BOTH,
            vec![
                Measure::times("cpu", "broker", CPU, 5.0, 5.0),
                Measure::times("machine", "machine", MACHINE, 5.0, 5.0),
                Measure::told("speed", "speed", SPEED),
            ],
        ),
        work("lz4", "1 KB, lz4", records(5e5) + " -codec lz4", OFF, cpu(3.0)),
        work("zstd", "1 KB, zstd", records(5e5) + " -codec zstd", OFF, cpu(3.0)),
        work("acks-1", "1 KB, acks=1", records(1e6) + " -acks 1", OFF, cpu(4.0)),
        Work {
            // Making them, which Kafka does after it has answered, is not this row's; nor are the first records of each,
            // which cost Kafka ten times as much CPU as all that follows.
            before: "produce -records 50000 -partitions 1000 -spread -memory 50".to_owned(),
            ..work(
                "1000-partitions",
                "1 KB over 1,000 partitions, record by record",
                records(5e5) + " -partitions 1000 -spread",
                BOTH,
                cpu(4.0),
            )
        },
        work("100-producers", "1 KB by 100 producers", records(1e6) + " -producers 100", BOTH, cpu(4.0)),
    ]
}
