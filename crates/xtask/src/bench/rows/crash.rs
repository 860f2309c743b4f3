//! kill -9 with ten gigabytes in six partitions, and how soon a record is acknowledged again.

use super::{Family, cost};
use crate::bench::Bench;
use crate::bench::brokers::Server;
use crate::bench::row::{Goal, Row, Subject};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "crash", what: "kill -9 with ten gigabytes", minutes: 4.0, levelled: false, rows, measure };

const KEY: &str = "crash/10-gb/ack";
/// Ten gigabytes in records of 1 KB.
const RECORDS: f64 = 1e7;

fn rows() -> Vec<Row> {
    vec![cost(KEY, "restart with 10 GB after kill -9", "s", Goal::AtMost(0.5))]
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    for round in 1..=bench.options.rounds {
        for subject in [Subject::Kafka, Subject::FlushOn] {
            // A directory of its own each time: what was recovered once is not recovered again.
            for mut server in bench.start_all(KEY, &[subject], &[]) {
                bench.say(&format!("round {round}: crash: {}", subject.name()));
                match one(bench, &mut server) {
                    Ok(seconds) => bench.add(KEY, subject, seconds),
                    Err(why) => bench.trouble(KEY, Some(subject), &why),
                }
                server.kill();
                server.remove();
            }
        }
    }
    Ok(())
}

fn one(bench: &Bench, server: &mut Server) -> Result<f64, String> {
    server.prepare_first(&bench.load)?;
    bench.load.run(server, "ten", &format!("produce -records {}", bench.scaled(RECORDS)))?;
    server.kill();
    server.first_ack(&bench.load)
}
