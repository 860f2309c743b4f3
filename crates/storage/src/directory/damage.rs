//! One bit turned over, in any file of a directory, before a start: what cannot be right is found out or made anew, and
//! what a reader gets is what was written.
//!
//! `OTTLA_BITS=1` turns over every bit, one after the other; without it every 41st, of which there are enough to meet each
//! field of each file (`cargo xtask flips`).
//!
//! Two kinds of bytes have no checksum, in Kafka's formats as in ours: a batch's base offset and leader epoch, which the
//! leader writes in; and numbers in checkpoint files. A bit in these may be believed, and the test says where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_record::{Batches, RecordBatch};
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicName};

use super::*;
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Open, block_on};
use crate::testing::{Dice, marker, produced, transactional};
use crate::{LogConfig, OpenOptions, ReadRefusal};

/// Bytes of a batch that no checksum covers: base offset and leader epoch. Its length and magic stand between and behind
/// them, and are wrong by themselves when they are.
const UNCHECKED: [std::ops::Range<usize>; 2] = [0..8, 12..16];

fn name() -> TopicPartition {
    TopicPartition { topic: TopicName::new("t").expect("legal"), partition: PartitionIndex(0) }
}

async fn open(disk: &Arc<SimulatedDisk>) -> Result<LogDirectory, StorageFault> {
    let config = LogConfig { segment_bytes: 1500, index_interval_bytes: 300, ..LogConfig::default() };
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: None };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config, recovery_threads: 1 };
    LogDirectory::open(disk.clone(), "/d", options).await
}

/// A directory as it was left, and what was in it.
struct Left {
    files: BTreeMap<PathBuf, Bytes>,
    /// Every batch, by base offset.
    batches: BTreeMap<i64, Bytes>,
    start: i64,
    end: i64,
    producers: Vec<(ottla_types::ProducerId, crate::ProducerEntry)>,
    /// How many bits were believed that have no checksum.
    believed: usize,
    /// How often a start said that the partition, or the directory, cannot be opened.
    refused: usize,
}

impl Left {
    /// A log of several segments, deleted from at its start; stopped in order, or by a power loss some batches later.
    async fn by(clean: bool) -> Self {
        let disk = SimulatedDisk::new(1);
        let directory = open(&disk).await.expect("opened");
        let config = LogConfig { segment_bytes: 1500, index_interval_bytes: 300, ..LogConfig::default() };
        let log = directory.create(&name(), TopicId::from_random(1), config).await.expect("made");
        let (mut dice, mut sequences) = (Dice(3), [0; 3]);
        for i in 0..40 {
            let (end, epoch) = (log.ends().log_end.0, LeaderEpoch(i / 15));
            let appended = match i % 8 {
                3 => log.append_given(transactional(9, end, i / 8), Timestamp(0)),
                5 => log.append_given(marker(9, end, i % 16 == 5), Timestamp(0)),
                _ => {
                    let id = dice.below(3) as usize;
                    let records = 1 + dice.below(3) as i32;
                    sequences[id] += records;
                    log.append(produced(id as i64, sequences[id] - records, records), epoch, Timestamp(0))
                }
            };
            appended.expect("appended");
            log.write_queued().await.expect("written");
            if i == 29 {
                log.raise_start(Offset(3)).expect("in range");
                directory.write_checkpoints(&PartitionOffsets::new()).await.expect("saved");
            }
        }
        log.flush().await.expect("flushed");
        let (ends, producers) = (log.ends(), log.producers());
        if clean {
            directory.close(&PartitionOffsets::new()).await.expect("closed");
        }
        drop((directory, log));
        disk.crash();
        let mut files = BTreeMap::new();
        for folder in ["/d", "/d/t-0"] {
            for entry in disk.list(folder.as_ref()).await.expect("there").iter().filter(|entry| !entry.is_directory) {
                let path = Path::new(folder).join(&entry.name);
                let file = disk.open(&path, Open::Read).await.expect("there");
                files.insert(path, file.read(0, entry.bytes as usize).await.expect("read"));
            }
        }
        let logs = files.iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "log"));
        let batches = logs.flat_map(|(_, bytes)| Batches::new(bytes)).map(|batch| {
            let batch = batch.expect("whole");
            (batch.header().base_offset.0, Bytes::copy_from_slice(batch.bytes()))
        });
        let batches = batches.collect();
        let (start, end) = (ends.log_start.0, ends.log_end.0);
        Self { files, batches, start, end, producers, believed: 0, refused: 0 }
    }

    /// A disk with these files, a bit of one of them turned over.
    async fn disk_with(&self, damaged: &Path, bit: usize) -> Arc<SimulatedDisk> {
        let disk = SimulatedDisk::new(1);
        disk.create_directory("/d/t-0".as_ref()).await.expect("made");
        for (path, bytes) in &self.files {
            let mut bytes = BytesMut::from(&bytes[..]);
            if path == damaged {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let file = disk.open(path, Open::Truncate).await.expect("made");
            file.write(0, vec![bytes.freeze()]).await.expect("written");
        }
        disk.sync_all("/d".as_ref()).await.expect("synced");
        disk
    }

    /// Starts on such a disk and looks at everything.
    async fn check(&mut self, path: &Path, bit: usize) {
        let disk = self.disk_with(path, bit).await;
        let file = path.file_name().and_then(|name| name.to_str()).expect("ASCII");
        let fault = match open(&disk).await {
            Ok(directory) => match directory.get(&name()) {
                Some(partition) => return self.check_log(&partition.log, path, file).await,
                None => directory.faulty(&name()).expect("there, if not open"),
            },
            Err(fault) => {
                assert_eq!(file, "meta.properties", "{fault}");
                fault
            }
        };
        let reason = fault.to_string();
        assert!(reason.contains(file), "\"{reason}\" does not name the file");
        self.refused += 1;
    }

    async fn check_log(&mut self, log: &Arc<Log>, path: &Path, file: &str) {
        let ends = log.ends();
        let is_checkpoint = file.ends_with("checkpoint") && path.parent() == Some(Path::new("/d"));
        if is_checkpoint && ends.log_start.0 > self.start {
            // A digit that says another start. It is believed, be it behind the end, as by Kafka.
            self.believed += 1;
            assert_eq!(file, "log-start-offset-checkpoint");
        }
        let is_log = file.ends_with(".log");
        if !is_log && ends.log_start.0 <= self.start {
            assert_eq!(ends.log_end.0, self.end, "nothing is lost");
        }
        assert!(ends.log_end.0 <= self.end || ends.log_start.0 > self.start || is_log, "{ends:?}");
        let mut unlike = BTreeMap::new();
        let from = ends.log_start.max(Offset(self.start));
        let mut note = |position, bytes| drop(unlike.insert(position, bytes));
        let read = match read_from(log, from, &self.batches, &mut note).await {
            Ok(read) => read,
            Err(ReadRefusal::Fault(fault)) if is_log => {
                assert!(fault.to_string().contains(file), "{fault}");
                self.refused += 1;
                return;
            }
            Err(refusal) => panic!("{refusal}"),
        };
        for (base, bytes) in &read {
            // A base offset that was turned over may be that of another batch.
            let same = self.batches.get(base).filter(|batch| *batch == bytes);
            let original = same.or_else(|| self.batches.values().find(|batch| like(batch, bytes)));
            if original == Some(bytes) {
                continue;
            }
            // Its checksum is right, so that the bit is where it does not reach.
            let is_like = original.is_some_and(|original| like(original, bytes));
            assert!(is_log && is_like, "the batch at {base}");
            self.believed += 1;
        }
        if is_log {
            // A length that was turned over may hide those behind it.
            return;
        }
        assert!(unlike.is_empty(), "{unlike:?}");
        let expected = self.batches.range(ends.log_start.0.max(self.start)..).count();
        let partly = self.batches.range(..ends.log_start.0.max(self.start)).next_back();
        assert!((expected..=expected + usize::from(partly.is_some())).contains(&read.len()), "{}", read.len());
        if ends.log_end.0 == self.end && !is_checkpoint {
            assert_eq!(last_batches(log.producers()), last_batches(self.producers.clone()));
        }
        self.check_each_offset(log).await;
    }

    /// From whatever offset one reads, the batch that holds it comes first.
    async fn check_each_offset(&self, log: &Arc<Log>) {
        let ends = log.ends();
        for from in (ends.log_start.0.max(self.start)..ends.log_end.0).rev().step_by(3) {
            let slice = log.read(Offset(from), 1, ends.log_end, true).await.expect("in range").expect("not empty");
            let bytes = slice.read().await.expect("read");
            let (_, batch) = self.batches.range(..=from).next_back().expect("there");
            assert_eq!(&bytes, batch, "from {from}");
        }
    }
}

/// Whether two batches differ at most where no checksum looks.
fn like(one: &[u8], other: &[u8]) -> bool {
    let same = |i: usize| UNCHECKED.iter().any(|range| range.contains(&i)) || one[i] == other[i];
    one.len() == other.len() && (0..one.len()).all(same)
}

fn last_batches(
    producers: Vec<(ottla_types::ProducerId, crate::ProducerEntry)>,
) -> Vec<(ottla_types::ProducerId, Option<crate::ProducedBatch>)> {
    producers.into_iter().map(|(id, entry)| (id, entry.batches.last().copied())).collect()
}

/// Every batch from an offset on whose checksum is right; others are handed to `unlike` with their place.
async fn read_from(
    log: &Arc<Log>,
    from: Offset,
    known: &BTreeMap<i64, Bytes>,
    unlike: &mut impl FnMut(usize, Bytes),
) -> Result<BTreeMap<i64, Bytes>, ReadRefusal> {
    let (end, mut next, mut batches) = (log.ends().log_end, from, BTreeMap::new());
    while next < end {
        let Some(slice) = log.read(next, 1, end, true).await? else { break };
        let bytes = slice.read().await.expect("read");
        match RecordBatch::parse(&bytes).and_then(|batch| batch.check_crc().map(|()| *batch.header())) {
            Ok(header) => {
                batches.insert(header.base_offset.0, bytes);
                // A base offset that was turned over would lead astray, or in a circle.
                next = if header.next_offset() > next { header.next_offset() } else { next.plus(1) };
            }
            Err(_) => {
                // A client that checks sees it too, and cannot go on by itself.
                unlike(slice.position as usize, bytes);
                next = known.range(next.0 + 1..).next().map_or(end, |(base, _)| Offset(*base));
            }
        }
    }
    Ok(batches)
}

/// Says where a test was when it panicked.
struct SaidOnPanic(String);

impl Drop for SaidOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

fn turn_over(clean: bool) {
    let step = if std::env::var_os("OTTLA_BITS").is_some() { 1 } else { 41 };
    let mut left = block_on(Left::by(clean));
    let files: Vec<(PathBuf, usize)> = left.files.iter().map(|(path, bytes)| (path.clone(), 8 * bytes.len())).collect();
    assert!(files.len() > 18, "{} files", files.len());
    let (mut bits, mut first) = (0, 0);
    for (path, count) in files {
        for bit in (first..count).step_by(step) {
            let _said = SaidOnPanic(format!("{} bit {bit}, clean: {clean}", path.display()));
            block_on(left.check(&path, bit));
            bits += 1;
        }
        first = (first + 7) % step;
    }
    println!("{bits} bits turned over, {} believed, {} refused with the file named", left.believed, left.refused);
    assert!(bits > 1000 && left.refused > 0);
}

#[test]
fn a_bit_that_turned_over_after_a_clean_stop_never_makes_another_record() {
    turn_over(true);
}

#[test]
fn a_bit_that_turned_over_after_a_power_loss_never_makes_another_record() {
    turn_over(false);
}
