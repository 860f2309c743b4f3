//! `cargo xtask groups`: members of consumer groups by real clients, killed, paused and added, over a broker's restart.
//!
//! Each client goes through the same [`scenario`] with a topic and a group of its own, many side by side on one broker. The
//! members are small programs in `interop/`, each in its own language; what they tell is judged by [`judge`]. The broker is
//! an Ottla, a Kafka of its own (`--kafka RELEASE`), or one that runs already, which is not restarted (`--bootstrap`).

mod clients;
mod gate;
mod judge;
mod scenario;
mod stage;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::interop;
use crate::kafka::{self, Kafka};
use clients::{CLIENTS, Client};
use gate::Gate;

/// Settings of the broker: no wait for the first members, and sessions as short as the members' own in the other protocol.
const SETTINGS: &[&str] = &[
    "group.initial.rebalance.delay.ms=500",
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    "group.consumer.min.heartbeat.interval.ms=1000",
    "group.consumer.heartbeat.interval.ms=1000",
];
/// What a Kafka alone needs to keep offsets.
const KAFKAS: &[&str] = &["offsets.topic.replication.factor=1", "offsets.topic.num.partitions=4"];
/// Clients that play side by side.
const AT_ONCE: usize = 8;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    clients: Vec<String>,
    bootstrap: Option<String>,
    kafka: Option<String>,
    at_once: usize,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let binary = broker::release_binary();
    let mut options = Options { clients: Vec::new(), bootstrap: None, kafka: None, at_once: AT_ONCE, binary };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => options.bootstrap = Some(value()?),
            "--kafka" => options.kafka = Some(value()?),
            "--at-once" => {
                let text = value()?;
                options.at_once = text.parse().ok().filter(|n| *n > 0).ok_or(format!("\"{text}\" is no number"))?;
            }
            "--binary" => options.binary = value()?.into(),
            name if CLIENTS.iter().any(|client| client.name == name) => options.clients.push(name.to_owned()),
            other => {
                let names: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
                return Err(format!("no client {other}; there are {}", names.join(", ")));
            }
        }
    }
    Ok(options)
}

/// The clients that are asked for, without those that a Kafka of today refuses.
fn chosen(options: &Options) -> Vec<&'static Client> {
    let today = options.kafka.as_ref().is_some_and(|release| !release.starts_with('3'));
    let named = |client: &Client| options.clients.is_empty() || options.clients.iter().any(|name| name == client.name);
    CLIENTS.iter().filter(|client| named(client) && !(today && client.before_4)).collect()
}

/// What the members talk to.
enum Server {
    /// One that runs already.
    Other(String),
    Ottla {
        broker: Broker,
        binary: PathBuf,
        folder: PathBuf,
    },
    Kafka {
        kafka: Kafka,
        settings: PathBuf,
    },
}

impl Server {
    fn start(options: &Options) -> Result<Self, String> {
        if let Some(address) = &options.bootstrap {
            return Ok(Self::Other(address.clone()));
        }
        let folder = interop::scratch("groups")?;
        if let Some(release) = &options.kafka {
            interop::install(&format!("tools-{release}"))?;
            let settings: Vec<&str> = SETTINGS.iter().chain(KAFKAS).copied().collect();
            let settings = kafka::format(release, &[folder.join("data")], &settings)?;
            return Ok(Self::Kafka { kafka: Kafka::start(release, &settings)?, settings });
        }
        let broker = Broker::start_with(&options.binary, &folder, 0, SETTINGS)?;
        Ok(Self::Ottla { broker, binary: options.binary.clone(), folder })
    }

    fn address(&self) -> String {
        match self {
            Self::Other(address) => address.clone(),
            Self::Ottla { broker, .. } => broker.address(),
            Self::Kafka { kafka, .. } => kafka.address(),
        }
    }

    /// `kill -9`, and a start on the same folder and port.
    fn restart(&mut self) -> Result<(), String> {
        match self {
            Self::Other(_) => Ok(()),
            Self::Ottla { broker, binary, folder } => {
                let port = broker.port();
                broker.kill();
                *broker = Broker::start_with(binary, folder, port, SETTINGS)?;
                Ok(())
            }
            Self::Kafka { kafka, settings } => {
                kafka.kill();
                kafka.again(settings)
            }
        }
    }

    /// Ends it well; its data goes.
    fn stop(self) -> Result<(), String> {
        let folder = match self {
            Self::Other(_) => return Ok(()),
            Self::Ottla { mut broker, folder, .. } => {
                broker.stop()?;
                folder
            }
            Self::Kafka { mut kafka, settings } => {
                kafka.stop()?;
                settings.with_file_name("")
            }
        };
        std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))
    }

    fn log(&mut self) -> String {
        match self {
            Self::Other(_) => String::new(),
            Self::Ottla { broker, .. } => broker.log(),
            Self::Kafka { kafka, .. } => kafka.log(),
        }
    }
}

/// How a client's scenario ended.
struct Outcome {
    client: &'static Client,
    took: Duration,
    records: Result<usize, String>,
}

/// Plays the scenario of each client that was asked for, or of all, and prints a table of how they ended.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let clients = chosen(&options);
    for needs in clients.iter().map(|client| client.needs).chain(["go"]).collect::<BTreeSet<_>>() {
        interop::install(needs)?;
    }
    let mut server = Server::start(&options)?;
    let mut outcomes = Vec::new();
    for clients in clients.chunks(options.at_once) {
        outcomes.extend(side_by_side(clients, &mut server)?);
    }
    let (mut table, mut failed) = (String::new(), 0);
    for Outcome { client, took, records } in &outcomes {
        let verdict = match records {
            Ok(count) => format!("{count:>7} records  passed"),
            Err(why) => {
                failed += 1;
                println!("{}, {}: {why}", client.name, client.protocol);
                "      -          FAILED".to_owned()
            }
        };
        table += &format!("  {:<22} {:<8} {:>6.1} s {verdict}\n", client.name, client.protocol, took.as_secs_f32());
    }
    if failed > 0 {
        println!("== the broker's last lines\n{}", server.log());
    }
    println!("\n{table}\ngroups: {} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 { Err(format!("{failed} of {} clients failed", outcomes.len())) } else { server.stop() }
}

/// Plays the scenarios of these clients at once; the broker is restarted when all have come so far.
fn side_by_side(clients: &[&'static Client], server: &mut Server) -> Result<Vec<Outcome>, String> {
    let gate = Gate::new(clients.len());
    let shared = (!matches!(server, Server::Other(_))).then_some(&gate);
    let address = server.address();
    thread::scope(|scope| {
        let playing: Vec<_> = clients
            .iter()
            .map(|client| {
                let address = address.as_str();
                scope.spawn(move || {
                    let began = Instant::now();
                    let records = scenario::play(client, address, shared);
                    println!("  {} {}", client.name, if records.is_ok() { "is done" } else { "failed" });
                    Outcome { client, took: began.elapsed(), records }
                })
            })
            .collect();
        let mut restarted = Ok(());
        if shared.is_some() {
            gate.all_arrived();
            restarted = server.restart();
            gate.open();
        }
        let outcomes = playing.into_iter().map(|thread| thread.join().expect("a scenario does not panic")).collect();
        restarted.map(|()| outcomes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn takes_clients_and_refuses_what_it_does_not_know() {
        let parsed = options("java --kafka 4.3.1 franz-go --at-once 2").expect("legal");
        assert_eq!(parsed.clients, ["java", "franz-go"]);
        assert_eq!((parsed.kafka.as_deref(), parsed.at_once), (Some("4.3.1"), 2));
        for bad in ["jvaa", "--bootstrap", "--at-once 0"] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kafka_of_today_is_not_asked_what_it_no_longer_serves() {
        let count = |line: &str| chosen(&options(line).expect("legal")).len();
        assert_eq!(count(""), CLIENTS.len());
        assert_eq!(count("--kafka 3.9.1"), CLIENTS.len());
        assert_eq!(count("--kafka 4.3.1"), CLIENTS.iter().filter(|client| !client.before_4).count());
    }
}
