//! Directories that the broker may not use, or that are something else: at its start, and from one moment to the next.
//!
//! Root may use all files, so the broker runs without root's privileges here.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use super::Scenario;
use super::stage::{Played, Stage, Trouble, Way, gives_up, is_calm, says};

/// The scenarios of this file.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "denied-start", play: start },
    Scenario { name: "denied-one-of-two-start", play: one_of_two_start },
    Scenario { name: "denied-one-partition-start", play: one_partition_start },
    Scenario { name: "denied-while-running", play: while_running },
    Scenario { name: "foreign-owner-start", play: foreign_owner_start },
    Scenario { name: "a-file-start", play: a_file_start },
    Scenario { name: "locked-start", play: locked_start },
];

/// Somebody else.
const NOBODY: u32 = 65_534;

/// A broker that obeys permissions.
fn without_privileges() -> Way {
    let words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    Way { before: if is_root() { words.to_vec() } else { Vec::new() }, ..Way::default() }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|itself| std::os::unix::fs::MetadataExt::uid(&itself) == 0)
}

fn allow(path: &Path, mode: u32) -> Result<(), Trouble> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// The only directory is denied: no start, and nothing lost.
fn start(stage: &mut Stage) -> Played {
    let (data, way) = (stage.directory("data")?, without_privileges());
    let mut broker = stage.start(&[&data], &way)?;
    let mut load = stage.paced(&broker, "orders")?;
    broker.kill();
    allow(&data, 0o000)?;
    stage.refused(&[&data], &way, "the user that runs the broker must be able to read and write it")?;
    allow(&data, 0o500)?;
    fs::remove_file(data.join(".lock"))?;
    stage.refused(&[&data], &way, "the user that runs the broker must be able to read and write it")?;
    allow(&data, 0o700)?;
    let broker = stage.start(&[&data], &way)?;
    load.goes_on(1)?;
    load.ends(&broker)
}

/// One of two is denied: the other is served.
fn one_of_two_start(stage: &mut Stage) -> Played {
    let (other, data, way) = (stage.directory("a")?, stage.directory("b")?, without_privileges());
    let mut broker = stage.start(&[&other, &data], &way)?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.paced(&broker, "orders")?;
    broker.stop()?;
    allow(&data, 0o000)?;
    let mut broker = stage.start(&[&other, &data], &way)?;
    says(&mut broker, "the log directory cannot be used; its partitions are offline")?;
    unmoved.goes_on(2_000)?;
    load.stands_still()?;
    is_calm(&mut broker)?;
    broker.stop()?;
    allow(&data, 0o700)?;
    let broker = stage.start(&[&other, &data], &way)?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// One file of one partition is denied: that partition is offline, the others are served.
fn one_partition_start(stage: &mut Stage) -> Played {
    let (data, way) = (stage.directory("data")?, without_privileges());
    let mut broker = stage.start(&[&data], &way)?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.paced(&broker, "orders")?;
    broker.kill();
    let segment = data.join("orders-0/00000000000000000000.log");
    allow(&segment, 0o000)?;
    let mut broker = stage.start(&[&data], &way)?;
    says(&mut broker, "the partition cannot be opened; it is offline")?;
    unmoved.goes_on(2_000)?;
    load.stands_still()?;
    is_calm(&mut broker)?;
    broker.stop()?;
    allow(&segment, 0o600)?;
    let broker = stage.start(&[&data], &way)?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// The only directory is denied while the broker runs.
fn while_running(stage: &mut Stage) -> Played {
    let (data, way) = (stage.directory("data")?, without_privileges());
    let way = Way { settings: vec!["log.flush.offset.checkpoint.interval.ms=1000"], ..way };
    let mut broker = stage.start(&[&data], &way)?;
    let mut load = stage.load(&broker, "orders")?;
    allow(&data, 0o000)?;
    gives_up(&mut broker, "the user that runs the broker must be able to read and write it")?;
    allow(&data, 0o700)?;
    let broker = stage.start(&[&data], &way)?;
    load.goes_on(1)?;
    load.ends(&broker)
}

/// The directory is somebody else's, as after a start as root.
fn foreign_owner_start(stage: &mut Stage) -> Played {
    let (data, way) = (stage.directory("data")?, without_privileges());
    allow(&data, 0o700)?;
    chown(&data, Some(NOBODY), Some(NOBODY)).map_err(|error| Trouble::LeftOut(format!("chown: {error}")))?;
    stage.refused(&[&data], &way, "the user that runs the broker must be able to read and write it")
}

/// A file stands where the directory should be.
fn a_file_start(stage: &mut Stage) -> Played {
    let file = stage.folder.join("data");
    fs::write(&file, "not a directory")?;
    stage.refused(&[&file], &Way::default(), "is not a directory")?;
    if fs::read_to_string(&file)? != "not a directory" {
        return Err(Trouble::Failed("the file was changed".to_owned()));
    }
    Ok(())
}

/// Another broker works in the directory: the second one says so, the first does not notice.
fn locked_start(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    let broker = stage.start(&[&data], &Way::default())?;
    let mut load = stage.paced(&broker, "orders")?;
    stage.forget_port();
    stage.refused(&[&data], &Way::default(), "is in use by another process, which holds its .lock")?;
    load.goes_on(2_000)?;
    load.ends(&broker)
}
