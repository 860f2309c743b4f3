//! `cargo xtask bench [kafka]`: what Ottla costs, beside the last recorded run or beside a real Kafka.
//!
//! A tour. `options` is the command line. `row` is one line of the table and its goal; `rows` has all of them, a file for
//! each family. A family starts `brokers`, has the load generator (`load`) do `works` on each in turn, or does something
//! of its own, and hands figures to the `ledger`. `table`, `json` and `svg` tell them, `record` keeps them in docs/.
//! `figures` is the arithmetic, `machine` what is read from /proc, `level` sees to it that everybody finds the same memory,
//! `beside` disturbs what is measured on purpose.
//!
//! What the figures mean is told in docs/benchmarks.md, which holds the last record.

mod beside;
mod brokers;
mod figures;
mod json;
mod ledger;
mod level;
mod load;
mod machine;
mod options;
mod record;
mod row;
mod rows;
mod svg;
mod table;
mod works;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use self::brokers::Server;
use self::json::Record;
use self::ledger::{Entry, Ledger};
use self::level::Level;
use self::load::Load;
use self::options::Options;
use self::row::{Row, Subject};
use self::rows::{FAMILIES, Family};
use crate::{interop, process};

/// Rounds that the families' estimates are for.
const ROUNDS_ESTIMATED: f64 = 3.0;

/// One run: what is asked for, who does it, and what came of it.
pub(crate) struct Bench {
    options: Options,
    load: Load,
    /// Where brokers keep their data meanwhile.
    folder: PathBuf,
    ledger: Ledger,
    level: Level,
    begun: Instant,
}

/// Measures what is asked for, prints the table, and writes what is to be written.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let families: Vec<&Family> = FAMILIES.iter().filter(|family| !rows_of(family, &options).is_empty()).collect();
    known(&options.only)?;
    if options.list {
        return list(&families, &options);
    }
    let record = measure(options.clone(), &families)?;
    let before = record::last()?;
    let text =
        if options.kafka { table::beside_kafka(&record) } else { table::beside_record(&record, before.as_ref()) };
    println!("{text}");
    let write =
        |path: &PathBuf, text: String| std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()));
    options.json.as_ref().map_or(Ok(()), |path| write(path, record.to_json()))?;
    options.svg.as_ref().map_or(Ok(()), |path| write(path, svg::picture(&record)))?;
    if options.record { record::keep(record, before) } else { Ok(()) }
}

/// The rows of a family that are asked for.
fn rows_of(family: &Family, options: &Options) -> Vec<Row> {
    (family.rows)().into_iter().filter(|row| options.wants(row.work())).collect()
}

/// An error if one of these names is neither a family's nor a work's.
fn known(names: &[String]) -> Result<(), String> {
    let works: Vec<String> =
        FAMILIES.iter().flat_map(|family| (family.rows)()).map(|row| row.work().to_owned()).collect();
    for name in names {
        let is_family = FAMILIES.iter().any(|family| family.name == name);
        if !is_family && !works.contains(name) {
            let families: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            return Err(format!("--only {name}: no such row; families are {}; --list has all", families.join(", ")));
        }
    }
    Ok(())
}

fn list(families: &[&Family], options: &Options) -> Result<(), String> {
    for family in families {
        println!("{} ({:.0} minutes with Kafka): {}", family.name, family.minutes, family.what);
        for row in rows_of(family, options) {
            println!("  {:<36} {} [{}], goal {}", row.id(), row.what, row.unit, row.goal_in_words());
        }
    }
    Ok(())
}

fn measure(options: Options, families: &[&Family]) -> Result<Record, String> {
    let load = Load::new(options.load.as_deref())?;
    if options.kafka {
        interop::install("tools-4.3.1")?;
        interop::install("tools-3.9.1")?;
    }
    let folder = options.dir.join(format!("ottla-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let ledger = Ledger::new(families.iter().flat_map(|family| rows_of(family, &options)));
    let mut bench = Bench { options, load, folder, ledger, level: Level::default(), begun: Instant::now() };
    for (at, family) in families.iter().enumerate() {
        let left: f64 = families[at..].iter().map(|family| bench.minutes(family)).sum();
        bench.say(&format!("{} ({} of {}, some {left:.0} minutes left)", family.name, at + 1, families.len()));
        bench.prepare(family);
        if let Err(why) = (family.measure)(&mut bench) {
            bench.trouble(family.name, None, &why);
        }
    }
    bench.level.release();
    // What is left there is of brokers that failed, which the table tells of.
    drop(std::fs::remove_dir_all(&bench.folder));
    let Bench { options, ledger, .. } = bench;
    Record::new(&options, ledger.entries().to_vec())
}

impl Bench {
    /// Whether this run measures `subject`.
    fn measures(&self, subject: Subject) -> bool {
        self.options.kafka || !subject.is_kafka()
    }

    /// Starts `subject` on a new directory, which no other has.
    fn start(&self, subject: Subject, settings: &[&str]) -> Result<Server, String> {
        let name = subject.name().replace([' ', ','], "-");
        let folder = self.folder.join(format!("{name}-{}", self.begun.elapsed().as_nanos()));
        Server::start(subject, &self.options.binary, &folder, settings)
    }

    /// Takes the memory that a family's works are not to have, or gives it back.
    fn prepare(&mut self, family: &Family) {
        if family.levelled {
            let said = self.level.hold(&self.load);
            said.iter().for_each(|what| self.say(what));
        } else {
            self.level.release();
        }
    }

    /// Has the memory that a work is going to write to warm; see [`level`].
    fn fill(&self) {
        self.say(&self.level.fill(&self.load, &self.folder));
    }

    /// Deletes a topic, whose room the next work needs, and waits until the broker is done with it: what that costs is no
    /// part of the next work.
    fn forget(&self, server: &Server, topic: &str) -> Result<(), String> {
        let mut command = Command::new(&self.options.binary);
        command.args(["topic", "delete", topic, "--yes", "--if-exists", "--bootstrap", &server.address()]);
        process::output(&mut command)?;
        server.forgotten(topic)
    }

    /// A number of records, seconds or megabytes, as large as `--scale` wants it.
    fn scaled(&self, number: f64) -> u64 {
        (number * self.options.scale).ceil().max(1.0) as u64
    }

    fn add(&mut self, key: &str, subject: Subject, figure: f64) {
        self.ledger.add(key, subject, figure);
    }

    fn trouble(&mut self, key: &str, subject: Option<Subject>, why: &str) {
        self.say(&format!("{key}: {why}"));
        // A table's cell is one line.
        let line = why.lines().next().unwrap_or_default();
        self.ledger.trouble(key, subject, line);
    }

    /// What is being done, with the time since the beginning.
    fn say(&self, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        eprintln!("{:>3}:{:02} {what}", seconds / 60, seconds % 60);
    }

    fn minutes(&self, family: &Family) -> f64 {
        // Without Kafka a third of the brokers and their start are missing, and they are the faster ones.
        let share = if self.options.kafka { 1.0 } else { 0.5 };
        family.minutes * share * self.options.scale.max(0.2) * (f64::from(self.options.rounds) + 1.0)
            / (ROUNDS_ESTIMATED + 1.0)
    }

    /// The Ottlas and, where this run has it, the Kafka, each started with `settings`; who does not start is told in the
    /// rows below `key`.
    fn start_all(&mut self, key: &str, subjects: &[Subject], settings: &[&str]) -> Vec<Server> {
        let mut servers = Vec::new();
        for &subject in subjects {
            if self.measures(subject) {
                match self.start(subject, settings) {
                    Ok(server) => servers.push(server),
                    Err(why) => self.trouble(key, Some(subject), &why),
                }
            }
        }
        servers
    }

    /// Stops brokers and removes what they wrote.
    fn stop_all(&mut self, key: &str, servers: Vec<Server>) {
        for mut server in servers {
            if let Err(why) = server.stop() {
                self.trouble(key, Some(server.subject), &why);
            }
            server.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_works_are_known_and_nothing_else() {
        let names = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(known(&names("produce,latency/1000")), Ok(()));
        for bad in ["produce,latncy", "latency/1001", "produce/1k/cpu"] {
            assert!(known(&names(bad)).is_err_and(|why| why.contains("no such row")), "{bad}");
        }
    }
}
