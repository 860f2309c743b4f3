//! `cargo xtask hostile [--seconds N | --minutes N] [SCENARIO...]`: everything that a peer may do to a broker over TCP,
//! against the release binary; and `--record`, which keeps what real clients send for it to be damaged.
//!
//! The scenarios, the honest client and the watch over the process are the program in `crates/hostile`; here are the
//! broker that it is done to, and the last word: that it lives, has not panicked, and stops cleanly.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::broker::{self, Broker};
use crate::interop;
use crate::process::{self, Next, Running, cargo};

/// What the broker is started with: little memory for requests, so that it is all used; and no topic for each name that
/// is asked for, since there will be many.
const SETTINGS: [&str; 3] =
    ["queued.max.request.bytes=67108864", "log.segment.bytes=16777216", "auto.create.topics.enable=false"];
/// How long the recording program takes to start and to end.
const RECORDER_MAX: Duration = Duration::from_secs(60);
/// What is recorded, from the root.
const RECORDED: &str = "crates/hostile/frames/requests.txt";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    binary: PathBuf,
    record: bool,
    /// Clients to record, or words for the program.
    words: Vec<String>,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { binary: broker::release_binary(), record: false, words: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--binary" => options.binary = rest.next().ok_or("--binary needs a value")?.into(),
            "--record" => options.record = true,
            word => options.words.push(word.to_owned()),
        }
    }
    Ok(options)
}

/// Does it all, or records.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let program = build()?;
    if options.words == ["list"] {
        return process::run(Command::new(program).arg("list"));
    }
    let folder = interop::scratch("hostile")?;
    if options.record {
        record(&program, &options, &folder)?;
    } else {
        attack(&program, &options, &folder)?;
    }
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}

/// The program that attacks and records.
fn build() -> Result<PathBuf, String> {
    process::run(&mut cargo(&["build", "--quiet", "--release", "-p", "ottla-hostile"]))?;
    Ok(process::target().join("release/hostile"))
}

fn attack(program: &PathBuf, options: &Options, folder: &std::path::Path) -> Result<(), String> {
    let mut broker = Broker::start_with(&options.binary, folder, 0, &SETTINGS)?;
    let mut command = Command::new(program);
    command.args(["attack", &broker.address(), &broker.id().to_string()]).args(&options.words);
    let done = process::run(&mut command);
    let stopped = broker.stop();
    if done.is_err() || stopped.is_err() || broker.panics() > 0 {
        println!("== the broker's last lines\n{}", broker.log());
    }
    done.and(stopped)?;
    match broker.panics() {
        0 => Ok(()),
        count => Err(format!("the broker panicked {count} times")),
    }
}

/// Has clients talk to a broker through the recording program.
fn record(program: &PathBuf, options: &Options, folder: &std::path::Path) -> Result<(), String> {
    let mut recorder =
        Running::start(Command::new(program).args(["record", RECORDED]).current_dir(process::root()), true)?;
    let Next::Line(line) = recorder.next(RECORDER_MAX) else {
        return Err("the recording program says nothing".to_owned());
    };
    let address = line.strip_prefix("listening on ").ok_or(line.clone())?.to_owned();
    let advertised = format!("advertised.listeners=PLAINTEXT://{address}");
    let mut broker = Broker::start_with(&options.binary, folder, 0, &[&advertised])?;
    recorder.tell(&broker.address())?;
    let words = [options.words.clone(), vec!["--bootstrap".to_owned(), address]].concat();
    // A client that fails has sent something all the same.
    if let Err(why) = interop::run(&words) {
        println!("{why}");
    }
    recorder.close_input();
    let status = recorder.finish(RECORDER_MAX, |line| println!("{line}"))?;
    broker.stop()?;
    if status.success() { Ok(()) } else { Err(format!("the recording ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_program_are_passed_on() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = parse(&words("bombs --binary b --seconds 3")).expect("good");
        assert_eq!((options.record, options.binary), (false, PathBuf::from("b")));
        assert_eq!(options.words, words("bombs --seconds 3"));
        assert!(parse(&words("--record kcat")).expect("good").record);
        assert!(parse(&words("--binary")).is_err());
    }
}
