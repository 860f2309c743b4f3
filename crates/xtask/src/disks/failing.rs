//! Writes, reads and syncs that fail, devices that stall, and too few descriptors.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Scenario;
use super::faults::{Act, Call, Faults};
use super::stage::{PATIENCE, Played, Stage, Trouble, Way, gives_up, is_calm, says};

/// The scenarios of this file.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "sync-fails", play: sync_fails },
    Scenario { name: "write-fails", play: write_fails },
    Scenario { name: "read-fails", play: read_fails },
    Scenario { name: "metadata-sync-fails", play: metadata_sync_fails },
    Scenario { name: "device-fails", play: device_fails },
    Scenario { name: "slow-one-of-two", play: slow_one_of_two },
    Scenario { name: "few-descriptors", play: few_descriptors },
];

/// How long a client may try what cannot succeed.
const SHORT: Duration = Duration::from_secs(3);

/// A broker whose disk has faults, once some are set.
fn faulty() -> (Faults, Way) {
    let faults = Faults::default();
    (faults.clone(), Way { faults: Some(faults), ..Way::default() })
}

/// A sync of one log fails: that log takes no records any more, and is still read.
fn sync_fails(stage: &mut Stage) -> Played {
    one_log_fails(stage, Call::Sync, "the log takes no records until the next start, and is still read")
}

/// A write to one log fails.
fn write_fails(stage: &mut Stage) -> Played {
    one_log_fails(stage, Call::Write, "the log takes no records until the next start, and is still read")
}

fn one_log_fails(stage: &mut Stage, call: Call, words: &str) -> Played {
    let (data, (faults, way)) = (stage.directory("data")?, faulty());
    let mut broker = stage.start(&[&data], &way)?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    faults.set(call, &data.join("orders-0"), Act::Fail(libc::EIO));
    says(&mut broker, words)?;
    load.stands_still()?;
    was_hit(&faults, call)?;
    load.can_be_read(&broker)?;
    unmoved.goes_on(2_000)?;
    is_calm(&mut broker)?;
    faults.clear();
    broker.kill();
    let broker = stage.start(&[&data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// A fault that nothing met tells nothing.
fn was_hit(faults: &Faults, call: Call) -> Played {
    match faults.hits(call) {
        0 => Err(Trouble::Failed(format!("no {call:?} met the fault"))),
        _ => Ok(()),
    }
}

/// Reads of one log fail: its readers are told, writes and all else go on.
fn read_fails(stage: &mut Stage) -> Played {
    let (data, (faults, way)) = (stage.directory("data")?, faulty());
    let mut broker = stage.start(&[&data], &way)?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.paced(&broker, "orders")?;
    load.goes_on(1_000)?;
    faults.set(Call::Read, &data.join("orders-0"), Act::Fail(libc::EIO));
    let words = ["consume", "orders", "--from-beginning", "--exit"];
    if stage.ottla(&broker, &words, SHORT)? {
        return Err(Trouble::Failed("what cannot be read was read".to_owned()));
    }
    was_hit(&faults, Call::Read)?;
    says(&mut broker, "cannot read")?;
    load.goes_on(1_000)?;
    unmoved.can_be_read(&broker)?;
    is_calm(&mut broker)?;
    faults.clear();
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// The metadata cannot be made durable: the broker ends.
fn metadata_sync_fails(stage: &mut Stage) -> Played {
    let (data, (faults, way)) = (stage.directory("data")?, faulty());
    let mut broker = stage.start(&[&data], &way)?;
    let mut load = stage.paced(&broker, "orders")?;
    faults.set(Call::Sync, &data.join("ottla-metadata"), Act::Fail(libc::EIO));
    stage.ottla(&broker, &["topic", "create", "another"], SHORT)?;
    gives_up(&mut broker, "ottla-metadata")?;
    let broker = stage.start(&[&data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)
}

/// A device that promised more room than it has: writes to the page cache succeed, and it is the sync that fails.
fn device_fails(stage: &mut Stage) -> Played {
    let (other, data, thin) = (stage.directory("a")?, stage.directory("b")?, stage.directory("thin")?);
    stage.mounts.memory(&thin, 32)?;
    let device = thin.join("device");
    stage.mounts.device(&data, &device, 256)?;
    let mut broker = stage.start(&[&other, &data], &Way::default())?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    says(&mut broker, "cannot sync")?;
    load.stands_still()?;
    unmoved.goes_on(2_000)?;
    is_calm(&mut broker)?;
    broker.kill();
    stage.mounts.detach()?;
    stage.mounts.resize(&thin, 512)?;
    stage.mounts.repair(&data, &device)?;
    let broker = stage.start(&[&other, &data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// Every sync of one device takes a second: the other directory's producers do not notice.
fn slow_one_of_two(stage: &mut Stage) -> Played {
    let (other, slow, (faults, way)) = (stage.directory("a")?, stage.directory("b")?, faulty());
    stage.mounts.memory(&slow, 512)?;
    let mut broker = stage.start(&[&other, &slow], &way)?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.paced(&broker, "orders")?;
    for call in [Call::Sync, Call::Write] {
        faults.set(call, &slow, Act::Wait(Duration::from_secs(1)));
    }
    load.goes_on(4_000)?;
    was_hit(&faults, Call::Sync)?;
    unmoved.load.take_ready()?;
    let began = Instant::now();
    unmoved.goes_on(4_000)?;
    let took = began.elapsed();
    println!("      4000 records at 2000 per second beside the slow directory: {} ms", took.as_millis());
    if took > Duration::from_secs(4) {
        return Err(Trouble::Failed(format!("the other directory's producer took {took:?} for two seconds' records")));
    }
    is_calm(&mut broker)?;
    faults.clear();
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// The limit of open files is reached: what is there is served, what needs a file is refused, and the broker lives.
fn few_descriptors(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    let before = vec!["prlimit", "--nofile=64:64"];
    let mut broker = stage.start(&[&data], &Way { before, ..Way::default() })?;
    let mut load = stage.paced(&broker, "orders")?;
    stage.ottla(&broker, &["topic", "create", "wide", "--partitions", "200"], PATIENCE)?;
    says(&mut broker, "Too many open files")?;
    load.goes_on(2_000)?;
    is_calm(&mut broker)?;
    broker.stop()?;
    let broker = stage.start(&[&data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    let partitions: Vec<PathBuf> = fs::read_dir(&data)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    match partitions.iter().filter(|path| path.to_string_lossy().contains("/wide-")).count() {
        200 => Ok(()),
        count => Err(Trouble::Failed(format!("{count} of 200 partitions are there after the start"))),
    }
}
