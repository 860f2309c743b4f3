//! `side-by-side`: the same work on Ottla and on a reference broker, in turn, and what it cost each of them.
//!
//! The work itself is done by a load generator, a program apart whose verbs and answers `load.rs` knows. Ottla is
//! started and stopped here, once with `ottla.acks.flush=true` and once without; the reference runs already. What is
//! compared is the CPU time of the broker's process: on a machine that does other things too it holds where time does
//! not. Every figure is the median of the rounds, with its lowest and highest beside it.
//!
//! `options` says what is asked for, `works` what is done, `broker` who does it, `table` how it is told.
//! docs/benchmarks.md tells how to use it and what came of it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod broker;
mod load;
mod options;
mod table;
mod works;

use std::process::ExitCode;
use std::time::Instant;

use broker::{Broker, Ottla};
use load::Load;
use options::Options;
use table::{Better, Table};
use works::Work;

/// What went wrong, in words for the one who typed the command.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| run(&options));
    match outcome {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("side-by-side: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<Table> {
    let load = Load::new(&options.load);
    std::fs::create_dir_all(&options.directory)
        .map_err(|error| format!("{} cannot be made: {error}", options.directory.display()))?;
    let mut table = Table::new(["Ottla, flush on", "Ottla, flush off"].into_iter().chain(options.reference_name()));
    // Round 0 warms all of them (a JVM compiles then) and is not told.
    for round in 0..=options.rounds {
        one_round(options, &load, round, &mut table)?;
    }
    if let (Some(reference), Some(command)) = (&options.reference, &options.reference_start) {
        let seconds = reference.restart(command, &load)?;
        table.add("start to first acknowledged record", "s", Better::Low, 2, seconds);
    }
    Ok(table)
}

/// Every work on every broker. Ottla starts with an empty directory and loses it at the end.
fn one_round(options: &Options, load: &Load, round: usize, table: &mut Table) -> Outcome<()> {
    let flushes = [true, false];
    let mut ottlas = Vec::new();
    for flush in flushes {
        ottlas.push(Ottla::start(&options.ottla, &options.directory.join(format!("ottla-{flush}")), flush)?);
    }
    let mut brokers: Vec<Broker> = ottlas.iter().map(Ottla::broker).collect();
    brokers.extend(options.reference.clone());
    let idle: Vec<f64> = brokers.iter().map(Broker::resident_mb).collect::<Outcome<_>>()?;
    if round == 1 {
        // Of the reference it is what the warming round left: it is not started anew.
        idle.iter()
            .take(ottlas.len())
            .enumerate()
            .for_each(|(at, mb)| table.add("idle, no topic yet", "MB resident", Better::Low, at, *mb));
    }
    for work in Work::all(options.megabytes) {
        for turn in 0..brokers.len() {
            // Another one begins in each round: who comes first finds the disk as the work before left it.
            let at = (turn + round) % brokers.len();
            eprintln!("round {round}: {}: {}", work.name, table.column(at));
            load.touch(&options.directory, options.touch_megabytes)?;
            let cost = load.run(&work, &brokers[at], &options.topic(&work, round))?;
            if round > 0 {
                work.tell(table, at, &cost);
            }
        }
    }
    for (at, broker) in brokers.iter().enumerate().filter(|_| round > 0) {
        table.add("after the load", "MB resident", Better::Low, at, broker.resident_mb()?);
    }
    for (at, ottla) in ottlas.into_iter().enumerate() {
        let again = ottla.stop()?;
        let begin = Instant::now();
        let ottla = again.start()?;
        load.first_ack(&ottla.broker(), &options.topic(&Work::all(options.megabytes)[0], round))?;
        if round > 0 {
            table.add("start to first acknowledged record", "s", Better::Low, at, begin.elapsed().as_secs_f64());
        }
        ottla.stop()?.remove()?;
    }
    Ok(())
}
