//! Resident memory: of a broker that has done nothing, after ten gigabytes, and with ten thousand connections.

use std::process::Command;
use std::time::Duration;

use super::{Family, cost};
use crate::bench::Bench;
use crate::bench::brokers::Server;
use crate::bench::machine::resident_mb;
use crate::bench::row::{Goal, Row, Subject};
use crate::connections::let_pass;
use crate::process::Running;

/// The family.
pub(super) const FAMILY: Family =
    Family { name: "memory", what: "resident memory", minutes: 4.0, levelled: false, rows, measure };

const IDLE: &str = "memory/idle/resident";
const AFTER: &str = "memory/10-gb/resident";
const CONNECTIONS: &str = "memory/10000-connections/resident";
/// What is freed is given back in this time.
const REST: Duration = Duration::from_secs(3);
/// Ten gigabytes, of which the disk holds little.
const RECORDS: f64 = 1e7;
const SHORT: &str = "-config retention.bytes=200000000 -config segment.bytes=100000000";
const SETTINGS: &[&str] = &["log.retention.check.interval.ms=1000"];

fn rows() -> Vec<Row> {
    vec![
        cost(IDLE, "memory, idle", "MB", Goal::AtMost(15.0)),
        cost(AFTER, "memory after 10 GB", "MB", Goal::AtMost(100.0)),
        cost(CONNECTIONS, "memory with 10,000 connections", "MB", Goal::Times(5.0)),
    ]
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    for round in 1..=bench.options.rounds {
        let servers = bench.start_all("memory", &[Subject::Kafka, Subject::FlushOn], SETTINGS);
        for server in &servers {
            bench.say(&format!("round {round}: memory: {}", server.subject.name()));
            if let Err(why) = one(bench, server) {
                bench.trouble("memory", Some(server.subject), &why);
            }
        }
        bench.stop_all("memory", servers);
    }
    Ok(())
}

/// In this order: what ten gigabytes leave behind is not the connections'.
fn one(bench: &mut Bench, server: &Server) -> Result<(), String> {
    let subject = server.subject;
    let_pass(REST);
    bench.add(IDLE, subject, resident_mb(server.id())?);
    let load = bench.load.clone();
    if bench.options.wants("memory/10000-connections") {
        let held = connected(bench, server, bench.scaled(10_000.0))?;
        let_pass(REST);
        bench.add(CONNECTIONS, subject, resident_mb(server.id())?);
        drop(held);
    }
    if bench.options.wants("memory/10-gb") {
        load.run(server, "ten", &format!("produce -records {} {SHORT}", bench.scaled(RECORDS)))?;
        let_pass(REST);
        bench.add(AFTER, subject, resident_mb(server.id())?);
    }
    Ok(())
}

/// Connections that have asked what clients ask first, until they are dropped.
pub(super) fn connected(bench: &Bench, server: &Server, count: u64) -> Result<Running, String> {
    let mut command: Command = bench.load.command(server, "idle", &format!("idle -connections {count} -memory 1"));
    bench.load.hold(&mut command)
}
