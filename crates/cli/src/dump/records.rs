//! The records of one batch, as Kafka's dump tool prints them and as JSON.

use ottla_record::{BatchHeader, Record, RecordBatch, Scratch};
use serde_json::{Value, json};

use super::batches::timestamp_type;
use crate::args::DumpArgs;
use crate::format::Format;

/// The most that the records of a batch may take when they are decompressed: more than any broker takes in.
const RECORDS_BYTES_MAX: usize = 1 << 30;

/// What is printed of a record.
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) json: Value,
}

/// Reads all records of a batch whose CRC is right.
pub(super) fn read(args: &DumpArgs, batch: &RecordBatch<'_>) -> Result<Vec<Printed>, String> {
    let mut scratch = Scratch::default();
    let records = batch.records(&mut scratch, RECORDS_BYTES_MAX).map_err(|error| error.to_string())?;
    let mut printed = Vec::new();
    for (index, record) in records.enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        printed.push(print(args, batch.header(), index, &record)?);
    }
    Ok(printed)
}

fn print(args: &DumpArgs, header: &BatchHeader, index: usize, record: &Record<'_>) -> Result<Printed, String> {
    let size = |part: Option<&[u8]>| part.map_or(-1, |part| i64::try_from(part.len()).unwrap_or(i64::MAX));
    let headers: Vec<(String, Option<&[u8]>)> =
        record.headers.clone().map(|header| (String::from_utf8_lossy(header.key).into_owned(), header.value)).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let sequence = match header.base_sequence.0 {
        -1 => -1,
        base => (i64::from(base) + i64::try_from(index).unwrap_or(0)) & i64::from(i32::MAX),
    };
    let mut text = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        timestamp_type(header),
        record.timestamp,
        size(record.key),
        size(record.value),
        names.join(",")
    );
    let mut json = json!({
        "offset": record.offset.0,
        "timestamp": record.timestamp.0,
        "sequence": sequence,
        "headers": headers.iter().map(|(name, value)| Ok(json!([name, Format::String.to_json(*value)?]))).collect::<Result<Value, String>>()?,
    });
    if header.attributes.is_control() {
        let marker = Marker::read(record);
        text.push_str(&marker.text);
        json["control"] = marker.json;
        return Ok(Printed { text, json });
    }
    for (what, name, format, bytes) in
        [("key", "key", args.key_format, record.key), ("payload", "value", args.value_format, record.value)]
    {
        json[name] =
            format.to_json(bytes).map_err(|reason| format!("offset {}: the {name} {reason}", record.offset))?;
        if let Some(bytes) = bytes {
            let shown =
                format.encode(bytes).map_err(|reason| format!("offset {}: the {name} {reason}", record.offset))?;
            text.push_str(&format!(" {what}: {}", String::from_utf8_lossy(&shown)));
        }
    }
    Ok(Printed { text, json })
}

/// What a control record says: the end of a transaction, or something of Kafka's own quorum.
struct Marker {
    text: String,
    json: Value,
}

impl Marker {
    /// The key is version i16, type i16; the value of a transaction's end is version i16, coordinator epoch i32.
    fn read(record: &Record<'_>) -> Self {
        let kind = record.key.and_then(|key| key.get(2..4)).map(|kind| i16::from_be_bytes([kind[0], kind[1]]));
        let epoch =
            record.value.and_then(|value| value.get(2..6)).map(|e| i32::from_be_bytes([e[0], e[1], e[2], e[3]]));
        match (kind, epoch) {
            (Some(kind @ (0 | 1)), Some(epoch)) => {
                let name = if kind == 0 { "ABORT" } else { "COMMIT" };
                Self {
                    text: format!(" endTxnMarker: {name} coordinatorEpoch: {epoch}"),
                    json: json!({ "endTransaction": name, "coordinatorEpoch": epoch }),
                }
            }
            (Some(kind), _) => {
                let name = match kind {
                    2 => "LeaderChange".to_owned(),
                    3 => "SnapshotHeader".to_owned(),
                    4 => "SnapshotFooter".to_owned(),
                    5 => "KRaftVersion".to_owned(),
                    6 => "KRaftVoters".to_owned(),
                    _ => format!("type {kind}"),
                };
                Self { text: format!(" {name}"), json: json!({ "type": name }) }
            }
            (None, _) => Self { text: " no control type".to_owned(), json: Value::Null },
        }
    }
}
