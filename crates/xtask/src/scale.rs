//! `cargo xtask scale`: what many members, many groups, many offsets and a long log cost a broker.
//!
//! The works are done by `at-scale` (crates/bench), one after another on a fresh broker; then the broker is killed
//! and started again on what it has, and at the end a log is compacted. With `--server` another Kafka broker does the same:
//! a command that runs it in the foreground, on an empty directory the first time, with `log.cleaner.backoff.ms=100`. The answer is a table with a column for each broker.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::interop;
use crate::process::{self, Next, Running, cargo};

/// How long a broker may take until it listens.
const START_MAX: Duration = Duration::from_secs(120);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(2);

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    members: String,
    groups: String,
    offsets: String,
    /// Records of the log that is compacted.
    records: String,
    binary: PathBuf,
    /// A shell command that runs another broker.
    server: Option<String>,
    /// Where brokers listen.
    bootstrap: String,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        members: "1000".to_owned(),
        groups: "10000".to_owned(),
        offsets: "1000000".to_owned(),
        records: "1000000".to_owned(),
        binary: crate::broker::release_binary(),
        server: None,
        bootstrap: "127.0.0.1:19094".to_owned(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().ok_or(format!("{argument} needs a value"))?;
        let number = || match value.parse::<u32>() {
            Ok(1..) => Ok(value.clone()),
            _ => Err(format!("{argument} {value}: a number from 1 on is needed")),
        };
        match argument.as_str() {
            "--members" => options.members = number()?,
            "--groups" => options.groups = number()?,
            "--offsets" => options.offsets = number()?,
            "--records" => options.records = number()?,
            "--binary" => options.binary = value.into(),
            "--server" => options.server = Some(value.clone()),
            "--bootstrap" => options.bootstrap.clone_from(value),
            _ => return Err(format!("{argument} is no option of scale")),
        }
    }
    Ok(options)
}

/// Does the works on all brokers, and prints what they cost.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    process::run(&mut cargo(&["build", "--release", "--package", "ottla-bench", "--bin", "at-scale"]))?;
    let folder = interop::scratch("scale")?;
    let mut brokers = vec![("Ottla", start_command(&options, &folder))];
    brokers.extend(options.server.as_ref().map(|server| ("the other broker", format!("exec {server}"))));
    let mut rows = Vec::new();
    for (name, command) in &brokers {
        measure(&options, command, |row, figure| add(&mut rows, name, row, figure))?;
    }
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    let names: Vec<_> = brokers.iter().map(|(name, _)| *name).collect();
    println!("| | measured in | {} |\n|---|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for (what, unit, figures) in &rows {
        let figure = |name| figures.get(name).map_or_else(|| "–".to_owned(), shown);
        println!("| {what} | {unit} | {} |", names.iter().map(|name| figure(*name)).collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

/// What was measured, its unit, and the figure of each broker.
type Row<'a> = (String, String, BTreeMap<&'a str, f64>);

fn add<'a>(rows: &mut Vec<Row<'a>>, broker: &'a str, (what, unit): (&str, &str), figure: f64) {
    let at = rows.iter().position(|(known, known_unit, _)| known == what && known_unit == unit).unwrap_or_else(|| {
        rows.push((what.to_owned(), unit.to_owned(), BTreeMap::new()));
        rows.len() - 1
    });
    rows[at].2.insert(broker, figure);
}

/// Three digits that count.
fn shown(figure: &f64) -> String {
    match figure.abs() {
        ..0.1 => format!("{figure:.3}"),
        ..10.0 => format!("{figure:.2}"),
        ..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

fn start_command(options: &Options, folder: &Path) -> String {
    let (binary, folder) = (options.binary.display(), folder.display());
    format!(
        "exec {binary} start listeners=PLAINTEXT://{} log.dirs={folder} ottla.http.listener= \
         log.cleaner.backoff.ms=100",
        options.bootstrap
    )
}

fn measure(options: &Options, command: &str, mut tell: impl FnMut((&str, &str), f64)) -> Result<(), String> {
    let start = || Running::start(Command::new("sh").args(["-c", command]), true);
    let mut server = start()?;
    listening(&mut server, &options.bootstrap)?;
    let (members, groups, offsets) = (&options.members, &options.groups, &options.offsets);
    for (work, count) in [("classic", members), ("consumer", members), ("groups", groups), ("commit", offsets)] {
        one(options, &server, work, count, &mut tell)?;
    }
    server.kill();
    let mut server = start()?;
    one(options, &server, "loaded", offsets, &mut tell)?;
    one(options, &server, "clean", &options.records, &mut tell)?;
    server.kill();
    Ok(())
}

/// Waits until somebody answers there, and the broker has not ended.
fn listening(server: &mut Running, bootstrap: &str) -> Result<(), String> {
    let end = Instant::now() + START_MAX;
    while TcpStream::connect(bootstrap).is_err() {
        if Instant::now() > end || matches!(server.next(LOOK), Next::End) {
            return Err(format!("no broker listens on {bootstrap}"));
        }
    }
    if server.has_ended() { Err(format!("the broker ended; is {bootstrap} free?")) } else { Ok(()) }
}

/// One work, whose answer is lines of what, unit and figure.
fn one(
    options: &Options,
    server: &Running,
    work: &str,
    count: &str,
    tell: &mut impl FnMut((&str, &str), f64),
) -> Result<(), String> {
    eprintln!("{work} {count}");
    let mut command = Command::new(process::target().join("release/at-scale"));
    let said = process::output(command.args([work, &options.bootstrap, &server.id().to_string(), count]))?;
    for line in said.lines() {
        let mut words = line.split('\t');
        let (Some(what), Some(unit), Some(figure)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("\"{line}\" is no figure"));
        };
        tell((what, unit), figure.parse().map_err(|_| format!("\"{figure}\" is no number"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_understood_or_refused() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let options = parse(&words("--members 5 --bootstrap h:1 --binary b")).expect("good");
        assert_eq!((options.members.as_str(), options.bootstrap.as_str()), ("5", "h:1"));
        assert!(parse(&words("--groups 0")).is_err());
        assert!(parse(&words("--groups")).is_err());
        assert!(parse(&words("5 6")).is_err());
    }

    #[test]
    fn figures_are_told_with_three_digits() {
        assert_eq!([0.01234, 1.234, 12.34, 1234.5].map(|figure| shown(&figure)), ["0.012", "1.23", "12.3", "1234"]);
    }
}
