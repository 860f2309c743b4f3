//! The load generator: a program that puts work on a broker and answers with one line of JSON.
//!
//! What is asked of it:
//! - `produce -bootstrap H:P -topic T -pids P,… -records N -size B -partitions N [-linger D] [-batch B]`: makes the topic
//!   if it is not there, and produces, idempotent with acks=all and five requests in flight;
//! - `consume -bootstrap H:P -topic T -pids P,… -records N`: reads the topic from its start;
//! - `firstack -bootstrap H:P -topic T`: returns when one record is acknowledged, trying all the time;
//! - `touch -records N -size B`: writes N·B bytes to the current folder and deletes them.
//!
//! The answer has `records`, `bytes` (of values), `seconds`, and `broker_cpu_s`, the CPU time that the processes named
//! by `-pids` used meanwhile; and `failed` if records were refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::broker::Broker;
use crate::works::Work;

/// The program.
#[derive(Debug)]
pub(crate) struct Load {
    path: PathBuf,
}

/// What a work cost a broker.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cost {
    pub(crate) records: f64,
    /// Bytes of values.
    pub(crate) bytes: f64,
    pub(crate) seconds: f64,
    /// CPU time of the broker's processes, user and system.
    pub(crate) cpu_seconds: f64,
}

impl Load {
    pub(crate) fn new(path: &Path) -> Self {
        // It is run in other folders than this one.
        Self { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) }
    }

    /// Does `work` on `broker` and answers what it cost.
    pub(crate) fn run(&self, work: &Work, broker: &Broker, topic: &str) -> Outcome<Cost> {
        let pids = broker.pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut command = Command::new(&self.path);
        command.args([work.verb, "-bootstrap", &broker.bootstrap, "-topic", topic, "-pids", &pids]);
        command.args(["-records", &work.records.to_string()]).args(work.flags);
        cost(&output(&mut command)?)
    }

    /// Returns when a record is acknowledged.
    pub(crate) fn first_ack(&self, broker: &Broker, topic: &str) -> Outcome<()> {
        let mut command = Command::new(&self.path);
        output(command.args(["firstack", "-bootstrap", &broker.bootstrap, "-topic", topic])).map(drop)
    }

    /// Writes and deletes so many megabytes in `directory`. The memory below a virtual machine may be given to others
    /// while it is free, and then costs several times as much at its next use: what comes next shall find warm memory,
    /// whoever does it.
    pub(crate) fn touch(&self, directory: &Path, megabytes: u64) -> Outcome<()> {
        if megabytes == 0 {
            return Ok(());
        }
        let records = (megabytes * 1000).to_string();
        let mut command = Command::new(&self.path);
        output(command.args(["touch", "-records", &records, "-size", "1000"]).current_dir(directory)).map(drop)
    }
}

fn output(command: &mut Command) -> Outcome<String> {
    let ran = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let told = |reason: String| format!("{command:?}: {reason}");
    let output = ran.map_err(|error| told(error.to_string()))?;
    if !output.status.success() {
        return Err(told(output.status.to_string()));
    }
    String::from_utf8(output.stdout).map_err(|error| told(error.to_string()))
}

fn cost(answer: &str) -> Outcome<Cost> {
    let bad = |reason: &str| format!("the load generator's answer {reason}: {answer}");
    let json: Value = serde_json::from_str(answer.trim()).map_err(|error| bad(&error.to_string()))?;
    if json.get("failed").is_some() {
        return Err(bad("tells of failures"));
    }
    let field = |name: &str| json.get(name).and_then(Value::as_f64).ok_or_else(|| bad(&format!("lacks {name}")));
    let cost = Cost {
        records: field("records")?,
        bytes: field("bytes")?,
        seconds: field("seconds")?,
        cpu_seconds: field("broker_cpu_s")?,
    };
    if cost.cpu_seconds <= 0.0 || cost.seconds <= 0.0 {
        return Err(bad("says that it cost nothing; more work is needed to measure any"));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_work_cost() {
        let answer = r#"{"broker_cpu_s":3.02,"bytes":2000000000,"records":2000000,"seconds":3.5,"verb":"produce"}"#;
        let expected = Cost { records: 2e6, bytes: 2e9, seconds: 3.5, cpu_seconds: 3.02 };
        assert_eq!(cost(answer), Ok(expected));
    }

    #[test]
    fn an_answer_that_tells_of_failures_or_too_little_is_no_result() {
        for answer in [
            r#"{"broker_cpu_s":1,"bytes":2,"records":2,"seconds":1,"failed":1}"#,
            r#"{"broker_cpu_s":0,"bytes":2,"records":2,"seconds":1}"#,
            r#"{"bytes":2,"records":2,"seconds":1}"#,
            "",
        ] {
            assert!(cost(answer).is_err(), "{answer}");
        }
    }
}
