//! `cargo xtask moving`: data made by a real Kafka, taken over by Ottla, and exported to a real Kafka again.
//!
//! Each way begins with an empty broker that is filled (`interop/java/Moving.java`), and ends on Kafka 4.3.1. At every
//! station what the broker holds is told line by line and compared with what the one before told; then records are
//! added. `told` compares, `kafka` runs the real one. What a move promises is in docs/moving.md.

mod told;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::interop;
use crate::kafka::{self, Kafka};
use crate::process::{self, Running};
use told::Told;

/// Where data may come from: a release of Kafka, or Ottla itself.
const SOURCES: [&str; 3] = ["3.9.1", "4.3.1", OTTLA];
const OTTLA: &str = "ottla";
/// The release that every way ends on, and whose clients fill and tell.
const LAST: &str = "4.3.1";
/// The release that is the last to take what `OLD` sends.
const SERVES_OLD: &str = "3.9.1";
/// The release whose client sends messages of magic 1.
const OLD: &str = "0.10.0.1";
/// What a Kafka is told beside its addresses: a small log of transactions, and compaction that does not wait.
const KAFKAS: &[&str] = &[
    "transaction.state.log.num.partitions=2",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "log.cleaner.backoff.ms=200",
];
/// How long filling, telling or adding may take.
const STEP_MAX: Duration = Duration::from_secs(120);
/// Records that `Moving add` gives each partition.
const ADDED: usize = 20;

/// What the command line asks for.
struct Options {
    sources: Vec<&'static str>,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { sources: Vec::new(), binary: broker::release_binary() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match (argument.as_str(), SOURCES.iter().find(|source| *source == argument)) {
            ("--binary", _) => options.binary = rest.next().ok_or("--binary needs a value")?.into(),
            (_, Some(source)) => options.sources.push(source),
            (other, None) => return Err(format!("no way from {other}; there are {}", SOURCES.join(", "))),
        }
    }
    if options.sources.is_empty() {
        options.sources.extend(SOURCES);
    }
    Ok(options)
}

/// Goes the ways that were asked for, or all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    interop::install(&format!("java-{LAST}"))?;
    interop::install(&format!("java-{OLD}"))?;
    interop::install(&format!("tools-{LAST}"))?;
    let scratch = interop::scratch("moving")?;
    for source in &options.sources {
        let began = Instant::now();
        println!("== from {source}");
        let folder = scratch.join(source);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        way(source, &options.binary, &folder).map_err(|why| format!("from {source}: {why}"))?;
        println!("  passed in {:.1} s", began.elapsed().as_secs_f32());
    }
    std::fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))
}

/// One way: the source is filled, Ottla takes over or goes on, Kafka starts on the export.
fn way(source: &str, binary: &Path, folder: &Path) -> Result<(), String> {
    let ottla = log_dirs(source, folder, "ottla");
    let told = if source == OTTLA {
        let mut broker = Broker::start_on(binary, &ottla, 0, &[])?;
        let told = fill(&broker.address(), true).and_then(|()| tell(&broker.address()));
        end_broker(&mut broker, told)?
    } else {
        interop::install(&format!("tools-{source}"))?;
        from_kafka(source, binary, folder, &ottla)?
    };

    let settings = export(binary, &ottla, &folder.join("export"))?;
    let mut kafka = Kafka::start(LAST, &settings)?;
    let after = station(&kafka.address(), &told);
    let counts = end_kafka(&mut kafka, after)?.counts();
    println!("  Kafka {LAST} serves what was exported, and takes more: records={}", counts.records);
    Ok(())
}

/// The log directories on a way: one where it begins with the oldest Kafka, two on the others.
fn log_dirs(source: &str, folder: &Path, name: &str) -> Vec<PathBuf> {
    let numbers = if source == SERVES_OLD { 1..=1 } else { 1..=2 };
    numbers.map(|number| folder.join(format!("{name}-{number}"))).collect()
}

/// A Kafka is filled, and Ottla takes over a copy of its directories; what Ottla holds in the end.
fn from_kafka(release: &str, binary: &Path, folder: &Path, ottla: &[PathBuf]) -> Result<Told, String> {
    let data = log_dirs(release, folder, "kafka");
    let settings = kafka::format(release, &data, KAFKAS)?;
    let mut kafka = Kafka::start(release, &settings)?;
    let address = kafka.address();
    let filled = fill(&address, release == SERVES_OLD).and_then(|()| moving("fill-kafka", &address));
    let filled = filled.and_then(|_| tell(&address));
    let filled = end_kafka(&mut kafka, filled)?;
    for (from, to) in data.iter().zip(ottla) {
        process::run(Command::new("cp").arg("-r").arg(from).arg(to))?;
    }

    // Kafka's own file, as a user would have it.
    let settings = settings.display().to_string();
    let mut broker = Broker::start_on(binary, ottla, 0, &["--config", &settings])?;
    let log = broker.log();
    let counts = filled.counts();
    let found = format!("topics={} partitions={} settings={}", counts.topics, counts.partitions, counts.settings);
    let told = match log.lines().find(|line| line.contains("taken over from a Kafka")) {
        Some(line) if line.contains(&found) => station(&broker.address(), &filled),
        _ => Err(format!("the broker does not say that it took over {found}")),
    };
    let told = end_broker(&mut broker, told)?;
    println!("  Ottla took over {found} records={}, and takes more", counts.records);
    Ok(told)
}

/// Fills a broker with what any can take; with message sets of magic 1 only if it still serves those.
fn fill(address: &str, old: bool) -> Result<(), String> {
    if old {
        java(OLD, &["Moving010", address])?;
    }
    moving("fill", address).map(|_| ())
}

/// What a broker holds.
fn tell(address: &str) -> Result<Told, String> {
    moving("tell", address).map(Told)
}

/// Holds that a broker has what was told before, that it takes more, and that it has both then; what it holds then.
fn station(address: &str, before: &Told) -> Result<Told, String> {
    let arrived = tell(address)?;
    before.is_same(&arrived)?;
    moving("add", address)?;
    let grown = tell(address)?;
    arrived.has_grown(&grown, ADDED)?;
    Ok(grown)
}

/// Exports Ottla's directories; the file with the settings for Kafka that the command told.
fn export(binary: &Path, from: &[PathBuf], into: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new(binary);
    let from: Vec<_> = from.iter().map(|path| path.display().to_string()).collect();
    command.arg("export").arg(into).arg(format!("log.dirs={}", from.join(",")));
    let told = process::output(&mut command)?;
    let settings = into.with_extension("properties");
    std::fs::write(&settings, told).map_err(|e| format!("{}: {e}", settings.display()))?;
    Ok(settings)
}

/// Runs one command of `interop/java/Moving.java`; the lines it wrote.
fn moving(what: &str, address: &str) -> Result<Vec<String>, String> {
    java(LAST, &["Moving", what, address])
}

/// Runs one of the programs in `interop/java` with the clients of a release; the lines it wrote.
fn java(release: &str, program: &[&str]) -> Result<Vec<String>, String> {
    let libs = interop::folder().join("java").join(release);
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]);
    command.arg("-cp").arg(format!("{0}:{0}/*", libs.display())).args(program);
    let mut running = Running::start(&mut command, true)?;
    running.close_input();
    let mut lines = Vec::new();
    let what = program.join(" ");
    let status = running.finish(STEP_MAX, |line| lines.push(line)).map_err(|why| format!("{what} {why}"))?;
    if status.success() {
        return Ok(lines);
    }
    let last = lines[lines.len().saturating_sub(20)..].join("\n  ");
    Err(format!("{what} ended with {status}\n  {last}"))
}

/// Stops a broker in order, whatever came of it; a failure is told with the broker's last lines.
fn end_broker<T>(broker: &mut Broker, came: Result<T, String>) -> Result<T, String> {
    let stopped = broker.stop();
    came.and_then(|value| stopped.map(|()| value)).map_err(|why| format!("{why}\n{}", broker.log()))
}

/// The same for a Kafka.
fn end_kafka<T>(kafka: &mut Kafka, came: Result<T, String>) -> Result<T, String> {
    let stopped = kafka.stop();
    came.and_then(|value| stopped.map(|()| value)).map_err(|why| format!("{why}\n{}", kafka.log()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_are_gone_unless_some_are_named() {
        let sources = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&arguments).map(|options| options.sources)
        };
        assert_eq!(sources(""), Ok(SOURCES.to_vec()));
        assert_eq!(sources("3.9.1 --binary b"), Ok(vec!["3.9.1"]));
        assert!(sources("2.8.2").is_err());
        assert!(sources("--binary").is_err());
    }
}
