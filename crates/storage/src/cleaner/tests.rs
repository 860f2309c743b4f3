//! What compaction leaves, on a disk in memory.

mod crash;
mod kafkas;
mod rounds;
mod world;
