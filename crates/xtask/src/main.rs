//! The project's own checks and generators: `cargo xtask NAME`. Each name is one module; this file only picks it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks by printing")]

mod broker;
mod check;
mod fix;
mod interop;
mod kill;
mod process;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask NAME
  check      everything a machine can find without running the tests; writes nothing
  fix        what a machine can repair: format, simple lints, generated code
  tidy       the house rules alone
  interop [CLIENT...] [--bootstrap HOST:PORT] [--binary PATH]    real clients against a broker
  kill [ROUNDS] [--records N] [--partitions N] [--seed N] [--binary PATH]    kill -9 under load, and count";

/// The exit code for a name that is not there, so that a caller can tell it from a failure.
const EXIT_UNKNOWN: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = arguments.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let outcome = match name {
        "check" => check::run(),
        "fix" => fix::run(),
        "tidy" => tidy::run(),
        "interop" => interop::run(rest),
        "kill" => kill::run(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(EXIT_UNKNOWN);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}
