//! The file of a partition's producers (`<offset>.snapshot`, Kafka's `ProducerSnapshot` version 1).
//!
//! ```text
//! 0  version i16   2  crc-32c u32 of all that follows it   6  count i32   then per producer, 46 bytes:
//! id i64  epoch i16  last sequence i32  last offset i64  offset delta i32  timestamp i64  coordinator epoch i32
//! transaction start i64 (-1: none)
//! ```
//!
//! It holds the state as of its name's offset, exclusive. Of each producer only the last batch is kept, so that after
//! a clean restart only that one is recognised as a retry. Producers stand in the order of the hash map that Kafka has
//! them in, so that the file is the same ([`place`]).

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::{ProducedBatch, ProducerEntry, Producers};
use crate::crc::crc32c;
use crate::fault::StorageFault;

const VERSION: i16 = 1;
const CRC_END: usize = 6;
const ENTRY_BYTES: usize = 46;

/// The file's bytes.
pub(crate) fn encode(producers: &Producers) -> Bytes {
    let mut all = producers.sorted();
    let buckets = buckets(all.len());
    all.sort_by_key(|(id, _)| place(*id, buckets));
    let mut body = BytesMut::with_capacity(4 + all.len() * ENTRY_BYTES);
    body.put_i32(all.len() as i32);
    for (id, entry) in all {
        let last = entry.batches.last();
        body.put_i64(id.0);
        body.put_i16(entry.epoch.0);
        body.put_i32(last.map_or(Sequence::NONE, |batch| batch.last_sequence).0);
        body.put_i64(last.map_or(-1, |batch| batch.last_offset.0));
        body.put_i32(last.map_or(0, |batch| batch.offset_delta));
        body.put_i64(entry.last_timestamp.0);
        body.put_i32(entry.coordinator_epoch);
        body.put_i64(entry.transaction_start.map_or(-1, |offset| offset.0));
    }
    let mut out = BytesMut::with_capacity(CRC_END + body.len());
    out.put_i16(VERSION);
    out.put_u32(crc32c(&body));
    out.put(body);
    out.freeze()
}

/// How many buckets a Java `HashMap` of `count` entries has that was never larger: 16, doubled whenever more than three
/// quarters are taken.
fn buckets(count: usize) -> u64 {
    let mut buckets = 16;
    while count as u64 * 4 > buckets * 3 {
        buckets *= 2;
    }
    buckets
}

/// The bucket of an id in such a map. Entries of one bucket follow by rising id here, and as they came there; ids are
/// handed out in rising order.
fn place(id: ProducerId, buckets: u64) -> u64 {
    // The halves of the id folded into 32 bits, and the halves of these into their lower one.
    let hash = (id.0 ^ (id.0 >> 32)) as u32;
    u64::from(hash ^ (hash >> 16)) & (buckets - 1)
}

/// Reads a file's bytes; `path` is only named in faults.
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Producers, StorageFault> {
    let mut fields = Fields { rest: bytes, read: 0, path };
    let version = i16::from_be_bytes(fields.take()?);
    if version != VERSION {
        return Err(StorageFault::damaged(path, 0, format!("version {version}, expected {VERSION}")));
    }
    let stored = u32::from_be_bytes(fields.take()?);
    let computed = crc32c(&bytes[CRC_END..]);
    if stored != computed {
        return Err(StorageFault::damaged(path, 2, format!("crc {stored:08x}, expected {computed:08x}")));
    }
    let count = i32::from_be_bytes(fields.take()?);
    if i64::from(count) * ENTRY_BYTES as i64 != fields.rest.len() as i64 {
        let reason = format!("{count} producers in {} bytes", fields.rest.len());
        return Err(StorageFault::damaged(path, CRC_END as u64, reason));
    }
    let mut producers = Producers::default();
    for _ in 0..count {
        let (id, entry) = producer(&mut fields)?;
        producers.insert(id, entry);
    }
    Ok(producers)
}

fn producer(fields: &mut Fields<'_>) -> Result<(ProducerId, ProducerEntry), StorageFault> {
    let id = ProducerId(i64::from_be_bytes(fields.take()?));
    let epoch = ProducerEpoch(i16::from_be_bytes(fields.take()?));
    let last_sequence = Sequence(i32::from_be_bytes(fields.take()?));
    let last_offset = Offset(i64::from_be_bytes(fields.take()?));
    let offset_delta = i32::from_be_bytes(fields.take()?);
    let timestamp = Timestamp(i64::from_be_bytes(fields.take()?));
    let coordinator_epoch = i32::from_be_bytes(fields.take()?);
    let transaction_start = i64::from_be_bytes(fields.take()?);
    let batch = ProducedBatch { last_sequence, last_offset, offset_delta, timestamp };
    let entry = ProducerEntry {
        epoch,
        coordinator_epoch,
        last_timestamp: timestamp,
        transaction_start: (transaction_start >= 0).then_some(Offset(transaction_start)),
        batches: if last_offset.0 >= 0 { vec![batch] } else { Vec::new() },
    };
    Ok((id, entry))
}

struct Fields<'a> {
    rest: &'a [u8],
    read: u64,
    path: &'a Path,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StorageFault> {
        let Some((field, rest)) = self.rest.split_first_chunk::<N>() else {
            let reason = format!("{} bytes, expected {N}", self.rest.len());
            return Err(StorageFault::damaged(self.path, self.read, reason));
        };
        self.rest = rest;
        self.read += N as u64;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Producers {
        let mut producers = Producers::default();
        for id in [9, 2] {
            let batch = ProducedBatch {
                last_sequence: Sequence(4),
                last_offset: Offset(40 + id),
                offset_delta: 4,
                timestamp: Timestamp(1234),
            };
            let entry = ProducerEntry {
                epoch: ProducerEpoch(1),
                coordinator_epoch: -1,
                last_timestamp: Timestamp(1234),
                transaction_start: (id == 9).then_some(Offset(45)),
                batches: vec![batch],
            };
            producers.insert(ProducerId(id), entry);
        }
        producers
    }

    #[test]
    fn what_is_written_reads_back() {
        let bytes = encode(&some());
        assert_eq!(bytes.len(), 10 + 2 * 46);
        assert_eq!(decode(&bytes, Path::new("x")).expect("good"), some());
        let none = encode(&Producers::default());
        assert_eq!(decode(&none, Path::new("x")).expect("good"), Producers::default());
    }

    #[test]
    fn producers_stand_where_javas_hash_map_has_them() {
        // As Java 17 prints the keys of a map of them.
        let order = |ids: &[i64]| {
            let mut ids: Vec<_> = ids.iter().map(|id| ProducerId(*id)).collect();
            ids.sort_unstable();
            let buckets = buckets(ids.len());
            ids.sort_by_key(|id| place(*id, buckets));
            ids.iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(order(&[1000, 17, 33, 1, 1024, 2000]), [1024, 2000, 1, 17, 33, 1000]);
        let far = [1 << 32, (1 << 32) + 5, 70000, 65536, 1 << 40, i64::MAX, 5, 21];
        assert_eq!(order(&far), [1 << 40, i64::MAX, 65536, 70000, 1 << 32, (1 << 32) + 5, 5, 21]);
        let twelve: Vec<i64> = [0, 1000, 2000].into_iter().chain(3000..3009).collect();
        assert_eq!(order(&twelve)[..5], [0, 2000, 3008, 1000, 3000]);
        let thirteen: Vec<i64> = twelve.into_iter().chain([3009]).collect();
        assert_eq!(order(&thirteen)[..6], [0, 3008, 3009, 1000, 2000, 3000]);
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_found() {
        let bytes = encode(&some());
        for i in 0..bytes.len() {
            let mut bad = bytes.to_vec();
            bad[i] ^= 0x10;
            assert!(decode(&bad, Path::new("x")).is_err(), "byte {i}");
            assert!(decode(&bytes[..i], Path::new("x")).is_err(), "cut at {i}");
        }
    }
}
