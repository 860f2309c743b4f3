//! The brokers: one that runs already, and Ottla, which is started and stopped here.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::Outcome;
use crate::load::Load;

/// What Ottla prints before its address.
const LISTENING: &str = "listening on ";
/// How long a process that was told to stop may take.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A broker that can be worked on.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) name: String,
    /// `host:port`
    pub(crate) bootstrap: String,
    /// Its processes, whose CPU time and memory count.
    pub(crate) pids: Vec<u32>,
}

impl Broker {
    /// Resident memory of all its processes, in MB.
    pub(crate) fn resident_mb(&self) -> Outcome<f64> {
        let mut bytes = 0;
        for pid in &self.pids {
            let path = format!("/proc/{pid}/status");
            let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
            bytes += resident_bytes(&status).ok_or_else(|| format!("{path} has no VmRSS"))?;
        }
        Ok(bytes as f64 / 1e6)
    }

    /// Stops the processes and runs `command`, which starts the broker on the data that it has; answers the seconds
    /// until a record is acknowledged.
    pub(crate) fn restart(&self, command: &str, load: &Load) -> Outcome<f64> {
        for pid in &self.pids {
            terminate(*pid)?;
        }
        let asked = Instant::now();
        while self.pids.iter().any(|pid| is_running(*pid)) {
            if asked.elapsed() > STOP_MAX {
                return Err(format!("{} does not stop", self.name));
            }
            std::thread::sleep(LOOK);
        }
        let begin = Instant::now();
        let mut shell = Command::new("sh");
        let mut start =
            shell.args(["-c", command]).stdout(Stdio::null()).spawn().map_err(|error| format!("{command}: {error}"))?;
        let acknowledged = load.first_ack(self, "side-by-side-first");
        let seconds = begin.elapsed().as_secs_f64();
        // The command may be the broker itself: it is not waited for.
        let _ = start.try_wait();
        acknowledged.map(|()| seconds)
    }
}

/// A started Ottla. Dropped without [`Ottla::stop`], it is killed.
#[derive(Debug)]
pub(crate) struct Ottla {
    stopped: StoppedOttla,
    process: Child,
    /// Kept open, so that the process can go on writing to it.
    _stdout: BufReader<ChildStdout>,
    address: String,
}

/// An Ottla that does not run, and its data.
#[derive(Clone, Debug)]
pub(crate) struct StoppedOttla {
    binary: PathBuf,
    directory: PathBuf,
    flush: bool,
}

impl Ottla {
    /// Starts one with an empty directory and waits until it listens.
    pub(crate) fn start(binary: &Path, directory: &Path, flush: bool) -> Outcome<Self> {
        let stopped = StoppedOttla { binary: binary.to_owned(), directory: directory.to_owned(), flush };
        if stopped.directory.exists() {
            stopped.clone().remove()?;
        }
        stopped.start()
    }

    /// As the load generator sees it.
    pub(crate) fn broker(&self) -> Broker {
        let name = format!("Ottla with ottla.acks.flush={}", self.stopped.flush);
        Broker { name, bootstrap: self.address.clone(), pids: vec![self.process.id()] }
    }

    /// Stops it as an operator would, and checks that it ended well.
    pub(crate) fn stop(mut self) -> Outcome<StoppedOttla> {
        terminate(self.process.id())?;
        let asked = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(self.stopped.clone()),
                Ok(Some(status)) => return Err(format!("Ottla ended with {status}")),
                Ok(None) if asked.elapsed() > STOP_MAX => return Err("Ottla does not stop".to_owned()),
                Ok(None) => std::thread::sleep(LOOK),
                Err(error) => return Err(format!("Ottla cannot be waited for: {error}")),
            }
        }
    }
}

impl Drop for Ottla {
    fn drop(&mut self) {
        // Both fail if it has ended, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl StoppedOttla {
    /// Starts it on its data and waits until it listens.
    pub(crate) fn start(self) -> Outcome<Ottla> {
        let bad = |reason: String| format!("{} cannot be started: {reason}", self.binary.display());
        let mut process = Command::new(&self.binary)
            .args(["start", "listeners=PLAINTEXT://127.0.0.1:0"])
            .arg(format!("log.dirs={}", self.directory.display()))
            .arg("ottla.http.listener=")
            .arg(format!("ottla.acks.flush={}", self.flush))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| bad(error.to_string()))?;
        let stdout = process.stdout.take().expect("it was piped");
        let mut ottla =
            Ottla { _stdout: BufReader::new(stdout), process, address: String::new(), stopped: self.clone() };
        let mut line = String::new();
        loop {
            line.clear();
            match ottla._stdout.read_line(&mut line) {
                Ok(0) => return Err(bad("it ended before it listened".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(bad(error.to_string())),
            }
            if let Some(address) = listening(&line) {
                ottla.address = address.to_owned();
                return Ok(ottla);
            }
        }
    }

    /// Deletes its data.
    pub(crate) fn remove(self) -> Outcome<()> {
        std::fs::remove_dir_all(&self.directory)
            .map_err(|error| format!("{} cannot be removed: {error}", self.directory.display()))
    }
}

fn terminate(pid: u32) -> Outcome<()> {
    let target = process_of(pid).ok_or_else(|| format!("{pid} is no process"))?;
    kill_process(target, Signal::TERM).map_err(|error| format!("process {pid} cannot be stopped: {error}"))
}

fn is_running(pid: u32) -> bool {
    // A zombie waits for its parent only.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    process_of(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) && !status.contains("State:\tZ")
}

fn process_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// The address in a line that tells of one.
fn listening(line: &str) -> Option<&str> {
    line.split_once(LISTENING)?.1.split_whitespace().next()
}

/// `VmRSS` of a process's status, in bytes.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_what_ottla_prints() {
        assert_eq!(listening("Ottla 0.1.0 listening on 127.0.0.1:37131 (PLAINTEXT)\n"), Some("127.0.0.1:37131"));
        assert_eq!(listening("Data in /tmp.\n"), None);
        assert_eq!(listening("listening on \n"), None);
    }

    #[test]
    fn reads_resident_memory() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t1\n"), Some(2 << 20));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        let this = Broker { name: String::new(), bootstrap: String::new(), pids: vec![std::process::id()] };
        assert!(this.resident_mb().unwrap() > 0.0);
    }

    #[test]
    fn a_program_that_ends_without_listening_is_told_of() {
        let refused = Ottla::start(Path::new("/bin/true"), Path::new("/nonexistent/ottla"), true).unwrap_err();
        assert!(refused.contains("ended before it listened"), "{refused}");
    }
}
