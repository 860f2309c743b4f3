//! LZ4: the frame format, with the blocks decompressed straight into the window.
//!
//! The frame is read here and not by a library's reader, which would allocate two buffers for every batch and accept frames
//! that the Java client refuses: blocks that refer to earlier blocks, dictionaries, the legacy format. All checksums that are there are
//! verified, also the content's, which the Java client ignores.

use std::hash::Hasher;
use std::io::Write;

use lz4_flex::block::decompress_into;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::{Codec, CompressionError, Window};

const MAGIC: u32 = 0x184d_2204;
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const INDEPENDENT_BLOCKS: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
/// A reserved bit and the dictionary's, which the Java client takes for reserved.
const RESERVED: u8 = 0x03;
const UNCOMPRESSED_BLOCK: u32 = 0x8000_0000;
/// A byte of a compressed block adds at most 255 to a length, so no block yields more than this factor.
const EXPANSION_MAX: usize = 256;

pub(super) struct Reader<'i> {
    input: &'i [u8],
    at: usize,
    flags: u8,
    block_bytes_max: usize,
    content_size: Option<u64>,
    content_hash: XxHash32,
}

impl<'i> Reader<'i> {
    /// Reads the frame's header.
    pub(super) fn new(input: &'i [u8]) -> Result<Self, CompressionError> {
        let content_hash = XxHash32::with_seed(0);
        let mut reader = Self { input, at: 0, flags: 0, block_bytes_max: 0, content_size: None, content_hash };
        if reader.u32()? != MAGIC {
            return Err(reader.broken("no lz4 frame"));
        }
        let [flags, block_descriptor] = reader.array::<2>()?;
        if flags & VERSION_MASK != VERSION || flags & RESERVED != 0 {
            return Err(reader.broken("the frame's version or flags are unknown"));
        }
        if flags & INDEPENDENT_BLOCKS == 0 {
            return Err(reader.broken("the blocks depend on each other, which Java clients cannot read"));
        }
        reader.flags = flags;
        // 4 to 7 stand for 64 KiB, 256 KiB, 1 MiB and 4 MiB.
        reader.block_bytes_max = match block_descriptor {
            0x40 | 0x50 | 0x60 | 0x70 => 1 << (8 + 2 * (block_descriptor >> 4)),
            _ => return Err(reader.broken("the block size is unknown")),
        };
        if flags & CONTENT_SIZE != 0 {
            reader.content_size = Some(u64::from_le_bytes(reader.array()?));
        }
        let descriptor = &input[4..reader.at];
        let [checksum] = reader.array()?;
        if checksum != (XxHash32::oneshot(0, descriptor) >> 8) as u8 {
            return Err(reader.broken("the header's checksum does not match"));
        }
        Ok(reader)
    }

    /// Reads one block.
    pub(super) fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        let field = self.u32()?;
        let length = (field & !UNCOMPRESSED_BLOCK) as usize;
        // Java takes an uncompressed block of no bytes for the end too.
        if length == 0 {
            return self.end(window).map(|()| true);
        }
        if length > self.block_bytes_max {
            return Err(self.broken("a block is larger than the frame allows"));
        }
        let Some(block) = self.input[self.at..].get(..length) else {
            return Err(self.broken("a block is cut short"));
        };
        let size_max = match field & UNCOMPRESSED_BLOCK {
            0 => self.block_bytes_max.min(length * EXPANSION_MAX),
            _ => length,
        };
        let room = &mut window.room(size_max)[..size_max];
        let written = if field & UNCOMPRESSED_BLOCK == 0 {
            decompress_into(block, room).map_err(|_| self.broken("a block is damaged"))?
        } else {
            room.copy_from_slice(block);
            length
        };
        if self.flags & CONTENT_CHECKSUM != 0 {
            self.content_hash.write(&room[..written]);
        }
        self.at += length;
        if self.flags & BLOCK_CHECKSUM != 0 && self.u32()? != XxHash32::oneshot(0, block) {
            return Err(self.broken("a block's checksum does not match"));
        }
        window.advance(written)?;
        Ok(false)
    }

    /// What must hold behind the end mark.
    fn end(&mut self, window: &Window) -> Result<(), CompressionError> {
        if self.flags & CONTENT_CHECKSUM != 0 && u64::from(self.u32()?) != self.content_hash.finish() {
            return Err(self.broken("the content's checksum does not match"));
        }
        if self.content_size.is_some_and(|size| size != window.total() as u64) {
            return Err(self.broken("the content does not have the size that the frame says"));
        }
        if self.at != self.input.len() {
            return Err(self.broken("bytes follow the frame"));
        }
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, CompressionError> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CompressionError> {
        let Some(bytes) = self.input[self.at..].first_chunk::<N>() else {
            return Err(self.broken("the frame is cut short"));
        };
        self.at += N;
        Ok(*bytes)
    }

    fn broken(&self, reason: &'static str) -> CompressionError {
        CompressionError::Broken { codec: Codec::Lz4, position: self.at, reason }
    }
}

/// Appends the compressed form of `records` to `out`: independent blocks of 64 KiB, as the Java client writes them.
pub(super) fn compress(records: &[u8], out: Vec<u8>) -> Vec<u8> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(records).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail")
}
