//! gzip: members of RFC 1952, one behind the other, each with its CRC and length checked.
//!
//! A flag that RFC 1952 reserves is refused, as it asks; the Java client ignores it.
//!
//! Headers and trailers are read here, and only what is between them by the library: its reader makes an inflater for each
//! member, which costs more than to inflate a small batch.

use std::io::Write;

use crc32fast::Hasher;
use flate2::write::GzEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::window::PIECE_BYTES;
use super::{Codec, CompressionError, Reading, Window};

/// What `gzip` writes when nobody asks for more or less (`compression.gzip.level`).
const LEVEL: u32 = 6;

/// What every member starts with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The one method that there is.
const DEFLATE: u8 = 8;
/// Magic, method, flags, time, extra flags and system.
const HEADER_BYTES: usize = 10;
const HEADER_CHECKSUM: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

/// The inflater kept between batches.
#[derive(Default)]
pub(super) struct Context(Option<Decompress>);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

pub(super) struct Reader<'i, 'c> {
    input: &'i [u8],
    at: usize,
    reading: Reading,
    /// Of the member at hand, as are the next two.
    inflater: &'c mut Decompress,
    checksum: Hasher,
    /// Whether all that it holds is inflated, and its trailer is next.
    inflated: bool,
}

impl<'i, 'c> Reader<'i, 'c> {
    /// Reads the header of the first member.
    pub(super) fn new(input: &'i [u8], kept: &'c mut Context, reading: Reading) -> Result<Self, CompressionError> {
        let inflater = kept.0.get_or_insert_with(|| Decompress::new(false));
        let mut reader = Self { input, at: 0, reading, inflater, checksum: Hasher::new(), inflated: false };
        reader.begin()?;
        Ok(reader)
    }

    pub(super) fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        loop {
            if self.inflated {
                self.check_trailer()?;
                let behind = &self.input[self.at..];
                if behind.starts_with(&MAGIC) {
                    self.begin()?;
                } else if behind.is_empty() || self.reading == Reading::AsKafka {
                    return Ok(true);
                } else {
                    return Err(self.broken("bytes follow the last gzip member"));
                }
            }
            let room = window.room(PIECE_BYTES);
            let (before_in, before_out) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self.inflater.decompress(&self.input[self.at..], room, FlushDecompress::None);
            let taken = (self.inflater.total_in() - before_in) as usize;
            let written = (self.inflater.total_out() - before_out) as usize;
            self.at += taken;
            self.checksum.update(&room[..written]);
            match status {
                Ok(Status::StreamEnd) => self.inflated = true,
                Ok(_) if taken + written > 0 => {}
                Ok(_) | Err(_) => return Err(self.broken(NOT_WHOLE)),
            }
            if written > 0 {
                return window.advance(written).map(|()| false);
            }
        }
    }

    /// Reads the header of a member.
    fn begin(&mut self) -> Result<(), CompressionError> {
        let start = self.at;
        let [.., method, flags, _, _, _, _, _, _] = self.array::<HEADER_BYTES>()?;
        if !self.input[start..].starts_with(&MAGIC) || method != DEFLATE || flags & RESERVED != 0 {
            return Err(self.broken(NOT_WHOLE));
        }
        if flags & EXTRA != 0 {
            let length = usize::from(u16::from_le_bytes(self.array()?));
            self.skip(length)?;
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                let end = self.input[self.at..].iter().position(|byte| *byte == 0);
                self.skip(end.ok_or_else(|| self.broken(NOT_WHOLE))? + 1)?;
            }
        }
        if flags & HEADER_CHECKSUM != 0 {
            let computed = crc32fast::hash(&self.input[start..self.at]) as u16;
            if u16::from_le_bytes(self.array()?) != computed {
                return Err(self.broken("the header's checksum does not match"));
            }
        }
        self.inflater.reset(false);
        self.checksum.reset();
        self.inflated = false;
        Ok(())
    }

    /// What must hold behind a member's content.
    fn check_trailer(&mut self) -> Result<(), CompressionError> {
        let (checksum, size) = (u32::from_le_bytes(self.array()?), u32::from_le_bytes(self.array()?));
        // The size is what is left of it by 2^32.
        if checksum != self.checksum.clone().finalize() || size != self.inflater.total_out() as u32 {
            return Err(self.broken("the content's checksum or size does not match"));
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CompressionError> {
        let Some(bytes) = self.input[self.at..].first_chunk::<N>() else { return Err(self.broken(NOT_WHOLE)) };
        self.at += N;
        Ok(*bytes)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), CompressionError> {
        if bytes > self.input.len() - self.at {
            return Err(self.broken(NOT_WHOLE));
        }
        self.at += bytes;
        Ok(())
    }

    fn broken(&self, reason: &'static str) -> CompressionError {
        CompressionError::Broken { codec: Codec::Gzip, position: self.at, reason }
    }
}

const NOT_WHOLE: &str = "not a whole gzip member";

/// Appends the compressed form of `records` to `out`. Levels are 1 to 9; others become the nearest.
pub(super) fn compress(records: &[u8], level: Option<i32>, out: Vec<u8>) -> Vec<u8> {
    let level = level.map_or(LEVEL, |level| level.clamp(1, 9) as u32);
    let mut encoder = GzEncoder::new(out, Compression::new(level));
    encoder.write_all(records).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], context: &mut Context, reading: Reading) -> Result<Vec<u8>, CompressionError> {
        let mut window = Window::default();
        window.restart(1 << 20);
        let mut reader = Reader::new(input, context, reading)?;
        while !reader.fill(&mut window)? {}
        Ok(window.filled().to_vec())
    }

    #[test]
    fn members_one_behind_the_other_are_one_stream() {
        let two = compress(b"two", None, compress(b"one", None, Vec::new()));
        assert_eq!(read(&two, &mut Context::default(), Reading::Strict), Ok(b"onetwo".to_vec()));
    }

    #[test]
    fn the_checksum_and_the_length_are_verified() {
        let good = compress(b"text", None, Vec::new());
        for byte in good.len() - 8..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 1;
            let error = read(&bad, &mut Context::default(), Reading::AsKafka);
            assert!(matches!(error, Err(CompressionError::Broken { codec: Codec::Gzip, .. })), "byte {byte}");
        }
    }

    #[test]
    fn every_field_of_a_header_is_passed_over_and_none_may_be_cut() {
        let content = compress(b"text", None, Vec::new());
        let fields: [(u8, &[u8]); 3] = [(EXTRA, b"\x03\0abc"), (NAME, b"name\0"), (COMMENT, b"\0")];
        for chosen in 0..16u8 {
            let mut member = content[..HEADER_BYTES].to_vec();
            for (at, (flag, field)) in fields.iter().enumerate() {
                if chosen & 1 << at != 0 {
                    member[3] |= flag;
                    member.extend_from_slice(field);
                }
            }
            if chosen & 8 != 0 {
                member[3] |= HEADER_CHECKSUM;
                let checksum = crc32fast::hash(&member) as u16;
                member.extend_from_slice(&checksum.to_le_bytes());
            }
            member.extend_from_slice(&content[HEADER_BYTES..]);
            let mut context = Context::default();
            assert_eq!(read(&member, &mut context, Reading::Strict), Ok(b"text".to_vec()), "{chosen}");
            for end in 0..member.len() {
                assert!(read(&member[..end], &mut context, Reading::AsKafka).is_err(), "{chosen} cut at {end}");
            }
            if chosen & 8 != 0 {
                // The time, which nothing else looks at.
                member[4] ^= 1;
                assert!(read(&member, &mut context, Reading::AsKafka).is_err(), "{chosen}");
            }
        }
        for (at, wrong) in [(0, 0), (1, 0), (2, 7), (3, 0x20), (3, 0x40), (3, 0x80)] {
            let mut bad = content.clone();
            bad[at] = wrong;
            assert!(read(&bad, &mut Context::default(), Reading::AsKafka).is_err(), "{at}");
        }
    }

    #[test]
    fn an_inflater_forgets_a_broken_stream() {
        let good = compress(&[7; 100_000], None, Vec::new());
        let mut context = Context::default();
        assert!(read(&good[..good.len() / 2], &mut context, Reading::Strict).is_err());
        assert_eq!(read(&good, &mut context, Reading::Strict), Ok(vec![7; 100_000]));
    }

    #[test]
    fn what_follows_is_refused_of_producers_and_passed_over_in_a_log() {
        let mut followed = compress(b"text", None, Vec::new());
        followed.push(0);
        assert!(read(&followed, &mut Context::default(), Reading::Strict).is_err());
        assert_eq!(read(&followed, &mut Context::default(), Reading::AsKafka), Ok(b"text".to_vec()));
    }
}
