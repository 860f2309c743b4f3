//! Segments: batch after batch, and what is behind the last one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ottla_record::{BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD, MAGIC_POSITION, RecordBatch, TimestampType};
use ottla_types::Offset;
use serde_json::{Value, json};

use super::small_files::optional;
use super::{Dump, records, unreadable};
use crate::failure::Failure;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Prints a file of batches: a segment, which starts at `base`, or a snapshot of Kafka's own metadata.
pub(super) fn dump(dump: &mut Dump<'_>, path: &Path, base: Option<Offset>) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
    if dump.prints_text() {
        dump.output.line(&match base {
            Some(base) => format!("Log starting offset: {base}"),
            None => snapshot_name(path),
        })?;
    }
    let mut source = Source { reader: BufReader::with_capacity(READ_BYTES, file), position: 0, length };
    let mut walk = Walk { next: base, dump, path };
    let limit = walk.dump.args.max_bytes.unwrap_or(u64::MAX);
    while source.position < length.min(limit) {
        let position = source.position;
        match source.batch().map_err(|error| unreadable(path, &error))? {
            Ok(bytes) => walk.batch(position, &bytes)?,
            Err(reason) => {
                let rest = source.rest_is_empty().map_err(|error| unreadable(path, &error))?;
                return walk.behind(position, length, rest, reason);
            }
        }
    }
    Ok(())
}

/// What the name of a snapshot of Kafka's metadata says: `<end offset>-<epoch>.checkpoint`.
fn snapshot_name(path: &Path) -> String {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let id = stem.split_once('-').and_then(|(end, epoch)| Some((end.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?)));
    match id {
        Some((end, epoch)) => format!("Snapshot end offset: {end}, epoch: {epoch}"),
        None => "KRaft bootstrap snapshot".to_owned(),
    }
}

/// A file of batches while it is read.
struct Source {
    reader: BufReader<File>,
    position: u64,
    length: u64,
}

impl Source {
    /// The bytes of the next batch, or why there is none.
    fn batch(&mut self) -> io::Result<Result<Vec<u8>, &'static str>> {
        let left = self.length - self.position;
        if left <= MAGIC_POSITION as u64 {
            return Ok(Err("too short for a batch"));
        }
        let mut head = [0; LOG_OVERHEAD];
        self.reader.read_exact(&mut head)?;
        let size = i32::from_be_bytes(*head.last_chunk().expect("the head ends with the length"));
        let size = u64::try_from(size).unwrap_or(0);
        if size <= (MAGIC_POSITION - LOG_OVERHEAD) as u64 {
            return Ok(Err("no batch has that length"));
        }
        if size > left - LOG_OVERHEAD as u64 {
            return Ok(Err("the batch reaches beyond the end of the file"));
        }
        // No more than the file holds, so a damaged length costs no memory that is not there.
        let mut bytes = Vec::with_capacity(LOG_OVERHEAD + usize::try_from(size).unwrap_or(0));
        bytes.extend_from_slice(&head);
        self.reader.by_ref().take(size).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        Ok(Ok(bytes))
    }

    /// Whether only zeros follow: the part of a file that was reserved and never written. Called behind a head that was
    /// no batch's; a zero length is no proof, but the rest is.
    fn rest_is_empty(&mut self) -> io::Result<bool> {
        let mut piece = vec![0; READ_BYTES];
        loop {
            let read = self.reader.read(&mut piece)?;
            if read == 0 {
                return Ok(true);
            }
            if piece[..read].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
    }
}

/// What is remembered from batch to batch.
struct Walk<'a, 'b> {
    dump: &'a mut Dump<'b>,
    path: &'a Path,
    /// The lowest offset that may come next.
    next: Option<Offset>,
}

impl Walk<'_, '_> {
    fn batch(&mut self, position: u64, bytes: &[u8]) -> Result<(), Failure> {
        let batch = match RecordBatch::parse(bytes) {
            Ok(batch) => batch,
            Err(error) => {
                return self.dump.problem(self.path, &format!("the batch at position {position}: {error}"));
            }
        };
        let header = *batch.header();
        let valid = batch.check_crc().is_ok();
        if !valid {
            self.dump.problem(self.path, &format!("the batch at position {position} is damaged: its CRC is wrong"))?;
        }
        if self.next.is_some_and(|next| header.base_offset < next) {
            let what = format!("the batch at position {position} starts at offset {} again", header.base_offset);
            self.dump.problem(self.path, &what)?;
        }
        self.next = Some(header.base_offset.plus(i64::from(header.last_offset_delta) + 1));
        let wants_records = self.dump.args.prints_records() || self.dump.args.verify;
        let records = if wants_records && valid { Some(records::read(self.dump.args, &batch)) } else { None };
        if let Some(Err(reason)) = &records {
            self.dump.problem(self.path, &format!("the batch at position {position}: {reason}"))?;
        }
        let records = records.and_then(Result::ok).unwrap_or_default();
        let size = bytes.len();
        self.dump.entry(
            || {
                let mut text = line(&header, position, size, valid);
                for record in &records {
                    text.push('\n');
                    text.push_str(&record.text);
                }
                text
            },
            || {
                let mut object = object(&header, position, size, valid);
                if wants_records {
                    object["records"] = records.iter().map(|record| record.json.clone()).collect();
                }
                object
            },
        )
    }

    /// What is behind the last batch.
    fn behind(&mut self, position: u64, length: u64, empty: bool, reason: &str) -> Result<(), Failure> {
        let bytes = length - position;
        if empty && reason == "no batch has that length" {
            return self.dump.entry(
                || format!("{bytes} bytes behind position {position} are reserved and not written"),
                || json!({ "position": position, "reservedBytes": bytes }),
            );
        }
        self.dump.problem(self.path, &format!("{bytes} bytes from position {position} on are no batch: {reason}"))
    }
}

/// A batch as Kafka's dump tool prints it.
fn line(header: &BatchHeader, position: u64, size: usize, valid: bool) -> String {
    if !header.is_current() {
        // A message of magic 0 or 1; of a compressed one the last offset within.
        return format!(
            "offset: {} position: {position} {}: {} size: {size} magic: {} compresscodec: {} crc: {} isvalid: {valid}",
            header.base_offset,
            timestamp_type(header),
            header.max_timestamp,
            header.magic,
            codec(header),
            header.crc,
        );
    }
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {} position: {position} {}: {} \
         size: {size} magic: 2 compresscodec: {} crc: {} isvalid: {valid}",
        header.base_offset,
        header.base_offset.plus(i64::from(header.last_offset_delta)),
        header.record_count,
        header.base_sequence,
        last_sequence(header),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.attributes.is_transactional(),
        header.attributes.is_control(),
        optional(header.delete_horizon().map(|time| time.0)),
        timestamp_type(header),
        header.max_timestamp,
        codec(header),
        header.crc,
    )
}

fn object(header: &BatchHeader, position: u64, size: usize, valid: bool) -> Value {
    json!({
        "baseOffset": header.base_offset.0,
        "lastOffset": header.base_offset.0 + i64::from(header.last_offset_delta),
        "count": header.record_count,
        "baseSequence": header.base_sequence.0,
        "lastSequence": last_sequence(header),
        "producerId": header.producer_id.0,
        "producerEpoch": header.producer_epoch.0,
        "partitionLeaderEpoch": header.partition_leader_epoch.0,
        "isTransactional": header.attributes.is_transactional(),
        "isControl": header.attributes.is_control(),
        "deleteHorizonMs": header.delete_horizon().map(|time| time.0),
        "position": position,
        "timestampType": timestamp_type(header),
        "maxTimestamp": header.max_timestamp.0,
        "size": size,
        "headerSize": BATCH_HEADER_BYTES,
        "magic": header.magic,
        "compression": codec(header),
        "crc": header.crc,
        "valid": valid,
    })
}

/// The sequence of the last record; counts on at 0 behind the largest.
fn last_sequence(header: &BatchHeader) -> i32 {
    match header.base_sequence.0 {
        -1 => -1,
        base => {
            let last = i64::from(base) + i64::from(header.last_offset_delta);
            i32::try_from(last & i64::from(i32::MAX)).expect("31 bits fit")
        }
    }
}

/// The name by which Kafka's tools call the timestamps of a batch.
pub(super) fn timestamp_type(header: &BatchHeader) -> &'static str {
    match header.attributes.timestamp_type() {
        _ if header.magic == 0 => "NoTimestampType",
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn codec(header: &BatchHeader) -> String {
    match header.attributes.codec() {
        Ok(codec) => codec.name().to_owned(),
        Err(_) => format!("unknown ({})", header.attributes.codec_id()),
    }
}
