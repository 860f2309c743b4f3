//! From the command that starts a broker to the first record that it acknowledges, on a directory that it has formatted.

use super::{Family, cost};
use crate::bench::Bench;
use crate::bench::row::{Goal, Row, Subject};

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "start", what: "start to first acknowledgement", minutes: 1.0, levelled: false, rows, measure };

const KEY: &str = "start/first/ack";

fn rows() -> Vec<Row> {
    vec![cost(KEY, "start to first acknowledgement", "s", Goal::AtMost(0.03))]
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let load = bench.load.clone();
    let mut servers = bench.start_all(KEY, &[Subject::Kafka, Subject::FlushOn], &[]);
    for server in &mut servers {
        server.prepare_first(&load)?;
        server.stop()?;
    }
    for round in 1..=bench.options.rounds {
        for server in &mut servers {
            bench.say(&format!("round {round}: start: {}", server.subject.name()));
            match server.first_ack(&load).and_then(|seconds| server.stop().map(|()| seconds)) {
                Ok(seconds) => bench.add(KEY, server.subject, seconds),
                Err(why) => bench.trouble(KEY, Some(server.subject), &why),
            }
        }
    }
    servers.iter().for_each(|server| server.remove());
    Ok(())
}
