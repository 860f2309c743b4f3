//! `ottla start`: the broker. Reads the configuration, starts the executors, and waits for a signal.
//!
//! What the broker does is in the `broker` crate; only [`serve`] calls it. Exit codes: 1 for a configuration or a start
//! that fails, 2 for a command line that is not understood.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ottla_broker::Broker;
use ottla_config::{BrokerConfig, ConfigError, Notice, Origin};
use ottla_runtime::Runtime;
use ottla_storage::disk::system::{SystemDisk, Threads};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::executor::{executor, listening_executor};
use crate::failure::{Failure, say};
use crate::logging::Levels;
use crate::output::Output;

/// Threads that flush at most: more wait for the same device.
const SYNCERS_MAX: usize = 4;
/// Threads that fetch cold pages.
const READERS: usize = 2;
/// What a second signal ends the process with, as if it had not been caught.
const INTERRUPTED: i32 = 130;

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// A server.properties to read; Kafka's names, Kafka's meaning
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Settings that win over the file, such as log.dirs=/var/lib/ottla
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
}

pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is needed; a file is given with --config FILE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Runs the broker until a signal ends it.
pub(crate) fn run(args: &StartArgs, levels: Arc<Levels>) -> Result<(), Failure> {
    let (config, notices) = configuration(args)?;
    for notice in notices {
        let text = in_file(args.config.as_deref(), notice.origin, &notice.to_string());
        // What nobody asked for is nobody's mistake.
        match notice.origin {
            Origin::Default => tracing::info!("{text}"),
            _ => tracing::warn!("{text}"),
        }
    }
    let (data, listening) = listening_executor("ottla-data", data_threads(&config))?;
    let control = executor("ottla-control", 1)?;
    // More cleaners may be asked for while the broker runs; more threads than processors would be of no use.
    let background = executor("ottla-background", std::thread::available_parallelism().map_or(1, usize::from))?;
    let result = data.block_on(async {
        let (data, control, background) = (data.handle(), control.handle(), background.handle());
        let runtime = ottla_runtime::system::runtime_with_background(data.clone(), control.clone(), background.clone());
        let stop = stop_signal()?;
        serve(config, runtime, levels, stop).await
    });
    drop(listening);
    data.shutdown_background();
    control.shutdown_background();
    background.shutdown_background();
    result
}

/// The file under the command line's settings. Every problem is told, one on a line.
pub(crate) fn configuration(args: &StartArgs) -> Result<(BrokerConfig, Vec<Notice>), Failure> {
    let path = args.config.as_deref();
    let text = path.map(|path| {
        std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    });
    let text = text.transpose()?;
    BrokerConfig::from_layers(text.as_deref(), &args.settings).map_err(|error| Failure::new(problems(path, &error)))
}

fn problems(path: Option<&Path>, error: &ConfigError) -> String {
    let lines = error.problems.iter().map(|problem| in_file(path, problem.origin, &problem.to_string()));
    let told: Vec<String> = lines.map(|line| format!("\n  {line}")).collect();
    format!("the configuration is wrong:{}", told.concat())
}

/// A text about a setting, with the file's name before a line number.
fn in_file(path: Option<&Path>, origin: Origin, text: &str) -> String {
    match (path, origin) {
        (Some(path), Origin::Line(_)) => format!("{}, {text}", path.display()),
        _ => text.to_owned(),
    }
}

/// `num.network.threads` if somebody set it, otherwise one for each CPU.
fn data_threads(config: &BrokerConfig) -> usize {
    match config.settings.origin("num.network.threads") {
        Origin::Default => std::thread::available_parallelism().map_or(config.network_threads, usize::from),
        _ => config.network_threads,
    }
}

/// Completes at the first SIGINT or SIGTERM. A second one ends the process at once, whatever is still to be done.
fn stop_signal() -> Result<oneshot::Receiver<()>, Failure> {
    let open = |kind| signal(kind).map_err(|error| Failure::new(format!("no signals: {error}")));
    let (mut interrupt, mut terminate) = (open(SignalKind::interrupt())?, open(SignalKind::terminate())?);
    let (stop, stopped) = oneshot::channel();
    drop(tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        say("ottla: stopping; once more to stop at once");
        let _ = stop.send(());
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    }));
    Ok(stopped)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Starts the broker, says that it listens, stops it when `stop` completes.
async fn serve(
    config: BrokerConfig,
    runtime: Runtime,
    levels: Arc<Levels>,
    stop: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let log_dirs = config.log_dirs.clone();
    let threads = Threads { writers: 1, syncers: config.io_threads.clamp(1, SYNCERS_MAX), readers: READERS };
    let broker = Broker::start_logging(config, runtime, SystemDisk::threaded(threads), levels);
    let broker = broker.await.map_err(|fault| Failure::new(format!("the broker does not start: {fault}")))?;
    let mut output = Output::stdout();
    output.write(ready(broker.addresses(), &log_dirs, &called()).as_bytes())?;
    output.flush()?;
    tokio::select! {
        biased;
        _ = stop => broker.stop().await.map_err(|fault| Failure::new(format!("the stop was not clean: {fault}"))),
        fault = broker.failed() => Err(Failure::new(format!("the broker cannot go on: {fault}"))),
    }
}

/// How this program was called: what a user can type again, whether it is in the PATH or was run by cargo.
fn called() -> String {
    std::env::args().next().unwrap_or_else(|| "ottla".to_owned())
}

/// What is said once the broker takes requests: where, where its data is, what to try. One line for each listener
/// holds `listening on HOST:PORT`.
fn ready(addresses: &[(String, SocketAddr)], log_dirs: &[PathBuf], ottla: &str) -> String {
    let mut text = String::new();
    for (listener, address) in addresses {
        text.push_str(&format!("Ottla {} listening on {address} ({listener})\n", env!("CARGO_PKG_VERSION")));
    }
    // What a client on this computer can connect to: a wildcard is no address.
    let first =
        addresses.first().map(|(_, address)| match address.ip().is_unspecified() || address.ip().is_loopback() {
            true => format!("localhost:{}", address.port()),
            false => address.to_string(),
        });
    let at = first.unwrap_or_default();
    let option = if at == "localhost:9092" { String::new() } else { format!(" --bootstrap {at}") };
    let absolute = |dir: &PathBuf| std::path::absolute(dir).unwrap_or_else(|_| dir.clone()).display().to_string();
    let dirs: Vec<String> = log_dirs.iter().map(absolute).collect();
    text.push_str(&format!("Data in {}. Ctrl-C stops.\n\nTry in another terminal:\n", dirs.join(", ")));
    text.push_str(&format!("  {ottla} topic create greetings{option}\n"));
    text.push_str(&format!("  echo hello | {ottla} produce greetings{option}\n"));
    text.push_str(&format!("  {ottla} consume greetings --from-beginning{option}\n"));
    text.push_str(&format!("  kcat -b {at} -t greetings -C -e\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(settings: &[&str]) -> StartArgs {
        StartArgs { config: None, settings: settings.iter().map(|text| setting(text).unwrap()).collect() }
    }

    #[test]
    fn every_problem_is_told_with_key_value_and_what_is_allowed() {
        let Failure::Message(message) = configuration(&args(&["num.partitions=0", "log.segment.bytes=x"])).unwrap_err()
        else {
            panic!()
        };
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert!(lines[1].starts_with("  command line: log.segment.bytes=x: "), "{message}");
        assert!(lines[2].starts_with("  command line: num.partitions=0: "), "{message}");
    }

    #[test]
    fn a_problem_of_a_file_names_file_and_line() {
        let error = BrokerConfig::from_layers(Some("node.id=1\nnum.partitions=none\n"), &[]).unwrap_err();
        let told = problems(Some(Path::new("etc/server.properties")), &error);
        assert!(told.contains("\n  etc/server.properties, line 2: num.partitions=none: "), "{told}");
    }

    #[test]
    fn threads_are_those_that_were_asked_for() {
        let threads = |settings: &[&str]| data_threads(&configuration(&args(settings)).unwrap().0);
        assert_eq!(threads(&["num.network.threads=7"]), 7);
        assert_eq!(threads(&[]), std::thread::available_parallelism().unwrap().get());
    }

    #[test]
    fn what_is_ready_is_said_with_addresses_that_can_be_used() {
        let told = ready(&[("PLAINTEXT".to_owned(), "[::]:9092".parse().unwrap())], &[PathBuf::from("/d")], "ottla");
        assert!(told.contains("listening on [::]:9092 (PLAINTEXT)\n") && told.contains("Data in /d."), "{told}");
        assert!(
            told.contains("  ottla topic create greetings\n") && told.contains("kcat -b localhost:9092 "),
            "{told}"
        );
        let told = ready(
            &[("A".to_owned(), "10.0.0.1:1234".parse().unwrap())],
            &[PathBuf::from("/d"), PathBuf::from("/e")],
            "target/release/ottla",
        );
        assert!(told.contains("  target/release/ottla topic create greetings --bootstrap 10.0.0.1:1234\n"), "{told}");
    }

    #[test]
    fn a_setting_has_a_key_and_a_value() {
        assert_eq!(setting("log.dirs = /a=b"), Ok(("log.dirs".to_owned(), "/a=b".to_owned())));
        assert!(setting("server.properties").unwrap_err().contains("--config FILE"));
    }
}
