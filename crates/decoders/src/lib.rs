//! Every decoder under its name: what reads bytes that came from a peer, from a disk or from whoever wrote a file.
//!
//! A decoder here is a function that takes bytes nobody meant and must come back: no panic, no endless loop, no memory
//! out of proportion. Each also says what must hold of what it did read, such as that it can be written and read again.
//! `cargo xtask fuzz` lets libFuzzer choose the bytes, one decoder at a time; `tests/quick.rs` takes some thousands of
//! [`inputs`] for each, the same ones every time.
//!
//! - [`messages`]: requests and responses of every API, persisted records, and what stands before them.
//! - [`batches`]: record batches of every format and codec, and the codecs alone.
//! - [`files`]: the small files of log directories, Kafka's metadata log and ours.
//! - [`logs`]: a whole log directory that is recovered.
//! - [`texts`]: settings, names, what clients push.
//!
//! Not here: the decoders. A new one gets its line in one of these files.

mod batches;
mod files;
pub mod inputs;
mod logs;
mod messages;
mod texts;

use std::path::{Path, PathBuf};

/// Inputs of the fuzzer are not longer than this, in bytes, unless a decoder says otherwise.
const INPUT_BYTES_MAX: usize = 4096;
/// The largest single allocation, in MiB, unless a decoder says otherwise: none needs much memory for little input.
const ALLOCATION_MIB_MAX: usize = 64;

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// What it is called at the command line, and what its folder of inputs is called.
    pub name: &'static str,
    /// Reads the bytes and panics if something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that are read to their end, for a fuzzer to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The longest input worth trying, in bytes.
    pub input_bytes_max: usize,
    /// The largest single allocation, in MiB.
    pub allocation_mib_max: usize,
}

impl Decoder {
    const fn new(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, run, seeds, input_bytes_max: INPUT_BYTES_MAX, allocation_mib_max: ALLOCATION_MIB_MAX }
    }
}

/// All of them. Names are unique.
#[must_use]
pub fn all() -> Vec<Decoder> {
    let mut all = messages::decoders();
    all.extend(batches::decoders());
    all.extend(files::decoders());
    all.extend(logs::decoders());
    all.extend(texts::decoders());
    all
}

/// The decoder of a name.
#[must_use]
pub fn find(name: &str) -> Option<Decoder> {
    all().into_iter().find(|decoder| decoder.name == name)
}

/// CRC-32C, which most of what is persisted has.
fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// A file that another crate keeps for its tests; `None` where the sources are not at hand.
fn file_of(crate_name: &str, path: &str) -> Option<Vec<u8>> {
    std::fs::read(folder_of(crate_name).join(path)).ok()
}

fn folder_of(crate_name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(crate_name).join("tests")
}

/// Parts of an input, each with its length in two bytes before it; the last one may be cut.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        bytes = rest;
        Some(part)
    })
}

/// An input of parts.
fn joined<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let part = &part[..part.len().min(usize::from(u16::MAX))];
        bytes.extend(u16::try_from(part.len()).expect("just cut").to_be_bytes());
        bytes.extend(part);
    }
    bytes
}
