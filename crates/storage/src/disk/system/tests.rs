//! What only the system disk does: locks between processes, threads, and reads of what is not in memory.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::pace::{Place, SLOW};
use super::workers::Queue;
use super::*;
use crate::disk::contract::Scratch;

/// Names to the child process the file that it shall lock.
const LOCK_PATH: &str = "OTTLA_TEST_LOCK_PATH";

/// Not a test on its own: the other process of the next one, which runs this binary with [`LOCK_PATH`] set.
#[test]
fn child_holds_a_lock_until_its_input_ends() {
    let Ok(path) = std::env::var(LOCK_PATH) else { return };
    let lock = SystemDisk::inline().lock(Path::new(&path)).wait();
    println!("\nlocked: {}", lock.is_ok());
    std::io::stdin().lines().for_each(drop);
}

#[test]
fn a_lock_excludes_other_processes() {
    let scratch = Scratch::new();
    let path = scratch.0.join(".lock");
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "disk::system::tests::child_holds_a_lock_until_its_input_ends", "--nocapture"])
            .env(LOCK_PATH, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let answer = output.by_ref().lines().map(Result::unwrap).find(|line| line.starts_with("locked: ")).unwrap();
        // Its end of the pipe stays open: the child prints its result there.
        (child, answer, output)
    };
    let disk = SystemDisk::inline();

    let (mut holder, answer, _output) = child();
    assert_eq!(answer, "locked: true");
    assert_eq!(disk.lock(&path).wait().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(holder.stdin.take());
    holder.wait().unwrap();

    let lock = disk.lock(&path).wait().unwrap();
    // A second attempt in this process must not cost it the lock, as closing the file again would.
    assert_eq!(disk.lock(&path).wait().unwrap_err().kind(), ErrorKind::WouldBlock);
    let (mut refused, answer, _output) = child();
    assert_eq!(answer, "locked: false");
    drop(refused.stdin.take());
    refused.wait().unwrap();
    drop(lock);
}

#[test]
fn a_lock_is_known_by_its_file_and_not_by_its_path() {
    let scratch = Scratch::new();
    let link = scratch.0.join("link");
    fs::create_dir(scratch.0.join("real")).unwrap();
    std::os::unix::fs::symlink(scratch.0.join("real"), &link).unwrap();
    let disk = SystemDisk::inline();
    let _lock = disk.lock(&scratch.0.join("real/.lock")).wait().unwrap();
    assert_eq!(disk.lock(&link.join(".lock")).wait().unwrap_err().kind(), ErrorKind::WouldBlock);
}

const ONE_OF_EACH: Threads = Threads { writers: 1, syncers: 1, readers: 1 };

/// Occupies the only thread behind a queue until the returned sender is used or dropped.
fn occupy(queue: &Queue) -> mpsc::Sender<()> {
    let (go, gate) = mpsc::channel();
    queue.run(Box::new(move || {
        let _ = gate.recv();
    }));
    go
}

fn device_of(disk: &SystemDisk, scratch: &Scratch) -> Arc<Device> {
    disk.device(fs::metadata(&scratch.0).unwrap().dev())
}

/// Whether the operation is done already.
fn is_done<T>(submitted: &mut Submitted<T>) -> bool {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    Pin::new(submitted).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn bytes(fill: u8, length: usize) -> Vec<Bytes> {
    vec![Bytes::from(vec![fill; length])]
}

#[test]
fn only_large_writes_wait_for_the_writer_while_the_device_is_fast() {
    let scratch = Scratch::new();
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let large = disk.open(&scratch.0.join("large"), Open::Create).wait().unwrap();
    let small = disk.open(&scratch.0.join("small"), Open::Create).wait().unwrap();
    let go = occupy(&device_of(&disk, &scratch).writer);
    let mut handed_over = large.write(0, bytes(1, 2 << 20));
    assert!(!is_done(&mut handed_over));
    // Behind a write that waits, a small one of the same file waits as well.
    let mut behind = large.write(0, bytes(2, 10));
    assert!(!is_done(&mut behind));
    assert!(is_done(&mut small.write(0, bytes(3, 10))));
    drop(go);
    handed_over.wait().unwrap();
    behind.wait().unwrap();
    assert_eq!(large.read(0, 11).wait().unwrap(), [[2; 10].as_slice(), &[1]].concat());
    // Once nothing waits any more it is inline again; how fast the writes above were shall not matter here.
    *device_of(&disk, &scratch).pace.lock() = Pace::default();
    let _go = occupy(&device_of(&disk, &scratch).writer);
    assert!(is_done(&mut large.write(0, bytes(4, 10))));
}

#[test]
fn a_slow_device_s_writes_wait_for_the_writer() {
    let scratch = Scratch::new();
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let file = disk.open(&scratch.0.join("file"), Open::Create).wait().unwrap();
    let now = Instant::now();
    device_of(&disk, &scratch).pace.lock().ended(Place::Writer, now, now + SLOW + Duration::from_millis(1));
    let go = occupy(&device_of(&disk, &scratch).writer);
    let mut write = file.write(0, bytes(1, 10));
    assert!(!is_done(&mut write));
    drop(go);
    write.wait().unwrap();
}

#[test]
fn syncs_wait_for_the_syncer() {
    let scratch = Scratch::new();
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let file = disk.open(&scratch.0.join("file"), Open::Create).wait().unwrap();
    let go = occupy(&device_of(&disk, &scratch).syncers);
    let (mut sync, mut names) = (file.sync(), disk.sync_directory(&scratch.0));
    let mut everything = disk.sync_all(&scratch.0);
    assert!(!is_done(&mut sync));
    assert!(!is_done(&mut names));
    assert!(!is_done(&mut everything));
    drop(go);
    sync.wait().unwrap();
    names.wait().unwrap();
    everything.wait().unwrap();
}

#[test]
fn a_device_that_stalls_keeps_no_other_waiting() {
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let (stalled, other) = (disk.device(1), disk.device(2));
    let _stalled = [&stalled.writer, &stalled.syncers, &stalled.readers].map(|queue| occupy(queue));
    for queue in [&other.writer, &other.syncers, &other.readers] {
        let (done, is_done) = mpsc::channel();
        queue.run(Box::new(move || done.send(thread::current().id()).unwrap()));
        assert_ne!(is_done.recv().unwrap(), thread::current().id());
    }
    assert!(Arc::ptr_eq(&disk.device(1), &stalled), "what a device has is its own for good");
}

#[test]
fn devices_beyond_the_bound_share_threads() {
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let devices: Vec<_> = (0..=DEVICES_MAX as u64).map(|number| disk.device(number)).collect();
    assert!(Arc::ptr_eq(&devices[DEVICES_MAX].syncers, &devices[0].syncers));
    assert!(!Arc::ptr_eq(&devices[1].syncers, &devices[0].syncers));
}

#[test]
fn what_is_in_memory_is_read_inline_and_the_rest_by_a_reader() {
    let scratch = Scratch::new();
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let file = disk.open(&scratch.0.join("file"), Open::Create).wait().unwrap();
    file.write(0, bytes(1, 1 << 20)).wait().unwrap();
    file.sync().wait().unwrap();
    let go = occupy(&device_of(&disk, &scratch).readers);
    let mut warm = file.read(0, 1 << 20);
    let can_probe = !device_of(&disk, &scratch).cannot_probe.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(is_done(&mut warm), can_probe);

    let on_memory = rustix::fs::statfs(&scratch.0).unwrap().f_type == 0x0102_1994; // tmpfs: its pages have no other place
    let mut cold = Vec::new();
    for _ in 0..10 {
        // A request, which the kernel may answer for fewer pages.
        rustix::fs::fadvise(file.descriptor().unwrap(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mut read = file.read(0, 1 << 20);
        if !is_done(&mut read) {
            cold.push(read);
        }
    }
    assert!(!cold.is_empty() || on_memory);
    drop(go);
    for read in cold {
        assert!(read.wait().unwrap() == vec![1; 1 << 20]);
    }
}

#[test]
fn a_read_without_memory_of_its_pages_comes_back_unfinished() {
    let scratch = Scratch::new();
    let path = scratch.0.join("file");
    fs::write(&path, vec![1; 1 << 20]).unwrap();
    let fd: OwnedFd = fs::File::open(&path).unwrap().into();
    calls::sync(&fd).unwrap();
    rustix::fs::fadvise(&fd, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let read = match calls::read_resident(&fd, 0, 1 << 20, Vec::new()).unwrap() {
        calls::Probed::Cold(read) => read.finish(&fd).unwrap(),
        // A file system in memory.
        calls::Probed::Done(bytes) => bytes,
        calls::Probed::Unable => calls::read(&fd, 0, 1 << 20, Vec::new()).unwrap(),
    };
    assert!(read == vec![1; 1 << 20]);
}

#[test]
fn memory_is_read_into_again_unless_somebody_has_a_part_of_it() {
    let scratch = Scratch::new();
    for disk in [SystemDisk::inline(), SystemDisk::threaded(ONE_OF_EACH)] {
        let file = disk.open(&scratch.0.join("file"), Open::Truncate).wait().unwrap();
        file.write(0, (0..8).flat_map(|piece| bytes(piece, 100_000)).collect()).wait().unwrap();
        let first = file.read(0, 100_000).wait().unwrap();
        let memory = first.as_ptr();
        let second = file.read_again(100_000, 90_000, first).wait().unwrap();
        assert_eq!((second.as_ptr(), &second[..]), (memory, &[1; 90_000][..]));
        // Too little for what is asked next, and far too much.
        let third = file.read_again(200_000, 200_000, second).wait().unwrap();
        assert_eq!((third.len(), third[0], third[199_999]), (200_000, 2, 3));
        let third_memory = third.as_ptr();
        let fourth = file.read_again(400_000, 50_000, third).wait().unwrap();
        assert_eq!((&fourth[..], fourth.as_ptr() == third_memory), (&[4; 50_000][..], false));
        // Held in part by another.
        let part = fourth.slice(10..20);
        let fifth = file.read_again(500_000, 50_000, fourth).wait().unwrap();
        assert_eq!((&part[..], &fifth[..]), (&[4; 10][..], &[5; 50_000][..]));
        // At the file's end, after more.
        let last = file.read_again(799_990, 50_000, fifth).wait().unwrap();
        assert_eq!(&last[..], &[7; 10][..]);
    }
}

#[test]
fn dropping_the_disk_finishes_what_was_submitted_and_leaves_files_usable() {
    let scratch = Scratch::new();
    let disk = SystemDisk::threaded(ONE_OF_EACH);
    let file = disk.open(&scratch.0.join("file"), Open::Create).wait().unwrap();
    let mut writes: Vec<_> = (0..8).map(|at| file.write(at << 21, bytes(1, 1 << 21))).collect();
    drop(disk);
    for write in &mut writes {
        assert!(is_done(write));
    }
    file.write(0, bytes(2, 2 << 20)).wait().unwrap();
    file.sync().wait().unwrap();
    assert_eq!(file.length().wait().unwrap(), 16 << 20);
}

#[test]
fn space_set_aside_is_given_back_by_truncating_to_the_same_length() {
    let scratch = Scratch::new();
    let file = SystemDisk::inline().open(&scratch.0.join("file"), Open::Create).wait().unwrap();
    file.write(0, bytes(1, 10)).wait().unwrap();
    let blocks = || rustix::fs::fstat(file.descriptor().unwrap()).unwrap().st_blocks;
    let before = blocks();
    file.reserve(4 << 20).wait().unwrap();
    file.truncate(10).wait().unwrap();
    assert!(blocks() < before + 100, "{} blocks of 512 bytes", blocks());
}

#[test]
fn a_full_device_is_told_as_such() {
    // Where there is such a device; containers may have none.
    let Ok(file) = SystemDisk::inline().open(Path::new("/dev/full"), Open::Write).wait() else { return };
    assert_eq!(file.write(0, bytes(1, 10)).wait().unwrap_err().kind(), ErrorKind::StorageFull);
}
