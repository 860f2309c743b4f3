//! The small files beside a log's segments: indexes and producer snapshots.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use ottla_storage::inspect;
use ottla_types::Offset;

fuzz_target!(|bytes: &[u8]| {
    let [which, bytes @ ..] = bytes else { return };
    match which % 4 {
        0 => drop(inspect::offset_index(Offset(7), bytes)),
        1 => drop(inspect::time_index(Offset(7), bytes)),
        2 => drop(inspect::transaction_index(bytes, Path::new("fuzzed.txnindex"))),
        _ => {
            let mut bytes = bytes.to_vec();
            // Version (16 bits), checksum (32), then what it is of.
            if which & 0x80 != 0 && bytes.len() >= 6 {
                let crc = crc_fast::crc32_iscsi(&bytes[6..]);
                bytes[2..6].copy_from_slice(&crc.to_be_bytes());
            }
            let _ = inspect::producer_snapshot(&bytes, Path::new("fuzzed.snapshot"));
        }
    }
});
