//! Snappy: raw blocks in the frame of the Java library, or one raw block without a frame.
//!
//! The frame (xerial, `SnappyOutputStream`): 8 bytes of magic, version and lowest compatible version as big-endian
//! i32, then blocks, each with its compressed length as a big-endian i32. Frames may stand one behind the other. Both
//! forms are read; the frame is written, as the Java client writes it.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{Codec, CompressionError, Window};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
/// Magic, version, lowest compatible version.
const HEADER_BYTES: usize = 16;
/// What the Java library takes per block.
const BLOCK_BYTES: usize = 32 << 10;
/// An element of 3 bytes copies 64 at most, so a block that claims more than this factor lies.
const EXPANSION_MAX: usize = 22;

/// The decoder kept between batches.
#[derive(Default)]
pub(super) struct Context(Decoder);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

pub(super) struct Reader<'i, 'c> {
    input: &'i [u8],
    at: usize,
    framed: bool,
    decoder: &'c mut Decoder,
}

impl<'i, 'c> Reader<'i, 'c> {
    pub(super) fn new(input: &'i [u8], context: &'c mut Context) -> Result<Self, CompressionError> {
        let framed = input.starts_with(&MAGIC);
        let mut reader = Self { input, at: 0, framed, decoder: &mut context.0 };
        if framed {
            reader.header()?;
        }
        Ok(reader)
    }

    /// Reads what stands behind the magic.
    fn header(&mut self) -> Result<(), CompressionError> {
        self.at += MAGIC.len();
        let version = self.i32("the frame's header is cut short")?;
        self.i32("the frame's header is cut short")?;
        if version < VERSION {
            return Err(self.broken("the frame's version is unknown"));
        }
        Ok(())
    }

    pub(super) fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        // What the magic starts with is no length of a block, for it is negative.
        while self.framed && self.input[self.at..].starts_with(&MAGIC) {
            self.header()?;
        }
        let length = if !self.framed {
            self.input.len() - self.at
        } else if self.at == self.input.len() {
            return Ok(true);
        } else {
            let length = self.i32("the length of a block is cut short")?;
            usize::try_from(length).map_err(|_| self.broken("the length of a block is negative"))?
        };
        let Some(block) = self.input[self.at..].get(..length) else {
            return Err(self.broken("a block is cut short"));
        };
        let size = decompress_len(block).map_err(|_| self.broken("a block has no length"))?;
        if size > window.left() {
            return Err(window.too_large());
        }
        if size > block.len().saturating_mul(EXPANSION_MAX) {
            return Err(self.broken("a block claims more than it can hold"));
        }
        let room = &mut window.room(size)[..size];
        let written = self.decoder.decompress(block, room).map_err(|_| self.broken("a block is damaged"))?;
        window.advance(written)?;
        self.at += length;
        Ok(!self.framed)
    }

    fn i32(&mut self, reason: &'static str) -> Result<i32, CompressionError> {
        let Some(bytes) = self.input[self.at..].first_chunk::<4>() else { return Err(self.broken(reason)) };
        self.at += 4;
        Ok(i32::from_be_bytes(*bytes))
    }

    fn broken(&self, reason: &'static str) -> CompressionError {
        CompressionError::Broken { codec: Codec::Snappy, position: self.at, reason }
    }
}

/// Appends the framed compressed form of `records` to `out`.
pub(super) fn compress(records: &[u8], out: &mut Vec<u8>) {
    out.reserve(HEADER_BYTES + records.len() / 2);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = Encoder::new();
    for block in records.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        out.resize(length_at + 4 + max_compress_len(block.len()), 0);
        let length = encoder
            .compress(block, &mut out[length_at + 4..])
            .expect("a block is far below Snappy's limit and has the room that Snappy asks for");
        out[length_at..length_at + 4].copy_from_slice(&(length as i32).to_be_bytes());
        out.truncate(length_at + 4 + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut window = Window::default();
        window.restart(1 << 20);
        let mut context = Context::default();
        let mut reader = Reader::new(input, &mut context)?;
        while !reader.fill(&mut window)? {}
        Ok(window.filled().to_vec())
    }

    #[test]
    fn the_frame_and_the_bare_block_are_read() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|i| i.to_string().into_bytes()).collect();
        assert!(text.len() > 2 * BLOCK_BYTES, "several blocks");
        let mut framed = Vec::new();
        compress(&text, &mut framed);
        assert!(read(&framed).unwrap() == text);
        assert!(read(&Encoder::new().compress_vec(&text).unwrap()).unwrap() == text);
    }

    #[test]
    fn frames_of_version_0_and_negative_blocks_are_refused() {
        let mut framed = Vec::new();
        compress(b"text", &mut framed);
        let mut version = framed.clone();
        version[11] = 0;
        let error = |position, reason| Err(CompressionError::Broken { codec: Codec::Snappy, position, reason });
        assert_eq!(read(&version), error(16, "the frame's version is unknown"));
        framed[16] = 0x80;
        assert_eq!(read(&framed), error(20, "the length of a block is negative"));
    }
}
