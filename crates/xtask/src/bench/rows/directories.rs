//! Producers on one log directory while the device of the other is slow and written to: beside the same producers left
//! alone. The slow device is a file behind a loop device, which the kernel's cgroup of block I/O throttles.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Family, disturbed_rows, tell_disturbed};
use crate::bench::Bench;
use crate::bench::beside::beside;
use crate::bench::brokers::Server;
use crate::bench::load::Answer;
use crate::bench::row::{Row, Subject};
use crate::disks::mounts::Mounts;

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "directories",
    what: "one of two log directories is slow",
    minutes: 6.0,
    levelled: true,
    rows,
    measure,
};

const KEY: &str = "directories/slow";
/// Unmoved; two runs of the same differ by less than a quarter.
const MOST: f64 = 1.25;
/// Bytes a second that the slow device takes, and megabytes a second that are produced to it.
const SLOW: u32 = 20 << 20;
const WANTED_RECORDS: u32 = 60_000;
/// The slow device's size.
const DEVICE_MEBIBYTES: u64 = 6000;
/// Where the throttle is set, of the first version of cgroups; at the root, where write-back by the kernel is as well.
const THROTTLE: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device";
/// Topics that are tried until both directories have one.
const TRIES_MAX: u32 = 20;

fn rows() -> Vec<Row> {
    disturbed_rows(KEY, "20,000/s in, other directory slow", "p99", MOST)
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    for subject in [Subject::Kafka, Subject::FlushOff, Subject::FlushOn] {
        if bench.measures(subject)
            && let Err(why) = on(bench, subject)
        {
            bench.trouble(KEY, Some(subject), &why);
        }
    }
    Ok(())
}

/// All rounds of one broker, for two would share the slow device.
fn on(bench: &mut Bench, subject: Subject) -> Result<(), String> {
    let folder = bench.folder.join(format!("directories-{}", bench.begun.elapsed().as_nanos()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let slow = folder.join("slow");
    let mut mounts = Mounts::default();
    mounts.device(&slow, &folder.join("device"), DEVICE_MEBIBYTES).map_err(|trouble| trouble.to_string())?;
    let dirs = vec![folder.join("fast"), slow.join("data")];
    let mut server = Server::start_on(subject, &bench.options.binary, dirs.clone(), &[])?;
    let measured = rounds(bench, &server, &dirs, &slow);
    let stopped = server.stop();
    server.remove();
    drop((server, mounts));
    drop(fs::remove_dir_all(&folder));
    measured.and(stopped)
}

fn rounds(bench: &mut Bench, server: &Server, dirs: &[PathBuf], slow: &Path) -> Result<(), String> {
    for round in u32::from(!server.subject.is_kafka())..=bench.options.rounds {
        bench.say(&format!("round {round}: directories: {}", server.subject.name()));
        let (without, with) = one(bench, server, dirs, slow, round)?;
        if round > 0 {
            tell_disturbed(bench, KEY, server.subject, "ack_ms/p99", &without, &with);
        }
    }
    Ok(())
}

fn one(bench: &Bench, server: &Server, dirs: &[PathBuf], slow: &Path, round: u32) -> Result<(Answer, Answer), String> {
    let load = &bench.load;
    let (mut here, mut there, mut spare) = (None, None, Vec::new());
    for number in 0..TRIES_MAX {
        let topic = format!("topic-{round}-{number}");
        load.run(server, &topic, "produce -partitions 1 -records 1 -memory 1")?;
        let place = if dirs[0].join(format!("{topic}-0")).exists() { &mut here } else { &mut there };
        if place.is_none() {
            *place = Some(topic)
        } else {
            spare.push(topic)
        }
        if here.is_some() && there.is_some() {
            break;
        }
    }
    let (here, there) = here.zip(there).ok_or("all topics came into one directory")?;
    let probe = format!("paced -rate 20000 -warm 2 -seconds {}", bench.scaled(10.0));
    bench.fill();
    let without = load.run(server, &here, &probe)?;
    let disturb = format!("paced -rate {WANTED_RECORDS} -seconds 60");
    let with = {
        let _throttled = Throttled::set(slow)?;
        beside(load.start(server, &here, &probe)?, |_| Ok(Some(load.command(server, &there, &disturb))))?
    };
    for topic in spare.iter().chain([&here, &there]) {
        bench.forget(server, topic)?;
    }
    Ok((without, with))
}

/// A device that takes [`SLOW`] bytes a second, until this is dropped.
struct Throttled {
    device: String,
}

impl Throttled {
    /// Throttles the device below a folder.
    fn set(folder: &Path) -> Result<Self, String> {
        let device = fs::metadata(folder).map_err(|error| format!("{}: {error}", folder.display()))?.dev();
        let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        fs::write(THROTTLE, format!("{device} {SLOW}")).map_err(|error| format!("left out: {THROTTLE}: {error}"))?;
        Ok(Self { device })
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        // The device goes away with its file; what is left of the throttle then says nothing.
        drop(fs::write(THROTTLE, format!("{} 0", self.device)));
    }
}
