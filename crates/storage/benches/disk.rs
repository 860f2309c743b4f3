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
const HANDED_OVER: usize = (1 << 20) + 1;

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = directory.map_or_else(std::env::temp_dir, PathBuf::from).join("ottla-bench-disk");
    let inline = SystemDisk::inline();
    let threaded = SystemDisk::threaded(Threads { writers: 1, syncers: 2, readers: 1 });
    println!("{:44} {:>12} {:>12}", "each", "cpu", "time");
    for _ in 0..3 {
        appends("append of 4 KiB, inline", &*inline, &path, 4 << 10, 50_000);
        appends("append of 64 KiB, inline", &*inline, &path, 64 << 10, 8_000);
        appends("append of 256 KiB, inline", &*inline, &path, 256 << 10, 4_000);
        appends("append of 1 MiB, inline", &*inline, &path, HANDED_OVER, 1_000);
        appends("append of 1 MiB, handed over", &*threaded, &path, HANDED_OVER, 1_000);
        hand_overs("read of 1 byte, inline", &*inline, &path, 50_000);
        hand_overs("read of 1 byte in memory, with a reader", &*threaded, &path, 50_000);
        syncs("4 KiB and fdatasync, inline", &*inline, &path, 4 << 10);
        syncs("4 KiB and fdatasync, handed over", &*threaded, &path, 4 << 10);
        syncs("1 MiB and fdatasync, inline", &*inline, &path, 1 << 20);
        syncs("1 MiB and fdatasync, handed over", &*threaded, &path, 1 << 20);
        println!();
    }
    std::fs::remove_file(&path).unwrap();
}

fn empty_file(disk: &dyn Disk, path: &Path) -> FileHandle {
    disk.open(path, Open::Truncate).wait().unwrap()
}

/// Appends, each awaited before the next.
fn appends(name: &str, disk: &dyn Disk, path: &Path, size: usize, count: u32) {
    let file = empty_file(disk, path);
    let batch = Bytes::from(vec![7; size]);
    let mut at = 0;
    measure(name, count, || {
        if at >= FILE_BYTES {
            file.truncate(0).wait().unwrap();
            at = 0;
        }
        file.write(at, vec![batch.clone()]).wait().unwrap();
        at += size as u64;
    });
}

fn hand_overs(name: &str, disk: &dyn Disk, path: &Path, count: u32) {
    let file = empty_file(disk, path);
    file.write(0, vec![Bytes::from_static(&[1])]).wait().unwrap();
    measure(name, count, || drop(file.read(0, 1).wait().unwrap()));
}

fn syncs(name: &str, disk: &dyn Disk, path: &Path, size: usize) {
    let file = empty_file(disk, path);
    let batch = Bytes::from(vec![7; size]);
    let mut at = 0;
    measure(name, 300, || {
        file.write(at, vec![batch.clone()]).wait().unwrap();
        file.sync().wait().unwrap();
        at = (at + size as u64) % FILE_BYTES;
    });
}

fn measure(name: &str, count: u32, mut operation: impl FnMut()) {
    let (cpu, start) = (cpu_time(), Instant::now());
    for _ in 0..count {
        operation();
    }
    let (cpu, time) = ((cpu_time() - cpu) / count, start.elapsed() / count);
    println!("{name:44} {:>9.1} µs {:>9.1} µs", cpu.as_secs_f64() * 1e6, time.as_secs_f64() * 1e6);
}

/// CPU time that all threads of the process used, user and system.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}
