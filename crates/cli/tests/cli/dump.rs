//! `ottla dump` against what Kafka's own tool prints of the same files, and on files that are damaged.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{ottla, stderr, stdout};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/data/kafka-4.3.1/golden-0")
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('0'))
        .collect();
    names.sort();
    names
}

#[test]
fn every_line_is_the_one_that_kafka_prints() {
    let names = files(&golden());
    let mut words = vec!["dump", "--records"];
    words.extend(names.iter().map(String::as_str));
    let output = ottla(&golden(), &words);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same(&stdout(&output), "kafka-dump.txt");
}

#[test]
fn transactions_are_told_as_kafka_tells_them() {
    let directory = golden().join("../../kafka-4.3.1-transactions/transactions-0");
    let names = files(&directory);
    let mut words = vec!["dump", "--records"];
    words.extend(names.iter().map(String::as_str));
    let output = ottla(&directory, &words);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_same(&stdout(&output), "kafka-transactions-dump.txt");
}

/// Line for line what Kafka's tool printed, in a file of the tests' data.
fn assert_same(printed: &str, name: &str) {
    let expected = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
    let expected = String::from_utf8_lossy(&expected);
    for (number, (ours, theirs)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, line {}", number + 1);
    }
    assert_eq!(printed.lines().count(), expected.lines().count(), "{name}");
}

/// What is printed of a segment of the tests' data with these words.
fn dumped(name: &str, words: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/internal").join(name);
    let file = if name.ends_with(".log") { "00000000000000000000.log" } else { name };
    fs::copy(from, directory.path().join(file)).unwrap();
    let output = ottla(directory.path(), &[&["dump", file], words].concat());
    assert!(output.status.success(), "{name}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_brokers_own_topics_are_decoded_as_kafka_decodes_them() {
    for (name, decoder) in [
        ("consumer_offsets", "--offsets-decoder"),
        ("transaction_state", "--transaction-log-decoder"),
        ("share_group_state", "--share-group-state-decoder"),
        ("cluster_metadata", "--cluster-metadata-decoder"),
    ] {
        assert_same(&dumped(&format!("{name}.log"), &[decoder]), &format!("internal/{name}.txt"));
    }
    let short = dumped("consumer_offsets.log", &["--offsets-decoder", "--skip-record-metadata"]);
    assert_same(&short, "internal/consumer_offsets_short.txt");
    assert_same(&dumped("bootstrap.checkpoint", &["--cluster-metadata-decoder"]), "internal/bootstrap.txt");
}

#[test]
fn tiered_storage_is_told_as_kafka_tells_it_but_for_the_words_of_an_error() {
    let printed = dumped("remote.log", &["--remote-log-metadata-decoder"]);
    let (good, bad) = printed.trim_end().rsplit_once("skipping. ").unwrap();
    assert_eq!(bad, "at byte 0: the message has no version 110");
    let kafkas_words =
        "Could not deserialize metadata record due to unknown frame version 110(only frame version 1 is supported)";
    assert_same(&format!("{good}skipping. {kafkas_words}\n"), "internal/remote.txt");
}

#[test]
fn decoded_records_are_json_within_json() {
    let printed = dumped("transaction_state.log", &["--transaction-log-decoder", "--output", "json"]);
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    let record = &first["records"][0];
    assert_eq!(record["key"]["data"]["transactionalId"], "txn-1");
    assert_eq!(record["value"]["version"], "1");
}

#[test]
fn a_record_of_another_topic_says_so_and_one_decoder_is_enough() {
    let printed = dumped("transaction_state.log", &["--share-group-state-decoder"]);
    assert!(printed.contains("key: Error at offset 0, skipping. "), "{printed}");
    let output = ottla(&golden(), &["dump", "--offsets-decoder", "--cluster-metadata-decoder", "x.log"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_damaged_index_of_transactions_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let from = golden().join("../../kafka-4.3.1-transactions/transactions-0/00000000000000000024.txnindex");
    let bytes = fs::read(from).unwrap();
    let name = "00000000000000000024.txnindex";
    let dump = |bytes: &[u8]| {
        fs::write(directory.path().join(name), bytes).unwrap();
        let output = ottla(directory.path(), &["dump", "--verify", name]);
        (output.status.code(), stderr(&output))
    };
    assert_eq!(dump(&bytes), (Some(0), String::new()));
    let swapped = [&bytes[34..68], &bytes[..34]].concat();
    assert!(dump(&swapped).1.contains("out of order"));
    let mut foreign = bytes.clone();
    foreign[35] = 1;
    assert!(dump(&foreign).1.contains("version 1, expected 0"));
}

#[test]
fn a_directory_is_dumped_file_by_file() {
    let output = ottla(Path::new("/"), &["dump", golden().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = stdout(&output);
    assert_eq!(printed.lines().filter(|line| line.starts_with("Dumping ")).count(), 14);
    assert!(printed.contains("\ntopic_id: ") && !printed.contains("payload:"), "{printed}");
}

#[test]
fn as_json_every_batch_is_an_object_with_its_records() {
    let output = ottla(&golden(), &["dump", "--output", "json", "-r", "00000000000000000036.log"]);
    let text = stdout(&output);
    let batches: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&batches[0]["baseOffset"], &batches[0]["records"][0]["key"]),
        (&Value::from(36), &Value::from("key15"))
    );
    let records: usize = batches.iter().map(|batch| batch["records"].as_array().unwrap().len()).sum();
    assert_eq!(records, 73 - 36);
}

#[test]
fn old_formats_are_told_as_kafka_tells_them() {
    let dumped = |name: &str| {
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/tests/vectors/old").join(name);
        let directory = tempfile::tempdir().unwrap();
        fs::copy(old, directory.path().join("00000000000000000000.log")).unwrap();
        let output = ottla(directory.path(), &["dump", "--records", "00000000000000000000.log"]);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert_same(&dumped("magic0-none.log"), "magic0-none.txt");
    let printed = dumped("magic0-gzip.log");
    // What Kafka's tool prints of this file.
    for expected in [
        "offset: 1503 position: 0 NoTimestampType: -1 size: 25885 magic: 0 compresscodec: gzip crc: 1252251381 isvalid: true",
        "| offset: 0 NoTimestampType: -1 keySize: 3 valueSize: 5 isValid: true crc: 592888119 key: key payload: value",
        "| offset: 1 NoTimestampType: -1 keySize: -1 valueSize: 6 isValid: true crc: 1565567844 payload: no key",
    ] {
        assert!(printed.lines().any(|line| line == expected), "{printed}");
    }
}

#[test]
fn damage_is_told_with_its_place_and_the_rest_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(golden().join("00000000000000000000.log")).unwrap();
    bytes[80] ^= 1;
    bytes.extend(b"half a batch");
    let file = directory.path().join("00000000000000000000.log");
    fs::write(&file, &bytes).unwrap();
    let output = ottla(directory.path(), &["dump", "00000000000000000000.log"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("the batch at position 0 is damaged"), "{said}");
    assert!(said.contains("12 bytes from position 3338 on are no batch: too short"), "{said}");
    assert!(stdout(&output).contains("isvalid: false") && stdout(&output).contains("isvalid: true"));
}

#[test]
fn the_reserved_end_of_a_segment_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(golden().join("00000000000000000000.log")).unwrap();
    bytes.resize(bytes.len() + 3_000_000, 0);
    fs::write(directory.path().join("00000000000000000000.log"), &bytes).unwrap();
    let output = ottla(directory.path(), &["dump", "--verify", "00000000000000000000.log"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = ottla(directory.path(), &["dump", "00000000000000000000.log"]);
    assert!(stdout(&output).contains("3000000 bytes behind position 3338 are reserved"), "{}", stdout(&output));
}

#[test]
fn what_is_no_file_of_a_log_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("notes.txt"), "x").unwrap();
    let output = ottla(directory.path(), &["dump", "notes.txt"]);
    assert!(output.status.success() && stderr(&output).contains("passed over"));
    let output = ottla(directory.path(), &["dump", "00000000000000000000.log"]);
    assert_eq!(output.status.code(), Some(1));
}
