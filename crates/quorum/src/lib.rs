//! Quorum.
mod raft;
mod entry;
