//! The small files of a log: indexes, snapshots of producers, and those that are text.

use std::fs;
use std::path::Path;

use ottla_storage::{ProducerEntry, inspect};
use ottla_types::{Offset, ProducerId};
use serde_json::json;

use super::{Dump, unreadable};
use crate::failure::Failure;

/// An `.index`: where the batch lies that ends with an offset.
pub(super) fn offset_index(dump: &mut Dump<'_>, path: &Path, base: Offset) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let mut before: Option<(Offset, u32)> = None;
    for (offset, position) in inspect::offset_index(base, &bytes) {
        if before.is_some_and(|before| before.0 >= offset || before.1 >= position) || offset < base {
            dump.problem(path, &format!("the entry of offset {offset} at position {position} is out of order"))?;
        }
        before = Some((offset, position));
        dump.entry(
            || format!("offset: {offset} position: {position}"),
            || json!({ "offset": offset.0, "position": position }),
        )?;
    }
    Ok(())
}

/// A `.timeindex`: how far timestamps had come by which offset.
pub(super) fn time_index(dump: &mut Dump<'_>, path: &Path, base: Offset) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let mut before = None;
    for (timestamp, offset) in inspect::time_index(base, &bytes) {
        if before.is_some_and(|before| before >= timestamp) || offset < base {
            dump.problem(path, &format!("the entry of time {timestamp} and offset {offset} is out of order"))?;
        }
        before = Some(timestamp);
        dump.entry(
            || format!("timestamp: {timestamp} offset: {offset}"),
            || json!({ "timestamp": timestamp.0, "offset": offset.0 }),
        )?;
    }
    Ok(())
}

/// A `.txnindex`: which transactions a marker in the segment aborted.
pub(super) fn transaction_index(dump: &mut Dump<'_>, path: &Path, base: Offset) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let entries = match inspect::transaction_index(&bytes, path) {
        Ok(entries) => entries,
        Err(fault) => return dump.problem(path, &fault.to_string()),
    };
    let mut before = None;
    for entry in entries {
        let (first, last) = (entry.first_offset, entry.last_offset);
        if before.is_some_and(|before| before >= last) || last < base || first > last {
            dump.problem(path, &format!("the transaction from offset {first} to {last} is out of order"))?;
        }
        before = Some(last);
        let (id, stable) = (entry.producer_id, entry.last_stable_offset);
        dump.entry(
            || {
                format!(
                    "version: 0 producerId: {id} firstOffset: {first} lastOffset: {last} lastStableOffset: {stable}"
                )
            },
            || {
                json!({
                    "producerId": id.0,
                    "firstOffset": first.0,
                    "lastOffset": last.0,
                    "lastStableOffset": stable.0,
                })
            },
        )?;
    }
    Ok(())
}

/// A `.snapshot`: what the partition remembers of its idempotent producers.
pub(super) fn producer_snapshot(dump: &mut Dump<'_>, path: &Path) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    match inspect::producer_snapshot(&bytes, path) {
        Ok(producers) => producers.iter().try_for_each(|(id, entry)| producer(dump, *id, entry)),
        Err(fault) => dump.problem(path, &fault.to_string()),
    }
}

fn producer(dump: &mut Dump<'_>, id: ProducerId, entry: &ProducerEntry) -> Result<(), Failure> {
    let transaction = entry.transaction_start.map(|offset| offset.0);
    let batch = entry.batches.first();
    dump.entry(
        || {
            let mut line = format!(
                "producerId: {id} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
                entry.epoch,
                entry.coordinator_epoch,
                optional(transaction),
                entry.last_timestamp,
            );
            if let Some(batch) = batch {
                line += &format!(
                    " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                    batch.first_sequence(),
                    batch.last_sequence,
                    batch.last_offset,
                    batch.offset_delta,
                    batch.timestamp
                );
            }
            line
        },
        || {
            let batches = entry.batches.iter().map(|batch| {
                json!({
                    "firstSequence": batch.first_sequence().0,
                    "lastSequence": batch.last_sequence.0,
                    "lastOffset": batch.last_offset.0,
                    "offsetDelta": batch.offset_delta,
                    "timestamp": batch.timestamp.0,
                })
            });
            json!({
                "producerId": id.0,
                "producerEpoch": entry.epoch.0,
                "coordinatorEpoch": entry.coordinator_epoch,
                "currentTxnFirstOffset": transaction,
                "lastTimestamp": entry.last_timestamp.0,
                "batches": batches.collect::<Vec<_>>(),
            })
        },
    )
}

/// A number that may lack, as Kafka's tools print it.
pub(super) fn optional(number: Option<i64>) -> String {
    number.map_or_else(|| "OptionalLong.empty".to_owned(), |number| format!("OptionalLong[{number}]"))
}

/// Whether a file of that name is lines of text.
pub(super) fn is_text(name: &str) -> bool {
    matches!(name, "leader-epoch-checkpoint" | "partition.metadata" | "meta.properties")
        || name.ends_with("-offset-checkpoint")
}

/// A file of text, line by line.
pub(super) fn text(dump: &mut Dump<'_>, path: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for line in text.lines() {
        dump.entry(|| line.to_owned(), || json!({ "file": name, "line": line }))?;
    }
    Ok(())
}
