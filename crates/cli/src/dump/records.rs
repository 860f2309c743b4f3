//! The records of one batch, as Kafka's dump tool prints them and as JSON.

use ottla_record::{BatchHeader, Record, RecordBatch, Scratch};
use ottla_wire::records::quorum::kraft_version::KRaftVersionRecord;
use ottla_wire::records::quorum::leader_change::LeaderChangeMessage;
use ottla_wire::records::quorum::snapshot_footer::SnapshotFooterRecord;
use ottla_wire::records::quorum::snapshot_header::SnapshotHeaderRecord;
use ottla_wire::records::quorum::voters::VotersRecord;
use ottla_wire::{DecodeError, Reader, Tell, framing};
use serde_json::{Value, json};

use super::batches::timestamp_type;
use super::decoders::{self, to_json};
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
    let mut printed = print_metadata(header, index, record)?;
    if args.skip_record_metadata {
        printed.text.clear();
    }
    if header.attributes.is_control() {
        let marker = Marker::read(record);
        if !args.skip_record_metadata {
            printed.text.push_str(&marker.text);
        }
        printed.json["control"] = marker.json;
        return Ok(printed);
    }
    let mut prefix = if args.skip_record_metadata { "| " } else { " " };
    let mut add = |what: &str, name: &str, shown: Option<String>, json: Value| {
        printed.json[name] = json;
        if let Some(shown) = shown {
            printed.text.push_str(&format!("{}{what}: {shown}", std::mem::replace(&mut prefix, " ")));
        }
    };
    if let Some(decoder) = args.decoder() {
        let decoded = decoder.decode(record)?;
        for (what, name, part) in [("key", "key", decoded.key), ("payload", "value", decoded.value)] {
            add(what, name, part.as_ref().map(decoders::printed), part.unwrap_or(Value::Null));
        }
        return Ok(printed);
    }
    for (what, name, format, bytes) in
        [("key", "key", args.key_format, record.key), ("payload", "value", args.value_format, record.value)]
    {
        let wrong = |reason| format!("offset {}: the {name} {reason}", record.offset);
        let json = format.to_json(bytes).map_err(wrong)?;
        let shown = bytes.map(|bytes| format.encode(bytes)).transpose().map_err(wrong)?;
        add(what, name, shown.map(|shown| String::from_utf8_lossy(&shown).into_owned()), json);
    }
    Ok(printed)
}

/// All but key and value.
fn print_metadata(header: &BatchHeader, index: usize, record: &Record<'_>) -> Result<Printed, String> {
    let size = |part: Option<&[u8]>| part.map_or(-1, |part| i64::try_from(part.len()).unwrap_or(i64::MAX));
    let headers: Vec<(String, Option<&[u8]>)> =
        record.headers.clone().map(|header| (String::from_utf8_lossy(header.key).into_owned(), header.value)).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let sequence = match header.base_sequence.0 {
        -1 => -1,
        base => (i64::from(base) + i64::try_from(index).unwrap_or(0)) & i64::from(i32::MAX),
    };
    let mut text = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {}",
        record.offset,
        timestamp_type(header),
        record.timestamp,
        size(record.key),
        size(record.value),
    );
    text += &match &record.message {
        None => format!(" sequence: {sequence} headerKeys: [{}]", names.join(",")),
        Some(message) => format!(" isValid: {} crc: {}", message.is_sound(), message.crc()),
    };
    let json = json!({
        "offset": record.offset.0,
        "timestamp": record.timestamp.0,
        "sequence": sequence,
        "headers": headers.iter().map(|(name, value)| Ok(json!([name, Format::String.to_json(*value)?]))).collect::<Result<Value, String>>()?,
    });
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
            (Some(kind), _) => Self::of_quorum(kind, record.value.unwrap_or_default()),
            (None, _) => Self { text: " no control type".to_owned(), json: Value::Null },
        }
    }

    /// A record of Kafka's own quorum.
    fn of_quorum(kind: i16, value: &[u8]) -> Self {
        let (name, mark, said) = match kind {
            2 => ("LeaderChange", ":", self_versioned::<LeaderChangeMessage>(value)),
            3 => ("SnapshotHeader", "", self_versioned::<SnapshotHeaderRecord>(value)),
            4 => ("SnapshotFooter", "", self_versioned::<SnapshotFooterRecord>(value)),
            5 => ("KRaftVersion", "", self_versioned::<KRaftVersionRecord>(value)),
            6 => ("KRaftVoters", "", self_versioned::<VotersRecord>(value)),
            _ => return Self { text: format!(" controlType: UNKNOWN({kind})"), json: json!({ "type": kind }) },
        };
        match said {
            Ok(said) => Self { text: format!(" {name}{mark} {said}"), json: json!({ "type": name, "value": said }) },
            Err(error) => Self { text: format!(" {name}{mark} {error}"), json: json!({ "type": name }) },
        }
    }
}

fn self_versioned<R: ottla_wire::Record + Tell>(value: &[u8]) -> Result<Value, DecodeError> {
    let version = Reader::new(value).i16()?;
    let record: R = framing::read_self_versioned(value)?;
    Ok(to_json(record.tell(version)))
}
