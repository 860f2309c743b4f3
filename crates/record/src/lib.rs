//! Record batches: what a producer sends, what lies in a log, what a consumer gets. They are the same bytes.
//!
//! Read in this order: `header` is the layout of a batch of magic 2; `check` decides what a leader takes from a
//! producer; `walk` is its loop over records, the hottest of the broker; `read` and `batches` are for those who
//! consume; `build` is for those who produce, `rewrite` for those who compact; `compress` has the four codecs, each within limits. The formats before
//! batches, magic 0 and 1, come behind: `message` is their layout, `old_records` how they are read, `message_set` how they
//! are built; `convert` makes batches of them and the other way round.
//!
//! Logs are written in magic 2 only. Readers ([`RecordBatch`], [`Batches`], [`BatchHeader::parse_any`]) take every format.
//!
//! Not here: sequences of idempotent producers and offsets, which `storage` knows.
//!
//! Stricter than Kafka 4.3.1. A real broker was sent each of these and stored it; some consumer may then stumble.
//! - Compressed records are checked like others. Kafka skips the length that each of them has in front.
//! - Offset deltas count 0, 1, 2 … Kafka does not look at them when nothing is compressed.
//! - Nothing may follow a gzip or lz4 stream within the batch. Kafka stops reading there, and so do readers here.
//! - lz4 content has the checksum and the size that its frame says. Kafka looks at neither, nor do readers here.
//! - gzip flags without a meaning are refused, by readers too, as RFC 1952 wants it.
//! - Numbers must fit their type. Kafka drops excess bits.
//! - A producer may never claim LogAppendTime. Kafka clears the bit in a CreateTime topic, and timestamps come to
//!   light that it did not check.
//! - A producer id comes with an epoch.
//!
//! Stricter by design, not tried against a broker: transactional batches without a producer id.
//!
//! Other differences: what Kafka answers with `UNKNOWN_SERVER_ERROR` (an unknown codec, a damaged compressed stream,
//! offset deltas within one) is a refusal with a code of its own here; attribute bits without a meaning always stay,
//! where Kafka drops them if it has to change the header; uncompressed sizes have a limit; at most
//! [`RefusedRecords::ERRORS_MAX`] refused records are named.

mod batches;
mod build;
mod check;
mod compress;
mod convert;
mod error;
mod frame;
mod header;
mod message;
mod message_set;
mod old_records;
mod read;
mod rewrite;
mod varint;
mod walk;

pub use batches::{Batches, single_batch};
pub use build::{BatchBuilder, BatchOptions, BuildError, Compressor};
pub use check::{CheckedBatch, Limits, Rules, Scratch, TimestampRule, check_batch};
pub use compress::{Codec, CompressionError, Packing, decompress};
pub use convert::{Converted, DownConverter, DownError, MessageSet, Room, check_and_recompress, convert_up};
pub use error::{BatchError, FramingFault, HeaderFault, RecordError, RecordFault, RefusedRecords};
pub use header::{Attributes, BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD, MAGIC, MAGIC_POSITION, TimestampType};
pub use message::OldMessage;
pub use message_set::{MessageSetBuilder, OldMagic};
pub use read::{Header, Headers, Record, RecordBatch, Records};
pub use rewrite::{BatchRewriter, emptied};
