//! A broker process of the binary under test: started on a folder, stopped or killed, its output kept for later.
//!
//! What is asked of the binary: `ottla start listeners=PLAINTEXT://127.0.0.1:PORT log.dirs=FOLDER`, a line with
//! `listening on 127.0.0.1:PORT` on stdout once it serves (port 0: any free one), and a clean end on SIGTERM.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, Next, Running};

/// How long a start may take: recovery after a kill is part of it.
const START_MAX: Duration = Duration::from_secs(120);
/// How long a clean stop may take.
const STOP_MAX: Duration = Duration::from_secs(60);
/// Lines of output that are kept for the report.
const LOG_LINES_MAX: usize = 200;

/// One running broker.
pub(crate) struct Broker {
    running: Running,
    port: u16,
    log: Vec<String>,
    panics: usize,
}

/// A broker that runs no longer.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) how: String,
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// The last lines it wrote.
    pub(crate) log: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.how, self.log)
    }
}

/// What starts `binary` on these directories, named with commas between; `port` 0 takes any free one.
pub(crate) fn command(binary: &Path, log_dirs: &str, port: u16, settings: &[&str]) -> Result<Command, String> {
    if !binary.exists() {
        return Err(format!("{} is not there: cargo build --release builds it", binary.display()));
    }
    let mut command = Command::new(binary);
    command.arg("start").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"));
    command.arg(format!("log.dirs={log_dirs}")).arg("ottla.http.listener=").args(settings);
    Ok(command)
}

/// The binary that a release build makes.
pub(crate) fn release_binary() -> PathBuf {
    process::target().join("release/ottla")
}

impl Broker {
    /// Starts `binary` on `folder` and waits until it listens; `port` 0 takes any free one.
    pub(crate) fn start(binary: &Path, folder: &Path, port: u16) -> Result<Self, String> {
        Self::start_with(binary, folder, port, &[])
    }

    /// The same, with `settings` as `KEY=VALUE`.
    pub(crate) fn start_with(binary: &Path, folder: &Path, port: u16, settings: &[&str]) -> Result<Self, String> {
        Self::launch(binary, &folder.display().to_string(), port, settings)
    }

    /// Starts `binary` on several log directories, with `settings` as `KEY=VALUE`.
    pub(crate) fn start_on(binary: &Path, log_dirs: &[PathBuf], port: u16, settings: &[&str]) -> Result<Self, String> {
        let log_dirs: Vec<_> = log_dirs.iter().map(|path| path.display().to_string()).collect();
        Self::launch(binary, &log_dirs.join(","), port, settings)
    }

    fn launch(binary: &Path, log_dirs: &str, port: u16, settings: &[&str]) -> Result<Self, String> {
        let mut command = command(binary, log_dirs, port, settings)?;
        Self::listening(Running::start(&mut command, true)?, port).map_err(|ended| ended.to_string())
    }

    /// Waits until a broker that was started by its [`command`] listens.
    pub(crate) fn listening(running: Running, port: u16) -> Result<Self, Ended> {
        let mut broker = Self { running, port, log: Vec::new(), panics: 0 };
        let end = Instant::now() + START_MAX;
        loop {
            match broker.running.next(end.saturating_duration_since(Instant::now())) {
                Next::Line(line) => {
                    let found = listening_port(&line);
                    broker.keep(line);
                    if let Some(port) = found {
                        broker.port = port;
                        return Ok(broker);
                    }
                }
                Next::End => return Err(broker.ended(STOP_MAX)),
                Next::Timeout => {
                    let seconds = START_MAX.as_secs();
                    let log = broker.log();
                    return Err(Ended {
                        how: format!("the broker did not listen within {seconds} s"),
                        code: None,
                        log,
                    });
                }
            }
        }
    }

    /// Waits until it writes a line that holds these words, or finds it among the last that it wrote.
    pub(crate) fn says(&mut self, words: &str, within: Duration) -> Result<String, String> {
        let end = Instant::now() + within;
        while let Some(line) = self.running.ready() {
            self.keep(line);
        }
        loop {
            if let Some(line) = self.log.iter().rfind(|line| line.contains(words)) {
                return Ok(line.clone());
            }
            match self.running.next(end.saturating_duration_since(Instant::now())) {
                Next::Line(line) => self.keep(line),
                Next::End => return Err(format!("the broker ended without a word of \"{words}\"")),
                Next::Timeout => return Err(format!("the broker did not say \"{words}\" within {within:?}")),
            }
        }
    }

    /// Forgets what it wrote so far; answers how many lines that were.
    pub(crate) fn forget(&mut self) -> usize {
        while let Some(line) = self.running.ready() {
            self.keep(line);
        }
        std::mem::take(&mut self.log).len()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(&mut self, within: Duration) -> Ended {
        let mut lines = Vec::new();
        let status = self.running.finish(within, |line| lines.push(line));
        lines.into_iter().for_each(|line| self.keep(line));
        let (how, code) = match status {
            Ok(status) => (format!("the broker ended with {status}"), status.code()),
            Err(why) => (format!("the broker {why}"), None),
        };
        Ended { how, code, log: self.log() }
    }

    /// `HOST:PORT` for clients.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where it tells its metrics, if it was asked to.
    pub(crate) fn metrics(&self) -> Option<String> {
        self.log.iter().find_map(|line| http_address(line)).map(|address| format!("http://{address}/metrics"))
    }

    /// Its process.
    pub(crate) fn id(&self) -> i64 {
        self.running.id()
    }

    /// The last lines it wrote.
    pub(crate) fn log(&mut self) -> String {
        while let Some(line) = self.running.ready() {
            self.keep(line);
        }
        let lines: String = self.log.iter().map(|line| format!("  broker | {line}\n")).collect();
        if lines.is_empty() { "  broker | (wrote nothing)\n".to_owned() } else { lines }
    }

    /// How often it panicked, as far as its output was looked into: all of it once it has stopped.
    pub(crate) fn panics(&self) -> usize {
        self.panics
    }

    /// `kill -9`: no chance to write anything more.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// SIGTERM, and an error unless it ends cleanly in time.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        self.stop_saying("")
    }

    /// SIGTERM to one that may not be able to save all: it ends cleanly, or says that it does not and why, with `reason`
    /// in it. An empty reason is none.
    pub(crate) fn stop_saying(&mut self, reason: &str) -> Result<(), String> {
        process::signal("TERM", self.running.id());
        let mut lines = Vec::new();
        let ended = self.running.finish(STOP_MAX, |line| lines.push(line));
        let is_said = |line: &String| line.contains("the stop was not clean") && line.contains(reason);
        let is_told = !reason.is_empty() && lines.iter().any(is_said);
        let last = lines.last().cloned().unwrap_or_default();
        lines.into_iter().for_each(|line| self.keep(line));
        match ended {
            Ok(status) if status.success() || is_told => Ok(()),
            Ok(status) => Err(format!("the broker ended with {status} on SIGTERM: {last}")),
            Err(why) => Err(format!("the broker {why} after SIGTERM")),
        }
    }

    fn keep(&mut self, line: String) {
        self.panics += usize::from(line.contains("panicked at"));
        if self.log.len() == LOG_LINES_MAX {
            self.log.remove(0);
        }
        self.log.push(line);
    }
}

/// The port in `listening on 127.0.0.1:PORT`.
fn listening_port(line: &str) -> Option<u16> {
    let (_, after) = line.split_once("listening on 127.0.0.1:")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The address in `http=127.0.0.1:PORT` of the line that tells of the start.
fn http_address(line: &str) -> Option<&str> {
    let (_, after) = line.split_once(" http=")?;
    after.split_whitespace().next().filter(|address| address.starts_with("127.0.0.1:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_port_it_listens_on() {
        assert_eq!(listening_port("12:00 INFO listening on 127.0.0.1:9092 (PLAINTEXT)"), Some(9092));
        assert_eq!(listening_port("listening on 127.0.0.1:70000"), None);
        assert_eq!(listening_port("will be listening"), None);
    }

    #[test]
    fn finds_where_it_tells_metrics() {
        assert_eq!(http_address("INFO broker started http=127.0.0.1:41 ms=1"), Some("127.0.0.1:41"));
        assert_eq!(http_address("INFO broker started http=off ms=1"), None);
    }
}
