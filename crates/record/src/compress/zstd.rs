//! Zstandard, by the reference library; contexts are kept, for making one costs more than a small batch.
//!
//! A frame says how far back it refers, and the library allocates a window of that size before the first byte. Here
//! up to 2^27 (128 MiB) is allowed, the library's own default: a streaming producer at level 22 says 2^27 even for a
//! small batch, and refusing it would refuse a setting that Kafka documents (level 19 says 2^23, the default 2^21).
//! Such a window costs address space rather than memory, for pages are touched as output appears, and that is
//! limited. A context that grew is not kept.

use std::io::Cursor;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::window::PIECE_BYTES;
use super::{Codec, CompressionError, Window};

/// The largest window, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;
/// What a context may have to be kept for the next batch: a window of 8 MiB (level 19) and what goes with it.
const KEPT_BYTES_MAX: usize = 9 << 20;
/// Kafka's default of `compression.zstd.level`.
const LEVEL: i32 = 3;
/// Kafka's bounds on it; the library has lower ones.
const LEVEL_MAX: i32 = 22;

/// The decompression context kept between batches.
#[derive(Default)]
pub(super) struct Context(Option<DCtx<'static>>);

impl Context {
    /// Gives it back if it is larger than what is kept.
    pub(super) fn give_back(&mut self) {
        if self.0.as_ref().is_some_and(|context| context.sizeof() > KEPT_BYTES_MAX) {
            self.0 = None;
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

pub(super) struct Reader<'i, 'c> {
    input: InBuffer<'i>,
    context: &'c mut DCtx<'static>,
    /// Whether the input so far ends with a whole frame.
    between_frames: bool,
}

impl<'i, 'c> Reader<'i, 'c> {
    pub(super) fn new(input: &'i [u8], kept: &'c mut Context) -> Result<Self, CompressionError> {
        kept.give_back();
        let broken = |_| broken(0, "the library refuses its own parameters");
        let context = kept.0.get_or_insert_with(DCtx::create);
        context.reset(ResetDirective::SessionOnly).map_err(broken)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(broken)?;
        Ok(Self { input: InBuffer::around(input), context, between_frames: false })
    }

    pub(super) fn fill(&mut self, window: &mut Window) -> Result<bool, CompressionError> {
        loop {
            let before = self.input.pos();
            let at_end = before == self.input.src.len();
            if at_end && self.between_frames {
                return Ok(true);
            }
            let room = window.room(PIECE_BYTES);
            let mut output = OutBuffer::around(room);
            let hint = self
                .context
                .decompress_stream(&mut output, &mut self.input)
                .map_err(|_| broken(before, "not a whole zstd frame"))?;
            let written = output.pos();
            self.between_frames = hint == 0;
            if written > 0 {
                return window.advance(written).map(|()| false);
            }
            if at_end {
                return Err(broken(before, "the last frame is cut short"));
            }
        }
    }
}

fn broken(position: usize, reason: &'static str) -> CompressionError {
    CompressionError::Broken { codec: Codec::Zstd, position, reason }
}

/// The most that `bytes` bytes may become, and as much room as the library wants for them.
pub(super) fn bytes_max(bytes: usize) -> usize {
    zstd::zstd_safe::compress_bound(bytes)
}

/// The compression context kept between batches.
#[derive(Default)]
pub(super) struct Compressor(Option<CCtx<'static>>);

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    /// Appends the compressed form of `records` to `out`. The frame has its size in front, so that its window is no
    /// larger than the batch.
    pub(super) fn compress(&mut self, records: &[u8], level: Option<i32>, out: &mut Vec<u8>) {
        let context = self.0.get_or_insert_with(CCtx::create);
        let level = level.unwrap_or(LEVEL).min(LEVEL_MAX);
        context.set_parameter(CParameter::CompressionLevel(level)).expect("the library clamps levels");
        out.reserve(bytes_max(records.len()));
        // Into memory that nobody has filled.
        let mut behind = Cursor::new(out);
        behind.set_position(behind.get_ref().len() as u64);
        context.compress2(&mut behind, records).expect("there is as much room as the library asks for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], context: &mut Context) -> Result<Vec<u8>, CompressionError> {
        let mut window = Window::default();
        window.restart(1 << 20);
        let mut reader = Reader::new(input, context)?;
        while !reader.fill(&mut window)? {}
        Ok(window.filled().to_vec())
    }

    /// A frame with the given window, without its content's size, with a checksum.
    fn frame(window_log: u32, content: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_parameter(CParameter::WindowLog(window_log)).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_frame_cut_within_its_checksum_is_refused_though_all_content_is_there() {
        let whole = frame(17, b"content");
        let mut context = Context::default();
        assert_eq!(read(&whole, &mut context), Ok(b"content".to_vec()));
        for cut in 1..=4 {
            let error = read(&whole[..whole.len() - cut], &mut context).unwrap_err();
            assert_eq!(error, broken(whole.len() - cut, "the last frame is cut short"));
        }
    }

    #[test]
    fn frames_one_behind_the_other_are_one_stream() {
        let two = [frame(17, b"one"), frame(17, b"two")].concat();
        assert_eq!(read(&two, &mut Context::default()), Ok(b"onetwo".to_vec()));
    }

    #[test]
    fn a_context_forgets_a_broken_stream() {
        let mut context = Context::default();
        let whole = frame(17, &[7; 1000]);
        read(&whole[..whole.len() / 2], &mut context).unwrap_err();
        assert_eq!(read(&whole, &mut context), Ok(vec![7; 1000]));
    }

    #[test]
    fn windows_up_to_the_java_clients_limit_are_read_and_not_kept() {
        let mut context = Context::default();
        assert_eq!(read(&frame(WINDOW_LOG_MAX, b"far"), &mut context), Ok(b"far".to_vec()));
        assert!(context.0.as_ref().unwrap().sizeof() > KEPT_BYTES_MAX);
        assert_eq!(read(&frame(23, b"near"), &mut context), Ok(b"near".to_vec()));
        assert!(context.0.as_ref().unwrap().sizeof() <= KEPT_BYTES_MAX, "level 19 keeps its context");
        // A window descriptor of 2^28 and no more.
        read(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 1, 0, 0], &mut context).unwrap_err();
    }
}
