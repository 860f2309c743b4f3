//! The power goes at every single operation of a life with proposals, snapshots, purges and restarts. What was
//! acknowledged must be there afterwards, the node must start, and its term must be new.

use std::sync::Arc;

use crate::world::{disk, level, open, options, run, term, topic};
use ottla_quorum::Term;
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};

/// What the clients of the quorum know.
#[derive(Default)]
struct Known {
    /// Topics 0 to before this were acknowledged.
    topics: u8,
    /// The highest term that was seen to lead.
    term: Term,
}

/// One run of the process: opens, proposes topics up to `until`, stops. Ends early where the power goes.
async fn live(disk: Arc<SimulatedDisk>, known: &mut Known, until: u8) -> Option<()> {
    let quorum = open(disk, options(3)).await.ok()?;
    let leads = term(&quorum);
    assert!(leads > known.term, "term {leads} was used before");
    known.term = leads;
    if quorum.image().level() == 0 {
        quorum.propose(leads, vec![level()]).await.ok()?;
    }
    let there = u8::try_from(quorum.image().topic_count()).expect("few");
    known.topics = known.topics.max(there);
    while known.topics < until {
        quorum.propose(leads, vec![topic(known.topics)]).await.ok()?;
        known.topics += 1;
    }
    quorum.shutdown().await.ok()
}

/// Several runs, one after another.
async fn lives(disk: &Arc<SimulatedDisk>, known: &mut Known) -> Option<()> {
    live(disk.clone(), known, 8).await?;
    live(disk.clone(), known, 10).await?;
    live(disk.clone(), known, 14).await
}

/// Every acknowledged topic is there, in order, and nothing that was never proposed; the node works.
async fn check(disk: &Arc<SimulatedDisk>, mut known: Known, at: u64) {
    let acknowledged = known.topics;
    let quorum = open(disk.clone(), options(3)).await.unwrap_or_else(|fault| panic!("power lost at {at}: {fault}"));
    let image = quorum.image();
    let count = u8::try_from(image.topic_count()).expect("few");
    let names: Vec<_> = (0..count).map(|number| format!("topic-{number}")).collect();
    assert!(names.iter().all(|name| image.topic_by_name(name).is_some()), "power lost at {at}: a gap in {image:?}");
    assert!(
        (acknowledged..=acknowledged + 1).contains(&count),
        "power lost at {at}: {acknowledged} topics were acknowledged, {count} are there"
    );
    assert!(term(&quorum) > known.term, "power lost at {at}: term {} again", term(&quorum));
    drop(quorum);
    // The old tasks end at their own pace; what they hold is of no use for the next life.
    known.topics = count;
    known.term = Term(0);
    live(disk.clone(), &mut known, count + 5).await.unwrap_or_else(|| panic!("power lost at {at}: no life after it"));
}

/// Takes the power at every operation, with one seed each.
fn crash_everywhere(faults: &Faults, seeds: std::ops::Range<u64>) {
    let operations = run(async {
        let disk = disk(0, Faults::default());
        let before = disk.operations();
        lives(&disk, &mut Known::default()).await.expect("nothing fails");
        disk.operations() - before
    });
    assert!(operations > 100, "only {operations} operations");
    for seed in seeds {
        for at in 0..operations {
            run(async {
                let disk = disk(seed, faults.clone());
                let mut known = Known::default();
                disk.crash_after(at);
                let finished = lives(&disk, &mut known).await;
                // The last thing that a start does is to set space aside, and nobody depends on that.
                let is_noticed = finished.is_none() || at + 1 == operations;
                assert!(is_noticed, "the power went at {at} of {operations}, and nobody noticed");
                disk.crash();
                check(&disk, known, at).await;
            });
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_every_operation() {
    crash_everywhere(&Faults::default(), 0..1);
}

#[test]
fn what_was_acknowledged_survives_power_losses_that_tear_writes() {
    crash_everywhere(&Faults::adverse(), 1..6);
}

#[test]
fn what_was_acknowledged_survives_the_death_of_the_process_at_every_operation() {
    crash_everywhere(&Faults::process_death(), 0..1);
}
