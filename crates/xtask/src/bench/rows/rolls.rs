//! An open loop while segments roll several times a second, old ones are deleted, and a compacted topic beside it is
//! cleaned: beside the same loop left alone.

use std::process::Command;

use super::{Family, disturbed_rows, tell_disturbed};
use crate::bench::Bench;
use crate::bench::beside::beside;
use crate::bench::brokers::Server;
use crate::bench::load::Answer;
use crate::bench::row::{Row, Subject};
use crate::process::{self, cargo};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "rolls",
    what: "an open loop across rolls, deletions and cleaning",
    minutes: 7.0,
    levelled: true,
    rows,
    measure,
};

const KEY: &str = "rolls/p99";
const KEY_999: &str = "rolls/p999";
const WHAT: &str = "20,000/s, rolls and cleaning";
/// No worse; a tenth is less than two runs of the same differ by.
const MOST: f64 = 1.1;
/// Brokers look after deletions and cleaning all the time.
const SETTINGS: &[&str] = &["log.retention.check.interval.ms=1000", "log.cleaner.backoff.ms=100"];
/// A partition rolls every second or so, and keeps two segments.
const CONFIG: &str = "-config segment.bytes=4194304 -config retention.bytes=8388608";
/// The topic that `at-scale clean` fills and has cleaned, and how many records of 1 KB that are.
const CLEANED: &str = "cleaning-at-scale";
const CLEANED_RECORDS: f64 = 1.5e6;

fn rows() -> Vec<Row> {
    [disturbed_rows(KEY, WHAT, "p99", MOST), disturbed_rows(KEY_999, WHAT, "p99.9", MOST)].concat()
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    process::run(&mut cargo(&["build", "--quiet", "--release", "--package", "ottla-bench", "--bin", "at-scale"]))?;
    let servers = bench.start_all("rolls", &[Subject::Kafka, Subject::FlushOff, Subject::FlushOn], SETTINGS);
    for round in 0..=bench.options.rounds {
        for server in servers.iter().filter(|server| round > 0 || server.subject.is_kafka()) {
            bench.say(&format!("round {round}: rolls: {}", server.subject.name()));
            match one(bench, server, round) {
                Ok((without, with)) if round > 0 => {
                    tell_disturbed(bench, KEY, server.subject, "end_to_end_ms/p99", &without, &with);
                    tell_disturbed(bench, KEY_999, server.subject, "end_to_end_ms/p999", &without, &with);
                }
                Ok(_) => {}
                Err(why) => bench.trouble("rolls", Some(server.subject), &why),
            }
        }
    }
    bench.stop_all("rolls", servers);
    Ok(())
}

fn one(bench: &Bench, server: &Server, round: u32) -> Result<(Answer, Answer), String> {
    let words = format!("latency -rate 20000 -warm {} -seconds {}", bench.scaled(3.0), bench.scaled(10.0));
    let (plain, rolling) = (format!("plain-{round}"), format!("rolling-{round}"));
    bench.fill();
    let without = bench.load.run(server, &plain, &words)?;
    bench.forget(server, &plain)?;
    bench.fill();
    let measured = bench.load.start(server, &rolling, &format!("{words} {CONFIG}"))?;
    // It fills the log while the loop warms up, and has it cleaned while the loop is measured.
    let clean = |turn| {
        let mut command = Command::new(process::target().join("release/at-scale"));
        command.args(["clean", &server.address(), &server.id().to_string()]);
        command.arg(bench.scaled(CLEANED_RECORDS).to_string());
        Ok((turn == 0).then_some(command))
    };
    let with = beside(measured, clean);
    bench.forget(server, &rolling)?;
    bench.forget(server, CLEANED)?;
    Ok((without, with?))
}
