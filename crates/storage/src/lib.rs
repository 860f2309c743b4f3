//! One log on disk in Kafka's format, the directory that holds many, and the disk seam.
//!
//! Read in this order:
//! - [`disk`] is the seam: what storage asks of a device, and the devices.
//! - `log` is one partition's log. `log/mod` tells how an append becomes durable; then `append`, `queue`, `write`,
//!   `read`; then `recover`, `close`, `truncate`; `role` says who writes.
//! - `segment` is one file of batches with its indexes, as state; `index`, `offset_index`, `time_index`,
//!   `transaction_index` are those; `walk` and `scan` read batches from a file.
//! - `cleaner` decides what compaction leaves of a log, and does it.
//! - `producers` makes retries harmless (KIP-98), `leader_epochs` says which leader wrote what (KIP-101).
//! - [`inspect`] decodes the small files for those who look at them from outside.
//! - [`sown`] names the bugs that a build for tests can have.
//! - `directory` is a log directory with its checkpoint files; `flush` shares flushes among its logs.
//!
//! Nothing here knows a runtime. Functions are `async` and await what the disk completes; whoever polls them decides on
//! which thread that is. Nothing reads a clock either: times come as arguments.
//!
//! Not here: what a batch may contain (`record`), who may append (`replication`), when to delete what is old (`broker`).

pub mod disk;

mod checkpoint;
mod cleaner;
mod crc;
mod directory;
mod fault;
mod flush;
mod index;
pub mod inspect;
mod known_directories;
mod leader_epochs;
mod log;
mod meta_properties;
mod offset_index;
mod partition_metadata;
mod producers;
mod scan;
mod segment;
pub mod sown;
#[cfg(test)]
mod testing;
mod time_index;
mod transaction_index;
mod walk;

pub use checkpoint::PartitionOffsets;
pub use cleaner::{Cleanable, Cleaned, Cleaner, CleanerMemory, CompactionRules, MapMemory, Pace, Stopped};
pub use directory::{
    ClaimedDirectory, CleaningRound, LogDirectory, Move, MoveFailed, Moved, NewPartition, OpenOptions, Partition,
    can_be_moved,
};
pub use fault::{StorageFault, remedy};
pub use flush::{DIRTY_BYTES_ENOUGH, DIRTY_BYTES_LITTLE, DirtObserver, DirtyLogs, FlushRound, Pacing, ROUND_INTERVAL};
pub use known_directories::KnownDirectories;
pub use leader_epochs::EpochEnd;
pub use log::{
    AppendRefusal, Appended, Batch, Ends, Flush, Log, LogConfig, Progress, ReadRefusal, Recovery, Retention, Retired,
    SavedPoint, SegmentSummary, Slice, TimestampedOffset,
};
pub use meta_properties::MetaProperties;
pub use producers::{ProducedBatch, ProducerEntry};
pub use transaction_index::AbortedTransaction;
