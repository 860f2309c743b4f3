//! The four codecs of Kafka, each in a file of its own, behind one window.
//!
//! Compressed bytes come from anybody. So a codec writes into a [`Window`] that grows only as output really appears
//! and never hands out more than a limit; it never allocates by a length that the input merely claims; and whatever
//! the input holds, the answer is bytes or a [`CompressionError`].

mod gzip;
mod lz4;
mod snappy;
mod window;
mod zstd;

use thiserror::Error;

use crate::error::BatchError;
use crate::header::{BATCH_HEADER_BYTES, MAGIC};
pub(crate) use window::Window;

/// How the records of a batch are compressed; the number is that of the attribute bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(i16)]
pub enum Codec {
    /// Not at all.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy blocks in the frame of the Java library (xerial).
    Snappy = 2,
    /// The LZ4 frame format with independent blocks.
    Lz4 = 3,
    /// RFC 8878 (KIP-110).
    Zstd = 4,
}

impl Codec {
    /// Every codec, in the order of the numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of a number, `None` if there is none.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The most that `bytes` bytes of records become; of the codecs that are no more than a few bytes off, about so many.
    pub(crate) fn bytes_max(self, bytes: usize) -> usize {
        match self {
            Self::Zstd => zstd::bytes_max(bytes),
            Self::None | Self::Gzip | Self::Snappy | Self::Lz4 => bytes,
        }
    }

    /// Kafka's name for it, as in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// How records are to be compressed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Packing {
    /// The codec.
    pub codec: Codec,
    /// Its level; `None` for Kafka's default. gzip has 1 to 9, zstd up to 22, the others have none.
    pub level: Option<i32>,
}

/// Compressed bytes that cannot be turned back, or not within the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CompressionError {
    /// The bytes are not what the codec writes.
    #[error("the {} stream is broken near byte {position}: {reason}", codec.name())]
    Broken {
        /// Whose format it should be.
        codec: Codec,
        /// How many compressed bytes had been taken.
        position: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The output has more bytes than are allowed.
    #[error("uncompressed there are more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

/// What is done about a stream with which Kafka's readers have no trouble, though others may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// Bytes behind a gzip or lz4 stream are refused, and lz4 content without the checksum or size that its frame says:
    /// for what producers send.
    Strict,
    /// They are passed over: for what lies in a log, which Kafka may have written.
    AsKafka,
}

/// Codecs' contexts and the window they write to, kept from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Decompressor {
    window: Window,
    gzip: gzip::Context,
    zstd: zstd::Context,
    snappy: snappy::Context,
}

impl Decompressor {
    /// Feeds the uncompressed form of `input`, which is of the format `magic`, to `take`, piece by piece, and returns
    /// its size.
    ///
    /// `reading` says what is let through. `take` gets all that it has not yet taken and whether that is the end, and returns how many bytes it takes.
    pub(crate) fn pieces(
        &mut self,
        codec: Codec,
        magic: i8,
        reading: Reading,
        input: &[u8],
        bytes_max: usize,
        mut take: impl FnMut(&[u8], bool) -> Result<usize, BatchError>,
    ) -> Result<usize, BatchError> {
        self.window.restart(bytes_max);
        let mut stream = match codec {
            Codec::None => Stream::None(input),
            Codec::Gzip => Stream::Gzip(gzip::Reader::new(input, &mut self.gzip, reading)?),
            Codec::Snappy => Stream::Snappy(snappy::Reader::new(input, &mut self.snappy)?),
            Codec::Lz4 => Stream::Lz4(lz4::Reader::new(input, lz4::HeaderChecksum::of(magic), reading)?),
            Codec::Zstd => Stream::Zstd(zstd::Reader::new(input, &mut self.zstd)?),
        };
        loop {
            let ended = stream.fill(&mut self.window)?;
            let taken = take(self.window.filled(), ended)?;
            self.window.consume(taken);
            if ended {
                return Ok(self.window.total());
            }
        }
    }
}

impl Decompressor {
    /// Gives back what large batches took. What was yielded is gone with it.
    pub(crate) fn give_back(&mut self) {
        self.window.give_back();
        self.zstd.give_back();
    }

    /// The whole uncompressed form of `input`.
    pub(crate) fn whole(
        &mut self,
        codec: Codec,
        magic: i8,
        reading: Reading,
        input: &[u8],
        bytes_max: usize,
    ) -> Result<&[u8], BatchError> {
        self.pieces(codec, magic, reading, input, bytes_max, |_, _| Ok(0))?;
        Ok(self.window.filled())
    }
}

/// The uncompressed form of bytes that are no batch: a client's metrics (KIP-714). At most `bytes_max` bytes.
pub fn decompress(codec: Codec, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let mut decompressor = Decompressor::default();
    decompressor.whole(codec, MAGIC, Reading::Strict, input, bytes_max).map(<[u8]>::to_vec)
}

/// Contexts of compression, kept from batch to batch. One per thread is the idea.
#[derive(Debug, Default)]
pub struct Compressor {
    zstd: zstd::Compressor,
    /// Memory for records on their way into a compressed batch.
    staging: Vec<u8>,
}

impl Compressor {
    /// Gives back what large batches took, as [`Scratch::give_back`](crate::Scratch::give_back) does.
    pub fn give_back(&mut self) {
        if self.staging.capacity() > window::KEPT_BYTES_MAX {
            self.staging = Vec::new();
        }
    }

    /// Empty memory for some `bytes` bytes, to be given back by [`keep_staging`](Self::keep_staging).
    pub(crate) fn take_staging(&mut self, bytes: usize) -> Vec<u8> {
        let mut staging = std::mem::take(&mut self.staging);
        staging.clear();
        staging.reserve(bytes);
        staging
    }

    /// Keeps memory for the next batch.
    pub(crate) fn keep_staging(&mut self, staging: Vec<u8>) {
        self.staging = staging;
        self.give_back();
    }

    /// The compressed form of `records` in `out`, which is empty, behind room for a batch's header.
    pub(crate) fn compress_behind_header(&mut self, packing: Packing, records: &[u8], mut out: Vec<u8>) -> Vec<u8> {
        out.resize(BATCH_HEADER_BYTES, 0);
        self.compress(packing, MAGIC, records, out)
    }

    /// Appends the compressed form of `records`, which are of the format `magic`, to `out`.
    pub(crate) fn compress(&mut self, packing: Packing, magic: i8, records: &[u8], mut out: Vec<u8>) -> Vec<u8> {
        let Packing { codec, level } = packing;
        match codec {
            Codec::None => out.extend_from_slice(records),
            Codec::Gzip => return gzip::compress(records, level, out),
            Codec::Snappy => snappy::compress(records, &mut out),
            Codec::Lz4 => return lz4::compress(records, lz4::HeaderChecksum::of(magic), out),
            Codec::Zstd => self.zstd.compress(records, level, &mut out),
        }
        out
    }
}

/// A stream being read. `fill` adds some output to the window, at least a byte unless the end is reached, and says
/// whether it is.
enum Stream<'i, 'c> {
    None(&'i [u8]),
    Gzip(gzip::Reader<'i, 'c>),
    Snappy(snappy::Reader<'i, 'c>),
    Lz4(lz4::Reader<'i>),
    Zstd(zstd::Reader<'i, 'c>),
}

impl Stream<'_, '_> {
    fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        match self {
            Self::None(input) => {
                window.room(input.len())[..input.len()].copy_from_slice(input);
                window.advance(input.len())?;
                Ok(true)
            }
            Self::Gzip(reader) => reader.fill(window),
            Self::Snappy(reader) => reader.fill(window),
            Self::Lz4(reader) => reader.fill(window),
            Self::Zstd(reader) => reader.fill(window),
        }
    }
}
