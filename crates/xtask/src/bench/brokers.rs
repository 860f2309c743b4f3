//! Whoever is measured, as a process that can be started, stopped, killed and started again: Ottla with its settings, a
//! real Kafka, the broker that only writes. What they are asked to do is in `works` and `rows`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::load::{FIRST_ACK, Load};
use super::machine;
use super::row::Subject;
use crate::broker::Broker;
use crate::connections::let_pass;
use crate::kafka::{self, Kafka};
use crate::process::{self, Next, Running, cargo};

/// What Kafka's own start script gives a broker, with its heap of 1 GB.
const JVM: &[&str] = &[
    "-Xmx1g",
    "-Xms1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];
/// Of one node, for Kafka.
const KAFKA_ALONE: &[&str] = &[
    "offsets.topic.replication.factor=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
];
/// For whoever is measured: a topic that was deleted leaves its room to the next work.
const EVERYBODY: &[&str] = &["log.segment.delete.delay.ms=100"];
/// How long the floor may take until it listens, and a first record until it is acknowledged.
const START_MAX: Duration = Duration::from_secs(360);
/// The load generator runs before the broker does: its own start is not the broker's.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long a broker may take to delete a topic's files, and to come to rest after that.
const DELETE_MAX: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(500);
/// A broker that takes no more of a core between two looks is at rest. Less is less than a clock tick.
const AT_REST: f64 = 0.02;
/// The topic of first records.
const FIRST: &str = "first";

/// One that runs, or is stopped and can run again.
pub(crate) struct Server {
    /// Who it is.
    pub(crate) subject: Subject,
    process: Process,
    dirs: Vec<PathBuf>,
    settings: Vec<String>,
    binary: PathBuf,
}

enum Process {
    Ottla(Box<Broker>),
    Kafka(Box<Kafka>, PathBuf),
    Floor(Box<Running>, String),
}

impl Server {
    /// Starts one on new log directories within `folder`, with `settings` as `KEY=VALUE`.
    pub(crate) fn start(subject: Subject, binary: &Path, folder: &Path, settings: &[&str]) -> Result<Self, String> {
        Self::start_on(subject, binary, vec![folder.join("data")], settings)
    }

    /// Starts one on these log directories, which are new.
    pub(crate) fn start_on(
        subject: Subject,
        binary: &Path,
        dirs: Vec<PathBuf>,
        settings: &[&str],
    ) -> Result<Self, String> {
        for dir in &dirs {
            std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        let mut settings: Vec<_> = EVERYBODY.iter().chain(settings).map(|&line| line.to_owned()).collect();
        if subject == Subject::FlushOff {
            settings.push("ottla.acks.flush=false".to_owned());
        }
        let process = match subject {
            Subject::Kafka => started_kafka("4.3.1", &dirs, &settings)?,
            Subject::OldKafka => started_kafka("3.9.1", &dirs, &settings)?,
            Subject::FlushOn | Subject::FlushOff => {
                Process::Ottla(Box::new(started_ottla(binary, &dirs, free_port()?, &settings)?))
            }
            Subject::Floor => started_floor(&dirs[0])?,
            Subject::Codec => return Err("a codec is no broker".to_owned()),
        };
        Ok(Self { subject, process, dirs, settings, binary: binary.to_owned() })
    }

    /// `HOST:PORT` for clients.
    pub(crate) fn address(&self) -> String {
        match &self.process {
            Process::Ottla(broker) => broker.address(),
            Process::Kafka(kafka, _) => kafka.address(),
            Process::Floor(_, address) => address.clone(),
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> i64 {
        match &self.process {
            Process::Ottla(broker) => broker.id(),
            Process::Kafka(kafka, _) => kafka.id(),
            Process::Floor(running, _) => running.id(),
        }
    }

    /// Its first log directory.
    pub(crate) fn data(&self) -> &Path {
        &self.dirs[0]
    }

    /// Waits until nothing of a deleted topic is in its log directories and until it is at rest; an error if the former does
    /// not come to pass. Kafka deletes files some time after it has answered, and one that compiles may never rest.
    pub(crate) fn forgotten(&self, topic: &str) -> Result<(), String> {
        let begun = Instant::now();
        while self.has(topic)? {
            if begun.elapsed() > DELETE_MAX {
                return Err(format!("{}: {topic} is not deleted", self.subject.name()));
            }
            let_pass(LOOK / 10);
        }
        let begun = Instant::now();
        let mut before = machine::cpu_seconds(self.id())?;
        while begun.elapsed() < REST_MAX {
            let_pass(LOOK);
            let now = machine::cpu_seconds(self.id())?;
            if now - before <= AT_REST * LOOK.as_secs_f64() + f64::EPSILON {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Whether a folder of the topic is there, under its own name or under that of what is to be deleted.
    fn has(&self, topic: &str) -> Result<bool, String> {
        for dir in &self.dirs {
            let wrong = |error: std::io::Error| format!("{}: {error}", dir.display());
            for entry in std::fs::read_dir(dir).map_err(wrong)? {
                if is_of(topic, &entry.map_err(wrong)?.file_name().to_string_lossy()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Stops it as an operator would.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        match &mut self.process {
            Process::Ottla(broker) => broker.stop(),
            Process::Kafka(kafka, _) => kafka.stop(),
            Process::Floor(running, _) => {
                running.kill();
                Ok(())
            }
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        match &mut self.process {
            Process::Ottla(broker) => broker.kill(),
            Process::Kafka(kafka, _) => kafka.kill(),
            Process::Floor(running, _) => running.kill(),
        }
    }

    /// Starts it again on what it has, at the same address.
    pub(crate) fn again(&mut self) -> Result<(), String> {
        match &mut self.process {
            Process::Ottla(broker) => {
                let started = started_ottla(&self.binary, &self.dirs, broker.port(), &self.settings)?;
                **broker = started;
                Ok(())
            }
            Process::Kafka(kafka, settings) => kafka.again(settings),
            Process::Floor(..) => Err("the floor is not started again".to_owned()),
        }
    }

    /// Starts it again, and answers the seconds from the command to the first acknowledged record. A client tries all the
    /// time meanwhile, from before the command on.
    pub(crate) fn first_ack(&mut self, load: &Load) -> Result<f64, String> {
        let mut client = load.start(self, FIRST, &first_ack())?;
        let_pass(HEAD_START);
        let watch = std::thread::spawn(move || {
            let ended = client.finish(START_MAX, drop);
            (Instant::now(), ended)
        });
        let begun = Instant::now();
        self.again()?;
        let (acknowledged, ended) = watch.join().map_err(|_| "the watch panicked")?;
        if !ended?.success() {
            return Err("no record was acknowledged after the start".to_owned());
        }
        Ok(acknowledged.duration_since(begun).as_secs_f64())
    }

    /// Makes the topic that [`Server::first_ack`] writes to.
    pub(crate) fn prepare_first(&self, load: &Load) -> Result<(), String> {
        load.run(self, FIRST, &first_ack()).map(drop)
    }

    /// Removes what it wrote; it must have ended.
    pub(crate) fn remove(&self) {
        for dir in &self.dirs {
            // What stays is in a folder that is removed at the end.
            drop(std::fs::remove_dir_all(dir));
        }
    }
}

fn started_kafka(release: &str, dirs: &[PathBuf], settings: &[String]) -> Result<Process, String> {
    let lines: Vec<&str> = KAFKA_ALONE.iter().copied().chain(settings.iter().map(String::as_str)).collect();
    let path = kafka::format(release, dirs, &lines)?;
    Ok(Process::Kafka(Box::new(Kafka::start_as(release, &path, JVM)?), path))
}

fn started_ottla(binary: &Path, dirs: &[PathBuf], port: u16, settings: &[String]) -> Result<Broker, String> {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Broker::start_on(binary, dirs, port, &settings)
}

fn started_floor(dir: &Path) -> Result<Process, String> {
    process::run(&mut cargo(&["build", "--quiet", "--release", "--package", "ottla-bench", "--bin", "answers"]))?;
    let mut command = Command::new(process::target().join("release/answers"));
    let mut running = Running::start(command.arg("--write").arg(dir), true)?;
    loop {
        match running.next(START_MAX) {
            Next::Line(line) => {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let address = address.split_whitespace().next().unwrap_or_default().to_owned();
                    return Ok(Process::Floor(Box::new(running), address));
                }
            }
            Next::End => return Err("the floor ended before it listened".to_owned()),
            Next::Timeout => {
                running.kill();
                return Err("the floor does not listen".to_owned());
            }
        }
    }
}

/// What waits for a first record, as long as a start may take.
fn first_ack() -> String {
    format!("{FIRST_ACK} -patience {}s", START_MAX.as_secs())
}

/// Whether a folder is one of the topic's: `TOPIC-PARTITION`, with more behind it while it waits to be deleted.
fn is_of(topic: &str, folder: &str) -> bool {
    let rest = folder.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-'));
    let number = rest.and_then(|rest| rest.split('.').next());
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// A port that is free now, and the broker's over all its starts.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_by_their_topic_also_when_they_wait_to_be_deleted() {
        for folder in ["probe-1-0", "probe-1-10", "probe-1-0.6ad1f0a3e5d14cbd8f7e9f0f9d0c7f4e-delete"] {
            assert!(is_of("probe-1", folder), "{folder}");
        }
        for folder in ["probe-1", "probe-10-0", "probe-1-again-0", "other-0"] {
            assert!(!is_of("probe-1", folder), "{folder}");
        }
    }
}
