//! What a log wants to know of its topic's configuration.

use super::retention::Retention;

/// The keys of a topic that a log follows. A log keeps them until [`Log::configure`](crate::Log::configure).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: the most bytes of a segment, and so of a batch. At most `i32::MAX`.
    pub segment_bytes: u32,
    /// `segment.ms`: how far the records of a segment may lie apart, in milliseconds.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: up to so much is taken off `segment_ms`, another share for every segment.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: the most bytes of an index file; a segment whose index is full is closed.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of batches between two index entries.
    pub index_interval_bytes: u32,
    /// `preallocate`: a segment gets the space of `segment_bytes` with its first write, not in growing steps.
    pub preallocate: bool,
    /// What the log keeps.
    pub retention: Retention,
    /// `file.delete.delay.ms`: how long the files of a segment that has left stay, in milliseconds.
    pub file_delete_delay_ms: i64,
    /// Whether somebody waits for what is written to be flushed (`ottla.acks.flush`): then the log takes part in the
    /// shared flush with every write. Without, it does as the next two say, and is flushed when it is saved or closed.
    pub flush: bool,
    /// `flush.messages`: the log is flushed once so many records are not.
    pub flush_messages: i64,
    /// `flush.ms`: the log is flushed with the first append that finds a record unflushed for so long, in milliseconds.
    pub flush_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            preallocate: false,
            retention: Retention::default(),
            file_delete_delay_ms: 60_000,
            flush: true,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
        }
    }
}
