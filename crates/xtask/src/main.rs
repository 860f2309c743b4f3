//! `cargo xtask <command>`: picks the command. What each does is in the module of its name.

#![expect(clippy::print_stderr, reason = "a command speaks to the one who typed it")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "codegen" => xtask::codegen::run(&rest),
        _ => Err("usage: cargo xtask codegen [--check]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
