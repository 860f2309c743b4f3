//! One log on disk in Kafka's format, the directory that holds many, and the disk seam.

pub mod disk;

mod checkpoint;
mod crc;
mod fault;
mod flush;
mod index;
mod leader_epochs;
mod log;
mod offset_index;
mod producers;
mod scan;
mod segment;
#[cfg(test)]
mod testing;
mod time_index;
mod walk;

pub use checkpoint::PartitionOffsets;
pub use fault::StorageFault;
pub use flush::{DIRTY_BYTES_ENOUGH, DirtObserver, DirtyLogs, FlushRound, Pacing, ROUND_INTERVAL};
pub use leader_epochs::EpochEnd;
pub use log::{
    AppendRefusal, Appended, Batch, Ends, Flush, Log, LogConfig, Progress, ReadRefusal, Recovery, SegmentSummary, Slice,
    TimestampedOffset,
};
pub use producers::{ProducedBatch, ProducerEntry};
