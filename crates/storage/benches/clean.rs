//! How fast a log is compacted: a gigabyte of records of 100-byte keys, half of them superseded, in segments of 100 MB.
//!
//! `cargo bench -p ottla-storage --bench clean [DIRECTORY]`; the directory's file system is the one measured. One thread
//! reads, hashes and writes, so that CPU time and time differ by what waits for the device.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured and may stop at once"
)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Compressor};
use ottla_storage::disk::block_on;
use ottla_storage::disk::system::SystemDisk;
use ottla_storage::{
    Batch, Cleaned, Cleaner, CleanerMemory, CleaningRound, CompactionRules, LogConfig, LogDirectory, MapMemory,
    MetaProperties, OpenOptions, Pace,
};
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId, TopicName, TopicPartition};

const VALUE_BYTES: usize = 900;
const RECORDS: usize = 1_000_000;
/// Each key comes twice.
const KEYS: usize = RECORDS / 2;
const RECORDS_PER_BATCH: usize = 16;
const ROUNDS: usize = 3;

struct AtOnce;

impl Pace for AtOnce {
    fn moved(&self, _bytes: u64) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(std::future::ready(true))
    }
}

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = directory.map_or_else(std::env::temp_dir, PathBuf::from).join("ottla-bench-clean");
    println!("{:28} {:>10} {:>10} {:>10} {:>10}", "1 GB, half superseded", "cpu s", "s", "MB/s", "kept MB");
    for _ in 0..ROUNDS {
        let (cpu, time, cleaned) = block_on(round(&path));
        let read = cleaned.read_bytes as f64 / 1e6;
        let (cpu, time) = (cpu.as_secs_f64(), time.as_secs_f64());
        println!(
            "{:28} {cpu:>10.2} {time:>10.2} {:>10.0} {:>10.0}",
            "",
            read / time,
            cleaned.written_bytes as f64 / 1e6
        );
    }
    std::fs::remove_dir_all(&path).unwrap();
}

/// Fills a log anew and cleans it; answers CPU time and time of the cleaning.
async fn round(path: &Path) -> (Duration, Duration, Cleaned) {
    let _ = std::fs::remove_dir_all(path);
    let name = TopicPartition { topic: TopicName::new("t").unwrap(), partition: PartitionIndex(0) };
    let config = LogConfig { segment_bytes: 100 << 20, ..LogConfig::default() };
    let meta = MetaProperties { cluster_id: "c".into(), node_id: BrokerId(1), directory_id: None };
    let options = OpenOptions { meta, config: &|_: &TopicPartition| config, recovery_threads: 1 };
    let directory = LogDirectory::open(SystemDisk::inline(), path, options).await.unwrap();
    let log = directory.create(&name, TopicId::from_random(1), config).await.unwrap();
    let value = [b'v'; VALUE_BYTES];
    for first in (0..RECORDS).step_by(RECORDS_PER_BATCH) {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for i in first..first + RECORDS_PER_BATCH {
            // Keys come in another order each time, so that every batch loses some records and not all.
            let key = format!("{:0>100}", if i < KEYS { i } else { (i * 7919) % KEYS });
            builder.append(Timestamp(i as i64), Some(key.as_bytes()), Some(&value), &[]).unwrap();
        }
        let bytes = builder.build(&mut Compressor::default()).unwrap();
        let batch = Batch { header: BatchHeader::parse(&bytes).unwrap(), bytes };
        log.append(batch, LeaderEpoch(0), Timestamp(0)).unwrap();
        log.write_queued().await.unwrap();
    }
    log.save().await.unwrap();
    let rules =
        CompactionRules { min_cleanable_ratio: 0.0, min_lag_ms: 0, max_lag_ms: i64::MAX, delete_retention_ms: 0 };
    let now = Timestamp(RECORDS as i64);
    let cleanable = directory.cleanable(&name, Offset(RECORDS as i64), &rules, now).await.unwrap().unwrap();
    // Kafka's defaults: 128 MiB for keys, 512 KiB to read and write.
    let map = MapMemory { bytes: 128 << 20, load_factor: 0.9 };
    let mut cleaner = Cleaner::new(CleanerMemory { map, io_bytes: 256 << 10 }, (1, 2)).unwrap();
    let mut cleaned = Cleaned::default();
    let (began, cpu) = (Instant::now(), cpu_time());
    let round = CleaningRound { rules: &rules, cleanable: &cleanable, now };
    directory.clean(&name, round, &mut cleaner, &AtOnce, &mut cleaned).await.unwrap();
    (cpu_time() - cpu, began.elapsed(), cleaned)
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
