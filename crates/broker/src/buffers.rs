//! Receive buffers that come back: a pool by size, bounded in what it keeps.
//!
//! A produce request's frame becomes the bytes that are written to the log, so a buffer travels from the connection to
//! the log's writer and is given back by whichever drops it last. Without the pool each large frame would be mapped and
//! zeroed by the kernel anew, which costs more than receiving it, up to ten times as much where the memory itself has to
//! be got from a hypervisor. What nobody needed for a while goes back to the system.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_runtime::Clock;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::memory::Piece;

/// The smallest buffer that is handed out: enough for one small request, or the head of a large one.
pub(crate) const SMALLEST_BYTES: usize = 4 * 1024;
/// All that the pool keeps at most: the largest request that `socket.request.max.bytes` allows by default, or a handful of
/// large ones that are on their way to the disk.
const KEPT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How often the pool is trimmed.
const PAUSE: Duration = Duration::from_secs(10);

/// The pool. Shared by all connections.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Free buffers by the logarithm of their capacity.
    by_size: BTreeMap<u32, Free>,
    bytes: usize,
}

/// Free buffers of one size.
#[derive(Debug, Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    /// The fewest that were free since the last [`Buffers::trim`]: so many nobody needed.
    fewest: usize,
}

impl Free {
    fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop();
        self.fewest = self.fewest.min(self.buffers.len());
        buffer
    }
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
            let free = kept.by_size.get_mut(&capacity.ilog2()).and_then(Free::take);
            kept.bytes -= free.as_ref().map_or(0, Vec::capacity);
            free
        };
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(capacity));
        Buffer { bytes, home: self.clone(), granted: None }
    }

    /// Empty memory for a file to read some `bytes` bytes into (`File::read_again`).
    pub(crate) fn to_read_into(self: &Arc<Self>, bytes: usize) -> Bytes {
        Bytes::from(std::mem::take(self.take(bytes).bytes()))
    }

    /// Takes back what a file has read into, unless somebody still has a part of it.
    pub(crate) fn was_read(&self, bytes: Bytes) {
        if bytes.is_unique() {
            self.give_back(Vec::from(bytes));
        }
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        let capacity = bytes.capacity();
        if !capacity.is_power_of_two() || capacity < SMALLEST_BYTES {
            return;
        }
        bytes.clear();
        let mut kept = self.kept.lock();
        if kept.bytes + capacity <= KEPT_BYTES_MAX {
            kept.bytes += capacity;
            kept.by_size.entry(capacity.ilog2()).or_default().buffers.push(bytes);
        }
    }

    /// Trims every now and then until `stop`.
    pub(crate) async fn keep_trimmed(self: Arc<Self>, clock: Arc<dyn Clock>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = clock.sleep_until(clock.now() + PAUSE) => self.trim(),
            }
        }
    }

    /// Gives back to the system what nobody needed since the last call.
    pub(crate) fn trim(&self) {
        let mut spare = Vec::new();
        {
            let mut kept = self.kept.lock();
            for free in kept.by_size.values_mut() {
                let needed = free.buffers.len() - free.fewest;
                spare.extend(free.buffers.drain(needed..));
                free.fewest = free.buffers.len();
            }
            kept.bytes -= spare.iter().map(Vec::capacity).sum::<usize>();
        }
        // Without the lock: the system takes its time.
        drop(spare);
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
    fn memory_that_was_read_into_comes_back_unless_a_part_is_in_use() {
        let pool = Arc::new(Buffers::default());
        let read = |bytes: Bytes| {
            let mut memory = Vec::from(bytes);
            memory.resize(memory.capacity(), 7);
            Bytes::from(memory)
        };
        let first = read(pool.to_read_into(10_000));
        let at = first.as_ptr();
        pool.was_read(first);
        let again = read(pool.to_read_into(10_000));
        assert_eq!(again.as_ptr(), at);
        let part = again.slice(5..6);
        pool.was_read(again);
        assert_eq!((pool.kept.lock().bytes, &part[..]), (0, &[7][..]));
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = Arc::new(Buffers::default());
        let many: Vec<_> = (0..40).map(|_| pool.take(4 * 1024 * 1024)).collect();
        drop(many);
        drop(pool.take(KEPT_BYTES_MAX + 1));
        assert_eq!(pool.kept.lock().bytes, KEPT_BYTES_MAX);
    }

    #[test]
    fn what_nobody_needed_between_two_trims_is_given_back() {
        const SIZE: usize = 1 << 20;
        let pool = Arc::new(Buffers::default());
        let kept = || pool.kept.lock().bytes / SIZE;
        drop((0..5).map(|_| pool.take(SIZE)).collect::<Vec<_>>());
        pool.trim();
        assert_eq!(kept(), 5, "all five were needed at a time");
        drop((0..2).map(|_| pool.take(SIZE)).collect::<Vec<_>>());
        let held = pool.take(SIZE);
        pool.trim();
        assert_eq!(kept(), 1, "two were, and one of them still is");
        drop(held);
        pool.trim();
        assert_eq!(kept(), 1, "it came back since, the other was not needed");
        pool.trim();
        assert_eq!(kept(), 0);
    }
}
