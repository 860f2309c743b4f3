//! A full file system: while the broker runs, at its start, and in one of two directories.

use super::Scenario;
use super::mounts::fill;
use super::stage::{Played, Stage, Way, is_calm, says};

/// MiB of the small file system, and when it has room again.
const SMALL: u32 = 8;
const LARGE: u32 = 64;

/// The scenarios of this file.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "full", play: full },
    Scenario { name: "full-start", play: full_start },
    Scenario { name: "full-from-the-first", play: full_from_the_first },
    Scenario { name: "full-one-of-two", play: full_one_of_two },
];

/// It fills up under load: appends are refused, reads go on, and with room again the partition goes on by itself.
fn full(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    stage.mounts.memory(&data, SMALL)?;
    let mut broker = stage.start(&[&data], &Way::default())?;
    let mut load = stage.load(&broker, "orders")?;
    says(&mut broker, "the disk is full; appends are refused")?;
    load.stands_still()?;
    is_calm(&mut broker)?;
    load.can_be_read(&broker)?;
    stage.mounts.resize(&data, LARGE)?;
    load.goes_on(1)?;
    says(&mut broker, "the disk has room again")?;
    load.ends(&broker)?;
    broker.stop()?;
    let broker = stage.start(&[&data], &Way::default())?;
    load.can_be_read(&broker)
}

/// After a kill, and after a stop, it starts on a file system without a free byte and serves reads; with room again writes
/// go on.
fn full_start(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    stage.mounts.memory(&data, SMALL)?;
    let mut broker = stage.start(&[&data], &Way::default())?;
    let mut load = stage.load(&broker, "orders")?;
    says(&mut broker, "the disk is full; appends are refused")?;
    load.stands_still()?;
    let filler = data.join("filler");
    for is_killed in [true, false, true] {
        if is_killed {
            broker.kill()
        } else {
            // What it would save may find no room any more.
            broker.stop_saying("No space left on device")?
        }
        fill(&filler)?;
        broker = stage.start(&[&data], &Way::default())?;
        load.can_be_read(&broker)?;
        is_calm(&mut broker)?;
    }
    std::fs::remove_file(&filler)?;
    stage.mounts.resize(&data, LARGE)?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    broker.stop()?;
    Ok(())
}

/// A new broker on a file system without a free byte says so, and leaves nothing that keeps it from starting later.
fn full_from_the_first(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    stage.mounts.memory(&data, SMALL)?;
    let filler = data.join("filler");
    fill(&filler)?;
    stage.refused(&[&data], &Way::default(), "No space left on device")?;
    std::fs::remove_file(&filler)?;
    let mut broker = stage.start(&[&data], &Way::default())?;
    stage.paced(&broker, "orders")?.ends(&broker)?;
    broker.stop()?;
    Ok(())
}

/// What lies in the other directory does not notice.
fn full_one_of_two(stage: &mut Stage) -> Played {
    let (small, other) = (stage.directory("a")?, stage.directory("b")?);
    stage.mounts.memory(&small, SMALL)?;
    let mut broker = stage.start(&[&other, &small], &Way::default())?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    says(&mut broker, "the disk is full; appends are refused")?;
    load.stands_still()?;
    unmoved.goes_on(2_000)?;
    load.can_be_read(&broker)?;
    is_calm(&mut broker)?;
    stage.mounts.resize(&small, LARGE)?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)?;
    broker.stop()?;
    let broker = stage.start(&[&other, &small], &Way::default())?;
    load.can_be_read(&broker)?;
    unmoved.can_be_read(&broker)
}
