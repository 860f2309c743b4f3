//! What handing an operation to a disk thread costs, in CPU time of the whole process and in time that passes.
//!
//! The system disk's choice of where a write is done rests on this. Run it on an idle machine:
//! `cargo bench -p ottla-storage --bench disk [DIRECTORY]`; the directory's file system is the one measured.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured and may stop at once"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_storage::disk::system::{SystemDisk, Threads};
use ottla_storage::disk::{Disk, FileHandle, Open};

/// Bytes after which the file is emptied, so that neither memory nor the device's write-back decides.
const FILE_BYTES: u64 = 128 << 20;

/// Just too large for the system disk to do inline, if it has a writer.
const HANDED_OVER: usize = (1 << 20) + (8 << 10);

/// How often each case runs, in turn with the others; the median is printed.
const ROUNDS: usize = 9;

/// CPU time and time that passed, for one operation.
type Cost = (Duration, Duration);

/// A case: its name, and one round of it on a disk.
type Case<'a> = (&'static str, &'a dyn Disk, fn(&dyn Disk, &Path) -> Cost);

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = directory.map_or_else(std::env::temp_dir, PathBuf::from).join("ottla-bench-disk");
    let inline: &dyn Disk = &*SystemDisk::inline();
    let threaded: &dyn Disk = &*SystemDisk::threaded(Threads { writers: 1, syncers: 2, readers: 1 });
    let cases: [Case<'_>; 11] = [
        ("append of 4 KiB, inline", inline, |disk, path| appends(disk, path, 4 << 10, 20_000)),
        ("append of 64 KiB, inline", inline, |disk, path| appends(disk, path, 64 << 10, 4_000)),
        ("append of 256 KiB, inline", inline, |disk, path| appends(disk, path, 256 << 10, 2_000)),
        ("append of 1 MiB, inline", inline, |disk, path| appends(disk, path, HANDED_OVER, 500)),
        ("append of 1 MiB, handed over", threaded, |disk, path| appends(disk, path, HANDED_OVER, 500)),
        ("read of 1 byte in memory, no reader", inline, reads),
        ("read of 1 byte in memory, with a reader", threaded, reads),
        ("4 KiB and fdatasync, inline", inline, |disk, path| syncs(disk, path, 4 << 10)),
        ("4 KiB and fdatasync, handed over", threaded, |disk, path| syncs(disk, path, 4 << 10)),
        ("1 MiB and fdatasync, inline", inline, |disk, path| syncs(disk, path, 1 << 20)),
        ("1 MiB and fdatasync, handed over", threaded, |disk, path| syncs(disk, path, 1 << 20)),
    ];
    let mut costs = vec![Vec::new(); cases.len()];
    for round in 0..ROUNDS {
        for at in 0..cases.len() {
            // There and back: a case finds the kernel's free memory as the one before it left it, and that shows.
            let at = if round % 2 == 0 { at } else { cases.len() - 1 - at };
            let (_, disk, run) = cases[at];
            costs[at].push(run(disk, &path));
        }
    }
    println!("{:44} {:>12} {:>12}", "each (median)", "cpu", "time");
    for ((name, ..), costs) in cases.iter().zip(&costs) {
        let median = |of: fn(&Cost) -> Duration| {
            let mut sorted: Vec<Duration> = costs.iter().map(of).collect();
            sorted.sort();
            sorted[ROUNDS / 2].as_secs_f64() * 1e6
        };
        println!("{name:44} {:>9.1} µs {:>9.1} µs", median(|cost| cost.0), median(|cost| cost.1));
    }
    std::fs::remove_file(&path).unwrap();
}

/// A file that was large just now, so that each case finds the same warm memory to allocate.
fn empty_file(disk: &dyn Disk, path: &Path) -> FileHandle {
    let file = disk.open(path, Open::Truncate).wait().unwrap();
    let batch = Bytes::from(vec![7; 1 << 20]);
    for at in (0..FILE_BYTES).step_by(1 << 20) {
        file.write(at, vec![batch.clone()]).wait().unwrap();
    }
    file.truncate(0).wait().unwrap();
    file
}

/// Appends, each awaited before the next.
fn appends(disk: &dyn Disk, path: &Path, size: usize, count: u32) -> Cost {
    let file = empty_file(disk, path);
    let batch = Bytes::from(vec![7; size]);
    let mut at = 0;
    measure(count, || {
        if at >= FILE_BYTES {
            file.truncate(0).wait().unwrap();
            at = 0;
        }
        file.write(at, vec![batch.clone()]).wait().unwrap();
        at += size as u64;
    })
}

fn reads(disk: &dyn Disk, path: &Path) -> Cost {
    let file = empty_file(disk, path);
    file.write(0, vec![Bytes::from_static(&[1])]).wait().unwrap();
    measure(20_000, || drop(file.read(0, 1).wait().unwrap()))
}

fn syncs(disk: &dyn Disk, path: &Path, size: usize) -> Cost {
    let file = empty_file(disk, path);
    let batch = Bytes::from(vec![7; size]);
    let mut at = 0;
    measure(100, || {
        file.write(at, vec![batch.clone()]).wait().unwrap();
        file.sync().wait().unwrap();
        at += size as u64;
    })
}

fn measure(count: u32, mut operation: impl FnMut()) -> Cost {
    let (cpu, start) = (cpu_time(), Instant::now());
    for _ in 0..count {
        operation();
    }
    ((cpu_time() - cpu) / count, start.elapsed() / count)
}

/// CPU time that all threads of the process used, user and system.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}
