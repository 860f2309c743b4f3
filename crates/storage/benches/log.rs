//! What a log costs: append and write of large and small batches, with and without a flush, and a reader at the tail.
//!
//! `cargo bench -p ottla-storage --bench log [DIRECTORY]`; the directory's file system is the one measured. The log that
//! was written last stays there, for other tools to look at.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured and may stop at once"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Compressor};
use ottla_storage::disk::block_on;
use ottla_storage::disk::system::SystemDisk;
use ottla_storage::{Batch, Log, LogConfig};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Older segments are deleted beyond this, so that neither memory nor the device's write-back decides.
const KEPT_BYTES: u64 = 256 << 20;

const ROUNDS: usize = 5;

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = directory.map_or_else(std::env::temp_dir, PathBuf::from).join("ottla-bench-0");
    let cases: [(&str, Case); 5] = [
        ("1 MB batches: append, write", Case { batch_bytes: 1 << 20, count: 1000, together: 1, ..Case::PLAIN }),
        ("1 KB batches: append, write each", Case { batch_bytes: 1000, count: 100_000, together: 1, ..Case::PLAIN }),
        ("1 KB batches: append 64, write", Case { batch_bytes: 1000, count: 256_000, together: 64, ..Case::PLAIN }),
        (
            "1 KB batches: append, write, tail read",
            Case { batch_bytes: 1000, count: 100_000, together: 1, read: true, flush: false },
        ),
        (
            "1 KB batches: append 64, write, flush",
            Case { batch_bytes: 1000, count: 64_000, together: 64, read: false, flush: true },
        ),
    ];
    println!("{:44} {:>12} {:>12} {:>10}", "per batch (median)", "cpu", "time", "MB/s");
    for (name, case) in cases {
        let mut costs: Vec<(Duration, Duration)> = (0..ROUNDS).map(|_| block_on(run(&path, case))).collect();
        costs.sort();
        let (cpu, time) = costs[ROUNDS / 2];
        let each = |whole: Duration| whole.as_secs_f64() * 1e6 / f64::from(case.count);
        let rate = case.batch_bytes as f64 * f64::from(case.count) / 1e6 / time.as_secs_f64();
        println!("{name:44} {:>9.2} µs {:>9.2} µs {rate:>10.0}", each(cpu), each(time));
    }
}

#[derive(Clone, Copy)]
struct Case {
    batch_bytes: usize,
    count: u32,
    /// Batches appended before they are written together.
    together: u32,
    read: bool,
    flush: bool,
}

impl Case {
    const PLAIN: Self = Self { batch_bytes: 0, count: 0, together: 1, read: false, flush: false };
}

async fn run(path: &Path, case: Case) -> (Duration, Duration) {
    let _ = std::fs::remove_dir_all(path);
    let config = LogConfig { segment_bytes: 64 << 20, ..LogConfig::default() };
    let log = Log::create(SystemDisk::inline(), path, config).await.unwrap();
    let batch = batch(case.batch_bytes);
    let (cpu, start) = (cpu_time(), Instant::now());
    for i in 0..case.count {
        let mut next = batch.clone();
        next.header.base_sequence = Sequence(i as i32);
        let appended = log.append(next, LeaderEpoch(0), Timestamp(0)).unwrap();
        if i % case.together == case.together - 1 {
            log.write_queued().await.unwrap();
            if case.flush {
                log.flush().await.unwrap();
            }
        }
        if case.read {
            let up_to = log.ends().written;
            let slice = log.read(appended.base_offset, 1 << 20, up_to, true).await.unwrap().unwrap();
            assert_eq!(slice.bytes, batch.bytes.len());
        }
        if i % 128 == 0 {
            trim(&log).await;
        }
    }
    let cost = (cpu_time() - cpu, start.elapsed());
    log.close().await.unwrap();
    cost
}

async fn trim(log: &Arc<Log>) {
    let segments = log.segments();
    if log.size() > KEPT_BYTES && segments.len() > 1 {
        log.delete_before(segments[1].base).await.unwrap();
    }
}

/// A batch of one record, of a producer.
fn batch(bytes: usize) -> Batch {
    let options = BatchOptions {
        producer_id: ProducerId(1),
        producer_epoch: ProducerEpoch(0),
        base_sequence: Sequence(0),
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    let value = vec![b'x'; bytes.saturating_sub(75)];
    builder.append(Timestamp(1_700_000_000_000), None, Some(&value), &[]).unwrap();
    let bytes: Bytes = builder.build(&mut Compressor::default()).unwrap();
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(header.last_offset(), Offset(0));
    Batch { header, bytes }
}

/// CPU time that the process has used.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
