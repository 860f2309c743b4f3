//! Transactions: Kafka's batches with the index that Kafka 4.3.1 wrote for them, and what readers of committed records are
//! told.
//!
//! `tests/data/kafka-4.3.1-transactions/README.md` says how Kafka's files were made.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_record::{Batches, RecordBatch};
use ottla_types::{Offset, Timestamp};

use super::{DIRECTORY, content};
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, Open, block_on};
use crate::log::LogCopy;
use crate::producers::marker;
use crate::testing::durable_root;
use crate::{AbortedTransaction, Batch, Log, LogConfig, Recovery};

/// Behind the last record.
const END: i64 = 77;
/// Where the first transaction that is still open begins.
const FIRST_OPEN: i64 = 66;

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 200, segment_ms: 3_600_000, ..LogConfig::default() }
}

/// Kafka's files of the partition, by name.
fn kafkas() -> BTreeMap<String, Bytes> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-4.3.1-transactions/transactions-0");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("ASCII").to_owned();
        (name, Bytes::from(std::fs::read(&path).expect("read")))
    };
    std::fs::read_dir(data).expect("the data is there").map(read).collect()
}

fn is_index(name: &str) -> bool {
    name.ends_with(".txnindex")
}

/// Kafka's batches with their offsets and epochs.
fn batches(files: &BTreeMap<String, Bytes>) -> Vec<Batch> {
    let logs = files.iter().filter(|(name, _)| name.ends_with(".log"));
    let batch = |batch: RecordBatch<'_>| Batch { header: *batch.header(), bytes: batch.bytes().to_vec().into() };
    logs.flat_map(|(_, bytes)| Batches::new(bytes).map(|each| batch(each.expect("Kafka's batch")))).collect()
}

/// What was aborted, found out the plain way.
fn aborted(batches: &[Batch]) -> Vec<(i64, i64)> {
    let mut open = HashMap::new();
    let mut aborted = Vec::new();
    for Batch { header, bytes } in batches.iter().filter(|batch| batch.header.attributes.is_transactional()) {
        if !header.attributes.is_control() {
            open.entry(header.producer_id).or_insert(header.base_offset.0);
            continue;
        }
        let marker = marker::parse(header, &bytes[ottla_record::BATCH_HEADER_BYTES..]).expect("a marker");
        let start = open.remove(&header.producer_id);
        aborted.extend(start.filter(|_| marker.aborts).map(|start| (start, header.base_offset.0)));
    }
    aborted
}

async fn disk_with(files: &BTreeMap<String, Bytes>) -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::new(1);
    durable_root(&*disk).await;
    disk.create_directory(DIRECTORY.as_ref()).await.expect("made");
    for (name, bytes) in files {
        put(&disk, name, bytes.clone()).await;
    }
    disk
}

async fn put(disk: &Arc<SimulatedDisk>, name: &str, bytes: Bytes) {
    let path = PathBuf::from(DIRECTORY).join(name);
    let file = disk.open(&path, Open::Truncate).await.expect("made");
    file.write(0, vec![bytes]).await.expect("written");
}

async fn open(disk: &Arc<SimulatedDisk>, recovery_point: i64, clean: bool) -> Arc<Log> {
    let recovery =
        Recovery { recovery_point: Offset(recovery_point), log_start_offset: Offset::ZERO, clean, ..Recovery::UNKNOWN };
    Log::open(disk.clone(), DIRECTORY, config(), recovery).await.expect("opened")
}

/// A log in memory to which Kafka's batches were appended.
async fn appended(batches: &[Batch]) -> (Arc<SimulatedDisk>, Arc<Log>) {
    let disk = SimulatedDisk::new(1);
    durable_root(&*disk).await;
    let log = Log::create(disk.clone(), DIRECTORY, config()).await.expect("made");
    for batch in batches {
        log.append_given(batch.clone(), Timestamp(0)).expect("appended");
    }
    log.write_queued().await.expect("written");
    (disk, log)
}

/// The indexes of aborted transactions on a disk are those of `files`; one that is empty is none.
async fn assert_indexes(disk: &SimulatedDisk, files: &BTreeMap<String, Bytes>, when: &str) {
    let indexes = |files: &BTreeMap<String, Bytes>| -> BTreeMap<String, Bytes> {
        let indexes = files.iter().filter(|(name, bytes)| is_index(name) && !bytes.is_empty());
        indexes.map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
    };
    assert_eq!(indexes(&content(disk).await), indexes(files), "{when}");
}

#[test]
fn the_same_batches_make_the_same_files() {
    block_on(async {
        let mut expected = kafkas();
        let (disk, log) = appended(&batches(&expected)).await;
        assert_eq!(log.last_stable_offset(Offset(END)), Offset(FIRST_OPEN));
        log.close().await.expect("closed");
        expected.remove("partition.metadata").expect("Kafka's");
        let ours = content(&disk).await;
        assert_eq!(ours.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert_eq!(expected.keys().filter(|name| is_index(name)).count(), 4);
        for (name, bytes) in &expected {
            assert_eq!(ours[name], bytes, "{name}");
        }
    });
}

#[test]
fn a_saved_index_survives_a_power_loss() {
    block_on(async {
        let expected = kafkas();
        let (disk, log) = appended(&batches(&expected)).await;
        log.flush().await.expect("flushed");
        let saved = log.save().await.expect("saved");
        drop(log);
        disk.crash();
        open(&disk, saved.recovery_point.0, false).await;
        assert_indexes(&disk, &expected, "after the crash").await;
    });
}

#[test]
fn recovery_makes_the_index_anew_from_any_point() {
    block_on(async {
        let expected = kafkas();
        let bounds = batches(&expected).into_iter().map(|batch| batch.header.base_offset.0).chain([END]);
        for point in bounds {
            // What was made durable with the recovery point, and nothing behind; then what is behind, torn.
            for torn in [false, true] {
                let mut files = expected.clone();
                for (name, bytes) in files.iter_mut().filter(|(name, _)| is_index(name)) {
                    let entries = crate::inspect::transaction_index(bytes, Path::new(name)).expect("Kafka's");
                    let durable = entries.iter().filter(|entry| entry.last_offset.0 < point).count() * 34;
                    let garbage = if torn { vec![7; bytes.len() - durable] } else { Vec::new() };
                    *bytes = [&bytes[..durable], &garbage].concat().into();
                }
                files.retain(|name, bytes| !is_index(name) || !bytes.is_empty());
                let disk = disk_with(&files).await;
                let log = open(&disk, point, false).await;
                let when = format!("recovered from {point}, torn: {torn}");
                assert_indexes(&disk, &expected, &when).await;
                assert_eq!(log.last_stable_offset(Offset(END)), Offset(FIRST_OPEN), "{when}");
            }
        }
    });
}

#[test]
fn a_damaged_index_is_made_anew_at_a_clean_start() {
    block_on(async {
        let expected = kafkas();
        let name = "00000000000000000024.txnindex";
        let good = &expected[name];
        let damages: [fn(&mut Vec<u8>); 6] = [
            |bytes| bytes.truncate(150),
            |bytes| bytes.extend([0; 34]),
            |bytes| bytes[1] = 1,
            // Ends below the segment's base; does not rise; begins behind its end.
            |bytes| bytes[25] = 3,
            |bytes| bytes.copy_within(34..68, 68),
            |bytes| bytes[16] = 1,
        ];
        for (i, damage) in damages.into_iter().enumerate() {
            let mut bad = good.to_vec();
            damage(&mut bad);
            let mut files = expected.clone();
            files.insert(name.to_owned(), bad.into());
            let disk = disk_with(&files).await;
            let log = open(&disk, END, true).await;
            assert_indexes(&disk, &expected, &format!("damage {i}")).await;
            assert_eq!(log.ends().log_end, Offset(END));
        }
    });
}

#[test]
fn a_cut_takes_the_entries_along() {
    block_on(async {
        let expected = kafkas();
        let all = batches(&expected);
        for cut in 0..=END {
            let (disk, log) = appended(&all).await;
            log.truncate_to(Offset(cut)).await.expect("cut");
            let end = log.ends().log_end.0;
            let left: Vec<_> = all.iter().filter(|batch| batch.header.last_offset().0 < end).cloned().collect();
            let (plain_disk, plain) = appended(&left).await;
            let starts = |log: &Arc<Log>| {
                let starts = log.producers().into_iter().filter_map(|(_, entry)| entry.transaction_start);
                starts.collect::<Vec<_>>()
            };
            assert_eq!(starts(&log), starts(&plain), "cut at {cut}");
            plain.close().await.expect("closed");
            let files = content(&plain_disk).await;
            log.close().await.expect("closed");
            assert_indexes(&disk, &files, &format!("cut at {cut}")).await;
            // And what comes behind goes on as if nothing had been.
            let log = open(&disk, end, true).await;
            for batch in all.iter().filter(|batch| batch.header.base_offset.0 >= end) {
                log.append_given(batch.clone(), Timestamp(0)).expect("appended");
            }
            log.close().await.expect("closed");
            assert_indexes(&disk, &expected, &format!("cut at {cut} and on")).await;
        }
    });
}

/// Every read is told of what was aborted in it, and of nothing that is long over or far ahead.
async fn assert_told(log: &Arc<Log>, all: &[Batch]) {
    let aborted = aborted(all);
    let mut told_some = 0;
    for from in 0..END {
        for max_bytes in [1, 200, 700, 1 << 20] {
            let slice = log.read(Offset(from), max_bytes, Offset(END), true).await.expect("in range");
            let slice = slice.expect("something");
            let bytes = slice.read().await.expect("read");
            let whole = Batches::new(&bytes).map_while(Result::ok);
            let last = whole.map(|batch| batch.header().last_offset().0).last().expect("a whole batch");
            let told = log.aborted_transactions(Offset(from), &slice).await.expect("in range");
            let told: Vec<_> = told.iter().map(|it| (it.first_offset.0, it.last_offset.0)).collect();
            let needed = |it: &&(i64, i64)| it.1 >= from && it.0 <= last;
            for it in aborted.iter().filter(needed) {
                assert!(told.contains(it), "{it:?} from {from} with {max_bytes}: {told:?}");
            }
            // An index entry may be 200 bytes and a batch further on.
            for it in &told {
                assert!(it.1 >= from && it.0 <= last + 10, "{it:?} from {from} to {last}");
            }
            assert!(told.is_sorted_by_key(|it| it.1), "{told:?}");
            told_some += usize::from(!told.is_empty());
        }
    }
    assert!(told_some > 100, "{told_some}");
}

#[test]
fn readers_are_told_of_what_was_aborted_in_what_they_read() {
    block_on(async {
        let files = kafkas();
        let all = batches(&files);
        assert_eq!(aborted(&all).len(), 10);
        let (_disk, log) = appended(&all).await;
        assert_told(&log, &all).await;
        for (recovery_point, clean) in [(END, true), (0, false)] {
            assert_told(&open(&disk_with(&files).await, recovery_point, clean).await, &all).await;
        }
    });
}

#[test]
fn readers_are_told_of_thousands_of_transactions_from_memory_and_file() {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        durable_root(&*disk).await;
        let config = LogConfig { segment_bytes: 200_000, ..config() };
        let log = Log::create(disk.clone(), DIRECTORY, config).await.expect("made");
        // Producer 1's is open all the time; of the others each is aborted at once.
        let mut end = 0;
        let mut append = |batch: Batch| {
            end = log.append_given(batch, Timestamp(0)).expect("appended").last_offset.0 + 1;
            end
        };
        let mut next = append(crate::testing::transactional(1, 0, 0));
        for i in 0..6000 {
            next = append(crate::testing::transactional(2 + i % 7, next, 0));
            next = append(crate::testing::marker(2 + i % 7, next, true));
            if i % 1000 == 0 {
                log.write_queued().await.expect("written");
            }
        }
        log.write_queued().await.expect("written");
        assert!(log.segments().len() > 3);
        let check = async |log: &Log| {
            for from in [0, 1, 2, 777, 5000, 5001, 11_990, 12_000] {
                let slice = log.read(Offset(from), 5000, Offset(next), true).await.expect("in range").expect("some");
                let told = log.aborted_transactions(Offset(from), &slice).await.expect("in range");
                // The first that ends at or behind `from`.
                let first = told.first().map(|first: &AbortedTransaction| first.last_offset.0);
                assert_eq!(first, Some((from + from % 2).max(2)), "from {from}");
                let all_follow = told.windows(2).all(|pair| pair[1].last_offset.0 == pair[0].last_offset.0 + 2);
                assert!(all_follow, "from {from}");
                assert!(told.iter().all(|it| it.last_stable_offset == Offset(0)));
                let last = told.last().map(|last| last.first_offset.0);
                assert!(last.is_some_and(|last| last < from + 400), "from {from} up to {last:?}");
            }
        };
        check(&log).await;
        log.close().await.expect("closed");
        let recovery =
            Recovery { recovery_point: Offset(next), log_start_offset: Offset(0), clean: true, ..Recovery::UNKNOWN };
        check(&Log::open(disk, DIRECTORY, config, recovery).await.expect("opened")).await;
    });
}

#[test]
fn what_is_deleted_of_an_open_transaction_holds_nobody_back() {
    block_on(async {
        let (_disk, log) = appended(&batches(&kafkas())).await;
        log.raise_start(Offset(70)).expect("below the end");
        assert_eq!(log.last_stable_offset(Offset(END)), Offset(70));
        assert_eq!(log.bounds(Offset(END)).1, Offset(70));
    });
}

#[test]
fn a_copy_has_the_indexes_whenever_it_looked() {
    block_on(async {
        let all = batches(&kafkas());
        let (rolls, _) = all.iter().enumerate().find(|(_, batch)| batch.header.base_offset.0 == 24).expect("a segment");
        let (disk, log) = appended(&all[..rolls]).await;
        let mut copy = LogCopy::begin(log.clone(), "/d/copy".as_ref()).await.expect("begun");
        // The next segment is there, but not on the disk, and so are the last entries of this one's indexes.
        log.append_given(all[rolls].clone(), Timestamp(0)).expect("appended");
        assert!(copy.step(1 << 20).await.expect("copied") > 0);
        assert_eq!(copy.step(1 << 20).await.expect("copied"), 0);
        for batch in &all[rolls + 1..] {
            log.append_given(batch.clone(), Timestamp(0)).expect("appended");
        }
        log.close().await.expect("closed");
        copy.finish().await.expect("finished");
        let source = content(&disk).await;
        for (name, bytes) in source.iter().filter(|(name, _)| name.ends_with("index")) {
            let path = Path::new("/d/copy").join(name);
            let copied = crate::checkpoint::read(&*disk, &path).await.expect("read");
            assert_eq!(copied.as_ref(), Some(bytes), "{name}");
        }
    });
}

#[test]
fn an_index_leaves_with_its_segment() {
    block_on(async {
        let (disk, log) = appended(&batches(&kafkas())).await;
        log.flush().await.expect("flushed");
        let slice = log.read(Offset(3), 100, Offset(END), true).await.expect("in range").expect("something");
        log.raise_start(Offset(30)).expect("below the end");
        let retired = log.retire(Offset(END), Timestamp(0)).await.expect("retired").expect("one");
        assert!(content(&disk).await.contains_key("00000000000000000000.txnindex.deleted"));
        log.remove_retired(retired).await.expect("removed");
        let indexes: Vec<_> = content(&disk).await.into_keys().filter(|name| name.contains("txnindex")).collect();
        assert_eq!(indexes, ["00000000000000000024.txnindex", "00000000000000000047.txnindex"]);
        // The range is still read, but nobody knows any more what was aborted in it.
        assert!(slice.read().await.is_ok());
        assert!(log.aborted_transactions(Offset(3), &slice).await.is_err());
    });
}
