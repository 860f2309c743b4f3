//! gzip: members of RFC 1952, one behind the other, each with its CRC and length checked.
//!
//! A flag that RFC 1952 reserves is refused, as it asks; the Java client ignores it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::window::PIECE_BYTES;
use super::{Codec, CompressionError, Reading, Window};

/// What `gzip` writes when nobody asks for more or less (`compression.gzip.level`).
const LEVEL: u32 = 6;

/// What every member starts with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

pub(super) struct Reader<'i> {
    /// Of the member at hand; its input reaches to the end of all.
    member: GzDecoder<&'i [u8]>,
    input_bytes: usize,
    reading: Reading,
}

impl<'i> Reader<'i> {
    pub(super) fn new(input: &'i [u8], reading: Reading) -> Self {
        Self { member: GzDecoder::new(input), input_bytes: input.len(), reading }
    }

    pub(super) fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        loop {
            match self.member.read(window.room(PIECE_BYTES)) {
                Ok(0) => {
                    // The decoder takes its input only up to the end of its member.
                    let behind = *self.member.get_ref();
                    if behind.starts_with(&MAGIC) {
                        self.member = GzDecoder::new(behind);
                    } else if behind.is_empty() || self.reading == Reading::AsKafka {
                        return Ok(true);
                    } else {
                        return Err(self.broken("bytes follow the last gzip member"));
                    }
                }
                Ok(count) => return window.advance(count).map(|()| false),
                Err(_) => return Err(self.broken("not a whole gzip member")),
            }
        }
    }

    fn broken(&self, reason: &'static str) -> CompressionError {
        let position = self.input_bytes - self.member.get_ref().len();
        CompressionError::Broken { codec: Codec::Gzip, position, reason }
    }
}

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

    #[test]
    fn members_one_behind_the_other_are_one_stream() {
        let two = compress(b"two", None, compress(b"one", None, Vec::new()));
        let mut window = Window::default();
        window.restart(100);
        let mut reader = Reader::new(&two, Reading::Strict);
        while !reader.fill(&mut window).unwrap() {}
        assert_eq!(window.filled(), b"onetwo");
    }

    #[test]
    fn the_checksum_and_the_length_are_verified() {
        let good = compress(b"text", None, Vec::new());
        for byte in good.len() - 8..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 1;
            let mut window = Window::default();
            window.restart(100);
            let mut reader = Reader::new(&bad, Reading::Strict);
            let error = loop {
                match reader.fill(&mut window) {
                    Ok(false) => {}
                    Ok(true) => panic!("byte {byte} does not matter"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, CompressionError::Broken { codec: Codec::Gzip, .. }));
        }
    }
}
