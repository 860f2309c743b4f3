//! A broker with ten thousand partitions: its memory, its processor at rest with a thousand connections, and how soon it
//! serves again after a clean stop and after kill -9.

use std::time::Duration;

use super::memory::connected;
use super::{Family, cost};
use crate::bench::Bench;
use crate::bench::brokers::Server;
use crate::bench::machine::{cpu_seconds, resident_mb};
use crate::bench::row::{Goal, Row, Subject};
use crate::connections::let_pass;

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "partitions", what: "ten thousand partitions", minutes: 8.0, levelled: false, rows, measure };

const MEMORY: &str = "partitions/memory/resident";
const IDLE: &str = "partitions/idle/cpu";
const CLEAN: &str = "partitions/clean/ack";
const KILLED: &str = "partitions/killed/ack";
/// Partitions in all, and the topics that they are in.
const PARTITIONS: f64 = 10_000.0;
const TOPICS: u64 = 10;
/// So many connections do nothing while nothing is measured but what a broker does by itself.
const CONNECTIONS: u64 = 1000;
/// What goes before comes to rest, and then this long is measured.
const REST: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(20);

fn rows() -> Vec<Row> {
    vec![
        cost(MEMORY, "memory with 10,000 partitions", "MB", Goal::AtMost(70.0)),
        cost(IDLE, "at rest with 10,000 partitions, 1,000 connections", "% of a core", Goal::Times(20.0)),
        cost(CLEAN, "restart with 10,000 partitions, clean", "s", Goal::AtMost(0.5)),
        cost(KILLED, "restart with 10,000 partitions after kill -9", "s", Goal::AtMost(1.5)),
    ]
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    // One after the other: what one does with its files is not the other's to wait for.
    for subject in [Subject::Kafka, Subject::FlushOn] {
        for mut server in bench.start_all("partitions", &[subject], &[]) {
            if let Err(why) = all(bench, &mut server) {
                bench.trouble("partitions", Some(subject), &why);
            }
            server.kill();
            server.remove();
        }
    }
    Ok(())
}

fn all(bench: &mut Bench, server: &mut Server) -> Result<(), String> {
    let (load, subject) = (bench.load.clone(), server.subject);
    bench.say(&format!("partitions: {} makes them", subject.name()));
    server.prepare_first(&load)?;
    fill(bench, server)?;
    at_rest(bench, server)?;
    for round in 1..=bench.options.rounds {
        if bench.options.wants("partitions/clean") {
            bench.say(&format!("round {round}: partitions: {} stops", subject.name()));
            server.stop()?;
            let seconds = server.first_ack(&load)?;
            bench.add(CLEAN, subject, seconds);
        }
        if bench.options.wants("partitions/killed") {
            bench.say(&format!("round {round}: partitions: {} is killed", subject.name()));
            fill(bench, server)?;
            server.kill();
            let seconds = server.first_ack(&load)?;
            bench.add(KILLED, subject, seconds);
        }
    }
    Ok(())
}

/// Makes the partitions if they are not there, and writes two records into each.
fn fill(bench: &Bench, server: &Server) -> Result<(), String> {
    let partitions = bench.scaled(PARTITIONS).div_ceil(TOPICS);
    for topic in 0..TOPICS {
        let words = format!(
            "produce -partitions {partitions} -spread -records {} -size 100 -linger 100ms -memory 50",
            partitions * 2
        );
        bench.load.run(server, &format!("many-{topic}"), &words)?;
    }
    Ok(())
}

fn at_rest(bench: &mut Bench, server: &Server) -> Result<(), String> {
    let held = connected(bench, server, CONNECTIONS)?;
    let_pass(REST);
    bench.add(MEMORY, server.subject, resident_mb(server.id())?);
    for _ in 0..bench.options.rounds {
        let before = cpu_seconds(server.id())?;
        let_pass(MEASURED);
        let share = (cpu_seconds(server.id())? - before) / MEASURED.as_secs_f64() * 100.0;
        bench.add(IDLE, server.subject, share);
    }
    drop(held);
    Ok(())
}
