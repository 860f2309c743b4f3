//! `cargo xtask interop`: real clients, with their own defaults, against a running broker.
//!
//! The clients are programs in `interop/` at the root, each in its own language with the same cases; this module
//! installs what they need, runs them one after another and sums up. It knows no protocol.

mod clients;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::{self, Broker};
use crate::process::{self, Running};
use clients::{CLIENTS, Client};

/// How long a client may run.
const CLIENT_MAX: Duration = Duration::from_secs(300);
/// How long the installation of a client may take.
const INSTALL_MAX: Duration = Duration::from_secs(900);

/// Where installed clients live.
pub(crate) fn folder() -> PathBuf {
    process::target().join("interop")
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    clients: Vec<String>,
    bootstrap: Option<String>,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { clients: Vec::new(), bootstrap: None, binary: broker::release_binary() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => options.bootstrap = Some(value()?),
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

/// Runs the clients that were asked for, or all of them, and prints a table of how they ended.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let (mut broker, scratch) = match &options.bootstrap {
        Some(_) => (None, None),
        None => {
            let scratch = scratch("interop")?;
            let broker = Broker::start_with(&options.binary, &scratch, 0, &["ottla.http.listener=http://127.0.0.1:0"])?;
            ask_for_metrics(&options.binary, &broker.address())?;
            (Some(broker), Some(scratch))
        }
    };
    let bootstrap = match (&options.bootstrap, &broker) {
        (Some(address), _) => address.clone(),
        (None, broker) => broker.as_ref().expect("started when no address was given").address(),
    };

    let metrics = broker.as_ref().and_then(Broker::metrics);

    let (mut table, mut passed, mut failed) = (String::new(), 0, 0);
    for client in CLIENTS.iter().filter(|c| options.clients.is_empty() || options.clients.iter().any(|n| n == c.name)) {
        let began = Instant::now();
        println!("== {}", client.name);
        let verdict = match install(client.needs).and_then(|()| check(client, &bootstrap, metrics.as_deref())) {
            Ok(checks) => {
                passed += 1;
                format!("{checks:>7} checks  passed")
            }
            Err(why) => {
                failed += 1;
                println!("{}: {why}", client.name);
                "       -         FAILED".to_owned()
            }
        };
        table += &format!("  {:<16} {:>6.1} s {verdict}\n", client.name, began.elapsed().as_secs_f32());
    }

    let stopped = broker.as_mut().map_or(Ok(()), Broker::stop);
    if let (Some(broker), true) = (&mut broker, failed > 0 || stopped.is_err()) {
        println!("== the broker's last lines\n{}", broker.log());
    }
    println!("\n{table}\ninterop: {passed} passed, {failed} failed");
    stopped?;
    if failed > 0 {
        return Err(format!("{failed} of {} clients failed", passed + failed));
    }
    scratch.map_or(Ok(()), |folder| std::fs::remove_dir_all(folder).map_err(|e| e.to_string()))
}

/// Has clients of librdkafka push metrics about themselves, quickly (KIP-714).
fn ask_for_metrics(binary: &Path, bootstrap: &str) -> Result<(), String> {
    let mut command = Command::new(binary);
    command.args(["config", "set", "client-metrics:interop", "--bootstrap", bootstrap]);
    command.args(["interval.ms=500", "metrics=*", "match=client_id=interop-librdkafka-pushed.*"]);
    process::output(&mut command).map(drop)
}

/// Installs what a client needs; quick when it is there.
pub(crate) fn install(needs: &str) -> Result<(), String> {
    let mut script = Command::new(process::root().join("interop/install.sh"));
    let mut running = Running::start(script.arg(needs).arg(folder()), true)?;
    running.close_input();
    let status = running.finish(INSTALL_MAX, |line| println!("  install | {line}"))?;
    if status.success() { Ok(()) } else { Err(format!("installation ended with {status}")) }
}

/// A new folder for one run's data.
pub(crate) fn scratch(what: &str) -> Result<PathBuf, String> {
    let folder = std::env::temp_dir().join(format!("ottla-{what}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// Runs one client; the number of checks it made, or why it failed. `metrics` is where the broker tells its own.
fn check(client: &Client, bootstrap: &str, metrics: Option<&str>) -> Result<u64, String> {
    let mut command = (client.command)(&folder());
    command.arg(bootstrap).envs(metrics.map(|url| ("INTEROP_METRICS", url)));
    let mut running = Running::start(&mut command, true)?;
    running.close_input();
    let mut checks = None;
    let status = running.finish(CLIENT_MAX, |line| {
        println!("  {line}");
        checks = checks.or_else(|| count(client.name, &line));
    })?;
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    checks.filter(|n| *n > 0).ok_or("ended well without a word on what it checked".to_owned())
}

/// The number in a client's closing line, `ok NAME n checks`.
fn count(name: &str, line: &str) -> Option<u64> {
    line.strip_prefix("ok ")?.strip_prefix(name)?.strip_prefix(' ')?.strip_suffix(" checks")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_line_of_its_own_client_only() {
        assert_eq!(count("kcat", "ok kcat 12 checks"), Some(12));
        assert_eq!(count("kcat", "ok sarama 12 checks"), None);
        assert_eq!(count("kcat", "FAILED kcat: 12 checks"), None);
    }

    #[test]
    fn takes_clients_and_an_address_and_refuses_what_it_does_not_know() {
        let parse = |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("java --bootstrap a:1 kcat").expect("legal");
        assert_eq!((options.clients, options.bootstrap), (vec!["java".into(), "kcat".into()], Some("a:1".into())));
        assert!(parse("jvaa").is_err());
        assert!(parse("--bootstrap").is_err());
    }

    #[test]
    fn a_client_that_says_nothing_has_not_passed() {
        let client = |script: &'static str| Client {
            name: "x",
            needs: "",
            command: match script {
                "silent" => |_| Command::new("true"),
                "zero" => |_| shell("echo ok x 0 checks"),
                "fails" => |_| shell("echo ok x 3 checks; exit 1"),
                _ => |_| shell("echo ok x 3 checks"),
            },
        };
        assert_eq!(check(&client("passes"), "-", None), Ok(3));
        for bad in ["silent", "zero", "fails"] {
            assert!(check(&client(bad), "-", None).is_err(), "{bad}");
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }
}
