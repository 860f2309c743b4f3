//! What only the simulated disk does: losing, tearing, filling, cutting, delaying, and all of it again from a seed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use super::faults::Dice;
use super::*;

fn disk(faults: Faults) -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::with_faults(7, faults);
    disk.create_directory(path("/d")).wait().unwrap();
    disk.sync_directory(path("/")).wait().unwrap();
    disk
}

fn path(path: &str) -> &Path {
    Path::new(path)
}

/// A file whose name is durable and whose bytes are `synced` and then, not synced, `unsynced`.
fn file(disk: &SimulatedDisk, name: &str, synced: &[u8], unsynced: &[u8]) -> FileHandle {
    let file = disk.open(path(name), Open::Create).wait().unwrap();
    disk.sync_directory(path(name).parent().unwrap()).wait().unwrap();
    write(&file, 0, synced).unwrap();
    file.sync().wait().unwrap();
    write(&file, synced.len() as u64, unsynced).unwrap();
    file
}

fn write(file: &FileHandle, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.write(at, vec![Bytes::copy_from_slice(bytes)]).wait()
}

fn content(disk: &SimulatedDisk, name: &str) -> Vec<u8> {
    let file = disk.open(path(name), Open::Read).wait().unwrap();
    file.read(0, 1 << 20).wait().unwrap().to_vec()
}

fn names(disk: &SimulatedDisk, directory: &str) -> Vec<String> {
    disk.list(path(directory)).wait().unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_crash_keeps_what_was_synced_and_loses_the_rest() {
    let disk = disk(Faults::default());
    file(&disk, "/d/log", b"kept", b" lost");
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"kept");
}

#[test]
fn the_death_of_the_process_loses_nothing() {
    let disk = disk(Faults::process_death());
    file(&disk, "/d/log", b"kept", b" too");
    disk.open(path("/d/new"), Open::Create).wait().unwrap();
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"kept too");
    assert_eq!(names(&disk, "/d"), ["log", "new"]);
}

#[test]
fn a_crash_undoes_a_truncation_that_was_not_synced() {
    let disk = disk(Faults::default());
    let log = file(&disk, "/d/log", b"the old tail", b"");
    log.truncate(3).wait().unwrap();
    write(&log, 3, b" new").unwrap();
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"the old tail");
}

#[test]
fn emptying_a_file_on_opening_is_not_durable_either() {
    let disk = disk(Faults::default());
    file(&disk, "/d/log", b"content", b"");
    let emptied = disk.open(path("/d/log"), Open::Truncate).wait().unwrap();
    assert_eq!(emptied.length().wait().unwrap(), 0);
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"content");
}

#[test]
fn a_name_that_was_not_synced_is_lost_with_synced_bytes() {
    let disk = disk(Faults::default());
    let log = disk.open(path("/d/log"), Open::Create).wait().unwrap();
    write(&log, 0, b"bytes").unwrap();
    log.sync().wait().unwrap();
    disk.crash();
    assert!(names(&disk, "/d").is_empty());
}

#[test]
fn a_directory_is_lost_with_all_in_it_if_the_one_above_was_not_synced() {
    let disk = disk(Faults::default());
    disk.create_directory(path("/d/t-0")).wait().unwrap();
    file(&disk, "/d/t-0/log", b"bytes", b"");
    disk.crash();
    assert!(names(&disk, "/d").is_empty());
}

#[test]
fn a_rename_is_undone_unless_its_directory_was_synced() {
    let disk = disk(Faults::default());
    file(&disk, "/d/checkpoint", b"old", b"");
    file(&disk, "/d/checkpoint.tmp", b"new", b"");
    disk.rename(path("/d/checkpoint.tmp"), path("/d/checkpoint")).wait().unwrap();
    assert_eq!(content(&disk, "/d/checkpoint"), b"new");
    disk.crash();
    assert_eq!(content(&disk, "/d/checkpoint"), b"old");
    assert_eq!(content(&disk, "/d/checkpoint.tmp"), b"new");

    disk.rename(path("/d/checkpoint.tmp"), path("/d/checkpoint")).wait().unwrap();
    disk.sync_directory(path("/d")).wait().unwrap();
    disk.crash();
    assert_eq!(names(&disk, "/d"), ["checkpoint"]);
    assert_eq!(content(&disk, "/d/checkpoint"), b"new");
}

#[test]
fn a_rename_between_directories_is_whole_or_not_at_all() {
    // Whatever becomes of the changes that were not asked for: the name that was given up does not come back.
    for keep_probability in [0.0, 1.0] {
        let disk = disk(Faults { keep_probability, ..Faults::default() });
        disk.create_directory(path("/d/a")).wait().unwrap();
        disk.create_directory(path("/d/b")).wait().unwrap();
        disk.sync_directory(path("/d")).wait().unwrap();
        disk.open(path("/d/a/file"), Open::Create).wait().unwrap();
        disk.rename(path("/d/a/file"), path("/d/b/file")).wait().unwrap();
        disk.sync_directory(path("/d/b")).wait().unwrap();
        disk.crash();
        assert!(names(&disk, "/d/a").is_empty());
        assert_eq!(names(&disk, "/d/b"), ["file"]);
    }
}

#[test]
fn a_removal_is_undone_unless_its_directory_was_synced() {
    let disk = disk(Faults::default());
    file(&disk, "/d/log", b"bytes", b"");
    disk.remove(path("/d/log")).wait().unwrap();
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"bytes");
    disk.remove(path("/d/log")).wait().unwrap();
    disk.sync_directory(path("/d")).wait().unwrap();
    disk.crash();
    assert!(names(&disk, "/d").is_empty());
}

#[test]
fn handles_and_locks_die_with_the_power() {
    let disk = disk(Faults::default());
    let log = file(&disk, "/d/log", b"bytes", b"");
    let lock = disk.lock(path("/d/.lock")).wait().unwrap();
    disk.crash();
    assert!(write(&log, 0, b"x").is_err());
    assert!(log.read(0, 1).wait().is_err());
    assert!(log.sync().wait().is_err());
    let again = disk.lock(path("/d/.lock")).wait().unwrap();
    drop(lock);
    assert_eq!(disk.lock(path("/d/.lock")).wait().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(again);
    disk.lock(path("/d/.lock")).wait().unwrap();
    assert_eq!(content(&disk, "/d/log"), b"bytes");
}

#[test]
fn tearing_leaves_some_blocks_of_a_write_and_zeros_between() {
    let (mut torn, mut blocks_of_512) = (0, 0);
    for seed in 0..64 {
        let disk = SimulatedDisk::with_faults(seed, Faults { tear: true, ..Faults::default() });
        disk.open(path("/log"), Open::Create).wait().unwrap();
        disk.sync_directory(path("/")).wait().unwrap();
        let log = disk.open(path("/log"), Open::Write).wait().unwrap();
        write(&log, 100, &[1; 16 << 10]).unwrap();
        disk.crash();
        let left = content(&disk, "/log");
        assert!(left.len() <= 100 + (16 << 10));
        // Cut at the file's blocks, of which the first holds only part of the write.
        let after = left.get(100..).unwrap_or_default();
        let (first, rest) = after.split_at(after.len().min(412));
        for block in std::iter::once(first).chain(rest.chunks(512)) {
            assert!(block.iter().all(|byte| *byte == block[0]), "seed {seed}: half a block was stored");
        }
        let kept = left.iter().filter(|byte| **byte == 1).count();
        torn += usize::from(kept > 0 && kept < 16 << 10);
        blocks_of_512 += usize::from((kept + 100) % 4096 != 0 && kept % 4096 != 0);
    }
    assert!(torn > 10, "{torn}");
    assert!(blocks_of_512 > 5, "{blocks_of_512}");
}

#[test]
fn each_unsynced_write_survives_or_not_on_its_own() {
    let mut seen = BTreeSet::new();
    for seed in 0..64 {
        let disk = SimulatedDisk::with_faults(seed, Faults { keep_probability: 0.5, ..Faults::default() });
        let log = disk.open(path("/log"), Open::Create).wait().unwrap();
        disk.sync_directory(path("/")).wait().unwrap();
        write(&log, 0, b"a").unwrap();
        write(&log, 1, b"b").unwrap();
        disk.crash();
        seen.insert(content(&disk, "/log"));
    }
    let expected: [&[u8]; 4] = [b"", b"\0b", b"a", b"ab"];
    assert!(seen.iter().map(Vec::as_slice).eq(expected), "{seen:?}");
}

#[test]
fn of_unsynced_names_the_first_few_survive() {
    let mut seen = BTreeSet::new();
    for seed in 0..64 {
        let disk = SimulatedDisk::with_faults(seed, Faults { keep_probability: 0.5, ..Faults::default() });
        disk.open(path("/a"), Open::Create).wait().unwrap();
        disk.open(path("/b"), Open::Create).wait().unwrap();
        disk.rename(path("/a"), path("/c")).wait().unwrap();
        disk.crash();
        seen.insert(names(&disk, "/").concat());
    }
    assert!(seen.iter().map(String::as_str).eq(["", "a", "ab", "bc"]), "{seen:?}");
}

#[test]
fn a_failed_sync_leaves_bytes_that_no_later_sync_makes_durable() {
    let disk = disk(Faults { fail_sync_at: Some(2), ..Faults::default() });
    let log = file(&disk, "/d/log", b"kept", b"lost");
    assert!(log.sync().wait().is_err());
    log.sync().wait().unwrap();
    assert_eq!(content(&disk, "/d/log"), b"keptlost");
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"kept");
}

#[test]
fn a_full_disk_stores_what_fits_and_gives_room_back() {
    let disk = disk(Faults { full_after_bytes: Some(10), ..Faults::default() });
    let log = file(&disk, "/d/log", b"1234", b"");
    file(&disk, "/d/other", b"1234", b"");
    assert_eq!(write(&log, 4, b"567").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(content(&disk, "/d/log"), b"123456");
    write(&log, 0, b"654321").unwrap();
    assert_eq!(log.reserve(7).wait().unwrap_err().kind(), ErrorKind::StorageFull);
    disk.remove(path("/d/other")).wait().unwrap();
    write(&log, 4, b"567").unwrap();
    log.reserve(10).wait().unwrap();
    let more = disk.open(path("/d/more"), Open::Create).wait().unwrap();
    assert!(write(&more, 0, b"1").is_err(), "what is set aside is taken");
    log.truncate(7).wait().unwrap();
    write(&more, 0, b"1").unwrap();
    disk.set_faults(Faults { full_after_bytes: Some(disk.space()), names_need_room: true, ..Faults::default() });
    let refused = disk.open(path("/d/none"), Open::Create).wait().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    disk.open(path("/d/more"), Open::Create).wait().unwrap();
}

#[test]
fn a_bit_turns_over_on_the_way() {
    let disk = disk(Faults { flip_probability: 1.0, ..Faults::default() });
    file(&disk, "/d/log", &[0; 100], b"");
    let ones: u32 = content(&disk, "/d/log").iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(ones, 1);
}

#[test]
fn the_power_goes_at_the_chosen_operation() {
    let disk = disk(Faults::process_death());
    let log = file(&disk, "/d/log", b"", b"");
    let before = disk.operations();
    disk.crash_after(1);
    write(&log, 0, b"a").unwrap();
    // This one is under way when the power goes: here it reached the device.
    assert!(write(&log, 1, b"b").is_err());
    assert!(write(&log, 2, b"c").is_err());
    assert!(disk.open(path("/d/log"), Open::Read).wait().is_err());
    assert_eq!(disk.operations(), before + 2);
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"ab");
}

#[test]
fn a_sync_that_the_power_interrupts_promises_nothing() {
    let disk = disk(Faults::default());
    let log = file(&disk, "/d/log", b"kept", b"lost");
    disk.crash_after(0);
    assert!(log.sync().wait().is_err());
    disk.crash();
    disk.open(path("/d/new"), Open::Create).wait().unwrap();
    disk.crash_after(0);
    assert!(disk.sync_directory(path("/d")).wait().is_err());
    disk.crash();
    assert_eq!(content(&disk, "/d/log"), b"kept");
    assert_eq!(names(&disk, "/d"), ["log"]);
}

#[test]
fn opening_and_locking_when_the_power_goes_is_an_error() {
    let disk = disk(Faults::default());
    disk.crash_after(0);
    assert!(disk.open(path("/d/log"), Open::Create).wait().is_err());
    disk.crash();
    disk.crash_after(0);
    assert!(disk.lock(path("/d/.lock")).wait().is_err());
    disk.crash();
    disk.lock(path("/d/.lock")).wait().unwrap();
}

#[test]
fn a_removed_file_is_there_for_those_who_have_it_open() {
    let disk = disk(Faults::default());
    let log = file(&disk, "/d/log", b"bytes", b"");
    disk.remove(path("/d/log")).wait().unwrap();
    disk.sync_directory(path("/d")).wait().unwrap();
    assert_eq!(log.read(0, 10).wait().unwrap(), "bytes");
    drop(log);
    disk.sync_directory(path("/d")).wait().unwrap();
    assert_eq!(disk.0.state.lock().tree.count(), 2, "the root and /d");
}

type Scheduled = (Duration, Box<dyn FnOnce() + Send>);

/// Keeps what is scheduled until the test runs it.
#[derive(Default)]
struct Clock(Mutex<Vec<Scheduled>>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Delay for Clock {
    fn schedule(&self, after: Duration, run: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push((after, run));
    }
}

impl Clock {
    fn run_at(&self, at: usize) {
        let (_, run) = self.0.lock().unwrap().remove(at);
        run();
    }

    fn waited<T>(&self, submitted: Submitted<T>) -> io::Result<T> {
        self.run_at(0);
        submitted.wait()
    }
}

#[test]
fn delayed_operations_take_effect_when_they_complete() {
    let clock = Arc::new(Clock::default());
    let disk = SimulatedDisk::with_delay(1, Faults::default(), clock.clone());
    let log = clock.waited(disk.open(path("/log"), Open::Create)).unwrap();
    let first = log.write(0, vec![Bytes::from_static(b"first")]);
    let second = log.write(0, vec![Bytes::from_static(b"second")]);
    let length = log.length();
    for (after, _) in clock.0.lock().unwrap().iter() {
        assert!((Duration::from_micros(50)..=Duration::from_millis(1)).contains(after), "{after:?}");
    }
    clock.run_at(2);
    assert_eq!(length.wait().unwrap(), 0);
    clock.run_at(1);
    second.wait().unwrap();
    clock.run_at(0);
    first.wait().unwrap();
    assert_eq!(clock.waited(log.read(0, 10)).unwrap(), "firstd");
}

#[test]
fn a_sync_covers_only_what_had_completed_when_it_was_submitted() {
    let clock = Arc::new(Clock::default());
    let disk = SimulatedDisk::with_delay(1, Faults::default(), clock.clone());
    let log = clock.waited(disk.open(path("/log"), Open::Create)).unwrap();
    clock.waited(disk.sync_directory(path("/"))).unwrap();
    clock.waited(log.write(0, vec![Bytes::from_static(b"a")])).unwrap();
    let under_way = log.write(1, vec![Bytes::from_static(b"b")]);
    let sync = log.sync();
    clock.run_at(0);
    under_way.wait().unwrap();
    clock.run_at(0);
    sync.wait().unwrap();
    disk.crash();
    let log = clock.waited(disk.open(path("/log"), Open::Read)).unwrap();
    assert_eq!(clock.waited(log.read(0, 10)).unwrap(), "a");
}

#[test]
fn a_write_under_way_when_the_power_goes_fails_and_may_have_been_stored() {
    let mut seen = BTreeSet::new();
    for seed in 0..16 {
        let clock = Arc::new(Clock::default());
        let faults = Faults { keep_probability: 0.5, ..Faults::default() };
        let disk = SimulatedDisk::with_delay(seed, faults, clock.clone());
        let log = clock.waited(disk.open(path("/log"), Open::Create)).unwrap();
        clock.waited(disk.sync_directory(path("/"))).unwrap();
        let write = log.write(0, vec![Bytes::from_static(b"a")]);
        disk.crash();
        assert!(clock.waited(write).is_err());
        let log = clock.waited(disk.open(path("/log"), Open::Read)).unwrap();
        seen.insert(clock.waited(log.read(0, 10)).unwrap());
    }
    assert!(seen.iter().eq([&b""[..], b"a"]), "{seen:?}");
}

#[test]
fn a_dropped_operation_is_still_done_after_its_file_is_closed_and_removed() {
    let clock = Arc::new(Clock::default());
    let disk = SimulatedDisk::with_delay(1, Faults::default(), clock.clone());
    let log = clock.waited(disk.open(path("/log"), Open::Create)).unwrap();
    drop(log.write(0, vec![Bytes::from_static(b"a")]));
    drop(log);
    let removed = disk.remove(path("/log"));
    clock.run_at(1);
    removed.wait().unwrap();
    let synced = disk.sync_directory(path("/"));
    clock.run_at(1);
    synced.wait().unwrap();
    disk.start_trace();
    clock.run_at(0);
    assert_eq!(disk.trace(), ["write /log @0 +1"]);
}

/// Writes, syncs, renames and crashes by dice of its own.
fn ramble(seed: u64) -> (Vec<String>, Vec<u8>) {
    let disk = SimulatedDisk::with_faults(seed, Faults { flip_probability: 0.1, ..Faults::adverse() });
    disk.start_trace();
    let mut dice = Dice::new(seed ^ 1);
    for round in 0..20_u64 {
        let name = format!("/{}", dice.below(3));
        let file = disk.open(path(&name), Open::Create).wait().unwrap();
        for _ in 0..dice.below(5) {
            write(&file, dice.below(5000), &vec![u8::try_from(round).unwrap(); 700]).unwrap();
        }
        match dice.below(4) {
            0 => file.sync().wait().unwrap(),
            1 => disk.sync_directory(path("/")).wait().unwrap(),
            2 => disk.rename(path(&name), path("/9")).wait().unwrap(),
            _ => disk.crash(),
        }
    }
    let mut all = Vec::new();
    for name in names(&disk, "/") {
        all.extend(content(&disk, &format!("/{name}")));
    }
    (disk.trace(), all)
}

#[test]
fn the_same_seed_gives_the_same_trace_and_the_same_bytes() {
    assert_eq!(ramble(3), ramble(3));
    assert_ne!(ramble(3), ramble(4));
}

#[test]
fn the_trace_has_a_line_for_each_operation() {
    let disk = SimulatedDisk::new(0);
    disk.start_trace();
    disk.create_directory(path("/d")).wait().unwrap();
    let log = disk.open(path("/d/log"), Open::Create).wait().unwrap();
    write(&log, 128, &[0; 61]).unwrap();
    log.read(100, 50).wait().unwrap();
    log.sync().wait().unwrap();
    log.truncate(10).wait().unwrap();
    disk.remove(path("/d/none")).wait().unwrap_err();
    disk.crash();
    assert_eq!(
        disk.trace(),
        [
            "create_directory /d",
            "open /d/log Create",
            "write /d/log @128 +61",
            "read /d/log @100 +50",
            "sync /d/log",
            "truncate /d/log 10",
            "remove /d/none: No such file or directory (os error 2)",
            "crash",
        ]
    );
}
