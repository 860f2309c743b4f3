//! Records for clients before Kafka 0.11, who know no batches: Fetch v0 and v1 read magic 0, v2 and v3 magic 1.
//!
//! The answer's length stands in front of it, so that what it holds is converted before: a batch at a time, read from
//! the file in pieces, until the client's limit is reached. Three bounds keep that small: the client's own limits, a
//! limit for one answer, of which each partition gets an equal share, and the budget of all answers
//! ([`crate::conversions`]). The first batch of a partition is always converted whole, if it fits the client's limit
//! as it lies in the log: its old form may be larger, and a client that never gets it never gets on. Behind it the
//! answer may end within a message, as these clients expect.
//!
//! Kafka converts while it sends (`LazyDownConversionRecords`) and announces the size of the batches in the log, which it
//! then cuts to or fills up; this announces what there is. A batch of zstd is UNSUPPORTED_COMPRESSION_TYPE when it is
//! the first one, and otherwise the end of the answer. A partition whose only news are markers of transactions has no
//! records for such a client, who asks again at once.

use std::sync::Arc;

use bytes::Bytes;
use ottla_record::{BatchHeader, Codec, DownConverter, DownError, LOG_OVERHEAD, Limits, OldMagic, RecordBatch};
use ottla_storage::Slice;
use ottla_types::{ErrorCode, Offset};

use super::read::{Got, Outcome};
use super::session::Partitions;
use crate::buffers::{Buffer, Buffers};
use crate::conversions::Share;
use crate::node::Node;

/// The first version whose clients know batches of magic 2.
const BATCHES_FROM: i16 = 4;
/// The first version whose clients know magic 1.
const TIMESTAMPS_FROM: i16 = 2;
/// The first version whose limits the first batch may exceed (KIP-74).
const SOFT_LIMITS_FROM: i16 = 3;
/// What is converted for one answer at most, but for first batches.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How much is read from a file at a time, and is made room for.
const PIECE_BYTES: usize = 1 << 20;
/// How much is converted before others who wait for this thread get their turn: a fraction of a millisecond.
const UNBROKEN_BYTES_MAX: usize = 1 << 20;

/// Whether a version's limits hold for the first batch too.
pub(super) const fn has_hard_limits(version: i16) -> bool {
    version < SOFT_LIMITS_FROM
}

/// Gives what was read the form that clients of `version` understand; nothing happens from v4 on. `bytes_max` is the
/// limit for the whole answer.
pub(super) async fn for_version(node: &Node, version: i16, bytes_max: usize, partitions: &Partitions, got: &mut [Got]) {
    if version >= BATCHES_FROM {
        return;
    }
    let magic = if version < TIMESTAMPS_FROM { OldMagic::V0 } else { OldMagic::V1 };
    let mut waiting = got.iter().filter(|got| matches!(got.outcome, Outcome::Records { slice: Some(_), .. })).count();
    if waiting == 0 {
        return;
    }
    let mut left = bytes_max.min(ANSWER_BYTES_MAX);
    let share = node.conversions.share(left).await;
    let converter = DownConverter::new(magic, Offset::ZERO, Limits::default().records_bytes_max);
    let mut conversion = Conversion { node, share: &share, converter };
    for got in got {
        let Outcome::Records { bounds, slice: Some(slice), .. } = &got.outcome else { continue };
        let wanted = partitions.followed(got.place).wanted;
        let bytes_max = wanted.bytes_max.min(left / waiting);
        got.outcome = match conversion.run(slice, wanted.fetch_offset, bytes_max).await {
            Ok(records) => {
                left = left.saturating_sub(records.bytes);
                Outcome::Converted { bounds: *bounds, records }
            }
            Err(error) => Outcome::because(error),
        };
        waiting = (waiting - 1).max(1);
    }
}

/// The conversion of one answer's records.
struct Conversion<'a> {
    node: &'a Node,
    share: &'a Share,
    converter: DownConverter,
}

impl Conversion<'_> {
    /// What `slice` becomes from the offset `from` on: some `bytes_max` bytes.
    async fn run(&mut self, slice: &Slice, from: Offset, bytes_max: usize) -> Result<Converted, ErrorCode> {
        let Self { node, share, converter } = self;
        converter.restart(from);
        let mut batches = BatchesInFile { slice, pool: &node.buffers, at: 0, piece: Bytes::new(), piece_at: 0 };
        let mut out = Out { pool: &node.buffers, share, done: Converted::default(), buffer: node.buffers.take(0) };
        let (mut first_bytes, mut unbroken_bytes, mut leave) = (0, 0, None);
        while out.bytes() < bytes_max.max(1) {
            // One that is larger than what is left would be cut, and converted again by the next fetch.
            let size_max = if first_bytes == 0 { usize::MAX } else { bytes_max - out.bytes() };
            let Some(bytes) = batches.next(size_max).await? else { break };
            let batch = RecordBatch::parse(&bytes).map_err(DownError::Batch);
            let compressed = batch.as_ref().is_ok_and(|batch| batch.header().codec() != Ok(Codec::None));
            if compressed && leave.is_none() {
                leave = node.conversions.leave_to_open().await;
            }
            let converted = batch.and_then(|batch| {
                let room = out.room(converter.room_for(&batch), slice.bytes - batches.at);
                converter.convert(&batch, room)
            });
            match converted {
                Ok(()) if first_bytes == 0 => first_bytes = out.bytes(),
                Ok(()) => {}
                // What comes before it is good; the next fetch begins with it.
                Err(_) if first_bytes > 0 => break,
                Err(error) => return Err(refused(&error)),
            }
            // Much takes a while, as may little that is compressed, and others wait for this thread.
            unbroken_bytes += if compressed { UNBROKEN_BYTES_MAX } else { bytes.len() };
            if unbroken_bytes >= UNBROKEN_BYTES_MAX {
                unbroken_bytes = 0;
                drop(bytes);
                tokio::task::yield_now().await;
            }
        }
        if batches.at == 0 {
            // Not even the first batch is within the client's limit: it is told of a message that is larger.
            let start = batches.start_of_first().await?;
            out.room(start.len(), 0).extend_from_slice(&start);
        }
        Ok(out.end(bytes_max.max(first_bytes)))
    }
}

/// Records in their old form.
#[derive(Default)]
pub(super) struct Converted {
    /// Their bytes, one piece behind the other.
    pub(super) pieces: Vec<Bytes>,
    /// How many those are.
    pub(super) bytes: usize,
}

impl Converted {
    fn push(&mut self, piece: Buffer, share: &Share) {
        if !piece.filled().is_empty() {
            self.bytes += piece.filled().len();
            self.pieces.push(share.pay(piece));
        }
    }
}

/// Where converted records go: into one buffer of the pool after the other.
struct Out<'a> {
    pool: &'a Arc<Buffers>,
    share: &'a Share,
    done: Converted,
    buffer: Buffer,
}

impl Out<'_> {
    /// How many bytes it has.
    fn bytes(&self) -> usize {
        self.done.bytes + self.buffer.filled().len()
    }

    /// A buffer to append some `wanted` bytes to, and perhaps as much as `following` bytes of batches become.
    fn room(&mut self, wanted: usize, following: usize) -> &mut Vec<u8> {
        let buffer = self.buffer.bytes();
        if buffer.capacity() - buffer.len() < wanted {
            let next = self.pool.take(wanted.max(PIECE_BYTES.min(wanted + following)));
            let full = std::mem::replace(&mut self.buffer, next);
            self.done.push(full, self.share);
        }
        self.buffer.bytes()
    }

    /// All of it, but for what goes beyond `bytes_max` bytes.
    fn end(mut self, bytes_max: usize) -> Converted {
        let excess = self.bytes().saturating_sub(bytes_max);
        let last = self.buffer.filled().len();
        self.buffer.bytes().truncate(last.saturating_sub(excess));
        self.done.push(self.buffer, self.share);
        self.done
    }
}

fn refused(error: &DownError) -> ErrorCode {
    match error {
        DownError::Zstd => ErrorCode::UnsupportedCompressionType,
        DownError::Build(_) => ErrorCode::MessageTooLarge,
        DownError::Batch(_) => ErrorCode::CorruptMessage,
    }
}

/// The whole batches of a range, read in pieces.
struct BatchesInFile<'a> {
    slice: &'a Slice,
    /// Where memory to read into comes from.
    pool: &'a Arc<Buffers>,
    /// Where the next one starts in the range.
    at: usize,
    piece: Bytes,
    piece_at: usize,
}

impl BatchesInFile<'_> {
    /// The next batch; `None` at the end, where the range ends within one, and if it has more than `size_max` bytes.
    async fn next(&mut self, size_max: usize) -> Result<Option<Bytes>, ErrorCode> {
        let left = self.slice.bytes - self.at;
        let head = self.bytes(left.min(ottla_record::BATCH_HEADER_BYTES)).await?;
        // A head that is cut is no head.
        let Ok(header) = BatchHeader::parse_any(&head) else { return Ok(None) };
        // What is in use cannot be read into.
        drop(head);
        let size = header.size_in_bytes();
        if size > left.min(size_max) {
            return Ok(None);
        }
        let batch = self.bytes(size).await?;
        self.at += size;
        Ok(Some(batch))
    }

    /// Offset and size of the first batch, as a message has them in the same place.
    async fn start_of_first(&mut self) -> Result<Vec<u8>, ErrorCode> {
        let bytes = self.bytes(LOG_OVERHEAD.min(self.slice.bytes)).await?;
        Ok(bytes.to_vec())
    }

    /// The next `length` bytes of the range, which has them.
    async fn bytes(&mut self, length: usize) -> Result<Bytes, ErrorCode> {
        let start = self.at - self.piece_at;
        if start + length > self.piece.len() {
            let wanted = length.max(PIECE_BYTES).min(self.slice.bytes - self.at);
            self.pool.was_read(std::mem::take(&mut self.piece));
            let memory = self.pool.to_read_into(wanted);
            let read = self.slice.file.read_again(self.slice.position + self.at as u64, wanted, memory).await;
            self.piece = read.map_err(|_| ErrorCode::KafkaStorageError)?;
            self.piece_at = self.at;
        }
        let start = self.at - self.piece_at;
        if start + length > self.piece.len() {
            return Err(ErrorCode::KafkaStorageError);
        }
        Ok(self.piece.slice(start..start + length))
    }
}

impl Drop for BatchesInFile<'_> {
    fn drop(&mut self) {
        self.pool.was_read(std::mem::take(&mut self.piece));
    }
}
