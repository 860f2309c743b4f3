//! Record batches: what a producer sends, what lies in a log, what a consumer gets. They are the same bytes.
//!
//! Read in this order: `header` is the layout of a batch of magic 2; `check` decides what a leader takes from a producer;
//! `walk` is its loop over records, the hottest of the broker; `read` and `batches` are for those who consume; `build` is
//! for those who produce; `compress` has the four codecs, each within limits.
//!
//! Not here: magic 0 and 1, which are recognised and refused; sequences of idempotent producers and offsets, which `storage`
//! knows.
//!
//! Stricter than Kafka 4.3.1, each time because it would store what some consumer cannot read:
//! - the framing of compressed records is checked like that of others (Kafka skips the record's own length);
//! - offset deltas must count 0, 1, 2 … (Kafka does not look at them when nothing is compressed);
//! - nothing may follow the compressed records, nor a gzip, lz4 or snappy stream within them;
//! - varints must fit their type (Kafka drops excess bits);
//! - a producer may never claim LogAppendTime (Kafka lets that pass into CreateTime topics);
//! - a producer id comes with an epoch, and a transactional batch with a producer id.

mod batches;
mod build;
mod check;
mod compress;
mod error;
mod frame;
mod header;
mod read;
mod varint;
mod walk;

pub use batches::{Batches, single_batch};
pub use build::{BatchBuilder, BatchOptions, BuildError, Compressor};
pub use check::{CheckedBatch, Limits, Rules, Scratch, TimestampRule, check_batch};
pub use compress::{Codec, CompressionError};
pub use error::{BatchError, FramingFault, HeaderFault, RecordError, RecordFault, RefusedRecords};
pub use header::{Attributes, BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD, MAGIC, MAGIC_POSITION, TimestampType};
pub use read::{Header, Headers, Record, RecordBatch, Records};
