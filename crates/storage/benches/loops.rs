//! The inner loops of a log: appends, and what finds an offset or a time in it.
//!
//! `cargo bench -p ottla-storage --bench loops`; how loops are named, timed and counted is told in `ottla-loops`. Files
//! are those of the system, in the folder for temporary files; counted is only what the process does, not the kernel.
//! How fast a disk is says the bench `log`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use ottla_loops::{Loops, Prepared};
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Compressor};
use ottla_storage::disk::block_on;
use ottla_storage::disk::system::SystemDisk;
use ottla_storage::{Batch, Log, LogConfig};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Batches of a log with many segments, of a kilobyte each, and bytes of a segment.
const BATCHES: i64 = 25_600;
const SEGMENT_BYTES: u32 = 256 << 10;

fn main() -> ExitCode {
    let mut loops = Loops::default();
    for (name, bytes) in [("1 KB", 1000), ("1 MB", 1 << 20)] {
        loops.add(format!("append {name}, written"), move || append(bytes, 1, 1));
    }
    loops.add("append 1 KB, 64 written together", || append(1000, 1, 64));
    loops.add("append 1 KB, to 1000 logs in turn, written", || append(1000, 1000, 1));
    let offset = |segment| Offset(BATCHES * segment / 100 + 17);
    for (name, segment) in [("first of 100 segments", 0), ("50th of 100 segments", 50), ("last of 100 segments", 99)] {
        loops.add(format!("offset in the {name}"), move || {
            let log = long_log();
            Prepared::new(1, move || {
                let slice = block_on(log.0[0].read(offset(segment), 1 << 20, log.0[0].ends().written, true));
                slice.expect("a good log").expect("it is there").bytes
            })
        });
        loops.add(format!("time in the {name}"), move || {
            let log = long_log();
            Prepared::new(1, move || {
                let found = block_on(log.0[0].find_by_timestamp(time(offset(segment).0)));
                assert_eq!(found.expect("a good log").expect("it is there").offset, offset(segment));
            })
        });
    }
    loops.main()
}

/// Logs in a folder of their own, which goes with them.
struct Logs(Vec<Arc<Log>>, PathBuf);

impl Logs {
    fn new(count: usize, config: LogConfig) -> Self {
        let path = std::env::temp_dir().join(format!("ottla-loops-{}", std::process::id()));
        let disk = SystemDisk::inline();
        let log = |log| block_on(Log::create(disk.clone(), &path.join(format!("t-{log}")), config));
        let logs = (0..count).map(|number| log(number).expect("a new log")).collect();
        Self(logs, path)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.clear();
        // What is left is in a folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

/// Appends batches of so many bytes to logs in turn, so many to one before it is written.
fn append(bytes: usize, count: usize, together: usize) -> Prepared {
    let logs = Logs::new(count, LogConfig { segment_bytes: 64 << 20, flush: false, ..LogConfig::default() });
    let (batch, mut round) = (batch(bytes), 0);
    let mut run = move || {
        let log = &logs.0[round % logs.0.len()];
        for _ in 0..together {
            let mut next = batch.clone();
            next.header.base_sequence = Sequence(log.ends().log_end.0 as i32);
            log.append(next, LeaderEpoch(0), Timestamp(0)).expect("in sequence");
        }
        block_on(log.write_queued()).expect("there is room");
        round += 1;
        // So that neither memory nor the disk fills up.
        if round.is_multiple_of(256) && log.size() > 128 << 20 {
            let segments = log.segments();
            block_on(log.delete_before(segments[segments.len() - 1].base)).expect("files can be removed");
        }
    };
    // The first append to a log makes its files.
    (0..count).for_each(|_| run());
    Prepared::new(together, run)
}

fn long_log() -> Logs {
    let logs = Logs::new(1, LogConfig { segment_bytes: SEGMENT_BYTES, flush: false, ..LogConfig::default() });
    let batch = batch(1000);
    for offset in 0..BATCHES {
        let mut next = batch.clone();
        next.header.base_sequence = Sequence(offset as i32);
        next.header.max_timestamp = time(offset);
        next.header.base_timestamp = time(offset);
        logs.0[0].append(next, LeaderEpoch(0), Timestamp(0)).expect("in sequence");
        block_on(logs.0[0].write_queued()).expect("there is room");
    }
    logs
}

/// When the record at an offset was made.
fn time(offset: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + offset)
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
    builder.append(time(0), None, Some(&value), &[]).expect("small");
    let bytes: Bytes = builder.build(&mut Compressor::default()).expect("there is a record");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}
