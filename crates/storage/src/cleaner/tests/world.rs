//! A partition that is written and cleaned, and a list of what was written: what must be left follows from the list.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Batches, Codec, Compressor, Scratch};
use ottla_types::{
    BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicName,
    TopicPartition,
};

use super::super::{Cleaned, Cleaner, CleanerMemory, CompactionRules, MapMemory, Pace, Stopped};
use crate::disk::simulated::SimulatedDisk;
use crate::testing::Dice;
use crate::{
    AppendRefusal, Batch, CleaningRound, Log, LogConfig, LogDirectory, MetaProperties, OpenOptions, StorageFault,
};

/// Tombstones stay for so long after the first round that has met them.
pub(super) const DELETE_RETENTION_MS: i64 = 1000;

pub(super) const RULES: CompactionRules = CompactionRules {
    min_cleanable_ratio: 0.0,
    min_lag_ms: 0,
    max_lag_ms: i64::MAX,
    delete_retention_ms: DELETE_RETENTION_MS,
};

/// Goes on at once.
pub(super) struct AtOnce;

impl Pace for AtOnce {
    fn moved(&self, _bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(std::future::ready(true))
    }
}

pub(super) fn name() -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) }
}

pub(super) fn config() -> LogConfig {
    LogConfig { segment_bytes: 1500, index_interval_bytes: 200, ..LogConfig::default() }
}

pub(super) async fn open(disk: &Arc<SimulatedDisk>) -> Result<LogDirectory, StorageFault> {
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: None };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config(), recovery_threads: 1 };
    LogDirectory::open(disk.clone(), "/d", options).await
}

pub(super) fn cleaner(keys: usize) -> Cleaner {
    let map = MapMemory { bytes: 24 * (keys + 1), load_factor: 1.0 };
    Cleaner::new(CleanerMemory { map, io_bytes: 300 }, (1, 2)).expect("room for a key")
}

/// One record that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written {
    pub(super) offset: i64,
    pub(super) key: Vec<u8>,
    /// `None` is a tombstone.
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp: i64,
    /// Its transaction, if it is of one: by the producer and the number of its transaction.
    transaction: Option<(i64, u32)>,
}

/// All that was written.
#[derive(Default)]
pub(super) struct World {
    pub(super) written: Vec<Written>,
    pub(super) end: i64,
    pub(super) flushed: i64,
    pub(super) now: i64,
    sequences: BTreeMap<i64, i32>,
    /// Of transactional producers: how many transactions ended, and whether one is open.
    transactions: BTreeMap<i64, (u32, bool)>,
    aborted: BTreeSet<(i64, u32)>,
    /// Where transactions ended, by their markers' offsets.
    ends: BTreeMap<(i64, u32), i64>,
}

impl World {
    fn batch(&mut self, dice: &mut Dice, id: i64, transactional: bool) -> Batch {
        let count = 1 + dice.below(3) as i64;
        let sequence = self.sequences.entry(id).or_default();
        let mut builder = BatchBuilder::new(BatchOptions {
            codec: Codec::ALL[dice.below(5) as usize],
            base_offset: Offset(self.end),
            leader_epoch: LeaderEpoch(0),
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(0),
            base_sequence: Sequence(*sequence),
            transactional,
            ..BatchOptions::default()
        });
        *sequence += count as i32;
        let transaction = transactional.then(|| (id, self.transactions[&id].0));
        for offset in self.end..self.end + count {
            self.now += dice.below(5) as i64;
            let key = format!("key {}", dice.below(12)).into_bytes();
            let value = (dice.below(5) > 0).then(|| format!("value {offset} {}", "x".repeat(dice.below(60) as usize)));
            let value = value.map(String::into_bytes);
            builder.append(Timestamp(self.now), Some(&key), value.as_deref(), &[]).expect("small");
            self.written.push(Written { offset, key, value, timestamp: self.now, transaction });
        }
        self.end += count;
        let bytes = builder.build(&mut Compressor::default()).expect("not empty");
        Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
    }

    /// The next batch or marker.
    fn next(&mut self, dice: &mut Dice) -> Batch {
        if dice.below(3) > 0 {
            let id = dice.below(3) as i64;
            return self.batch(dice, id, false);
        }
        let id = 10 + dice.below(2) as i64;
        let (number, is_open) = self.transactions.get(&id).copied().unwrap_or_default();
        if !is_open || dice.below(2) == 0 {
            self.transactions.insert(id, (number, true));
            return self.batch(dice, id, true);
        }
        self.end_transaction(id, dice.below(2) == 0)
    }

    fn end_transaction(&mut self, id: i64, aborts: bool) -> Batch {
        let (number, _) = self.transactions[&id];
        self.transactions.insert(id, (number + 1, false));
        self.ends.insert((id, number), self.end);
        if aborts {
            self.aborted.insert((id, number));
        }
        self.end += 1;
        crate::testing::marker(id, self.end - 1, aborts)
    }

    async fn put(&mut self, log: &Arc<Log>, batch: Batch) -> Result<(), StorageFault> {
        log.append_given(batch, Timestamp(self.now)).map_err(|refusal| match refusal {
            AppendRefusal::Offline(fault) => fault,
            other => panic!("{other}"),
        })?;
        log.write_queued().await
    }

    /// Writes some batches, and ends every transaction if `decides`.
    pub(super) async fn write(
        &mut self,
        log: &Arc<Log>,
        dice: &mut Dice,
        count: usize,
        decides: bool,
    ) -> Result<(), StorageFault> {
        for _ in 0..count {
            let batch = self.next(dice);
            self.put(log, batch).await?;
        }
        let open: Vec<i64> = self.transactions.iter().filter(|(_, (_, open))| *open).map(|(id, _)| *id).collect();
        for id in open.into_iter().filter(|_| decides) {
            let batch = self.end_transaction(id, dice.below(2) == 0);
            self.put(log, batch).await?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self, log: &Arc<Log>) -> Result<(), StorageFault> {
        self.flushed = log.flush().await?.0;
        Ok(())
    }

    /// A round over the partition, if it has anything to clean. Answers up to where it is clean then.
    pub(super) async fn clean(
        &self,
        directory: &LogDirectory,
        cleaner: &mut Cleaner,
        removes: bool,
    ) -> Result<Option<Offset>, Stopped> {
        let (now, log) = (Timestamp(self.now), directory.get(&name()).expect("there").log);
        let found = directory.cleanable(&name(), log.ends().written, &RULES, now).await?;
        let Some(cleanable) = found.filter(|found| found.is_due(&RULES)) else { return Ok(None) };
        let mut cleaned = Cleaned::default();
        let round = CleaningRound { rules: &RULES, cleanable: &cleanable, now };
        let answer = directory.clean(&name(), round, cleaner, &AtOnce, &mut cleaned).await;
        for retired in cleaned.retired {
            if removes {
                log.remove_retired(retired).await?;
            }
        }
        answer.map(Some)
    }

    /// Whether a record was not aborted, as far as the log goes up to `end`; one of an open transaction is not decided.
    fn is_committed(&self, record: &Written, end: i64) -> bool {
        record.transaction.is_none_or(|transaction| {
            self.ends.get(&transaction).is_some_and(|marker| *marker < end) && !self.aborted.contains(&transaction)
        })
    }

    /// The last record of every key among what was written below `end` and not aborted.
    fn last_of_keys(&self, end: i64) -> BTreeMap<&[u8], &Written> {
        let below = self.written.iter().filter(|record| record.offset < end);
        below.filter(|record| self.is_committed(record, end)).map(|record| (&record.key[..], record)).collect()
    }

    /// Holds what the log has against what was written.
    pub(super) async fn check(&self, directory: &LogDirectory) {
        let log = directory.get(&name()).expect("there").log;
        let end = log.ends().log_end.0;
        assert!(end >= self.flushed && end <= self.end, "end {end}, flushed {}, written {}", self.flushed, self.end);
        let left = self.left(&log).await;
        let last = self.last_of_keys(end);
        let mut seen: BTreeMap<&[u8], &Written> = BTreeMap::new();
        for record in left.iter().filter(|record| self.is_committed(record, end)) {
            seen.insert(&record.key, record);
        }
        for (key, record) in &last {
            match (seen.get(key), &record.value) {
                // Its time may be over.
                (None, None) => {}
                (found, _) => assert_eq!(found, Some(record), "key {}", String::from_utf8_lossy(key)),
            }
        }
        // What is clean has each key once, and nothing that was aborted.
        let clean = directory.cleaned_up_to(&name()).unwrap_or_default().0;
        let mut keys = BTreeSet::new();
        for record in left.iter().filter(|record| record.offset < clean) {
            assert!(self.is_committed(record, end), "offset {} was aborted", record.offset);
            assert!(keys.insert(&record.key), "offset {} of {clean} is superseded", record.offset);
        }
        self.check_producers(&log, end);
    }

    /// The last sequence of every producer is known, whatever was cleaned.
    fn check_producers(&self, log: &Log, end: i64) {
        if end < self.end {
            return;
        }
        let known: BTreeMap<_, _> = log.producers().into_iter().collect();
        for (id, next) in &self.sequences {
            let last = known.get(&ProducerId(*id)).and_then(|entry| entry.batches.last());
            assert_eq!(last.map(|batch| batch.last_sequence.0 + 1), Some(*next), "producer {id}");
        }
    }

    /// Every record in the log, each as it was written.
    pub(super) async fn left(&self, log: &Arc<Log>) -> Vec<Written> {
        let ends = log.ends();
        let mut left = Vec::new();
        let mut next = ends.log_start;
        let mut aborted_told = BTreeSet::new();
        while let Some((slice, aborted)) = read(log, next).await {
            aborted_told.extend(aborted);
            let bytes = slice.read().await.expect("read");
            for batch in Batches::new(&bytes) {
                let batch = batch.expect("a batch");
                batch.check_crc().expect("whole");
                let header = *batch.header();
                assert!(header.base_offset >= next, "{} behind {next}", header.base_offset);
                next = header.next_offset();
                if header.attributes.is_control() {
                    continue;
                }
                for record in batch.records(&mut Scratch::default(), 1 << 20).expect("readable") {
                    let record = record.expect("a record");
                    let found = self.written.binary_search_by_key(&record.offset.0, |written| written.offset);
                    let written = &self.written[found.expect("it was written")];
                    assert_eq!((Some(&written.key[..]), written.value.as_deref()), (record.key, record.value));
                    assert_eq!(written.timestamp, record.timestamp.0);
                    left.push(written.clone());
                }
            }
        }
        // Readers are told of every aborted transaction of which records are left.
        let decided = |transaction: &(i64, u32)| self.ends.get(transaction).is_some_and(|at| *at < ends.log_end.0);
        for transaction in left.iter().filter_map(|record| record.transaction).filter(decided) {
            let marker = self.ends[&transaction];
            let expected = self.aborted.contains(&transaction);
            assert_eq!(aborted_told.contains(&(transaction.0, marker)), expected, "transaction {transaction:?}");
        }
        left
    }
}

/// Some batches from `from` on, and of each transaction among them that was aborted producer and marker.
async fn read(log: &Arc<Log>, from: Offset) -> Option<(crate::Slice, Vec<(i64, i64)>)> {
    let (slice, aborted) = log.read_committed(from, 400, log.ends().log_end, true).await.expect("in range");
    let told = aborted.iter().map(|aborted| (aborted.producer_id.0, aborted.last_offset.0)).collect();
    slice.map(|slice| (slice, told))
}
