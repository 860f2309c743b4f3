//! The window between a codec and whoever walks over what it yields: bytes come in behind, are taken in front, and
//! their sum is limited.

use super::CompressionError;

/// How much room a codec without blocks of its own is given at a time. It fits the second-level cache with what is
/// taken from it.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Memory above this is given back when its user says that it is done, or when the next stream starts.
pub(super) const KEPT_BYTES_MAX: usize = 4 << 20;

/// Invariant: `start <= end <= bytes.len()` and `total <= total_max`.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// All of it is initialised; `start..end` has a meaning.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// What came in since [`Window::restart`].
    total: usize,
    total_max: usize,
}

impl Window {
    /// Empties the window for a stream that may yield `total_max` bytes.
    pub(crate) fn restart(&mut self, total_max: usize) {
        self.give_back();
        (self.start, self.end, self.total, self.total_max) = (0, 0, 0, total_max);
    }

    /// Gives back what is more than is kept, with what is in it.
    pub(super) fn give_back(&mut self) {
        if self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for at least `wanted` bytes behind what is there. The caller answers for `wanted`: it must follow from
    /// bytes that exist, not from a claim about them.
    pub(crate) fn room(&mut self, wanted: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < wanted {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let needed = self.end + wanted;
            if self.bytes.len() < needed {
                // Doubling, so that a record of many pieces is not copied for each of them.
                self.bytes.resize(needed.max(2 * self.bytes.len()), 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// How many bytes may still come in.
    pub(crate) fn left(&self) -> usize {
        self.total_max - self.total
    }

    /// Says that `count` bytes of the room are filled. An error if they are too many in sum.
    pub(crate) fn advance(&mut self, count: usize) -> Result<(), CompressionError> {
        if count > self.left() {
            return Err(self.too_large());
        }
        self.total += count;
        self.end += count;
        debug_assert!(self.end <= self.bytes.len(), "more bytes than there was room for");
        Ok(())
    }

    /// What came in and was not consumed.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes `count` bytes off the front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "more bytes consumed than there were");
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// All that came in.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// The error for a stream with more than the limit.
    pub(crate) fn too_large(&self) -> CompressionError {
        CompressionError::TooLarge { bytes_max: self.total_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(window: &mut Window, bytes: &[u8]) -> Result<(), CompressionError> {
        window.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        window.advance(bytes.len())
    }

    #[test]
    fn what_comes_in_is_taken_in_order() {
        let mut window = Window::default();
        window.restart(100);
        push(&mut window, b"abc").unwrap();
        window.consume(1);
        push(&mut window, b"defgh").unwrap();
        assert_eq!(window.filled(), b"bcdefgh");
        window.consume(7);
        assert_eq!((window.filled(), window.total()), (&b""[..], 8));
    }

    #[test]
    fn the_sum_is_limited_even_when_all_is_taken() {
        let mut window = Window::default();
        window.restart(4);
        push(&mut window, b"abc").unwrap();
        window.consume(3);
        assert_eq!(push(&mut window, b"de"), Err(CompressionError::TooLarge { bytes_max: 4 }));
        push(&mut window, b"d").unwrap();
        assert_eq!(window.left(), 0);
    }

    #[test]
    fn big_memory_is_given_back() {
        let mut window = Window::default();
        window.restart(usize::MAX);
        window.room(KEPT_BYTES_MAX + 1);
        window.restart(usize::MAX);
        assert_eq!(window.bytes.capacity(), 0);
        push(&mut window, &vec![1; KEPT_BYTES_MAX]).unwrap();
        window.give_back();
        assert_eq!(window.filled().len(), KEPT_BYTES_MAX);
        push(&mut window, &[1]).unwrap();
        window.give_back();
        assert_eq!((window.bytes.capacity(), window.filled().len()), (0, 0));
    }
}
