//! `cargo xtask disks`: disks that fill up, fail, stall and vanish under a running broker, and at its start.
//!
//! Each scenario is a function in the module of its kind. A producer (`load`) writes all the while and tells what was
//! acknowledged; a scenario says what the broker must say, what must go on, and that after mending all that was
//! acknowledged is there. Power losses are the simulator's matter, kills that of `kill`.
//!
//! `stage` is what a scenario plays on; `mounts` and `faults` (over `seccomp`) break disks. docs/reliability.md tells what
//! is seen and kept in each scenario.

mod denied;
mod failing;
mod faults;
mod full;
mod gone;
pub(crate) mod mounts;
mod readonly;
mod seccomp;
mod stage;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::broker;
use crate::{interop, load};
use stage::{Played, Stage, Trouble};

/// Set for the run in a mount namespace of its own.
const INSIDE: &str = "OTTLA_DISKS_INSIDE";

/// One scenario.
struct Scenario {
    /// What it is called on the command line.
    name: &'static str,
    play: fn(&mut Stage) -> Played,
}

/// All, in the order in which they are played.
const SCENARIOS: &[&[Scenario]] =
    &[full::SCENARIOS, readonly::SCENARIOS, denied::SCENARIOS, gone::SCENARIOS, failing::SCENARIOS];

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    scenarios: Vec<String>,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { scenarios: Vec::new(), binary: broker::release_binary() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--binary" => options.binary = rest.next().ok_or("--binary needs a value")?.into(),
            name if all().any(|scenario| scenario.name == name) => options.scenarios.push(name.to_owned()),
            other => {
                let names: Vec<_> = all().map(|scenario| scenario.name).collect();
                return Err(format!("no scenario {other}; there are {}", names.join(", ")));
            }
        }
    }
    Ok(options)
}

fn all() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().copied().flatten()
}

/// Plays the scenarios that were asked for, or all, and prints how each ended.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    if std::env::var_os(INSIDE).is_none() {
        load::install()?;
        enter_namespace()?;
    }
    let folder = interop::scratch("disks")?;
    let (mut table, mut passed, mut failed, mut left_out) = (String::new(), 0, 0, 0);
    for scenario in all().filter(|s| options.scenarios.is_empty() || options.scenarios.iter().any(|n| n == s.name)) {
        println!("== {}", scenario.name);
        let began = Instant::now();
        let played = Stage::new(&options.binary, &folder.join(scenario.name))
            .map_err(Trouble::from)
            .and_then(|mut stage| (scenario.play)(&mut stage));
        let verdict = match played {
            Ok(()) => {
                passed += 1;
                "passed".to_owned()
            }
            Err(trouble @ Trouble::LeftOut(_)) => {
                left_out += 1;
                trouble.to_string()
            }
            Err(trouble @ Trouble::Failed(_)) => {
                failed += 1;
                println!("{trouble}");
                "FAILED".to_owned()
            }
        };
        table += &format!("  {:<28} {:>5.1} s  {verdict}\n", scenario.name, began.elapsed().as_secs_f32());
    }
    println!("\n{table}\ndisks: {passed} passed, {failed} failed, {left_out} left out");
    if failed > 0 {
        return Err(format!("{failed} scenarios failed; their data stays in {}", folder.display()));
    }
    std::fs::remove_dir_all(&folder).map_err(|e| e.to_string())
}

/// Goes on in a mount namespace of its own, where this machine allows it: what is mounted there is gone when this program
/// ends, however it ends. Without root the namespace is that of a user who may mount.
fn enter_namespace() -> Result<(), String> {
    let itself = std::env::current_exe().map_err(|error| error.to_string())?;
    for how in ["-m", "-rm"] {
        let works = Command::new("unshare").args([how, "mount", "-t", "tmpfs", "ottla-disks", "/mnt"]).output();
        if works.is_ok_and(|out| out.status.success()) {
            let error =
                Command::new("unshare").arg(how).arg(itself).args(std::env::args_os().skip(1)).env(INSIDE, how).exec();
            return Err(format!("unshare: {error}"));
        }
    }
    println!("no namespace for mounts here: what needs mounts is left out");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn takes_scenarios_and_refuses_what_it_does_not_know() {
        let parse = |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("full --binary x").expect("legal");
        assert_eq!((options.scenarios, options.binary), (vec!["full".to_owned()], "x".into()));
        assert!(parse("fulll").is_err_and(|why| why.contains("full, ")));
        assert!(parse("--binary").is_err());
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(all().count(), all().map(|scenario| scenario.name).collect::<BTreeSet<_>>().len());
    }
}
