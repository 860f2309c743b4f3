//! `cargo xtask kill`: kills a broker with SIGKILL under load, again and again, and counts what it had acknowledged.
//!
//! An idempotent producer with acks=all (`interop/go/load`) writes numbered records to several partitions all the while,
//! through every restart. At the end everything is read back and judged (`load`). With `--moves` the broker has two log
//! directories, and the partitions are moved between them all the while. Beside it other producers write to topics of their
//! own ([`beside`]).
//!
//! What it cannot see: SIGKILL leaves the page cache alone, so a broker that never syncs passes. Power loss is the
//! simulator's matter.

mod beside;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::interop;
use crate::load::{self, Load};
use crate::process::Running;

const TOPIC: &str = "kill-test";
/// How long the mover's end may take.
const END_MAX: Duration = Duration::from_secs(180);
/// Findings that are printed; the rest is only counted.
const FINDINGS_SHOWN: usize = 20;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    /// How often the broker is killed.
    rounds: u32,
    /// Records acknowledged between two kills, on average.
    records: u64,
    /// Partitions of the topic.
    partitions: u32,
    /// What the moments of the kills are drawn from.
    seed: u64,
    /// Whether the partitions are moved between two log directories.
    moves: bool,
    /// The broker.
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let seed = u64::from(std::process::id()) + 1;
    let binary = broker::release_binary();
    let mut options = Options { rounds: 20, records: 20_000, partitions: 6, seed, moves: false, binary };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--records" => options.records = number(value()?)?,
            "--partitions" => options.partitions = number(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--moves" => options.moves = true,
            "--binary" => options.binary = value()?.into(),
            rounds => options.rounds = number(rounds)?,
        }
    }
    Ok(options)
}

/// A number from 1 on.
fn number<T: std::str::FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    text.parse().ok().filter(|n| *n != T::default()).ok_or(format!("\"{text}\" is not a number from 1 on"))
}

/// Kills, restarts, counts; an error if anything that was acknowledged is not as it was.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    load::install()?;
    let folder = interop::scratch("kill")?;
    println!("kill: {} rounds, seed {}, data in {}", options.rounds, options.seed, folder.display());
    let mut broker = Broker::start_on(&options.binary, &log_dirs(&options, &folder), 0, beside::SETTINGS)?;
    let outcome = test(&options, &folder, &mut broker);
    if outcome.is_err() {
        println!("== the broker's last lines\n{}", broker.log());
    }
    outcome.map_err(|why| format!("{why}; the data stays in {}", folder.display()))?;
    std::fs::remove_dir_all(&folder).map_err(|e| e.to_string())
}

/// All rounds, then the reading back, which is done too if the producer gave up: it tells more than the producer can.
fn test(options: &Options, folder: &Path, broker: &mut Broker) -> Result<(), String> {
    let mut load = Load::start(&broker.address(), TOPIC, options.partitions, &[])?;
    let mut others = beside::start(&broker.address())?;
    let mover =
        options.moves.then(|| load::program("move", &broker.address(), TOPIC, options.partitions)).transpose()?;
    let produced = rounds(options, folder, broker, &mut load).and_then(|()| load.finish());
    let moved = mover.map_or(Ok(()), moved);
    if let Err(why) = &produced {
        println!("  {why}");
    }
    let beside = others.iter_mut().map(beside::Beside::finish).collect::<Result<Vec<()>, String>>();
    // Once more in order, so that a clean stop is part of it; and nothing leaves any more while it is counted.
    broker.stop()?;
    *broker = Broker::start_on(&options.binary, &log_dirs(options, folder), broker.port(), &[])?;
    let log = load::dump(&broker.address(), TOPIC, options.partitions)?;
    let mut findings: Vec<String> = log.judge(&load.acknowledged).iter().map(ToString::to_string).collect();
    println!("kill: {} records acknowledged, {} in the log", load.acknowledged.len(), log.entries.len());
    for other in &others {
        findings.extend(other.judge(&broker.address())?);
    }
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        println!("  {finding}");
    }
    println!("kill: {} findings", findings.len());
    produced.and(moved).and(beside)?;
    broker.stop()?;
    if findings.is_empty() { Ok(()) } else { Err(format!("{} findings", findings.len())) }
}

/// Kills and restarts the broker as often as asked for.
fn rounds(options: &Options, folder: &Path, broker: &mut Broker, load: &mut Load) -> Result<(), String> {
    let mut draw = options.seed;
    println!("  round  acknowledged  listening after  first acknowledgement after");
    for round in 1..=options.rounds {
        let wanted = load.acknowledged.len() as u64 + options.records / 2 + next(&mut draw) % options.records;
        while (load.acknowledged.len() as u64) < wanted {
            load.next(load::SILENCE_MAX).map_err(|why| format!("round {round}: {why}"))?;
        }
        broker.kill();
        load.drain(load::SILENCE_MAX)?;
        let began = Instant::now();
        let started = Broker::start_on(&options.binary, &log_dirs(options, folder), broker.port(), beside::SETTINGS);
        *broker = started.map_err(|e| format!("round {round}: {e}"))?;
        let listening = began.elapsed();
        load.next(load::SILENCE_MAX).map_err(|why| format!("round {round}, after the restart: {why}"))?;
        let (count, first) = (load.acknowledged.len(), began.elapsed());
        println!("  {round:>5}  {count:>12}  {:>12} ms  {:>24} ms", listening.as_millis(), first.as_millis());
    }
    Ok(())
}

/// Where the broker keeps its data.
fn log_dirs(options: &Options, folder: &Path) -> Vec<PathBuf> {
    if options.moves { vec![folder.join("a"), folder.join("b")] } else { vec![folder.to_owned()] }
}

/// Ends the mover; an error if it moved nothing.
fn moved(mut mover: Running) -> Result<(), String> {
    mover.close_input();
    let mut count = 0;
    let status = mover.finish(END_MAX, |line| {
        count = line.strip_prefix("moved ").and_then(|count| count.parse().ok()).unwrap_or(count);
    })?;
    println!("kill: {count} moves between directories");
    if status.success() && count > 0_u64 {
        Ok(())
    } else {
        Err(format!("{count} moves; the mover ended with {status}"))
    }
}

/// The next of a row of numbers that only the seed decides (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_rounds_and_options_and_refuses_zero() {
        let parse = |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("3 --records 10 --seed 7").expect("legal");
        assert_eq!((options.rounds, options.records, options.seed), (3, 10, 7));
        for bad in ["0", "x", "--seed 0", "--records"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_seed_draws_one_row() {
        let row = |mut seed: u64| [next(&mut seed), next(&mut seed), next(&mut seed)];
        assert_eq!(row(5), row(5));
        assert_ne!(row(5), row(6));
    }
}
