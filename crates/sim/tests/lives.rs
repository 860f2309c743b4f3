//! Lives of a broker, each with one trouble at one operation of the disk: whatever a client was told holds afterwards.
//!
//! Here every so manyth operation is tried; `cargo xtask lives` tries all, with several seeds.

use ottla_sim::{Life, Trouble, live};
use ottla_storage::disk::simulated::{Failure, Faults};

/// Operations from one trouble to the next, so that a run of tests has about a hundred lives.
const STEP: usize = 67;

fn assert_good(life: &Life) -> u64 {
    let lived = live(life);
    if lived.failure.is_some() || !lived.findings.is_empty() {
        let Life { seed, trouble, .. } = life;
        panic!("{}\nseed {seed}, {trouble:?}: {:?} {:?}", lived.trace.join("\n"), lived.failure, lived.findings);
    }
    assert!(lived.looks >= 2 && lived.acknowledged >= 56, "{} looks, {}", lived.looks, lived.acknowledged);
    lived.operations
}

/// Lives through the trouble at every `STEP`th operation from `first` on.
fn assert_all_good(seed: u64, faults: &Faults, trouble: Trouble, first: u64) {
    let operations = assert_good(&Life { seed, faults: faults.clone(), trouble: None });
    assert!(operations > 1000, "{operations} operations");
    for at in (first..operations).step_by(STEP) {
        assert_good(&Life { seed, faults: faults.clone(), trouble: Some((at, trouble)) });
    }
}

#[test]
fn whatever_operation_the_power_fails_at_clients_were_told_the_truth() {
    assert_all_good(1, &Faults::default(), Trouble::PowerFailure, 5);
    assert_all_good(2, &Faults::adverse(), Trouble::PowerFailure, 30);
}

#[test]
fn whatever_operation_meets_a_devices_error_clients_were_told_the_truth() {
    assert_all_good(3, &Faults::default(), Trouble::Failure(Failure::Device), 11);
}

#[test]
fn whatever_operation_finds_no_room_clients_were_told_the_truth() {
    assert_all_good(4, &Faults::adverse(), Trouble::Failure(Failure::NoRoom), 23);
}
