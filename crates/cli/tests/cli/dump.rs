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
    let expected = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kafka-dump.txt")).unwrap();
    let expected = String::from_utf8_lossy(&expected);
    let printed = stdout(&output);
    for (number, (ours, theirs)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", number + 1);
    }
    assert_eq!(printed.lines().count(), expected.lines().count());
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
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/tests/vectors/old/magic0-gzip.log");
    let directory = tempfile::tempdir().unwrap();
    fs::copy(old, directory.path().join("00000000000000000000.log")).unwrap();
    let output = ottla(directory.path(), &["dump", "--records", "00000000000000000000.log"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // What Kafka 3.9.1 prints of this file.
    let expected = "offset: 1503 position: 0 NoTimestampType: -1 size: 25885 magic: 0 compresscodec: gzip crc: 1252251381 isvalid: true";
    assert_eq!(stdout(&output).lines().nth(2), Some(expected));
    assert!(
        stdout(&output).contains("\n| offset: 0 NoTimestampType: -1 keySize: 3 valueSize: 5"),
        "{}",
        stdout(&output)
    );
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
