//! `cargo xtask sim [SEED [CRASHES]]` runs the simulation of one seed and prints its trace; `cargo xtask sown` checks
//! that the simulation finds bugs that were put in on purpose.

use std::process::Stdio;

use crate::process::{self, cargo};

/// Runs one seed.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut simulation = cargo(&["run", "--quiet", "--package", "ottla-sim", "--bin", "sim", "--"]);
    process::run(simulation.args(arguments)).map_err(|_| "the run found something; its last line says what".to_owned())
}

/// The bugs, each a feature of the simulation's crate, and what it does.
const SOWN: &[(&str, &str)] = &[("sown-no-flush", "a flush that flushes nothing")];

/// Builds the simulation with each bug in turn and expects its test to fail.
pub(crate) fn sown() -> Result<(), String> {
    for (feature, what) in SOWN {
        let test = ["test", "--package", "ottla-sim", "--test", "power_failures", "--features", feature];
        // Built first, so that a build that fails is not taken for a test that does.
        let mut build = cargo(&test);
        process::run(build.arg("--no-run"))?;
        let test = cargo(&test).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if test.map_err(|error| format!("cannot run cargo: {error}"))?.success() {
            return Err(format!("the test of a build with {what} passed; it must fail"));
        }
        println!("sown: {what} was found");
    }
    Ok(())
}
