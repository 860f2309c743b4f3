//! The load generator, `interop/go/bench`: one verb with its flags, one JSON object as the answer.
//!
//! Its own head tells what the verbs are. Here they are run and their answers read; what is asked of which broker is in
//! `works` and `rows`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::brokers::Server;
use crate::interop;
use crate::process::{Next, Running};

/// How long one work may take.
pub(super) const WORK_MAX: Duration = Duration::from_secs(900);
/// The verb that waits until one record is acknowledged.
pub(super) const FIRST_ACK: &str = "firstack";
/// Lines of what it said that an error repeats.
const SAID_MAX: usize = 3;

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    path: PathBuf,
}

/// What it answered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Answer(Value);

impl Load {
    /// The program at `path`, or the one of `interop/`, which is built first.
    pub(crate) fn new(path: Option<&Path>) -> Result<Self, String> {
        match path {
            Some(path) => Ok(Self { path: std::path::absolute(path).map_err(|error| error.to_string())? }),
            None => {
                interop::install("go")?;
                Ok(Self { path: interop::folder().join("go/bench") })
            }
        }
    }

    /// What does `words`, a verb and its flags, on a topic of a broker. No word holds a space.
    pub(crate) fn command(&self, server: &Server, topic: &str, words: &str) -> Command {
        let mut words = words.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let mut command = Command::new(&self.path);
        command.args([verb, "-bootstrap", &server.address(), "-topic", topic]);
        // Who waits for a first record begins before there is a process.
        if verb != FIRST_ACK {
            command.args(["-pids", &server.id().to_string()]).arg("-sync").arg(server.data());
        }
        command.args(words);
        command
    }

    /// Does it to its end.
    pub(crate) fn run(&self, server: &Server, topic: &str, words: &str) -> Result<Answer, String> {
        finish(&mut Running::start(&mut self.command(server, topic, words), true)?)
    }

    /// Begins it, to go on while something else is done; [`finish`] takes its answer.
    pub(crate) fn start(&self, server: &Server, topic: &str, words: &str) -> Result<Running, String> {
        Running::start(&mut self.command(server, topic, words), true)
    }

    /// Begins what needs no broker and stays until its input ends, and waits until it says that it is there.
    pub(crate) fn hold(&self, command: &mut Command) -> Result<Running, String> {
        let mut running = Running::start(command, true)?;
        let mut said = Vec::new();
        loop {
            match running.next(WORK_MAX) {
                Next::Line(line) if line.starts_with('{') => return Ok(running),
                Next::Line(line) => said.push(line),
                Next::End => return Err(format!("the load generator ended: {}", last(&said))),
                Next::Timeout => {
                    running.kill();
                    return Err(format!("the load generator did not begin: {}", last(&said)));
                }
            }
        }
    }

    /// Memory that is held until the answer is dropped, so that the page cache has less.
    pub(crate) fn ballast(&self, megabytes: u64) -> Result<Running, String> {
        self.hold(Command::new(&self.path).args(["ballast", "-megabytes", &megabytes.to_string()]))
    }

    /// Reads a hole, which stays in `folder`, until the page cache is full of it; not much more than so much.
    pub(crate) fn fill(&self, megabytes: u64, folder: &Path) -> Result<Answer, String> {
        let mut command = Command::new(&self.path);
        command.args(["fill", "-megabytes", &megabytes.to_string(), "-dir"]).arg(folder);
        finish(&mut Running::start(&mut command, true)?)
    }
}

/// Waits for the end of a work, and takes its answer.
pub(crate) fn finish(running: &mut Running) -> Result<Answer, String> {
    let mut lines = Vec::new();
    let status =
        running.finish(WORK_MAX, |line| lines.push(line)).map_err(|why| format!("the load generator {why}"))?;
    if !status.success() {
        return Err(format!("the load generator ended with {status}: {}", last(&lines)));
    }
    let answer = lines.iter().rfind(|line| line.starts_with('{')).ok_or("the load generator answered nothing")?;
    Answer::read(answer)
}

fn last(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(SAID_MAX)..].join("; ")
}

impl Answer {
    /// Reads one; an error if records were refused or are missing.
    fn read(line: &str) -> Result<Self, String> {
        let answer = Self(serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?);
        for bad in ["failed", "missing"] {
            if let Some(count) = answer.number(bad).filter(|count| *count != 0.0) {
                let first = answer.0["first_error"].as_str().unwrap_or_default();
                return Err(format!("{count} records {bad} {first}"));
            }
        }
        Ok(answer)
    }

    /// A number by its path, as `records` or `ack_ms/p99`.
    pub(crate) fn number(&self, path: &str) -> Option<f64> {
        self.0.pointer(&format!("/{path}"))?.as_f64()
    }

    /// The CPU seconds of the broker for a gigabyte of values.
    pub(crate) fn cpu_per_gigabyte(&self) -> Option<f64> {
        Some(self.number("broker_cpu_s")? / self.gigabytes()?)
    }

    /// Gigabytes of values.
    pub(crate) fn gigabytes(&self) -> Option<f64> {
        self.number("bytes").filter(|bytes| *bytes > 0.0).map(|bytes| bytes / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_lost_records_are_an_error() {
        let answer = Answer::read(r#"{"bytes":2000000000,"broker_cpu_s":3,"ack_ms":{"p99":1.5}}"#).expect("good");
        assert_eq!(answer.cpu_per_gigabyte(), Some(1.5));
        assert_eq!((answer.number("ack_ms/p99"), answer.number("ack_ms/p50")), (Some(1.5), None));
        let lost = Answer::read(r#"{"failed":3,"first_error":"NOT_LEADER"}"#);
        assert_eq!(lost, Err("3 records failed NOT_LEADER".to_owned()));
        assert!(Answer::read(r#"{"missing":1}"#).is_err());
        assert!(Answer::read("none").is_err());
    }

    #[test]
    fn what_went_wrong_is_told_with_the_last_words() {
        let shell = |script: &str| Running::start(Command::new("sh").args(["-c", script]), true).expect("sh is there");
        let failed = finish(&mut shell("echo no such topic >&2; exit 3"));
        assert!(failed.is_err_and(|why| why.contains("no such topic")));
        assert!(finish(&mut shell("echo nothing")).is_err());
        assert!(finish(&mut shell("echo working >&2; echo '{\"records\":1}'")).is_ok());
    }
}
