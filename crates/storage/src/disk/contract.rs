//! What every disk keeps, asked through the trait: the same checks for memory and system, inline, threaded and delayed.
//!
//! What a power loss takes can only be asked of the simulated disk: see its own tests.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::simulated::{Delay, Faults, SimulatedDisk};
use super::system::{SystemDisk, Threads};
use super::{Disk, Entry, FileHandle, Open};

/// A directory of this test alone, removed at its end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ottla-disk-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A delay that is over at once.
#[derive(Debug)]
struct AtOnce;

impl Delay for AtOnce {
    fn schedule(&self, _: Duration, run: Box<dyn FnOnce() + Send>) {
        run();
    }
}

const FEW: Threads = Threads { writers: 1, syncers: 2, readers: 1 };

macro_rules! on_every_disk {
    ($($check:ident)*) => {
        mod simulated {
            $(#[test]
            fn $check() {
                super::on_simulated(&SimulatedDisk::new(1), super::$check);
            })*
            use super::SimulatedDisk;
        }
        mod delayed {
            $(#[test]
            fn $check() {
                let disk = SimulatedDisk::with_delay(1, Faults::adverse(), Arc::new(AtOnce));
                super::on_simulated(&disk, super::$check);
            })*
            use super::{Arc, AtOnce, Faults, SimulatedDisk};
        }
        mod inline {
            $(#[test]
            fn $check() {
                super::on_system(&SystemDisk::inline(), super::$check);
            })*
            use super::SystemDisk;
        }
        mod threaded {
            $(#[test]
            fn $check() {
                super::on_system(&SystemDisk::threaded(FEW), super::$check);
            })*
            use super::{FEW, SystemDisk};
        }
    };
}

fn on_simulated(disk: &Arc<SimulatedDisk>, check: fn(&dyn Disk, &Path)) {
    let base = Path::new("/base");
    disk.create_directory(base).wait().unwrap();
    check(&**disk, base);
}

fn on_system(disk: &Arc<SystemDisk>, check: fn(&dyn Disk, &Path)) {
    let scratch = Scratch::new();
    check(&**disk, &scratch.0);
}

on_every_disk! {
    reads_what_was_written
    writes_parts_one_behind_the_other
    writes_more_parts_than_one_system_call_takes
    a_write_behind_the_end_leaves_zeros_between
    reads_less_only_at_the_end
    reads_the_same_into_memory_that_was_used
    opens_only_what_is_there_unless_told_to_make_it
    keeps_content_on_create_and_empties_on_truncate
    a_file_opened_to_read_refuses_changes
    truncates_and_extends
    reserving_keeps_the_length
    lists_sorted_with_sizes
    makes_directories_on_the_way
    renames_over_a_file
    renames_a_directory_with_what_is_in_it
    refuses_renames_that_make_no_sense
    removes_files_and_whole_directories
    an_open_file_outlives_its_name
    syncs_files_and_directories
    syncs_all_and_knows_its_space
    a_lock_excludes_a_second_one_until_it_is_dropped
    writes_side_by_side_do_not_disturb_each_other
    a_dropped_write_is_still_done
}

fn create(disk: &dyn Disk, path: &Path) -> FileHandle {
    disk.open(path, Open::Create).wait().unwrap()
}

fn write(file: &FileHandle, at: u64, bytes: &'static [u8]) {
    file.write(at, vec![Bytes::from_static(bytes)]).wait().unwrap();
}

fn all(file: &FileHandle) -> Bytes {
    file.read(0, 64 << 20).wait().unwrap()
}

#[track_caller]
fn assert_fails<T>(answer: std::io::Result<T>, kind: ErrorKind) {
    match answer {
        Ok(_) => panic!("done, where {kind:?} was expected"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
    }
}

fn reads_what_was_written(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"hello, disk");
    write(&file, 7, b"DISK");
    assert_eq!(file.read(7, 4).wait().unwrap(), "DISK");
    assert_eq!(all(&file), "hello, DISK");
    let again = disk.open(&base.join("file"), Open::Read).wait().unwrap();
    assert_eq!(all(&again), "hello, DISK");
}

fn writes_parts_one_behind_the_other(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    let parts = ["", "ab", "", "c", "def", ""].map(|part| Bytes::from_static(part.as_bytes()));
    file.write(3, parts.to_vec()).wait().unwrap();
    assert_eq!(all(&file), "\0\0\0abcdef");
    file.write(100, vec![]).wait().unwrap();
    file.write(100, vec![Bytes::new()]).wait().unwrap();
    assert_eq!(file.length().wait().unwrap(), 9, "nothing was written, so nothing grew");
}

fn writes_more_parts_than_one_system_call_takes(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    let parts: Vec<Bytes> = (0..3000_u32).map(|number| Bytes::from(vec![number.to_le_bytes()[0]; 1000])).collect();
    let expected = parts.concat();
    file.write(5, parts).wait().unwrap();
    let read = all(&file);
    assert_eq!(read.len(), 5 + expected.len());
    assert!(read[5..] == expected[..]);
}

fn a_write_behind_the_end_leaves_zeros_between(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 4, b"x");
    assert_eq!(all(&file), "\0\0\0\0x");
}

fn reads_less_only_at_the_end(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"0123456789");
    assert_eq!(file.read(8, 5).wait().unwrap(), "89");
    assert_eq!(file.read(8, usize::MAX).wait().unwrap(), "89");
    assert_eq!(file.read(10, 5).wait().unwrap(), "");
    assert_eq!(file.read(11, 5).wait().unwrap(), "");
    assert_eq!(file.read(u64::MAX, 5).wait().unwrap(), "");
    assert_eq!(file.read(3, 0).wait().unwrap(), "");
}

fn reads_the_same_into_memory_that_was_used(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"0123456789");
    for used in [0, 3, 10, 100] {
        let buffer = || Bytes::from(vec![b'x'; used]);
        assert_eq!(file.read_again(2, 5, buffer()).wait().unwrap(), "23456", "{used} used");
        assert_eq!(file.read_again(8, 5, buffer()).wait().unwrap(), "89", "{used} used");
        assert_eq!(file.read_again(10, 5, buffer()).wait().unwrap(), "", "{used} used");
    }
    let held = Bytes::from(vec![b'x'; 5]);
    assert_eq!(file.read_again(0, 5, held.clone()).wait().unwrap(), "01234");
    assert_eq!(held, "xxxxx", "somebody else has it");
}

fn opens_only_what_is_there_unless_told_to_make_it(disk: &dyn Disk, base: &Path) {
    let path = base.join("file");
    assert_fails(disk.open(&path, Open::Read).wait(), ErrorKind::NotFound);
    assert_fails(disk.open(&path, Open::Write).wait(), ErrorKind::NotFound);
    assert_fails(disk.open(&base.join("none/file"), Open::Create).wait(), ErrorKind::NotFound);
    create(disk, &path);
    disk.open(&path, Open::Write).wait().unwrap();
    for open in [Open::Read, Open::Write, Open::Create] {
        assert_fails(disk.open(base, open).wait(), ErrorKind::IsADirectory);
    }
    assert_fails(disk.open(&path.join("below"), Open::Create).wait(), ErrorKind::NotADirectory);
}

fn keeps_content_on_create_and_empties_on_truncate(disk: &dyn Disk, base: &Path) {
    let path = base.join("file");
    write(&create(disk, &path), 0, b"content");
    assert_eq!(all(&create(disk, &path)), "content");
    let emptied = disk.open(&path, Open::Truncate).wait().unwrap();
    assert_eq!(emptied.length().wait().unwrap(), 0);
    disk.open(&base.join("other"), Open::Truncate).wait().unwrap();
}

fn a_file_opened_to_read_refuses_changes(disk: &dyn Disk, base: &Path) {
    let path = base.join("file");
    write(&create(disk, &path), 0, b"content");
    let file = disk.open(&path, Open::Read).wait().unwrap();
    assert!(file.write(0, vec![Bytes::from_static(b"x")]).wait().is_err());
    assert!(file.truncate(0).wait().is_err());
    assert_eq!(all(&file), "content");
}

fn truncates_and_extends(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"0123456789");
    file.truncate(4).wait().unwrap();
    assert_eq!(all(&file), "0123");
    file.truncate(6).wait().unwrap();
    assert_eq!(all(&file), "0123\0\0", "what was cut does not come back");
    assert_eq!(file.length().wait().unwrap(), 6);
}

fn reserving_keeps_the_length(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"01");
    file.reserve(1 << 20).wait().unwrap();
    file.reserve(0).wait().unwrap();
    assert_eq!(file.length().wait().unwrap(), 2);
    assert_eq!(all(&file), "01");
    file.truncate(2).wait().unwrap();
    assert_eq!(all(&file), "01");
}

fn lists_sorted_with_sizes(disk: &dyn Disk, base: &Path) {
    assert!(disk.list(base).wait().unwrap().is_empty());
    write(&create(disk, &base.join("b")), 0, b"123");
    create(disk, &base.join("c"));
    disk.create_directory(&base.join("a")).wait().unwrap();
    let entry = |name: &str, is_directory, bytes| Entry { name: name.to_owned(), is_directory, bytes };
    let expected = [entry("a", true, 0), entry("b", false, 3), entry("c", false, 0)];
    assert_eq!(disk.list(base).wait().unwrap(), expected);
    assert_fails(disk.list(&base.join("none")).wait(), ErrorKind::NotFound);
    assert_fails(disk.list(&base.join("b")).wait(), ErrorKind::NotADirectory);
}

fn makes_directories_on_the_way(disk: &dyn Disk, base: &Path) {
    let deep = base.join("a/b/c");
    disk.create_directory(&deep).wait().unwrap();
    disk.create_directory(&deep).wait().unwrap();
    create(disk, &deep.join("file"));
    assert_fails(disk.create_directory(&deep.join("file")).wait(), ErrorKind::AlreadyExists);
}

fn renames_over_a_file(disk: &dyn Disk, base: &Path) {
    let (from, to) = (base.join("from"), base.join("to"));
    let file = create(disk, &from);
    write(&file, 0, b"new");
    write(&create(disk, &to), 0, b"older");
    disk.rename(&from, &to).wait().unwrap();
    assert_fails(disk.open(&from, Open::Read).wait(), ErrorKind::NotFound);
    write(&file, 3, b"er");
    assert_eq!(all(&disk.open(&to, Open::Read).wait().unwrap()), "newer", "the handle follows the file");
    disk.rename(&to, &to).wait().unwrap();
    assert_eq!(disk.list(base).wait().unwrap().len(), 1);
}

fn renames_a_directory_with_what_is_in_it(disk: &dyn Disk, base: &Path) {
    disk.create_directory(&base.join("t-0")).wait().unwrap();
    write(&create(disk, &base.join("t-0/log")), 0, b"x");
    disk.rename(&base.join("t-0"), &base.join("t-0.gone-delete")).wait().unwrap();
    assert_eq!(all(&create(disk, &base.join("t-0.gone-delete/log"))), "x");
    assert_fails(disk.list(&base.join("t-0")).wait(), ErrorKind::NotFound);
}

fn refuses_renames_that_make_no_sense(disk: &dyn Disk, base: &Path) {
    disk.create_directory(&base.join("full/inner")).wait().unwrap();
    disk.create_directory(&base.join("empty")).wait().unwrap();
    create(disk, &base.join("file"));
    let rename = |from: &str, to: &str| disk.rename(&base.join(from), &base.join(to)).wait();
    assert_fails(rename("none", "file"), ErrorKind::NotFound);
    assert_fails(rename("file", "none/file"), ErrorKind::NotFound);
    assert_fails(rename("empty", "full"), ErrorKind::DirectoryNotEmpty);
    assert_fails(rename("file", "empty"), ErrorKind::IsADirectory);
    assert_fails(rename("empty", "file"), ErrorKind::NotADirectory);
    assert_fails(rename("full", "full/inner/deeper"), ErrorKind::InvalidInput);
    rename("full", "empty").unwrap();
    assert_eq!(disk.list(&base.join("empty")).wait().unwrap().len(), 1);
}

fn removes_files_and_whole_directories(disk: &dyn Disk, base: &Path) {
    disk.create_directory(&base.join("t-0/deep")).wait().unwrap();
    for name in ["t-0/log", "t-0/deep/log", "single"] {
        create(disk, &base.join(name));
    }
    disk.remove(&base.join("single")).wait().unwrap();
    assert_fails(disk.remove(&base.join("single")).wait(), ErrorKind::NotFound);
    assert_fails(disk.remove(&base.join("t-0")).wait(), ErrorKind::IsADirectory);
    disk.remove_directory(&base.join("t-0")).wait().unwrap();
    assert!(disk.list(base).wait().unwrap().is_empty());
    assert_fails(disk.remove_directory(&base.join("t-0")).wait(), ErrorKind::NotFound);
}

fn an_open_file_outlives_its_name(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"content");
    disk.remove(&base.join("file")).wait().unwrap();
    write(&file, 7, b"!");
    assert_eq!(all(&file), "content!");
}

fn syncs_all_and_knows_its_space(disk: &dyn Disk, base: &Path) {
    create(disk, &base.join("f"));
    disk.sync_all(base).wait().unwrap();
    assert_fails(disk.sync_all(&base.join("none")).wait(), ErrorKind::NotFound);
    let space = disk.space(base).wait().unwrap();
    assert!(space.total > 0 && space.usable <= space.total, "{space:?}");
    assert_fails(disk.space(&base.join("none")).wait(), ErrorKind::NotFound);
}

fn syncs_files_and_directories(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    write(&file, 0, b"content");
    file.sync().wait().unwrap();
    disk.sync_directory(base).wait().unwrap();
    assert_fails(disk.sync_directory(&base.join("none")).wait(), ErrorKind::NotFound);
    assert_fails(disk.sync_directory(&base.join("file")).wait(), ErrorKind::NotADirectory);
}

fn a_lock_excludes_a_second_one_until_it_is_dropped(disk: &dyn Disk, base: &Path) {
    let path = base.join(".lock");
    let lock = disk.lock(&path).wait().unwrap();
    assert_fails(disk.lock(&path).wait(), ErrorKind::WouldBlock);
    assert_fails(disk.lock(&path).wait(), ErrorKind::WouldBlock);
    let other = disk.lock(&base.join(".other")).wait().unwrap();
    drop(lock);
    drop(disk.lock(&path).wait().unwrap());
    disk.lock(&path).wait().unwrap();
    drop(other);
    let names: Vec<String> = disk.list(base).wait().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [".lock", ".other"], "the files stay");
}

fn writes_side_by_side_do_not_disturb_each_other(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    // Of two sizes: some are large enough to be handed to a thread.
    let sizes = [10_usize, 1 << 21, 10, 1 << 21, 10];
    let mut under_way = Vec::new();
    let (mut at, mut expected) = (0, Vec::new());
    for (fill, size) in (1..).zip(sizes) {
        under_way.push(file.write(at, vec![Bytes::from(vec![fill; size])]));
        at += size as u64;
        expected.resize(expected.len() + size, fill);
    }
    for write in under_way {
        write.wait().unwrap();
    }
    assert!(all(&file) == expected);
}

fn a_dropped_write_is_still_done(disk: &dyn Disk, base: &Path) {
    let file = create(disk, &base.join("file"));
    drop(file.write(0, vec![Bytes::from(vec![1; 2 << 20])]));
    // Behind it on the same thread, if there is one.
    file.write(2 << 20, vec![Bytes::from(vec![1; 2 << 20])]).wait().unwrap();
    assert!(all(&file) == vec![1; 4 << 20]);
}
