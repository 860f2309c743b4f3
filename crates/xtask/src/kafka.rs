//! A real Kafka of one release, alone in KRaft mode, run from the jars that `interop/install.sh tools-RELEASE` fetches.
//!
//! What a move begins with and ends at, what scripts of requests are asked of, and who writes the files that Ottla's are
//! compared with; it is never under test itself.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::interop;
use crate::process::{self, Next, Running};

/// How long a start may take: one with ten thousand partitions, after a kill, on a machine that has other work.
const START_MAX: Duration = Duration::from_secs(300);
/// How long a clean stop may take.
const STOP_MAX: Duration = Duration::from_secs(300);
/// What it says when it serves.
const STARTED: &str = "Kafka Server started";
/// What Java ends with on SIGTERM.
const TERMINATED: i32 = 128 + 15;
/// A cluster id, which is any 16 bytes in base64.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// The settings that hold addresses.
const ADDRESSES: [&str; 3] = ["controller.listener.names", "controller.quorum.voters", "listeners"];
/// For a Java program that lives for seconds: what makes it start soon counts, and what makes it fast later does not.
const SOON: &[&str] = &["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// Lines of its output that are kept for the report.
const LOG_LINES_MAX: usize = 40;

/// A running Kafka.
pub(crate) struct Kafka {
    running: Running,
    release: String,
    jvm: &'static [&'static str],
    port: u16,
    log: Vec<String>,
}

/// Formats new log directories `data` for a Kafka of `release`, with `more` lines of settings; the path of its
/// settings, which lie beside the first.
pub(crate) fn format(release: &str, data: &[PathBuf], more: &[&str]) -> Result<PathBuf, String> {
    let settings = data.first().ok_or("a Kafka has a log directory")?.with_extension("properties");
    let data: Vec<_> = data.iter().map(|path| path.display().to_string()).collect();
    let own = format!("process.roles=broker,controller\nnode.id=1\nlog.dirs={}\n{}", data.join(","), more.join("\n"));
    with_addresses(&own, &settings)?;
    let mut command = java(release, SOON, "kafka.tools.StorageTool");
    command.args(["format", "--cluster-id", CLUSTER, "--config"]).arg(&settings);
    process::output(&mut command)?;
    Ok(settings)
}

/// Writes `own` settings into a file, and addresses that are free now; the port for clients.
fn with_addresses(own: &str, path: &Path) -> Result<u16, String> {
    let free = || TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string());
    let port = |listener: &TcpListener| listener.local_addr().map(|a| a.port()).map_err(|e| e.to_string());
    // Both are held until both are known, or they might be the same.
    let (clients, controller) = (free()?, free()?);
    let (clients, controller) = (port(&clients)?, port(&controller)?);
    let own = own.lines().filter(|line| !ADDRESSES.iter().any(|key| line.starts_with(key)));
    let own = own.collect::<Vec<_>>().join("\n");
    let text = format!(
        "{own}\ncontroller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}\n"
    );
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(clients)
}

fn java(release: &str, jvm: &[&str], class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(jvm);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info");
    command.arg("-cp").arg(interop::folder().join("tools").join(release).join("libs/*")).arg(class);
    command
}

impl Kafka {
    /// Starts a Kafka with these settings but for the addresses, which are free ones; waits until it serves.
    pub(crate) fn start(release: &str, settings: &Path) -> Result<Self, String> {
        Self::start_as(release, settings, SOON)
    }

    /// The same, with these options of Java's: those of [`Kafka::start`] are for one that is not measured.
    pub(crate) fn start_as(release: &str, settings: &Path, jvm: &'static [&'static str]) -> Result<Self, String> {
        let own = std::fs::read_to_string(settings).map_err(|e| format!("{}: {e}", settings.display()))?;
        let port = with_addresses(&own, settings)?;
        Self::launch(release, settings, jvm, port)
    }

    /// Starts it again with the same settings and the same addresses, once it was killed.
    pub(crate) fn again(&mut self, settings: &Path) -> Result<(), String> {
        *self = Self::launch(&self.release, settings, self.jvm, self.port)?;
        Ok(())
    }

    fn launch(release: &str, settings: &Path, jvm: &'static [&'static str], port: u16) -> Result<Self, String> {
        let running = Running::start(java(release, jvm, "kafka.Kafka").arg(settings), true)?;
        let mut kafka = Self { running, release: release.to_owned(), jvm, port, log: Vec::new() };
        let end = Instant::now() + START_MAX;
        loop {
            match kafka.running.next(end.saturating_duration_since(Instant::now())) {
                Next::Line(line) => {
                    let serves = line.contains(STARTED);
                    kafka.keep(line);
                    if serves {
                        return Ok(kafka);
                    }
                }
                Next::End => return Err(format!("Kafka {release} ended before it served\n{}", kafka.log())),
                Next::Timeout => return Err(format!("Kafka {release} does not serve\n{}", kafka.log())),
            }
        }
    }

    /// `HOST:PORT` for clients.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process.
    pub(crate) fn id(&self) -> i64 {
        self.running.id()
    }

    /// `kill -9`: no chance to write anything more.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// The last lines it wrote.
    pub(crate) fn log(&mut self) -> String {
        while let Some(line) = self.running.ready() {
            self.keep(line);
        }
        self.log.iter().map(|line| format!("  kafka | {line}\n")).collect()
    }

    /// SIGTERM, and an error unless it ends in time.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        process::signal("TERM", self.running.id());
        let mut lines = Vec::new();
        let ended = self.running.finish(STOP_MAX, |line| lines.push(line));
        lines.into_iter().for_each(|line| self.keep(line));
        let status = ended.map_err(|why| format!("Kafka {why} after SIGTERM"))?;
        let well = status.success() || status.code() == Some(TERMINATED);
        if well { Ok(()) } else { Err(format!("Kafka ended with {status} on SIGTERM")) }
    }

    fn keep(&mut self, line: String) {
        if self.log.len() == LOG_LINES_MAX {
            self.log.remove(0);
        }
        self.log.push(line);
    }
}
