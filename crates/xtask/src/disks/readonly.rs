//! A file system that takes no writes any more, as a kernel makes it when a device fails; and one that is so at the start.

use super::Scenario;
use super::stage::{Played, Stage, Way, gives_up, is_calm, says};

/// The scenarios of this file.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "read-only", play: read_only },
    Scenario { name: "read-only-one-of-two", play: one_of_two },
    Scenario { name: "read-only-start", play: start },
];

/// MiB of a device.
const DEVICE: u64 = 256;

/// The only directory turns read-only under load: the broker ends and says why; on a repaired device all is there.
fn read_only(stage: &mut Stage) -> Played {
    let (data, device) = (stage.directory("data")?, stage.folder.join("device"));
    stage.mounts.device(&data, &device, DEVICE)?;
    let mut broker = stage.start(&[&data], &Way::default())?;
    let mut load = stage.load(&broker, "orders")?;
    stage.mounts.turn_read_only(&data)?;
    gives_up(&mut broker, "the kernel makes a file system read-only when its device fails")?;
    stage.refused(&[&data], &Way::default(), "the kernel makes a file system read-only when its device fails")?;
    stage.mounts.detach()?;
    stage.mounts.repair(&data, &device)?;
    let broker = stage.start(&[&data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)
}

/// One of two turns read-only: it goes offline, the other goes on.
fn one_of_two(stage: &mut Stage) -> Played {
    let (other, data, device) = (stage.directory("a")?, stage.directory("b")?, stage.folder.join("device"));
    stage.mounts.device(&data, &device, DEVICE)?;
    let mut broker = stage.start(&[&other, &data], &Way::default())?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    stage.mounts.turn_read_only(&data)?;
    says(&mut broker, "the log directory is offline until the next start")?;
    load.stands_still()?;
    unmoved.goes_on(2_000)?;
    is_calm(&mut broker)?;
    unmoved.can_be_read(&broker)?;
    broker.kill();
    stage.mounts.detach()?;
    stage.mounts.repair(&data, &device)?;
    let broker = stage.start(&[&other, &data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// A start on a read-only file system says so, and leaves all as it is.
fn start(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    stage.mounts.memory(&data, 64)?;
    let mut broker = stage.start(&[&data], &Way::default())?;
    let mut load = stage.paced(&broker, "orders")?;
    broker.kill();
    stage.mounts.remount(&data, "ro")?;
    stage.refused(&[&data], &Way::default(), "the kernel makes a file system read-only when its device fails")?;
    stage.mounts.remount(&data, "rw")?;
    let broker = stage.start(&[&data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)
}
