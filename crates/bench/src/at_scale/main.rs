//! `at-scale`: many members, many groups, many offsets, a long log on one broker, and what they cost it.
//!
//! One work a run, on a broker that runs already: `at-scale WORK HOST:PORT PID N`. Each line of the answer is
//! what was measured, its unit and the figure, with tabs between. `cargo xtask scale` starts the brokers, kills and
//! starts them again between works, and makes a table of the lines; docs/benchmarks.md tells what came of it.
//!
//! Works: `classic` and `consumer`, N members of one group over as many partitions (`members`); `groups`, N groups of one
//! member each (`groups`); `commit`, N offsets, and `loaded`, how soon all are told after a start (`offsets`);
//! `clean`, N records of 1,000 bytes compacted (`cleaning`).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod cleaning;
mod connection;
mod groups;
mod members;
mod offsets;
mod process;

use std::net::SocketAddr;
use std::process::ExitCode;

use connection::Connection;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::find_coordinator::FindCoordinatorRequest;
use process::Process;

/// What went wrong, in words for the one who typed the command.
type Outcome<T> = Result<T, String>;

const USAGE: &str = "usage: at-scale classic|consumer|groups|commit|loaded|clean HOST:PORT PID N";

/// Where the work is done, and how much there is.
struct Task {
    address: SocketAddr,
    broker: Process,
    count: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("at-scale: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let [work, address, pid, count] = arguments else { return Err(USAGE.to_owned()) };
    let task = Task {
        address: address.parse().map_err(|error| format!("{address}: {error}"))?,
        broker: Process(pid.parse().map_err(|error| format!("{pid}: {error}"))?),
        count: count.parse().map_err(|error| format!("{count}: {error}"))?,
    };
    match work.as_str() {
        "classic" => members::run(&task, members::Protocol::Classic),
        "consumer" => members::run(&task, members::Protocol::Consumer),
        "groups" => groups::run(&task),
        "commit" => offsets::commit(&task),
        "loaded" => offsets::loaded(&task),
        "clean" => cleaning::run(&task),
        _ => Err(USAGE.to_owned()),
    }
}

/// Says one figure.
fn tell(what: &str, unit: &str, figure: f64) {
    println!("{what}\t{unit}\t{figure}");
}

impl Task {
    fn connect(&self) -> Outcome<Connection> {
        Connection::open(self.address)
    }

    /// Makes a topic, and has the broker find coordinators, for which it may have to make a topic of its own.
    fn prepare(&self, topic: &str, partitions: usize) -> Outcome<()> {
        let mut connection = self.connect()?;
        let num_partitions = i32::try_from(partitions).map_err(|_| "too many partitions")?;
        let topic = CreatableTopic { name: topic.into(), num_partitions, replication_factor: 1, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, validate_only: false };
        let created = connection.ask(5, &request)?;
        if let Some(refused) = created.topics.iter().find(|topic| topic.error_code != 0) {
            return Err(format!("the topic was refused with error {}", refused.error_code));
        }
        self.find_coordinator(&mut connection)
    }

    fn find_coordinator(&self, connection: &mut Connection) -> Outcome<()> {
        let request = FindCoordinatorRequest { key: "group".into(), ..Default::default() };
        connection::until("a coordinator is found", || Ok((connection.ask(1, &request)?.error_code == 0).then_some(())))
    }
}
