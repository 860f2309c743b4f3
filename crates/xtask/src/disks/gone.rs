//! Directories that are removed while the broker runs, and that are not there when it starts.

use std::fs;

use super::Scenario;
use super::stage::{Played, Stage, Trouble, Way, gives_up, is_calm, says};

/// The scenarios of this file.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "removed", play: removed },
    Scenario { name: "removed-one-of-two", play: removed_one_of_two },
    Scenario { name: "removed-one-partition", play: removed_one_partition },
    Scenario { name: "unmounted-start", play: unmounted_start },
    Scenario { name: "unmounted-metadata-start", play: unmounted_metadata_start },
];

/// How often a broker looks at its directories here.
const LOOK: &str = "log.flush.offset.checkpoint.interval.ms=1000";

/// The only directory is removed.
fn removed(stage: &mut Stage) -> Played {
    let (data, way) = (stage.directory("data")?, Way { settings: vec![LOOK], ..Way::default() });
    let mut broker = stage.start(&[&data], &way)?;
    let _load = stage.load(&broker, "orders")?;
    fs::remove_dir_all(&data)?;
    gives_up(&mut broker, "No such file or directory")
}

/// One of two is removed: it goes offline, the other goes on.
fn removed_one_of_two(stage: &mut Stage) -> Played {
    let (other, data) = (stage.directory("a")?, stage.directory("b")?);
    let mut broker = stage.start(&[&other, &data], &Way { settings: vec![LOOK], ..Way::default() })?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    fs::remove_dir_all(&data)?;
    says(&mut broker, "the log directory is offline until the next start")?;
    load.stands_still()?;
    unmoved.goes_on(2_000)?;
    is_calm(&mut broker)?;
    unmoved.ends(&broker)
}

/// A partition's directory is removed: that partition fails, the others go on.
fn removed_one_partition(stage: &mut Stage) -> Played {
    let data = stage.directory("data")?;
    let mut broker = stage.start(&[&data], &Way { settings: vec![LOOK], ..Way::default() })?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.load(&broker, "orders")?;
    fs::remove_dir_all(data.join("orders-0"))?;
    says(&mut broker, "the log takes no records until the next start, and is still read")?;
    load.stands_still()?;
    unmoved.goes_on(2_000)?;
    is_calm(&mut broker)?;
    unmoved.ends(&broker)
}

/// The disk of one of two directories is not mounted at the start: an empty directory stands in its place.
fn unmounted_start(stage: &mut Stage) -> Played {
    let (other, data) = (stage.directory("a")?, stage.directory("b")?);
    let mut broker = stage.start(&[&other, &data], &Way::default())?;
    let mut unmoved = stage.paced(&broker, "unmoved")?;
    let mut load = stage.paced(&broker, "orders")?;
    broker.stop()?;
    let away = stage.folder.join("away");
    fs::rename(&data, &away)?;
    fs::create_dir(&data)?;
    let mut broker = stage.start(&[&other, &data], &Way::default())?;
    says(&mut broker, "is empty or not there now: mount its disk and start again")?;
    unmoved.goes_on(2_000)?;
    load.stands_still()?;
    is_calm(&mut broker)?;
    broker.stop()?;
    fs::remove_dir_all(&data)?;
    fs::rename(&away, &data)?;
    let broker = stage.start(&[&other, &data], &Way::default())?;
    load.goes_on(1)?;
    load.ends(&broker)?;
    unmoved.ends(&broker)
}

/// The same with the directory that holds the cluster's metadata.
fn unmounted_metadata_start(stage: &mut Stage) -> Played {
    let (data, other) = (stage.directory("a")?, stage.directory("b")?);
    let mut broker = stage.start(&[&data, &other], &Way::default())?;
    let mut first = stage.paced(&broker, "first")?;
    let mut second = stage.paced(&broker, "second")?;
    broker.stop()?;
    let away = stage.folder.join("away");
    fs::rename(&data, &away)?;
    stage.refused(&[&data, &other], &Way::default(), "mount its disk and start again, or have log.dirs name")?;
    if data.exists() {
        return Err(Trouble::Failed(format!("{} was made", data.display())));
    }
    fs::rename(&away, &data)?;
    let mut broker = stage.start(&[&data, &other], &Way::default())?;
    first.ends(&broker)?;
    second.ends(&broker)?;
    broker.stop()?;
    Ok(())
}
