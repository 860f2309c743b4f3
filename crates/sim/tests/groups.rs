//! Groups whose members come, go and die while the power fails: everything is read, from where it was committed.

use ottla_sim::{Assignor, GroupProtocol, Membership, share};

fn options(seed: u64) -> Membership {
    Membership {
        seed,
        protocol: GroupProtocol::Classic,
        assignors: vec![Assignor::Range],
        members: 3,
        partitions: 4,
        records: 500,
        power_failures: 0,
        deaths: 0,
    }
}

fn assert_fair(options: &Membership) {
    let shared = share(options);
    let told = || format!("{options:?}\n{}", shared.events.join("\n"));
    assert_eq!(shared.failure, None, "{}", told());
    assert_eq!(shared.findings, [], "{}", told());
    assert!(shared.given > options.partitions as usize, "nothing moved: {}", told());
}

#[test]
fn members_that_come_and_go_share_partitions_and_no_two_have_one() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
        (0..5).for_each(|seed| assert_fair(&Membership { assignors: vec![assignor], ..options(seed) }));
    }
}

#[test]
fn power_failures_and_deaths_lose_no_record_and_no_commit() {
    for assignor in [Assignor::Range, Assignor::CooperativeSticky] {
        (100..105).for_each(|seed| {
            assert_fair(&Membership { assignors: vec![assignor], power_failures: 4, deaths: 3, ..options(seed) });
        });
    }
}

#[test]
fn the_coordinator_shares_partitions_out_through_power_failures_and_deaths() {
    let consumer = |seed| Membership { protocol: GroupProtocol::Consumer, ..options(seed) };
    (200..205).for_each(|seed| assert_fair(&consumer(seed)));
    (300..305).for_each(|seed| assert_fair(&Membership { power_failures: 4, deaths: 3, ..consumer(seed) }));
}

#[test]
fn one_seed_is_one_story() {
    let options = Membership { power_failures: 2, deaths: 1, ..options(7) };
    assert_eq!(share(&options).events, share(&options).events);
    assert_ne!(share(&options).events, share(&Membership { seed: 8, ..options }).events);
}
