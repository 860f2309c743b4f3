//! `answers`: a broker that only answers, and the floor under every broker.
//!
//! It says yes to what a producer and a consumer ask, and does nothing for it: what a load generator reaches here is the
//! generator's own limit. Produced records are counted and forgotten, and fetched ones are the same batch again and again.
//! With `--write DIRECTORY` it does the least that a broker can: each partition's records go with one write into a file
//! that was reserved before, and come out by sendfile. Nothing is checked, recovered or flushed.
//!
//! It is no broker for anything else: one thread for each connection, requests answered one after another, versions that
//! name topics by name, no groups. docs/benchmarks.md tells what came of it.
//!
//! In the order of a request: `serve` reads frames and sends answers; `topics` knows what was asked for; `small` has the
//! answers without records; `produce`, `fetch` and `log` the others; `prepared` the batch that is fetched without end.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod fetch;
mod log;
mod options;
mod prepared;
mod produce;
mod serve;
mod small;
#[cfg(test)]
mod tests;
mod topics;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use options::Options;
use prepared::Prepared;
use topics::Topics;

/// What went wrong, in words for the one who typed the command.
type Outcome<T> = Result<T, String>;

/// What all connections share.
struct Answers {
    /// Where clients reach it.
    address: SocketAddr,
    topics: Topics,
    /// What is fetched when nothing is kept.
    prepared: Prepared,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("answers: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let listener = TcpListener::bind(options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    let answers = Answers::new(options, listener.local_addr().map_err(|error| error.to_string())?)?;
    println!("listening on {}", answers.address);
    // It ends when it is killed: there is nothing to be kept.
    std::thread::scope(|scope| {
        for socket in listener.incoming() {
            let socket = socket.map_err(|error| format!("no connection can be accepted: {error}"))?;
            scope.spawn(|| serve::serve(&answers, socket).unwrap_or_else(|reason| eprintln!("answers: {reason}")));
        }
        Ok(())
    })
}

impl Answers {
    fn new(options: Options, address: SocketAddr) -> Outcome<Self> {
        let prepared = Prepared::new(options.value_bytes)?;
        Ok(Self { address, topics: Topics::new(options)?, prepared })
    }
}
