//! Receive buffers that come back: a pool by size, bounded in what it keeps.
//!
//! A produce request's frame becomes the bytes that are written to the log, so a buffer travels from the connection to
//! the log's writer and is given back by whichever drops it last. Without the pool each large frame would be mapped and
//! zeroed by the kernel anew, which costs more than receiving it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::memory::Piece;

/// The smallest buffer that is handed out: enough for one small request, or the head of a large one.
pub(crate) const SMALLEST_BYTES: usize = 4 * 1024;
/// Buffers above this size are not kept: they are rare, and too large to sit idle.
const LARGEST_KEPT_BYTES: usize = 8 * 1024 * 1024;
/// All that the pool keeps at most.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The pool. Shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Free buffers by the logarithm of their capacity.
    by_size: BTreeMap<u32, Vec<Vec<u8>>>,
    bytes: usize,
}

/// A buffer on loan. Filled as a `Vec`; frozen into [`Bytes`] without a copy.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
    /// What was granted for it, unless it is small; given back with it.
    granted: Option<Piece>,
}

impl Buffers {
    /// An empty buffer with room for at least `bytes` bytes.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Buffer {
        let capacity = capacity_for(bytes);
        let free = {
            let mut kept = self.kept.lock();
            let free = kept.by_size.get_mut(&capacity.ilog2()).and_then(Vec::pop);
            kept.bytes -= free.as_ref().map_or(0, Vec::capacity);
            free
        };
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(capacity));
        Buffer { bytes, home: self.clone(), granted: None }
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        let capacity = bytes.capacity();
        if capacity > LARGEST_KEPT_BYTES || !capacity.is_power_of_two() || capacity < SMALLEST_BYTES {
            return;
        }
        bytes.clear();
        let mut kept = self.kept.lock();
        if kept.bytes + capacity <= KEPT_BYTES_MAX {
            kept.bytes += capacity;
            kept.by_size.entry(capacity.ilog2()).or_default().push(bytes);
        }
    }
}

/// The room that a buffer for `bytes` bytes has.
pub(crate) fn capacity_for(bytes: usize) -> usize {
    bytes.max(SMALLEST_BYTES).next_power_of_two()
}

impl Buffer {
    /// Keeps what was granted for the buffer as long as the buffer.
    pub(crate) fn hold(&mut self, granted: Piece) {
        self.granted = Some(granted);
    }

    /// Bytes that were granted for it.
    pub(crate) fn held(&self) -> u64 {
        self.granted.as_ref().map_or(0, Piece::bytes)
    }

    /// The bytes, to be filled. Its capacity must not be exceeded: a buffer that grew is not kept.
    pub(crate) const fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes filled so far.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes for good; the buffer comes back when the last of their slices is dropped.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_dropped() {
        let pool = Arc::new(Buffers::default());
        let mut buffer = pool.take(10_000);
        buffer.bytes().extend_from_slice(b"frame");
        let at = buffer.filled().as_ptr();
        let whole = buffer.freeze();
        let part = whole.slice(1..3);
        drop(whole);
        assert_ne!(pool.take(10_000).filled().as_ptr(), at, "a slice still lives");
        drop(part);
        let again = [pool.take(10_000), pool.take(10_000)];
        assert!(again.iter().any(|b| b.filled().as_ptr() == at));
        assert!(again.iter().all(|b| b.filled().is_empty()));
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = Arc::new(Buffers::default());
        let many: Vec<_> = (0..20).map(|_| pool.take(4 * 1024 * 1024)).collect();
        drop(many);
        drop(pool.take(LARGEST_KEPT_BYTES + 1));
        assert!(pool.kept.lock().bytes <= KEPT_BYTES_MAX);
    }
}
