//! The load of the tests that kill brokers and break disks: a producer that tells what was acknowledged, and a reader.
//!
//! Both are `interop/go/load`, the producer idempotent with acks=all. This module runs them; [`verify`] judges what they
//! told. What is done to the broker meanwhile is the caller's: `kill`, `disks`.

pub(crate) mod verify;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::verify::{Entry, Finding, Starts};
use crate::interop;
use crate::process::{Next, Running};

/// How long a producer may go without an acknowledgement, a restart included.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);
/// After this long without a line from the producer of a dead broker, none is on its way any more.
const QUIET: Duration = Duration::from_millis(200);
/// How long the producer's end, and reading everything back, may take each.
const END_MAX: Duration = Duration::from_secs(180);

/// Builds what this module runs; quick when it is there.
pub(crate) fn install() -> Result<(), String> {
    interop::install("go")
}

/// The producer, and what the broker has acknowledged to it.
pub(crate) struct Load {
    running: Running,
    /// What the broker has acknowledged, in the order of the answers.
    pub(crate) acknowledged: Vec<Entry>,
    /// How many records the producer sent in all, once it is done.
    done: Option<usize>,
}

impl Load {
    /// Starts the producer, which makes the topic first. `options` are those of the program: `rate=N`, `acks=1`, and settings
    /// of the topic.
    pub(crate) fn start(address: &str, topic: &str, partitions: u32, options: &[&str]) -> Result<Self, String> {
        let mut command = command("produce", address, topic, partitions);
        let running = Running::start(command.args(options), false)?;
        Ok(Self { running, acknowledged: Vec::new(), done: None })
    }

    /// Waits for the next acknowledgement.
    pub(crate) fn next(&mut self, within: Duration) -> Result<(), String> {
        match self.running.next(within) {
            Next::Line(line) => self.take(&line),
            Next::End => Err("the producer gave up; its reason stands above".to_owned()),
            Next::Timeout => Err(format!("no acknowledgement for {} s", within.as_secs())),
        }
    }

    /// Takes what is acknowledged until nothing more comes for a moment, so that what comes next came after it; at most for
    /// so long. Answers how many records that were.
    pub(crate) fn drain(&mut self, at_most: Duration) -> Result<usize, String> {
        let before = self.acknowledged.len();
        let end = Instant::now() + at_most;
        while Instant::now() < end
            && let Next::Line(line) = self.running.next(QUIET)
        {
            self.take(&line)?;
        }
        Ok(self.acknowledged.len() - before)
    }

    /// Takes what the producer has told already.
    pub(crate) fn take_ready(&mut self) -> Result<(), String> {
        while let Some(line) = self.running.ready() {
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
    pub(crate) fn finish(&mut self) -> Result<(), String> {
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

/// A topic as a consumer finds it.
#[derive(Debug, Default)]
pub(crate) struct Dump {
    /// Where its partitions begin.
    pub(crate) starts: Starts,
    /// Its records, each partition's in order.
    pub(crate) entries: Vec<Entry>,
}

impl Dump {
    /// What is not as it was acknowledged.
    pub(crate) fn judge(&self, acknowledged: &[Entry]) -> Vec<Finding> {
        verify::check(acknowledged, &self.entries, &self.starts)
    }
}

/// Everything that stands in the topic.
pub(crate) fn dump(address: &str, topic: &str, partitions: u32) -> Result<Dump, String> {
    let mut running = program("dump", address, topic, partitions)?;
    let (mut dump, mut wrong) = (Dump::default(), None);
    let status = running.finish(END_MAX, |line| match place("start", &line) {
        Some((partition, offset)) => drop(dump.starts.insert(partition, offset)),
        None => match Entry::read("record", &line) {
            Ok(entry) => dump.entries.push(entry),
            Err(why) => wrong = Some(why),
        },
    })?;
    if !status.success() {
        return Err(format!("reading back ended with {status}; the reason stands above"));
    }
    wrong.map_or(Ok(dump), Err)
}

/// Reads `WORD PARTITION OFFSET`.
pub(crate) fn place(word: &str, line: &str) -> Option<(u32, u64)> {
    let (partition, offset) = line.strip_prefix(word)?.strip_prefix(' ')?.split_once(' ')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// One of the load's programs on a topic, running.
pub(crate) fn program(mode: &str, address: &str, topic: &str, partitions: u32) -> Result<Running, String> {
    Running::start(&mut command(mode, address, topic, partitions), false)
}

fn command(mode: &str, address: &str, topic: &str, partitions: u32) -> Command {
    let mut command = Command::new(interop::folder().join("go/load"));
    command.args([mode, address, topic, &partitions.to_string()]).stderr(Stdio::inherit());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_other_lines_are_not() {
        assert_eq!(place("start", "start 3 17"), Some((3, 17)));
        for line in ["start 3", "record 3 17 5", "started 3 17", "start 3 17 4"] {
            assert_eq!(place("start", line), None, "{line}");
        }
    }
}
