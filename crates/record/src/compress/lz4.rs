//! LZ4: the frame format, with the blocks decompressed straight into the window.
//!
//! The frame is read here and not by a library's reader, which would allocate two buffers for every batch and accept
//! frames that the Java client refuses: blocks that refer to earlier blocks, dictionaries, the legacy format, a
//! skippable frame in front, records that go on in a second frame. Of producers' frames all checksums are verified, also
//! the content's, which the Java client ignores, and nothing may follow.

use std::hash::Hasher;
use std::io::Write;

use lz4_flex::block::decompress_into;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::{Codec, CompressionError, Reading, Window};

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

/// How the checksum of a frame's header is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderChecksum {
    /// As the format says: of the descriptor alone.
    Proper,
    /// As the first Java client made it, of the magic number too. Magic 0 stays so: its readers expect nothing else,
    /// except for those that ignore it (KIP-57).
    OfMagic0,
}

impl HeaderChecksum {
    pub(super) const fn of(magic: i8) -> Self {
        if magic == 0 { Self::OfMagic0 } else { Self::Proper }
    }
}

pub(super) struct Reader<'i> {
    input: &'i [u8],
    at: usize,
    reading: Reading,
    flags: u8,
    block_bytes_max: usize,
    content_size: Option<u64>,
    content_hash: XxHash32,
}

impl<'i> Reader<'i> {
    /// Reads the frame's header. Both kinds of checksum are fine in magic 0, and any other, as Kafka has it.
    pub(super) fn new(
        input: &'i [u8],
        header_checksum: HeaderChecksum,
        reading: Reading,
    ) -> Result<Self, CompressionError> {
        let content_hash = XxHash32::with_seed(0);
        let mut reader = Self { input, at: 0, reading, flags: 0, block_bytes_max: 0, content_size: None, content_hash };
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
        if header_checksum == HeaderChecksum::Proper && checksum != header_hash(descriptor) {
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
        let checksum = if self.flags & CONTENT_CHECKSUM == 0 { None } else { Some(self.u32()?) };
        if self.reading == Reading::AsKafka {
            return Ok(());
        }
        if checksum.is_some_and(|checksum| u64::from(checksum) != self.content_hash.finish()) {
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

fn header_hash(bytes: &[u8]) -> u8 {
    (XxHash32::oneshot(0, bytes) >> 8) as u8
}

/// Appends the compressed form of `records` to `out`: independent blocks of 64 KiB, as the Java client writes them.
pub(super) fn compress(records: &[u8], header_checksum: HeaderChecksum, out: Vec<u8>) -> Vec<u8> {
    let start = out.len();
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(records).expect("writing to a Vec does not fail");
    let mut out = encoder.finish().expect("writing to a Vec does not fail");
    if header_checksum == HeaderChecksum::OfMagic0 {
        // Magic, flags and block descriptor; this encoder writes no content size. For an empty input it writes nothing.
        let header = &mut out[start..];
        if let Some((described, [checksum, ..])) = header.split_at_mut_checked(6) {
            *checksum = header_hash(described);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a frame yields.
    fn read(frame: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut window = Window::default();
        window.restart(1 << 24);
        let mut reader = Reader::new(frame, HeaderChecksum::Proper, Reading::Strict)?;
        while !reader.fill(&mut window)? {}
        Ok(window.filled().to_vec())
    }

    fn text() -> Vec<u8> {
        (0..40_000u32).flat_map(|i| (i / 3).to_string().into_bytes()).collect()
    }

    fn frame(info: FrameInfo) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&text()).unwrap();
        encoder.finish().unwrap()
    }

    fn reason(frame: &[u8]) -> &'static str {
        match read(frame) {
            Err(CompressionError::Broken { reason, .. }) => reason,
            other => panic!("not broken: {:?}", other.map(|bytes| bytes.len())),
        }
    }

    #[test]
    fn every_option_of_a_frame_is_read() {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            for checksums in [false, true] {
                let info = FrameInfo::new().block_size(size).block_checksums(checksums).content_checksum(checksums);
                assert!(read(&frame(info.clone())).unwrap() == text());
                assert!(read(&frame(info.content_size(Some(text().len() as u64)))).unwrap() == text());
            }
        }
    }

    #[test]
    fn frames_are_written_with_independent_blocks_of_64_kib() {
        let written = compress(&text(), HeaderChecksum::Proper, Vec::new());
        assert_eq!(written[4] & INDEPENDENT_BLOCKS, INDEPENDENT_BLOCKS);
        assert_eq!(written[5], 0x40);
        assert!(read(&written).unwrap() == text());
    }

    #[test]
    fn dependent_blocks_are_refused_because_java_refuses_them() {
        let linked = frame(FrameInfo::new().block_mode(BlockMode::Linked));
        assert_eq!(reason(&linked), "the blocks depend on each other, which Java clients cannot read");
    }

    #[test]
    fn each_checksum_is_verified() {
        let mut header = frame(FrameInfo::new());
        header[6] ^= 1;
        assert_eq!(reason(&header), "the header's checksum does not match");

        let mut block = frame(FrameInfo::new().block_size(BlockSize::Max4MB).block_checksums(true));
        let checksum = block.len() - 8;
        block[checksum] ^= 1;
        assert_eq!(reason(&block), "a block's checksum does not match");

        let mut content = frame(FrameInfo::new().content_checksum(true));
        *content.last_mut().unwrap() ^= 1;
        assert_eq!(reason(&content), "the content's checksum does not match");
    }

    #[test]
    fn in_magic_0_the_headers_checksum_is_broken_on_purpose_and_never_looked_at() {
        let broken = compress(b"text", HeaderChecksum::OfMagic0, b"before".to_vec());
        let broken = &broken[6..];
        // What Kafka 0.8.2's producer wrote: vectors/old/magic0-lz4.set.
        assert_eq!(broken[4..7], [0x60, 0x40, 0x1a]);
        assert_eq!(reason(broken), "the header's checksum does not match");
        for checksum in [0x1a, 0x82, 0] {
            let mut any = broken.to_vec();
            any[6] = checksum;
            Reader::new(&any, HeaderChecksum::OfMagic0, Reading::Strict).unwrap();
        }
    }

    /// A header of the given flags and blocks of 64 KiB, its checksum right.
    fn start(flags: u8, content_size: &[u8]) -> Vec<u8> {
        let mut frame = MAGIC.to_le_bytes().to_vec();
        frame.extend([flags, 0x40]);
        frame.extend(content_size);
        frame.push((XxHash32::oneshot(0, &frame[4..]) >> 8) as u8);
        frame
    }

    #[test]
    fn a_wrong_content_size_is_refused() {
        let block = [&(UNCOMPRESSED_BLOCK | 1).to_le_bytes()[..], b"x", &[0; 4]].concat();
        let with = |size: u64| {
            [start(VERSION | INDEPENDENT_BLOCKS | CONTENT_SIZE, &size.to_le_bytes()), block.clone()].concat()
        };
        assert_eq!(read(&with(1)), Ok(b"x".to_vec()));
        assert_eq!(reason(&with(2)), "the content does not have the size that the frame says");
    }

    #[test]
    fn a_block_beyond_the_frames_size_is_refused() {
        let with = |length: u32| {
            let field = (UNCOMPRESSED_BLOCK | length).to_le_bytes();
            [&start(VERSION | INDEPENDENT_BLOCKS, &[])[..], &field, &vec![7; length as usize], &[0; 4]].concat()
        };
        assert_eq!(read(&with(65_536)), Ok(vec![7; 65_536]));
        assert_eq!(reason(&with(65_537)), "a block is larger than the frame allows");
    }

    #[test]
    fn unknown_versions_flags_and_sizes_are_refused() {
        for flags in [0x20, 0xa0, VERSION | INDEPENDENT_BLOCKS | 1, VERSION | INDEPENDENT_BLOCKS | 2] {
            assert_eq!(reason(&start(flags, &[])), "the frame's version or flags are unknown");
        }
        let mut size = start(VERSION | INDEPENDENT_BLOCKS, &[]);
        size[5] = 0x30;
        assert_eq!(reason(&size), "the block size is unknown");
        assert_eq!(reason(&[0x02, 0x21, 0x4c, 0x18, 0, 0, 0]), "no lz4 frame");
    }
}
