//! `cargo xtask kill`: kills a broker with SIGKILL under load, again and again, and counts what it had acknowledged.
//!
//! An idempotent producer with acks=all (`interop/go/load`) writes numbered records to several partitions all the while,
//! through every restart. At the end everything is read back and judged by [`verify`]. With `--moves` the broker has two log
//! directories, and the partitions are moved between them all the while.
//!
//! What it cannot see: SIGKILL leaves the page cache alone, so a broker that never syncs passes. Power loss is the
//! simulator's matter.

mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::verify::Entry;
use crate::broker::{self, Broker};
use crate::interop;
use crate::process::{Next, Running};

const TOPIC: &str = "kill-test";
/// How long the producer may go without an acknowledgement, a restart included.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// After this long without a line from the producer of a dead broker, none is on its way any more.
const QUIET: Duration = Duration::from_millis(200);
/// How long the producer's end, and reading everything back, may take each.
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
    interop::install("go")?;
    let folder = interop::scratch("kill")?;
    println!("kill: {} rounds, seed {}, data in {}", options.rounds, options.seed, folder.display());
    let mut broker = Broker::start_on(&options.binary, &log_dirs(&options, &folder), 0, &[])?;
    let outcome = test(&options, &folder, &mut broker);
    if outcome.is_err() {
        println!("== the broker's last lines\n{}", broker.log());
    }
    outcome.map_err(|why| format!("{why}; the data stays in {}", folder.display()))?;
    std::fs::remove_dir_all(&folder).map_err(|e| e.to_string())
}

/// All rounds, then the reading back, which is done too if the producer gave up: it tells more than the producer can.
fn test(options: &Options, folder: &Path, broker: &mut Broker) -> Result<(), String> {
    let mut load = Load::start(&broker.address(), options.partitions)?;
    let mover = options.moves.then(|| program("move", &broker.address(), options.partitions)).transpose()?;
    let produced = rounds(options, folder, broker, &mut load).and_then(|()| load.finish());
    let moved = mover.map_or(Ok(()), moved);
    if let Err(why) = &produced {
        println!("  {why}");
    }
    let log = dump(&broker.address(), options.partitions)?;
    let findings = verify::check(&load.acknowledged, &log);
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        println!("  {finding}");
    }
    let (acknowledged, stored) = (load.acknowledged.len(), log.len());
    println!("kill: {acknowledged} records acknowledged, {stored} in the log, {} findings", findings.len());
    produced.and(moved)?;
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
            load.next().map_err(|why| format!("round {round}: {why}"))?;
        }
        broker.kill();
        load.drain()?;
        let began = Instant::now();
        let started = Broker::start_on(&options.binary, &log_dirs(options, folder), broker.port(), &[]);
        *broker = started.map_err(|e| format!("round {round}: {e}"))?;
        let listening = began.elapsed();
        load.next().map_err(|why| format!("round {round}, after the restart: {why}"))?;
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

/// The producer, and what the broker has acknowledged to it.
struct Load {
    running: Running,
    acknowledged: Vec<Entry>,
    /// How many records the producer sent in all, once it is done.
    done: Option<usize>,
}

impl Load {
    fn start(address: &str, partitions: u32) -> Result<Self, String> {
        Ok(Self { running: program("produce", address, partitions)?, acknowledged: Vec::new(), done: None })
    }

    /// Waits for the next acknowledgement.
    fn next(&mut self) -> Result<(), String> {
        match self.running.next(SILENCE_MAX) {
            Next::Line(line) => self.take(&line),
            Next::End => Err("the producer gave up; its reason stands above".to_owned()),
            Next::Timeout => Err(format!("no acknowledgement for {} s", SILENCE_MAX.as_secs())),
        }
    }

    /// Takes what was acknowledged before a kill, so that what comes next came after it.
    fn drain(&mut self) -> Result<(), String> {
        while let Next::Line(line) = self.running.next(QUIET) {
            self.take(&line)?;
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if let Some(count) = line.strip_prefix("done ") {
            self.done = count.parse().ok();
            return Ok(());
        }
        self.acknowledged.push(Entry::read("ack", line)?);
        Ok(())
    }

    /// Lets the producer finish what it has begun, and takes the last acknowledgements.
    fn finish(&mut self) -> Result<(), String> {
        self.running.close_input();
        let mut lines = Vec::new();
        let status = self.running.finish(END_MAX, |line| lines.push(line)).map_err(|e| format!("the producer {e}"))?;
        for line in lines {
            self.take(&line)?;
        }
        if !status.success() || self.done != Some(self.acknowledged.len()) {
            let (got, sent) = (self.acknowledged.len(), self.done);
            return Err(format!("the producer ended with {status}: sent {sent:?}, acknowledged {got}"));
        }
        Ok(())
    }
}

/// Everything that stands in the topic, in the order of a consumer.
fn dump(address: &str, partitions: u32) -> Result<Vec<Entry>, String> {
    let mut running = program("dump", address, partitions)?;
    let mut entries = Vec::new();
    let status = running.finish(END_MAX, |line| entries.push(Entry::read("record", &line)))?;
    if !status.success() {
        return Err(format!("reading back ended with {status}; the reason stands above"));
    }
    entries.into_iter().collect()
}

fn program(mode: &str, address: &str, partitions: u32) -> Result<Running, String> {
    let mut command = Command::new(interop::folder().join("go/load"));
    command.args([mode, address, TOPIC, &partitions.to_string()]).stderr(Stdio::inherit());
    Running::start(&mut command, false)
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
