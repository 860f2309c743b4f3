//! The order in which Java's hash tables give their keys back, since Kafka's uniform assignor serves members, topics and
//! partitions in that order.
//!
//! A table has a power of two of buckets, and a key's bucket is the low bits of its mixed hash; walking the table is walking
//! the buckets. Keys of one bucket come in the order they were put in, which here is the order of the keys themselves; in
//! Kafka it depends on what happened before, and that is the one thing in which its assignments are not determined.

use std::sync::Arc;

use ottla_types::Uuid;

/// A key whose hash Java defines.
pub(super) trait Hashed {
    /// As its `hashCode` gives it.
    fn hash(&self) -> u32;
}

impl Hashed for i32 {
    fn hash(&self) -> u32 {
        self.cast_unsigned()
    }
}

impl Hashed for Arc<str> {
    /// Of the text in UTF-16, as a number to the base 31.
    fn hash(&self) -> u32 {
        self.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
    }
}

impl Hashed for Uuid {
    /// The four words of 32 bits, one on the other.
    fn hash(&self) -> u32 {
        self.0.chunks_exact(4).fold(0, |hash, word| hash ^ u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
    }
}

/// The order of a table that was filled key by key: it doubles when it is more than three quarters full.
pub(super) fn of_map<K: Hashed>(keys: impl IntoIterator<Item = K>) -> Vec<K> {
    let keys: Vec<K> = keys.into_iter().collect();
    let mut buckets = BUCKETS_MIN;
    while keys.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    by_bucket(keys, buckets)
}

/// The order of a set that was made from a collection at once: it is made large enough, by a rule of its own.
pub(super) fn of_set<K: Hashed>(keys: impl IntoIterator<Item = K>) -> Vec<K> {
    let keys: Vec<K> = keys.into_iter().collect();
    let buckets = (keys.len() * 4 / 3 + 1).max(BUCKETS_MIN).next_power_of_two();
    by_bucket(keys, buckets)
}

/// How many buckets a table has at least.
const BUCKETS_MIN: usize = 16;

fn by_bucket<K: Hashed>(mut keys: Vec<K>, buckets: usize) -> Vec<K> {
    keys.sort_by_cached_key(|key| {
        let hash = key.hash();
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_twelve_has_twice_the_buckets_of_a_map_of_twelve() {
        let keys = || (0..11).chain([17]);
        assert_eq!(of_map(keys())[1..=2], [1, 17]);
        assert_eq!(of_set(keys())[11], 17);
    }

    #[test]
    fn texts_and_ids_hash_as_java_says() {
        assert_eq!(Arc::<str>::from("groups").hash(), 0xb63d_d9d4);
        assert_eq!(Arc::<str>::from("grüße 🦦").hash(), 0x14b4_9551);
        assert_eq!(Uuid(0x0123_4567_89ab_cdef_1032_5476_98ba_dc00_u128.to_be_bytes()).hash(), 0xfe);
    }
}
