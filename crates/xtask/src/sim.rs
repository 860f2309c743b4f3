//! What runs the simulation, and tests of storage and of groups at full length.
//!
//! - `cargo xtask sim [SEED [CRASHES]]`: one seed, with its trace.
//! - `cargo xtask lives [SEEDS]`: a broker's life, with each operation of its disk in turn meeting each trouble.
//! - `cargo xtask model [SEEDS]`: a log against a list of batches, by many seeds.
//! - `cargo xtask schedules [SEEDS [FROM]]`: groups whose members come, go and fall silent, by many seeds.
//! - `cargo xtask flips`: every bit of every file of a directory, turned over before a start.

use crate::process::{self, cargo};

/// Runs one seed.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut simulation = cargo(&["run", "--quiet", "--package", "ottla-sim", "--bin", "sim", "--"]);
    process::run(simulation.args(arguments)).map_err(|_| "the run found something; its last line says what".to_owned())
}

/// Lives, each with one trouble at one operation.
pub(crate) fn lives(arguments: &[String]) -> Result<(), String> {
    let mut lives = cargo(&["run", "--quiet", "--package", "ottla-sim", "--bin", "lives", "--"]);
    process::run(lives.args(arguments)).map_err(|_| "a life found something; what it says above shows it".to_owned())
}

/// The model of a log, with as many seeds.
pub(crate) fn model(arguments: &[String]) -> Result<(), String> {
    let seeds = match arguments {
        [] => "10000",
        [seeds] if seeds.parse::<u64>().is_ok() => seeds,
        _ => return Err("usage: cargo xtask model [SEEDS]".to_owned()),
    };
    storage_test("log::tests::model", ("OTTLA_MODEL_SEEDS", seeds))
}

/// Groups under random schedules, by as many seeds.
pub(crate) fn schedules(arguments: &[String]) -> Result<(), String> {
    let is_number = |argument: &String| argument.parse::<u64>().is_ok();
    let (seeds, from) = match arguments {
        [] => ("20000", "0"),
        [seeds] if is_number(seeds) => (seeds.as_str(), "0"),
        [seeds, from] if is_number(seeds) && is_number(from) => (seeds.as_str(), from.as_str()),
        _ => return Err("usage: cargo xtask schedules [SEEDS [FROM]]".to_owned()),
    };
    let test = ["test", "--release", "--package", "ottla-coordinator", "--test", "schedules", "--", "--nocapture"];
    process::run(cargo(&test).env("OTTLA_SCHEDULES", seeds).env("OTTLA_SCHEDULES_FROM", from))
}

/// Every bit.
pub(crate) fn flips() -> Result<(), String> {
    storage_test("directory::damage", ("OTTLA_BITS", "1"))
}

/// Tests of storage, optimised, with something in the environment.
fn storage_test(filter: &str, (name, value): (&str, &str)) -> Result<(), String> {
    let mut test = cargo(&["test", "--release", "--package", "ottla-storage", "--lib", filter, "--", "--nocapture"]);
    process::run(test.env(name, value))
}
