//! `cargo xtask partitions [N]`: what many partitions cost a broker, and how soon it serves again after an end.
//!
//! N partitions over some topics are created, records are written into nearly all of them, then the broker is stopped,
//! started, killed and started again. A start counts from the command to the first acknowledged record. With `--server`
//! another Kafka broker does the same: a command that runs it in the foreground on a fresh directory.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker;
use crate::interop;
use crate::process::{self, Next, Running};

/// How long one step may take.
const STEP_MAX: Duration = Duration::from_secs(600);
/// After so long without a line from the broker it is asked again whether it serves.
const RETRY: Duration = Duration::from_millis(5);
/// Keyed records for each partition of a topic: so many that hardly one of the partitions gets none.
const RECORDS_PER_PARTITION: u32 = 8;
/// Where the broker is asked to listen, unless `--bootstrap` says where another one does.
const ADDRESS: &str = "127.0.0.1:19092";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    partitions: u32,
    topics: u32,
    binary: PathBuf,
    /// A shell command that runs another broker, and where it listens.
    server: Option<String>,
    bootstrap: String,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        partitions: 10_000,
        topics: 10,
        binary: broker::release_binary(),
        server: None,
        bootstrap: ADDRESS.to_owned(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
        let number =
            |text: &String| text.parse::<u32>().ok().filter(|n| *n > 0).ok_or(format!("\"{text}\" is no number"));
        match argument.as_str() {
            "--topics" => options.topics = number(value()?)?,
            "--binary" => options.binary = value()?.into(),
            "--server" => options.server = Some(value()?.clone()),
            "--bootstrap" => options.bootstrap.clone_from(value()?),
            count => options.partitions = number(&count.to_owned())?,
        }
    }
    if options.partitions < options.topics {
        return Err("a topic has at least one partition".to_owned());
    }
    Ok(options)
}

/// Creates, writes, restarts, and prints what each took.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let folder = interop::scratch("partitions")?;
    let measured = Measured { options, folder };
    measured.run()?;
    std::fs::remove_dir_all(&measured.folder).map_err(|error| error.to_string())
}

struct Measured {
    options: Options,
    folder: PathBuf,
}

impl Measured {
    fn run(&self) -> Result<(), String> {
        let Options { partitions, topics, .. } = self.options;
        println!("{partitions} partitions in {topics} topics, data in {}", self.folder.display());
        let began = Instant::now();
        let mut server = self.start()?;
        self.create(&mut server, "ready", 1)?;
        self.first_record(&mut server)?;
        told("start on an empty directory", began, &server);
        let began = Instant::now();
        for topic in 0..topics {
            self.create(&mut server, &format!("t{topic}"), partitions / topics)?;
        }
        told("create", began, &server);
        let began = Instant::now();
        for topic in 0..topics {
            self.fill(&mut server, &format!("t{topic}"), partitions / topics)?;
        }
        told("write", began, &server);
        for end in ["TERM", "KILL", "TERM"] {
            let began = Instant::now();
            process::signal(end, server.id());
            server.finish(STEP_MAX, |_| {})?;
            println!("{:<32}{:>8.2} s", format!("end by SIG{end}"), began.elapsed().as_secs_f64());
            let began = Instant::now();
            server = self.start()?;
            self.first_record(&mut server)?;
            told(&format!("start after SIG{end}"), began, &server);
        }
        server.kill();
        Ok(())
    }

    fn start(&self) -> Result<Running, String> {
        let mut command = match &self.options.server {
            Some(server) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("exec {server}"));
                shell
            }
            None => start_command(&self.options.binary, &self.options.bootstrap, &self.folder),
        };
        Running::start(&mut command, true)
    }

    /// Waits until one record is acknowledged.
    fn first_record(&self, server: &mut Running) -> Result<(), String> {
        self.until_done(server, &["produce", "ready"], "a record\n")
    }

    fn create(&self, server: &mut Running, topic: &str, partitions: u32) -> Result<(), String> {
        self.until_done(server, &["topic", "create", topic, "-p", &partitions.to_string()], "")
    }

    fn fill(&self, server: &mut Running, topic: &str, partitions: u32) -> Result<(), String> {
        let mut lines = String::new();
        for key in 0..partitions * RECORDS_PER_PARTITION {
            writeln!(lines, "{key}:{key}").expect("a string takes everything");
        }
        self.until_done(server, &["produce", topic, "-k", ":"], &lines)
    }

    /// Runs a command of the binary's against the broker until it succeeds. If the broker is gone, whoever answered was
    /// another one.
    fn until_done(&self, server: &mut Running, arguments: &[&str], input: &str) -> Result<(), String> {
        let end = Instant::now() + STEP_MAX;
        loop {
            let mut command = Command::new(&self.options.binary);
            command.args(arguments).args(["--bootstrap", &self.options.bootstrap]);
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.options.binary.display()))?;
            if let Some(mut stdin) = child.stdin.take() {
                // It may have ended already; what it says then is of interest, and not that the pipe is broken.
                drop(stdin.write_all(input.as_bytes()));
            }
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            if server.has_ended() {
                return Err(format!("the broker ended; is {} free?", self.options.bootstrap));
            }
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr);
            if Instant::now() > end || said.contains("POLICY_VIOLATION") {
                return Err(format!("{} did not succeed: {said}", arguments.join(" ")));
            }
            // Whatever it writes next may be that it serves.
            if let Next::End = server.next(RETRY) {
                return Err("the broker closed its output; it must run in the foreground".to_owned());
            }
        }
    }
}

fn start_command(binary: &Path, address: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("start").arg(format!("listeners=PLAINTEXT://{address}"));
    command.arg(format!("log.dirs={}", folder.display()));
    command
}

/// Prints a step with the time that it took and what the broker holds.
fn told(step: &str, began: Instant, server: &Running) {
    let seconds = began.elapsed().as_secs_f64();
    let id = server.id();
    let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
    println!("{step:<32}{seconds:>8.2} s {:>8} MB resident {descriptors:>7} descriptors", resident_megabytes(id));
}

/// Resident memory of a process, in megabytes; 0 if it is gone.
fn resident_megabytes(id: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or_default() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_command_line_is_understood_or_refused() {
        let options = parse(&words("500 --topics 5 --bootstrap h:1 --binary b")).expect("good");
        assert_eq!((options.partitions, options.topics, options.bootstrap.as_str()), (500, 5, "h:1"));
        assert!(parse(&words("0")).is_err());
        assert!(parse(&words("5 --topics 6")).is_err());
        assert!(parse(&words("--topics")).is_err());
    }

    #[test]
    fn what_this_process_holds_is_found() {
        assert!(resident_megabytes(i64::from(std::process::id())) > 0);
    }
}
