//! `cargo xtask sown [BUG...]`: bugs put in on purpose, one at a time, and whether the test that must find each does.
//!
//! One build has them all (`sown.rs` of storage and of the coordinator); the environment chooses. Without a choice its tests must pass, so
//! that it is the bug they find. And no other build may have any: what is shipped is asked for its features.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::process::{self, cargo, root};

/// The environment variable that chooses, as `ottla_storage::sown::VARIABLE` says.
const VARIABLE: &str = "OTTLA_SOWN";

/// A program of tests, by the package and the name that cargo gives it.
type Program = (&'static str, &'static str);

const STORAGE: Program = ("ottla-storage", "ottla_storage");
const POWER_FAILURES: Program = ("ottla-sim", "power_failures");
const LIVES: Program = ("ottla-sim", "lives");
const SCHEDULES: Program = ("ottla-coordinator", "schedules");

const CRASH: &str = "log::tests::crash::nothing_flushed_is_lost_when_the_power_goes_at_any_operation";
const TORN: &str = "log::tests::crash::nothing_flushed_is_lost_when_the_device_keeps_torn_parts_of_the_rest";
const KILLED: &str = "log::tests::crash::nothing_written_is_lost_when_the_process_dies_at_any_operation";
const DEVICE: &str = "log::tests::faults::nothing_flushed_is_lost_when_any_operation_fails_with_a_devices_error";
const NEW_NAME: &str = "log::tests::an_index_that_a_save_makes_has_its_name_when_the_save_is_answered";
const MODEL: &str = "log::tests::model::behaves_as_a_list_of_batches";
const TOGETHER: &str = "directory::crash::what_was_saved_together_is_there_when_the_power_goes_at_any_operation";
const MOVED: &str =
    "directory::crash_moves::a_moved_partition_is_in_one_place_and_whole_when_the_power_goes_at_any_operation";
const FLIPPED: &str = "directory::damage::a_bit_that_turned_over_after_a_power_loss_never_makes_another_record";
const CLEANED: &str = "cleaner::tests::crash::the_last_value_of_every_key_survives_a_power_loss_at_any_operation";
const TOMBSTONES: &str = "cleaner::tests::rounds::tombstones_stay_until_the_horizon_that_the_first_round_has_written";
const LAST_SEQUENCE: &str =
    "cleaner::tests::rounds::the_last_sequence_of_a_producer_outlives_its_records_and_the_snapshots";
const LAST_DURABLE: &str =
    "cleaner::tests::rounds::a_producers_last_batch_is_not_dropped_for_one_that_a_power_failure_takes";
const SEEDS: &str = "many_seeds_of_a_few_power_failures_each_lose_nothing";
const GROUPS: &str = "groups_keep_their_promises_under_random_schedules";
const LIFE: &str = "whatever_operation_the_power_fails_at_clients_were_told_the_truth";

/// Each bug, and the test that must find it. A bug may stand here several times.
const SOWN: &[(&str, Program, &str)] = &[
    ("no-flush", STORAGE, CRASH),
    ("no-flush", POWER_FAILURES, SEEDS),
    ("no-flush-before-acknowledgement", POWER_FAILURES, SEEDS),
    ("no-flush-before-acknowledgement", LIVES, LIFE),
    ("no-directory-sync", STORAGE, CRASH),
    ("no-sync-of-new-names", STORAGE, NEW_NAME),
    ("checkpoint-before-flush", STORAGE, CRASH),
    ("recovery-from-wrong-point", STORAGE, CRASH),
    ("no-crc-at-recovery", STORAGE, TORN),
    ("segments-behind-hole", STORAGE, CRASH),
    ("cut-not-synced", STORAGE, CRASH),
    ("rename-without-sync", STORAGE, TOGETHER),
    ("name-of-replaced-not-synced", STORAGE, MOVED),
    ("failed-sync-ignored", STORAGE, DEVICE),
    ("producers-not-taken-back", STORAGE, CRASH),
    ("clean-mark-stays", STORAGE, CRASH),
    ("producers-forgotten", STORAGE, CRASH),
    ("no-sequence-check", STORAGE, MODEL),
    ("index-not-checked", STORAGE, FLIPPED),
    ("retired-from-wrong-end", STORAGE, KILLED),
    ("copy-not-synced", STORAGE, MOVED),
    ("copy-without-origin", STORAGE, MOVED),
    ("log-start-not-saved", STORAGE, DEVICE),
    ("epoch-not-raised", LIVES, LIFE),
    ("swap-not-synced", STORAGE, CLEANED),
    ("tombstones-dropped-at-once", STORAGE, TOMBSTONES),
    ("last-batch-not-kept", STORAGE, LAST_SEQUENCE),
    ("cleaned-before-swap", STORAGE, CLEANED),
    ("cleaned-before-last-batch", STORAGE, LAST_DURABLE),
    ("swap-not-synced", STORAGE, MODEL),
    ("tombstones-dropped-at-once", STORAGE, MODEL),
    ("last-batch-not-kept", STORAGE, MODEL),
    ("aborted-supersede", STORAGE, MODEL),
    ("old-generation-synced", SCHEDULES, GROUPS),
    ("told-before-given-back", SCHEDULES, GROUPS),
    ("epoch-not-remembered", SCHEDULES, GROUPS),
    ("target-not-taken-out", SCHEDULES, GROUPS),
    ("patterns-not-matched-again", SCHEDULES, GROUPS),
    ("topics-not-looked-at", SCHEDULES, GROUPS),
    ("member-forgotten", SCHEDULES, GROUPS),
    ("sync-timer-not-cancelled", SCHEDULES, GROUPS),
];

/// Builds once, and has each bug, or those named, be looked for by its test.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let wanted = |bug: &str| arguments.is_empty() || arguments.iter().any(|named| named == bug);
    if let Some(unknown) = arguments.iter().find(|named| SOWN.iter().all(|(bug, ..)| bug != named)) {
        let known: Vec<&str> = SOWN.iter().map(|(bug, ..)| *bug).collect();
        return Err(format!("no bug is called {unknown}; there are {}", known.join(", ")));
    }
    nobody_ships_them()?;
    let programs = build()?;
    let program = |(package, name): Program| {
        let found = programs.iter().find(|built| built.package == package && built.name == name);
        found.map(|built| &built.path).ok_or_else(|| format!("cargo built no tests called {name} of {package}"))
    };
    let mut good: Vec<(Program, &str)> = SOWN.iter().map(|(_, program, test)| (*program, *test)).collect();
    good.sort_unstable();
    good.dedup();
    for (of, test) in good {
        if !passes(program(of)?, of, test, None)? {
            return Err(format!("{test} fails without any bug"));
        }
    }
    let (mut found, mut missed) = (0, Vec::new());
    for (bug, of, test) in SOWN.iter().filter(|(bug, ..)| wanted(bug)) {
        let began = Instant::now();
        if passes(program(*of)?, *of, test, Some(bug))? {
            missed.push(format!("{bug} by {test}"));
            println!("sown: {bug} was NOT found by {test}");
        } else {
            found += 1;
            println!("sown: {bug} was found by {test} ({:.1} s)", began.elapsed().as_secs_f64());
        }
    }
    println!("sown: {found} of {} found", found + missed.len());
    if missed.is_empty() { Ok(()) } else { Err(format!("not found: {}", missed.join("; "))) }
}

/// A program of tests that was built.
struct Built {
    package: String,
    name: String,
    path: PathBuf,
}

/// Builds the tests with the bugs in.
fn build() -> Result<Vec<Built>, String> {
    let mut arguments = vec!["test", "--no-run", "--message-format", "json-render-diagnostics"];
    arguments.extend([
        "--package",
        "ottla-storage",
        "--package",
        "ottla-sim",
        "--package",
        "ottla-coordinator",
        "--lib",
    ]);
    arguments.extend(["--test", "power_failures", "--test", "lives", "--test", "schedules"]);
    arguments.extend(["--features", "ottla-sim/sown,ottla-coordinator/sown"]);
    let mut command = cargo(&arguments);
    let lines = process::output(command.stderr(Stdio::inherit()))?;
    Ok(lines.lines().filter_map(built).collect())
}

/// What a line of cargo's says that was built, if it does.
fn built(line: &str) -> Option<Built> {
    let message: Value = serde_json::from_str(line).ok()?;
    // A binary may have the name of a test.
    let path = PathBuf::from(message["executable"].as_str().filter(|_| message["profile"]["test"] == true)?);
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    let folder = manifest.parent()?.file_name()?.to_str()?;
    let name = message["target"]["name"].as_str()?.to_owned();
    Some(Built { package: format!("ottla-{folder}"), name, path })
}

/// Whether a test passes with this bug at work.
fn passes(path: &PathBuf, (package, _): Program, test: &str, bug: Option<&str>) -> Result<bool, String> {
    let folder = package.trim_start_matches("ottla-");
    let mut command = Command::new(path);
    command.args([test, "--exact"]).current_dir(root().join("crates").join(folder)).env_remove(VARIABLE);
    command.env("RUST_BACKTRACE", "0").envs(bug.map(|bug| (VARIABLE, bug)));
    let out = command.output().map_err(|error| format!("{}: {error}", path.display()))?;
    let said = String::from_utf8_lossy(&out.stdout);
    if !said.contains("running 1 test") {
        return Err(format!("there is no test called {test} in {package}"));
    }
    Ok(out.status.success())
}

/// Nothing that is shipped is built with the feature, and with it nothing can be built for release.
fn nobody_ships_them() -> Result<(), String> {
    let tree = ["tree", "--package", "ottla-cli", "--edges", "normal,features", "--prefix", "none"];
    let tree = process::output(&mut cargo(&tree))?;
    match tree.lines().find(|line| line.contains("\"sown\"")) {
        Some(line) => Err(format!("the binary is built with bugs: {line}")),
        None => Ok(()),
    }
}
