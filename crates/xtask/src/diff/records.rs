//! Record batches and message sets: built from what a script says, and told as an answer's value.

use bytes::Bytes;
use ottla_record::{
    BatchBuilder, BatchHeader, BatchOptions, Batches, Codec, Compressor, MessageSetBuilder, OldMagic, Packing,
    RecordBatch, Scratch, TimestampType,
};
use ottla_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::notation::{Fields, Value};

/// The first record's timestamp if the script names none: on 2024-01-01, and each next one a millisecond later.
const TIMESTAMP: i64 = 1_704_067_200_000;
/// The most that a batch of an answer may hold.
const RECORDS_BYTES_MAX: usize = 64 << 20;

/// The bytes of `batch{records=[{key="k" value="v" timestamp=1 headers=[{key="h" value="x"}]}] codec=gzip time=
/// producer= epoch= sequence= transactional= control= base_offset= leader_epoch=}`, or of the same with `magic=0` or `1`.
pub(super) fn build(fields: &Fields) -> Result<Vec<u8>, String> {
    let (mut options, mut magic, mut time, mut records) = (BatchOptions::default(), 2, TIMESTAMP, None);
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("records", Value::List(list)) => records = Some(list.as_slice()),
            ("codec", Value::Word(word)) => {
                let codec = Codec::ALL.into_iter().find(|codec| codec.name() == word);
                options.codec = codec.ok_or_else(|| format!("no codec is called {word}"))?;
            }
            ("magic", Value::Int(number)) => magic = *number,
            ("time", Value::Int(number)) => time = *number,
            ("producer", Value::Int(number)) => options.producer_id = ProducerId(*number),
            ("epoch", Value::Int(number)) => options.producer_epoch = ProducerEpoch(small(*number)?),
            ("sequence", Value::Int(number)) => options.base_sequence = Sequence(small(*number)?),
            ("base_offset", Value::Int(number)) => options.base_offset = Offset(*number),
            ("leader_epoch", Value::Int(number)) => options.leader_epoch = LeaderEpoch(small(*number)?),
            ("transactional", Value::Bool(is)) => options.transactional = *is,
            ("control", Value::Bool(is)) => options.control = *is,
            _ => return Err(format!("a batch has no {name} of that kind")),
        }
    }
    let one = [Value::Fields(vec![
        ("key".to_owned(), Value::Text("k".to_owned())),
        ("value".to_owned(), Value::Text("v".to_owned())),
    ])];
    let records = records.unwrap_or(&one).iter().zip(time..).map(|(value, time)| record(value, time));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    match magic {
        0 => message_set(OldMagic::V0, options, &records),
        1 => message_set(OldMagic::V1, options, &records),
        2 => batch(options, &records),
        _ => Err(format!("no batch is built with magic {magic}; patch(…) changes the byte")),
    }
}

fn small<T: TryFrom<i64>>(number: i64) -> Result<T, String> {
    T::try_from(number).map_err(|_| format!("{number} does not fit"))
}

struct Part {
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn record(value: &Value, time: i64) -> Result<Part, String> {
    let Value::Fields(fields) = value else { return Err("a record is {key= value= timestamp= headers=}".to_owned()) };
    let mut part = Part { timestamp: Timestamp(time), key: None, value: None, headers: Vec::new() };
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("timestamp", Value::Int(number)) => part.timestamp = Timestamp(*number),
            ("key", value) => part.key = bytes_of(value)?,
            ("value", value) => part.value = bytes_of(value)?,
            ("headers", Value::List(list)) => {
                for header in list {
                    let header = record(header, 0)?;
                    part.headers.push((header.key.unwrap_or_default(), header.value));
                }
            }
            _ => return Err(format!("a record has no {name} of that kind")),
        }
    }
    Ok(part)
}

fn bytes_of(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text.clone().into_bytes())),
        Value::Bytes(bytes) => Ok(Some(bytes.clone())),
        other => Err(format!("keys and values are texts, bytes or null, not {}", super::notation::line(other))),
    }
}

fn batch(options: BatchOptions, records: &[Part]) -> Result<Vec<u8>, String> {
    let mut builder = BatchBuilder::new(options);
    for part in records {
        let headers: Vec<_> =
            part.headers.iter().map(|(key, value)| ottla_record::Header { key, value: value.as_deref() }).collect();
        builder
            .append(part.timestamp, part.key.as_deref(), part.value.as_deref(), &headers)
            .map_err(|e| e.to_string())?;
    }
    builder.build(&mut Compressor::default()).map(|bytes: Bytes| bytes.to_vec()).map_err(|e| e.to_string())
}

fn message_set(magic: OldMagic, options: BatchOptions, records: &[Part]) -> Result<Vec<u8>, String> {
    let packing = Packing { codec: options.codec, level: None };
    let mut builder = MessageSetBuilder::new(magic, packing, None).map_err(|e| e.to_string())?;
    for (part, offset) in records.iter().zip(options.base_offset.0..) {
        let (key, value) = (part.key.as_deref(), part.value.as_deref());
        builder.append(Offset(offset), part.timestamp, key, value).map_err(|e| e.to_string())?;
    }
    let mut out = Vec::new();
    builder.build(&mut Compressor::default(), &mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// Makes the CRC of a batch, or of an old message, that of its bytes.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let magic = *bytes.get(ottla_record::MAGIC_POSITION).ok_or("a batch is longer")?;
    let (at, from) = if magic >= 2 { (17, 21) } else { (12, 16) };
    let covered = bytes.get(from..).ok_or("a batch is longer")?;
    // Bit by bit: short, and of no common origin with what it is compared to. CRC-32C for batches, CRC-32 before.
    let polynomial: u32 = if magic >= 2 { 0x82f6_3b78 } else { 0xedb8_8320 };
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 };
    let crc = !covered.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)));
    bytes[at..at + 4].copy_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

/// What may replace a batch's value under a name.
type Hide<'a> = dyn FnMut(&str, Value) -> Value + 'a;

/// The batches of an answer as a list of `batch{…}`, and `cut` behind them where the last one is not whole.
pub(super) fn tell(bytes: &[u8], hide: &mut Hide<'_>) -> Value {
    let mut told = Vec::new();
    let mut batches = Batches::new(bytes);
    loop {
        match batches.next() {
            None => break,
            Some(Ok(batch)) => told.push(Value::Call("batch".to_owned(), vec![Value::Fields(one(&batch, hide))])),
            Some(Err(_)) => {
                told.push(Value::Word("cut".to_owned()));
                break;
            }
        }
    }
    Value::List(told)
}

fn one(batch: &RecordBatch<'_>, hide: &mut Hide<'_>) -> Fields {
    let header: BatchHeader = *batch.header();
    let mut fields = Fields::new();
    let mut say = |name: &str, value: Value| {
        let value = hide(name, value);
        fields.push((name.to_owned(), value));
    };
    say("offset", Value::Int(header.base_offset.0));
    say("last_offset", Value::Int(header.last_offset().0));
    if header.magic == 2 {
        say("leader_epoch", Value::Int(i64::from(header.partition_leader_epoch.0)));
    } else {
        say("magic", Value::Int(i64::from(header.magic)));
    }
    match header.codec() {
        Ok(Codec::None) => {}
        Ok(codec) => say("codec", Value::Word(codec.name().to_owned())),
        Err(_) => say("codec", Value::Int(i64::from(header.attributes.codec_id()))),
    }
    let is_append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    if is_append_time {
        say("append_time", Value::Int(header.max_timestamp.0));
    } else {
        say("max_timestamp", Value::Int(header.max_timestamp.0));
    }
    if header.has_producer_id() {
        say("producer_id", Value::Int(header.producer_id.0));
        say("producer_epoch", Value::Int(i64::from(header.producer_epoch.0)));
        say("sequence", Value::Int(i64::from(header.base_sequence.0)));
    }
    for (name, is) in
        [("transactional", header.attributes.is_transactional()), ("control", header.attributes.is_control())]
    {
        if is {
            say(name, Value::Bool(true));
        }
    }
    if header.attributes.0 & !0x7f != 0 {
        say("attributes", Value::Int(i64::from(header.attributes.0)));
    }
    if batch.check_crc().is_err() {
        say("crc", Value::Word("WRONG".to_owned()));
    }
    let mut scratch = Scratch::default();
    let records = match batch.records(&mut scratch, RECORDS_BYTES_MAX) {
        Err(error) => Value::Text(error.to_string()),
        Ok(records) => {
            let tell = |record: Result<ottla_record::Record<'_>, _>| match record {
                Ok(record) => Value::Fields(told_record(&record, is_append_time)),
                Err(_) => Value::Word("DAMAGED".to_owned()),
            };
            Value::List(records.map(tell).collect())
        }
    };
    fields.push(("records".to_owned(), records));
    fields
}

fn told_record(record: &ottla_record::Record<'_>, is_append_time: bool) -> Fields {
    let told = |bytes: Option<&[u8]>| match bytes {
        None => Value::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if text.len() > 80 => Value::Word(format!("{}-bytes", text.len())),
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
    };
    let mut fields = vec![("offset".to_owned(), Value::Int(record.offset.0))];
    if !is_append_time {
        fields.push(("timestamp".to_owned(), Value::Int(record.timestamp.0)));
    }
    fields.push(("key".to_owned(), told(record.key)));
    fields.push(("value".to_owned(), told(record.value)));
    let header = |header: ottla_record::Header<'_>| {
        Value::Fields(vec![("key".to_owned(), told(Some(header.key))), ("value".to_owned(), told(header.value))])
    };
    let headers: Vec<_> = record.headers.clone().map(header).collect();
    if !headers.is_empty() {
        fields.push(("headers".to_owned(), Value::List(headers)));
    }
    fields
}
