//! A log directory whose files hold what nobody wrote: opened after a clean and after an unclean stop, read, appended to,
//! and opened again.
//!
//! An input is the files' contents, each with its length in two bytes before it, behind one byte: if that is odd, the
//! batches get their checksums.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Compressor};
use ottla_storage::disk::simulated::SimulatedDisk;
use ottla_storage::disk::{Disk, Open, block_on};
use ottla_storage::{Batch, Log, LogConfig, LogDirectory, MetaProperties, OpenOptions, PartitionOffsets};
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicName, TopicPartition};

use crate::files::all_summed_up;
use crate::{Decoder, file_of, joined, parts};

const DIRECTORY: &str = "/logs";
/// The files in the order of an input's parts. They are those of the partition that Kafka wrote for the tests of
/// `storage`, so that a seed is a sound log.
const FILES: [&str; 10] = [
    "golden-0/00000000000000000000.log",
    "golden-0/00000000000000000036.log",
    "golden-0/00000000000000000000.index",
    "golden-0/00000000000000000000.timeindex",
    "golden-0/00000000000000000036.snapshot",
    "golden-0/leader-epoch-checkpoint",
    "golden-0/partition.metadata",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    // Kafka had none to write.
    "golden-0/00000000000000000000.txnindex",
];
/// Which of them says up to where a log was durable.
const RECOVERY_POINT: usize = 7;
const CLEAN_STOP: &str = ".kafka_cleanshutdown";

pub(crate) fn decoders() -> Vec<Decoder> {
    let mut all = [
        Decoder::new("log-after-unclean-stop", after_unclean_stop, seeds),
        Decoder::new("log-after-clean-stop", after_clean_stop, seeds),
    ];
    all.iter_mut().for_each(|decoder| decoder.input_bytes_max = 12 << 10);
    all.to_vec()
}

/// All that Kafka wrote, the same without the files that can be made anew, and a log with a transaction.
fn seeds() -> Vec<Vec<u8>> {
    let golden = FILES.iter().filter_map(|path| file_of("storage", &format!("data/kafka-4.3.1/{path}")));
    let golden: Vec<_> = golden.collect();
    let whole = joined(golden.iter().map(Vec::as_slice));
    let logs = joined(golden.iter().take(2).map(Vec::as_slice));
    let transaction = joined([&*file_of("record", "vectors/transaction.log").unwrap_or_default()]);
    [whole, logs, transaction].map(|files| [&[1][..], &files].concat()).to_vec()
}

/// What was recovered is read, appended to, and there after the next start. All of it can be read if all was checked, for
/// nothing says that a part was durable before.
fn after_unclean_stop(bytes: &[u8]) {
    block_on(async {
        let Some(disk) = disk_of(bytes).await else { return };
        let Some((directory, log)) = open(&disk).await else { return };
        let reached = read(&log).await;
        if parts(&bytes[1..]).nth(RECOVERY_POINT).is_none_or(<[u8]>::is_empty) {
            assert_eq!(reached, log.ends().log_end, "what was recovered can be read");
        }
        let appended = log.append(batch(), LeaderEpoch(9), Timestamp(0)).is_ok() && log.write_queued().await.is_ok();
        let end = log.ends().log_end;
        drop((directory, log));
        if let Some((_, log)) = open(&disk).await
            && appended
        {
            assert_eq!(log.ends().log_end, end, "what was recovered once is sound");
        }
    });
}

/// What a clean stop left is believed, so that only reading it can tell that it is not sound.
fn after_clean_stop(bytes: &[u8]) {
    block_on(async {
        let Some(disk) = disk_of(bytes).await else { return };
        write(&disk, CLEAN_STOP, Bytes::new()).await;
        let Some((directory, log)) = open(&disk).await else { return };
        read(&log).await;
        let _ = log.append(batch(), LeaderEpoch(9), Timestamp(0));
        let _ = directory.close(&PartitionOffsets::new()).await;
    });
}

/// A disk with the files that an input holds; none for an input without a file.
async fn disk_of(bytes: &[u8]) -> Option<Arc<SimulatedDisk>> {
    let [how, rest @ ..] = bytes else { return None };
    let disk = SimulatedDisk::new(0);
    disk.create_directory(&Path::new(DIRECTORY).join("golden-0")).await.ok()?;
    let mut files = 0;
    for (path, content) in FILES.iter().zip(parts(rest)).filter(|(_, content)| !content.is_empty()) {
        let summed = how & 1 == 1 && path.ends_with(".log");
        let content = if summed { all_summed_up(content) } else { content.to_vec() };
        write(&disk, path, Bytes::from(content)).await;
        files += 1;
    }
    (files > 0).then_some(disk)
}

async fn write(disk: &SimulatedDisk, path: &str, content: Bytes) {
    let file = disk.open(&Path::new(DIRECTORY).join(path), Open::Create).await.expect("the disk has no faults");
    file.write(0, vec![content]).await.expect("the disk has no faults");
}

/// The directory and its one log; none if one of them cannot be opened.
async fn open(disk: &Arc<SimulatedDisk>) -> Option<(LogDirectory, Arc<Log>)> {
    let meta = MetaProperties { cluster_id: "c".to_owned(), node_id: BrokerId(1), directory_id: None };
    let options = OpenOptions { meta, config: &|_| LogConfig::default(), recovery_threads: 1 };
    let directory = LogDirectory::open(disk.clone(), DIRECTORY, options).await.ok()?;
    let topic = TopicName::new("golden").expect("a name");
    let log = directory.get(&TopicPartition { topic, partition: PartitionIndex(0) })?.log;
    Some((directory, log))
}

/// Reads all that there is, as far as it can be read, and asks for times. Answers the offset that was reached.
async fn read(log: &Log) -> Offset {
    let ends = log.ends();
    assert!(ends.log_start <= ends.log_end && ends.flushed <= ends.written && ends.written <= ends.log_end, "{ends:?}");
    let mut at = ends.log_start;
    while let Ok(Some(slice)) = log.read(at, 1 << 10, ends.log_end, true).await {
        let _ = log.aborted_transactions(at, &slice).await;
        let Ok(bytes) = slice.read().await else { break };
        let next = ottla_record::Batches::new(&bytes).flatten().map(|batch| batch.header().next_offset()).max();
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    let _ = log.find_by_timestamp(Timestamp(1)).await;
    let _ = log.max_timestamp_offset().await;
    at
}

fn batch() -> Batch {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.append(Timestamp(5), None, Some(b"v"), &[]).expect("small");
    let bytes = builder.build(&mut Compressor::default()).expect("not empty");
    Batch { header: BatchHeader::parse(&bytes).expect("just built"), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_log_that_is_recovered_to_its_end() {
        for (seed, expected) in seeds().iter().zip([73, 73, 106]) {
            let end = block_on(async { open(&disk_of(seed).await?).await.map(|(_, log)| log.ends().log_end) });
            assert_eq!(end, Some(Offset(expected)));
        }
    }
}
