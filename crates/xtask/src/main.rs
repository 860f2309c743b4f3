//! `cargo xtask <command>`: picks the command. What each does is in the module of its name.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to the one who typed it")]

mod bench;
mod broker;
mod check;
mod connections;
mod diff;
mod disks;
mod docs;
mod fix;
mod fuzz;
mod groups;
mod hostile;
mod instructions;
mod interop;
mod kafka;
mod kill;
mod load;
mod logs;
mod moving;
mod partitions;
mod process;
mod scale;
mod schemas;
mod sim;
mod sown;
mod suites;
mod tidy;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  check      everything a machine can find without running the tests; writes nothing
  fix        what a machine can repair: generated code, simple lints, format
  tidy       the house rules alone
  codegen [--check]    the message types, from their schemas
  schemas RELEASE CLASSPATH [--write]    the schemas' facts, printed anew from Kafka's jars
  fuzz [DECODER...] [--seconds N]   every decoder against bytes that nobody meant
  hostile [--seconds N | --minutes N] [SCENARIO...] [--binary PATH]    everything that a peer may do over TCP
  hostile --record [CLIENT...]    what real clients send, kept to be damaged
  diff [SCRIPT...] [--kafka] [--rewrite] [--binary PATH]    the same requests, answered as Kafka answers them
  docs [--check]    docs/configuration.md, from the tables of keys
  interop [CLIENT...] [--bootstrap HOST:PORT] [--binary PATH]    real clients against a broker
  groups [CLIENT...] [--kafka RELEASE | --bootstrap HOST:PORT] [--at-once N] [--binary PATH]    real members of groups
  suites [SUITE...] [--bootstrap HOST:PORT] [--binary PATH] [--alone]    the tests that four clients carry
  tools [RELEASE|TOOL...] [--binary PATH] [--bootstrap HOST:PORT --data FOLDER] [--rewrite]    Kafka's own tools
  logs [RELEASE/SCRIPT...] [--write]    the files that real Kafkas write, and Ottla's beside them
  moving [3.9.1|4.3.1|ottla...] [--binary PATH]    from a real Kafka to Ottla, and on to a real Kafka
  kill [ROUNDS] [--records N] [--partitions N] [--seed N] [--binary PATH]    kill -9 under load, and count
  disks [SCENARIO...] [--binary PATH]    disks that fill up, fail and vanish under a broker
  instructions [PART-OF-A-NAME...] [--record]    the instructions that inner loops take, by valgrind
  connections [N] [--binary PATH] [--bootstrap ADDRESS:PORT --pid PID]    what N connections cost a broker
  partitions [N] [--topics N] [--binary PATH] [--server COMMAND --bootstrap HOST:PORT]    what N partitions cost
  scale [--members N] [--groups N] [--offsets N] [--records N] [--binary PATH] [--server COMMAND --bootstrap HOST:PORT]    what groups and compaction cost
  bench [kafka] [--only ROW,...] [--list] [--rounds N] [--scale F] [--binary PATH] [--dir FOLDER] [--load PATH]
        [--json PATH] [--svg PATH] [--record]    what Ottla costs, beside the last record or beside a real Kafka
  sim [SEED [POWER-FAILURES]]    the simulation of one seed, with its trace
  lives [SEEDS]    a broker's life, in which each operation of its disk in turn meets a trouble
  model [SEEDS]    a log against a list of batches, by as many seeds
  schedules [SEEDS [FROM]]  groups whose members come, go and fall silent, by as many seeds
  flips      every bit of every file of a log directory, turned over before a start
  sown [BUG...]    bugs put in on purpose, and whether the tests that must find them do";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "check" => check::run(),
        "fix" => fix::run(),
        "tidy" => tidy::run(),
        "codegen" => xtask::codegen::run(&rest),
        "schemas" => schemas::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "hostile" => hostile::run(&rest),
        "diff" => diff::run(&rest),
        "docs" => docs::run(&rest),
        "interop" => interop::run(&rest),
        "groups" => groups::run(&rest),
        "suites" => suites::run(&rest),
        "tools" => tools::run(&rest),
        "logs" => logs::run(&rest),
        "moving" => moving::run(&rest),
        "kill" => kill::run(&rest),
        "instructions" => instructions::run(&rest),
        "disks" => disks::run(&rest),
        "connections" => connections::run(&rest),
        "partitions" => partitions::run(&rest),
        "scale" => scale::run(&rest),
        "bench" => bench::run(&rest),
        "sim" => sim::run(&rest),
        "lives" => sim::lives(&rest),
        "model" => sim::model(&rest),
        "schedules" => sim::schedules(&rest),
        "flips" => sim::flips(),
        "sown" => sown::run(&rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
