//! The last offset of every key in the dirty part of a log, in a bounded piece of memory.
//!
//! Keys are not kept, only 128 bits of a hash (SipHash, with keys that the caller draws, so that nobody can prepare two
//! record keys that meet). An entry takes 24 bytes, as one of Kafka's does (`SkimpyOffsetMap`), so that the same memory
//! reaches as far.

use ottla_types::Offset;
use siphasher::sip128::SipHasher13;

/// Bytes of an entry: a hash of 16 and an offset of 8.
const ENTRY_BYTES: usize = 24;
/// The most memory that one map uses, whatever it is given: as Kafka.
const MEMORY_MAX: usize = i32::MAX as usize;
/// Windows of 32 bits that a hash has: as many places are tried before the search goes on one by one.
const WINDOWS: usize = 13;

/// How much memory a map may take, and how full it may get.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MapMemory {
    /// `log.cleaner.dedupe.buffer.size`, this cleaner's share.
    pub bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: the share of the places that may be taken.
    pub load_factor: f64,
}

/// One place: the hash's halves, and the offset plus one; all zero where nothing is.
type Slot = [u64; 3];

/// The map.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    used: usize,
    /// At most so many places are taken.
    limit: usize,
    hasher: SipHasher13,
    latest: Option<Offset>,
}

impl OffsetMap {
    /// An empty map. `None` if the memory holds no entry.
    pub(crate) fn new(memory: MapMemory, hash_keys: (u64, u64)) -> Option<Self> {
        let count = memory.bytes.min(MEMORY_MAX) / ENTRY_BYTES;
        let limit = ((count as f64 * memory.load_factor) as usize).min(count.saturating_sub(1));
        let hasher = SipHasher13::new_with_keys(hash_keys.0, hash_keys.1);
        // Zeroed by the system as it is touched.
        (limit > 0).then(|| Self { slots: vec![[0; 3]; count], used: 0, limit, hasher, latest: None })
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        if self.used > 0 {
            self.slots = vec![[0; 3]; self.slots.len()];
        }
        (self.used, self.latest) = (0, None);
    }

    /// Notes the offset of a key; the last one counts. Answers whether there was room.
    #[must_use]
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.used >= self.limit {
            return false;
        }
        let hash = self.hash(key);
        let place = self.place(&hash);
        let slot = &mut self.slots[place];
        if slot[2] == 0 {
            self.used += 1;
        }
        *slot = [hash[0], hash[1], offset.0 as u64 + 1];
        self.latest = Some(offset);
        true
    }

    /// The last offset of a key, if it was noted.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots[self.place(&self.hash(key))];
        slot[2].checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// Everything up to `offset` was noted.
    pub(crate) fn reached(&mut self, offset: Offset) {
        self.latest = Some(offset);
    }

    /// Up to where everything was noted.
    pub(crate) fn latest(&self) -> Option<Offset> {
        self.latest
    }

    /// How many keys it holds.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// The share of the places that are taken.
    pub(crate) fn utilization(&self) -> f64 {
        self.used as f64 / self.slots.len() as f64
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let hash = self.hasher.hash(key);
        [hash.h1, hash.h2]
    }

    /// Where a hash is, or would be.
    fn place(&self, hash: &[u64; 2]) -> usize {
        let all = u128::from(hash[0]) << 64 | u128::from(hash[1]);
        let mut at = 0;
        for window in 0..WINDOWS {
            at = ((all >> (8 * window)) as u32) as usize % self.slots.len();
            if self.holds(at, hash) {
                return at;
            }
        }
        // A map is never full, so there is an end.
        loop {
            at = (at + 1) % self.slots.len();
            if self.holds(at, hash) {
                return at;
            }
        }
    }

    /// Whether a place is this hash's, or free.
    fn holds(&self, at: usize, hash: &[u64; 2]) -> bool {
        let slot = &self.slots[at];
        slot[2] == 0 || (slot[0] == hash[0] && slot[1] == hash[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: usize, load_factor: f64) -> OffsetMap {
        OffsetMap::new(MapMemory { bytes: entries * ENTRY_BYTES, load_factor }, (1, 2)).expect("room")
    }

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = map(1000, 0.95);
        for offset in 0..1800 {
            assert!(map.put(format!("key {}", offset % 900).as_bytes(), Offset(offset)));
        }
        assert_eq!(map.len(), 900);
        for key in 0..900 {
            assert_eq!(map.get(format!("key {key}").as_bytes()), Some(Offset(900 + key)));
        }
        assert_eq!((map.get(b"another"), map.latest()), (None, Some(Offset(1799))));
        map.clear();
        assert_eq!((map.get(b"key 1"), map.latest(), map.len()), (None, None, 0));
        assert!(map.put(b"", Offset(0)));
        assert_eq!(map.get(b""), Some(Offset(0)));
    }

    #[test]
    fn it_is_full_at_its_load_factor_and_never_quite() {
        for (load_factor, expected) in [(0.5, 50), (0.9, 90), (1.0, 99), (7.0, 99)] {
            let mut map = map(100, load_factor);
            let taken = (0..200i64).take_while(|i| map.put(&i.to_be_bytes(), Offset(*i))).count();
            assert_eq!(taken, expected, "{load_factor}");
            assert_eq!(map.get(&1000i64.to_be_bytes()), None);
        }
        assert!(OffsetMap::new(MapMemory { bytes: 47, load_factor: 0.9 }, (1, 2)).is_none());
    }
}
