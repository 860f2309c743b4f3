//! `hostile attack ADDRESS PID [--seconds N | --minutes N] [SCENARIO...]`, `hostile list`, `hostile record FILE`.
//!
//! An attack does what the scenarios in [`live`] say to the broker that listens at the address, watches its process, and
//! has an honest client at work all the time. A recording stands between clients and a broker and keeps what they send.
//! `cargo xtask hostile` starts the broker that both want.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod live;
mod record;

use std::process::ExitCode;

const USAGE: &str = "usage: hostile attack ADDRESS PID [--seconds N | --minutes N] [SCENARIO...]
       hostile list
       hostile record FILE    (then the broker's address as a line of input, and its end when all is recorded)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["list"] => {
            live::list();
            Ok(())
        }
        ["record", file] => record::run(file),
        ["attack", address, pid, rest @ ..] => live::attack(address, pid, rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("hostile: {what}");
            ExitCode::FAILURE
        }
    }
}
