//! The `ottla` binary: reads the command line, runs one command, turns its result into an exit code.
//!
//! `args` is the command line; each command is a file of its own name. Exit codes: 0 done, 1 failed, 2 not understood.

mod args;
mod config;
mod confirm;
mod consume;
mod dump;
mod executor;
mod export;
mod failure;
mod format;
mod group;
mod json_record;
mod logging;
mod manual;
mod memory;
mod output;
mod produce;
mod progress;
mod session;
mod start;
mod table;
mod time;
mod topic;

use std::process::ExitCode;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    memory::settle();
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // What a broker does is told; a command tells its result.
    let default = if matches!(cli.command, Command::Start(_)) { "info,openraft=warn" } else { "warn" };
    let levels = logging::start(cli.log_level.as_deref(), default, cli.log_format)?;
    let (connect, form) = (&cli.bootstrap, cli.output);
    match cli.command {
        Command::Start(args) => start::run(&args, levels),
        Command::Topic(command) => session::run(connect, async |cluster| topic::run(cluster, command, form).await),
        Command::Config(command) => session::run(connect, async |cluster| config::run(cluster, command, form).await),
        Command::Group(command) => session::run(connect, async |cluster| group::run(cluster, command, form).await),
        Command::Produce(args) => session::run(connect, async |cluster| produce::run(cluster, args).await),
        Command::Consume(args) => session::run(connect, async |cluster| consume::run(cluster, args, form).await),
        Command::Dump(args) => dump::run(&args, form),
        Command::Export(args) => export::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    }
}
