//! Quorum.
mod raft;
mod entry;
mod fault;
mod whole_file;
mod vote;
mod snapshot;
mod machine;
mod peers;
mod standing;
mod batch;
mod journal;
mod log_store;
mod propose;
mod quorum;
#[cfg(test)]
mod suite;
pub use entry::UnreadableEntry;
pub use fault::QuorumFault;
pub use propose::{Committed, ENTRY_BYTES_MAX, ProposeRefused};
pub use quorum::{Options, Quorum};
pub use standing::{Standing, Term};

/// CRC-32C.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(sum).expect("a CRC-32 has 32 bits")
}
