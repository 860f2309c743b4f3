//! Limits at work: what is large, much or slow on a broker, how much memory that takes, and what an ordinary client beside it
//! notices. The ordinary client sends a thousand records a second and reads them.

use std::process::Command;

use super::{Family, cost};
use crate::bench::Bench;
use crate::bench::brokers::Server;
use crate::bench::load::{self, Answer};
use crate::bench::row::{Better, Goal, Row, Subject};
use crate::process::{self, Running};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "limits",
    what: "an ordinary client beside what is large, much or slow",
    minutes: 12.0,
    levelled: true,
    rows,
    measure,
};

/// What is on the broker beside the ordinary client, on a topic of its own.
struct Limit {
    key: &'static str,
    what: &'static str,
    /// What the topic is made and filled with before.
    before: &'static str,
    /// The load: words for the load generator, or `flood`, which makes so many records without a core of its own, with
    /// partitions, records a second, bytes and seconds.
    words: &'static str,
    /// Whether the load is there when it says so, and stays until its input ends. Otherwise it works as long as the
    /// ordinary client, and its whole work must succeed.
    stays: bool,
    /// Which promise of Ottla's is measured. Loads that write much are measured without flushes: they and the ordinary client
    /// share one device, and what that makes of it is the rows' of producers.
    ottla: Subject,
    /// A release whose protocol this is, if the newest Kafka does not speak it.
    against: Subject,
}

const LIMITS: [Limit; 5] = [
    Limit {
        key: "limits/many-records",
        what: "1,000,000/s of 100 B over 1,000 partitions, flush off",
        before: "produce -records 1000 -size 100 -partitions 1000 -spread -memory 100",
        words: "flood 1000 1000000 100 8",
        stays: false,
        ottla: Subject::FlushOff,
        against: Subject::Kafka,
    },
    Limit {
        key: "limits/large-records",
        what: "records of 100 MB, one a second, written and read, flush off",
        before: "produce -records 1 -partitions 1 -config max.message.bytes=104857600 -memory 100",
        words: "latency -rate 1 -size 100000000 -batch 104000000 -partitions 1 -warm 0 -seconds 8",
        stays: false,
        ottla: Subject::FlushOff,
        against: Subject::Kafka,
    },
    Limit {
        key: "limits/connections",
        what: "10,000 connections",
        before: "produce -records 1 -memory 100",
        words: "idle -connections 10000 -memory 100",
        stays: true,
        ottla: Subject::FlushOn,
        against: Subject::Kafka,
    },
    Limit {
        key: "limits/slow-readers",
        what: "100 answers of 50 MB that nobody reads",
        before: "produce -records 400000",
        words: "slow -connections 100 -bytes 50000000",
        stays: true,
        ottla: Subject::FlushOn,
        against: Subject::Kafka,
    },
    Limit {
        key: "limits/slow-old-readers",
        what: "100 answers of 50 MB to clients of 0.10 that nobody reads",
        before: "produce -records 400000",
        words: "slow -connections 100 -bytes 50000000 -protocol 0.10",
        stays: true,
        ottla: Subject::FlushOn,
        against: Subject::OldKafka,
    },
];

/// The program of `crates/bench` for many records.
const FLOOD: &str = "flood";
/// The ordinary client, for as long as the loads that do not stay: those begin while it warms up.
const ORDINARY: &str = "latency -rate 1000 -warm 2 -seconds 5 -memory 200 -reset-peak";
const PERCENTILE: &str = "end_to_end_ms/p99";
/// What requests in flight may hold, in bytes and MB, and what the rest of a broker may.
const SETTINGS: &[&str] = &["queued.max.request.bytes=268435456"];
const BOUND_MB: f64 = 268.4;
const REST_MB: f64 = 100.0;
/// How many times longer the ordinary client's p99 may become.
const MOST: f64 = 1.5;

fn rows() -> Vec<Row> {
    let of = |limit: &Limit| {
        let reached = Row {
            better: Better::High,
            ottla: limit.ottla,
            against: Some(limit.against),
            ..cost(
                &format!("{}/reached", limit.key),
                &format!("{}: what was reached", limit.what),
                "records/s",
                Goal::Told,
            )
        };
        let row = |figure: &str, words: &str, unit: &str, goal| Row {
            ottla: limit.ottla,
            against: Some(limit.against),
            ..cost(&format!("{}/{figure}", limit.key), &format!("beside {}: {words}", limit.what), unit, goal)
        };
        let mut rows = vec![
            row("without", "an ordinary client's p99 without", "ms", Goal::Told),
            row("with", "an ordinary client's p99 with", "ms", Goal::Told),
            row("times", "with for without", "times", Goal::AtMost(MOST)),
            row("peak", "most memory", "MB", Goal::AtMost(BOUND_MB + REST_MB)),
        ];
        rows.extend((!limit.stays).then_some(reached));
        rows
    };
    LIMITS.iter().flat_map(of).collect()
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    process::run(&mut process::cargo(&["build", "--quiet", "--release", "--package", "ottla-bench", "--bin", FLOOD]))?;
    for round in 1..=bench.options.rounds {
        for limit in LIMITS.iter().filter(|limit| bench.options.wants(limit.key)).collect::<Vec<_>>() {
            // Other brokers for each: the peak of one is not the next one's.
            for subject in [limit.against, limit.ottla] {
                let servers = bench.start_all(limit.key, &[subject], SETTINGS);
                for server in &servers {
                    bench.say(&format!("round {round}: {}: {}", limit.key, subject.name()));
                    if let Err(why) = one(bench, server, limit) {
                        bench.trouble(limit.key, Some(subject), &why);
                    }
                }
                bench.stop_all(limit.key, servers);
            }
        }
    }
    Ok(())
}

fn one(bench: &mut Bench, server: &Server, limit: &Limit) -> Result<(), String> {
    let (load, topic) = (bench.load.clone(), "limit");
    load.run(server, topic, limit.before)?;
    let without = load.run(server, "ordinary", ORDINARY)?;
    let (with, load) = beside(bench, server, limit, topic)?;
    if let Some((records, seconds)) = load.and_then(|load| load.number("records").zip(load.number("seconds"))) {
        bench.add(&format!("{}/reached", limit.key), server.subject, records / seconds);
    }
    let p99 = |answer: &Answer| answer.number(PERCENTILE).ok_or(format!("{PERCENTILE} is not told"));
    let peak = with.number("broker_peak_rss_mb").ok_or("the peak of memory is not told")?;
    let (without, with) = (p99(&without)?, p99(&with)?);
    let figures =
        [("without", without), ("with", with), ("times", with / without.max(f64::MIN_POSITIVE)), ("peak", peak)];
    for (figure, value) in figures {
        bench.add(&format!("{}/{figure}", limit.key), server.subject, value);
    }
    Ok(())
}

/// What makes the load on a topic of a broker.
fn command(bench: &Bench, server: &Server, limit: &Limit, topic: &str) -> Command {
    let Some(numbers) = limit.words.strip_prefix(FLOOD) else { return bench.load.command(server, topic, limit.words) };
    let mut command = Command::new(process::target().join("release").join(FLOOD));
    command.args([&server.address(), topic]).args(numbers.split_whitespace());
    command
}

/// The ordinary client while the load is there; and what the load tells of itself, if it ends by itself.
fn beside(bench: &Bench, server: &Server, limit: &Limit, topic: &str) -> Result<(Answer, Option<Answer>), String> {
    let mut command = command(bench, server, limit, topic);
    if limit.stays {
        let mut held = bench.load.hold(&mut command)?;
        let with = bench.load.run(server, "ordinary", ORDINARY)?;
        held.close_input();
        let mut said = String::new();
        let status = held.finish(load::WORK_MAX, |line| said = line)?;
        return if status.success() { Ok((with, None)) } else { Err(format!("the load did not last: {said}")) };
    }
    let mut works = Running::start(&mut command, true)?;
    let with = bench.load.run(server, "ordinary", ORDINARY)?;
    let load = load::finish(&mut works)?;
    Ok((with, Some(load)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_does_not_stay_lasts_as_long_as_the_ordinary_client() {
        let seconds = |words: &str| -> u32 {
            let words: Vec<_> = words.split_whitespace().collect();
            let of =
                |flag: &str| words.iter().position(|word| *word == flag).map_or(0, |at| words[at + 1].parse().unwrap());
            let flood = words[0] == FLOOD;
            if flood { words[4].parse().unwrap() } else { of("-warm") + of("-seconds") }
        };
        for limit in LIMITS.iter().filter(|limit| !limit.stays) {
            assert!(seconds(limit.words) > seconds(ORDINARY), "{}", limit.key);
        }
    }
}
