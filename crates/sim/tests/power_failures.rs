//! The promise, on a disk that forgets what was not synced: whatever was acknowledged is there, in order, once.

use std::process::Command;

use ottla_sim::{Options, run};
use ottla_storage::disk::simulated::Faults;

fn options(seed: u64, crashes: u32) -> Options {
    Options { seed, crashes, partitions: 3, faults: Faults::adverse() }
}

fn assert_nothing_found(options: &Options) {
    let outcome = run(options);
    assert_eq!(outcome.failure, None, "seed {}: `cargo xtask sim {}` shows it again", options.seed, options.seed);
    assert!(outcome.acknowledged > 0, "seed {}: nothing was acknowledged", options.seed);
    assert_eq!(outcome.findings, [], "seed {}: `cargo xtask sim {}` shows it again", options.seed, options.seed);
}

#[test]
fn twenty_power_failures_in_a_row_lose_nothing_that_was_acknowledged() {
    assert_nothing_found(&options(1, 20));
}

#[test]
fn many_seeds_of_a_few_power_failures_each_lose_nothing() {
    (100..120).for_each(|seed| assert_nothing_found(&options(seed, 3)));
}

#[test]
fn a_disk_that_loses_all_that_was_not_synced_loses_nothing_that_was_acknowledged() {
    (200..205).for_each(|seed| assert_nothing_found(&Options { faults: Faults::default(), ..options(seed, 5) }));
}

/// Two processes, so that nothing that differs from run to run (addresses, hash keys, thread ids) is the same by chance.
#[test]
fn one_seed_gives_one_trace_byte_for_byte() {
    let trace = |seed: &str| {
        let run = Command::new(env!("CARGO_BIN_EXE_sim")).args([seed, "4"]).output().expect("the simulation starts");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        run.stdout
    };
    let (first, second) = (trace("7"), trace("7"));
    let differs = first.split(|b| *b == b'\n').zip(second.split(|b| *b == b'\n')).find(|(a, b)| a != b);
    let differs = differs.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)));
    assert_eq!(differs, None, "the first line that differs");
    assert_eq!(first.len(), second.len());
    assert_ne!(first, trace("8"), "another seed is another run");
}
