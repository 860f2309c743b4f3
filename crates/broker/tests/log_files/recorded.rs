//! Log directories as files by their paths: of a simulated disk, of a Kafka, and as they are kept in the repository.
//!
//! Kept is every file as it is, but larger ones with gzip and `.gz` behind their name. Left out is what is Kafka's own
//! business: its metadata, its lock, what its compaction has come to.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use ottla_storage::disk::simulated::SimulatedDisk;
use ottla_storage::disk::{Disk, Open, block_on};

/// Contents by path below the log directory.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Files above this size are kept compressed, in bytes.
const PLAIN_BYTES_MAX: usize = 8 << 10;

/// What the comparison leaves out, and why.
fn is_left_out(path: &str) -> bool {
    // Each broker keeps its metadata in its own way.
    path.starts_with("__cluster_metadata-0/")
        || path.starts_with("ottla-metadata/")
        || path == "bootstrap.checkpoint"
        // How far compaction has come, which depends on when somebody looks.
        || path == "cleaner-offset-checkpoint"
        || path == ".lock"
        // On its way out: who looks later finds nothing.
        || path.ends_with(".deleted")
}

/// What is on a simulated disk below `root`.
pub(super) fn on_disk(disk: &SimulatedDisk, root: &str) -> Files {
    let mut files = Files::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in block_on(disk.list(&Path::new(root).join(&folder))).expect("it is a folder") {
            let path = format!("{folder}{}", entry.name);
            if entry.is_directory {
                folders.push(format!("{path}/"));
            } else if !is_left_out(&path) {
                let file = block_on(disk.open(&Path::new(root).join(&path), Open::Read)).expect("listed");
                let length = usize::try_from(entry.bytes).expect("it is in memory");
                files.insert(path, block_on(file.read(0, length)).expect("read").to_vec());
            }
        }
    }
    files
}

/// Puts a file on a simulated disk.
pub(super) fn put(disk: &SimulatedDisk, root: &str, path: &str, bytes: &[u8]) {
    let path = Path::new(root).join(path);
    block_on(disk.create_directory(path.parent().expect("in a folder"))).expect("made");
    let file = block_on(disk.open(&path, Open::Truncate)).expect("made");
    block_on(file.write(0, vec![bytes.to_vec().into()])).expect("written");
}

/// Takes a file from a simulated disk.
pub(super) fn remove(disk: &SimulatedDisk, root: &str, path: &str) {
    block_on(disk.remove(&Path::new(root).join(path))).expect("it is there");
}

/// What is in a folder of a Kafka, or in one that [`keep`] made.
pub(super) fn in_folder(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root.join(&folder));
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", root.join(&folder).display()));
        for entry in entries {
            let entry = entry.expect("listed");
            let path = format!("{folder}{}", entry.file_name().to_str().expect("ASCII"));
            if entry.file_type().expect("listed").is_dir() {
                folders.push(format!("{path}/"));
                continue;
            }
            let bytes = std::fs::read(entry.path()).expect("listed");
            match path.strip_suffix(".gz") {
                Some(path) => files.insert(path.to_owned(), unpacked(&bytes)),
                None if is_left_out(&path) => None,
                None => files.insert(path, bytes),
            };
        }
    }
    files
}

/// Keeps `files` in the folder, in the place of what is there.
pub(super) fn keep(files: &Files, folder: &Path) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).expect("removed");
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        let written = if bytes.len() > PLAIN_BYTES_MAX {
            let packed = std::fs::File::create(path.with_file_name(format!("{}.gz", file_name(&path)))).expect("made");
            let mut packer = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
            packer.write_all(bytes).and_then(|()| packer.finish().map(|_| ()))
        } else {
            std::fs::write(&path, bytes)
        };
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("ASCII")
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).expect("kept with gzip");
    out
}
