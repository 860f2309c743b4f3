//! What compaction leaves, on a disk in memory.

mod crash;
mod rounds;
mod world;
