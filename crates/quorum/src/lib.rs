//! The cluster's metadata as a log that a quorum of nodes agrees on, folded into one image on each of them.
//!
//! ```text
//!   controller: propose(term, facts)            brokers: image(), watch()
//!          │                                          ▲
//!   Proposer: one after another,               Published: one atomic pointer
//!   checked against the image                         ▲
//!          ▼                                          │
//!   openraft: terms, elections, commit ──────► Machine: applies entries
//!          │            │                             │
//!     LogStore       Peers (none yet)          SnapshotFile `image`
//!      │      │
//!   Journal  VoteFile `vote`
//!   (a storage::Log)
//! ```
//!
//! What it promises:
//! - What [`Quorum::propose`] answered with `Ok` is on disk, is in [`Quorum::image`] at that moment, and is there after
//!   every restart and power loss.
//! - The facts of one proposal are applied together, in the term that was asked for, or not at all.
//! - A node that leads knows it only once its image holds all that was committed before ([`Standing`]).
//! - On a full device a proposal is refused before it is begun, for its space is set aside first; an image that finds no
//!   room for its snapshot keeps its log. A sync that fails stops the node, whatever the reason.
//! - A fact or an entry that cannot be read or cannot be true stops the node with a [`QuorumFault`]; nothing is skipped.
//!   What is proposed is checked first, so that such a fact does not get into the log by this door.
//! - A start begins a new term, always: openraft could take up the old one, but a leader that came back without the tail
//!   that a power loss took would write other entries under the same term and index.
//!
//! What is openraft's: terms, votes, what is committed, when a snapshot is due and how far the log may be purged. What is
//! ours: everything on disk, the fold, the executor's random numbers, and this crate's small surface, behind which no
//! type of openraft's shows. It is pinned to one version.
//!
//! Today a quorum is one node. Its election is held at once when it is opened, takes no timer, and the clock of
//! heartbeats and elections then stands still: an idle quorum wakes nobody. What several nodes need beside real
//! `Peers`: an append that answers before it is synced, so that leader and followers write side by side.
//!
//! The directory is a partition's, as every log's is: Kafka's tools read it. But it must never be called
//! `__cluster_metadata-0`, for its records are ours.
//!
//! Read in this order: `quorum`, `propose`, `standing`, `machine`, `log_store`; then how things look as bytes: `entry`,
//! `batch`, `vote`, `snapshot`; [`inspect`] reads them from outside.

mod batch;
mod entry;
mod fault;
pub mod inspect;
mod journal;
mod log_store;
mod machine;
mod peers;
mod propose;
mod quorum;
mod raft;
mod snapshot;
mod spare;
mod standing;
mod vote;
mod whole_file;

#[cfg(test)]
mod suite;

pub use entry::UnreadableEntry;
pub use fault::QuorumFault;
pub use propose::{Committed, ENTRY_BYTES_MAX, ProposeRefused};
pub use quorum::{Options, Quorum};
pub use standing::{Standing, Term, Voter};

/// CRC-32C.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(sum).expect("a CRC-32 has 32 bits")
}
