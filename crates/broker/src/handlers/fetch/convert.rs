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

use bytes::Bytes;
use ottla_record::{BatchHeader, Codec, DownConverter, DownError, LOG_OVERHEAD, Limits, OldMagic, RecordBatch};
use ottla_storage::Slice;
use ottla_types::{ErrorCode, Offset};

use super::read::{Got, Outcome};
use super::session::Partitions;
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
/// How much is read from a file at a time.
const PIECE_BYTES: usize = 1 << 20;

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
    for got in got {
        let Outcome::Records { bounds, slice: Some(slice), .. } = &got.outcome else { continue };
        let wanted = partitions.followed(got.place).wanted;
        let bytes_max = wanted.bytes_max.min(left / waiting);
        let conversion = Conversion { magic, from: wanted.fetch_offset, bytes_max };
        got.outcome = match conversion.run(slice, node, &share).await {
            Ok(records) => {
                left = left.saturating_sub(records.len());
                Outcome::Converted { bounds: *bounds, records }
            }
            Err(error) => Outcome::because(error),
        };
        waiting = (waiting - 1).max(1);
    }
}

/// The conversion of one partition's range.
struct Conversion {
    magic: OldMagic,
    /// The offset asked for.
    from: Offset,
    bytes_max: usize,
}

impl Conversion {
    async fn run(&self, slice: &Slice, node: &Node, share: &Share) -> Result<Bytes, ErrorCode> {
        let mut converter = DownConverter::new(self.magic, self.from, Limits::default().records_bytes_max);
        let mut batches = BatchesInFile { slice, at: 0, piece: Bytes::new(), piece_at: 0 };
        let mut out = Vec::new();
        let mut first_bytes = 0;
        let mut leave = None;
        while out.len() < self.bytes_max.max(1) {
            let Some(bytes) = batches.next().await? else { break };
            let batch = RecordBatch::parse(&bytes).map_err(DownError::Batch);
            let compressed = batch.as_ref().is_ok_and(|batch| batch.header().codec() != Ok(Codec::None));
            if compressed && leave.is_none() {
                leave = node.conversions.leave_to_open().await;
            }
            let converted = batch.and_then(|batch| converter.convert(&batch, &mut out));
            match converted {
                Ok(()) if first_bytes == 0 => first_bytes = out.len(),
                Ok(()) => {}
                // What comes before it is good; the next fetch begins with it.
                Err(_) if first_bytes > 0 => break,
                Err(error) => return Err(refused(&error)),
            }
            // A large batch takes a while, and others wait for this thread.
            tokio::task::yield_now().await;
        }
        if batches.at == 0 {
            // Not even the first batch is within the client's limit: it is told of a message that is larger.
            out = batches.start_of_first().await?;
        }
        out.truncate(self.bytes_max.max(first_bytes));
        Ok(share.pay(out))
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
    /// Where the next one starts in the range.
    at: usize,
    piece: Bytes,
    piece_at: usize,
}

impl BatchesInFile<'_> {
    /// The next batch; `None` at the end, or where the range ends within one.
    async fn next(&mut self) -> Result<Option<Bytes>, ErrorCode> {
        let left = self.slice.bytes - self.at;
        let head = self.bytes(left.min(ottla_record::BATCH_HEADER_BYTES)).await?;
        // A head that is cut is no head.
        let Ok(header) = BatchHeader::parse_any(&head) else { return Ok(None) };
        let size = header.size_in_bytes();
        if size > left {
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
            let read = self.slice.file.read(self.slice.position + self.at as u64, wanted).await;
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
