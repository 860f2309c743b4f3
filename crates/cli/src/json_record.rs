//! A record as a JSON object: what `ottla consume --output json` prints and `ottla produce --input json` reads.
//!
//! ```text
//! {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"key":null,"value":"v","headers":[["name","text"]]}
//! ```
//! Reading needs none of the fields; topic and offset are passed over, so that one topic's records can be written to
//! another. Key and value look as their [`Format`] says, values of headers as text.

use ottla_client::FetchedRecord;
use serde_json::{Map, Value, json};

use crate::format::Format;

/// How the key and the value of a record look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Formats {
    pub key: Format,
    pub value: Format,
}

/// A record as an object.
pub(crate) fn to_json(
    topic: &str,
    partition: i32,
    record: &FetchedRecord<'_>,
    formats: Formats,
) -> Result<Value, String> {
    let headers = record.headers.clone().map(|header| {
        let key = String::from_utf8_lossy(header.key).into_owned();
        Ok(json!([key, Format::String.to_json(header.value)?]))
    });
    let mut object = Map::new();
    object.insert("topic".to_owned(), topic.into());
    object.insert("partition".to_owned(), partition.into());
    object.insert("offset".to_owned(), record.offset.0.into());
    object.insert("timestamp".to_owned(), record.timestamp.0.into());
    object.insert("key".to_owned(), formats.key.to_json(record.key).map_err(|reason| format!("the key {reason}"))?);
    object.insert(
        "value".to_owned(),
        formats.value.to_json(record.value).map_err(|reason| format!("the value {reason}"))?,
    );
    object.insert("headers".to_owned(), headers.collect::<Result<Value, String>>()?);
    Ok(Value::Object(object))
}

/// A header that was read: its name and its value, which may be null.
type ReadHeader = (String, Option<Vec<u8>>);

/// A record that was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ReadRecord {
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<ReadHeader>,
}

/// Reads a record; the error says what is wrong with the line.
pub(crate) fn from_json(line: &[u8], formats: Formats) -> Result<ReadRecord, String> {
    let object: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("is no JSON object: {error}"))?;
    let mut record = ReadRecord::default();
    for (name, value) in &object {
        match name.as_str() {
            "topic" | "offset" => {}
            "partition" => {
                let index = value.as_i64().and_then(|index| i32::try_from(index).ok()).filter(|index| *index >= 0);
                record.partition = Some(index.ok_or("has a partition that is no number from 0")?);
            }
            "timestamp" => {
                record.timestamp = Some(value.as_i64().ok_or("has a timestamp that is no number of milliseconds")?);
            }
            "key" => record.key = formats.key.parse_json(value).map_err(|reason| format!("has a key that {reason}"))?,
            "value" => {
                record.value =
                    formats.value.parse_json(value).map_err(|reason| format!("has a value that {reason}"))?;
            }
            "headers" => record.headers = headers(value)?,
            _ => return Err(format!("has a field \"{name}\" that no record has")),
        }
    }
    Ok(record)
}

fn headers(value: &Value) -> Result<Vec<ReadHeader>, String> {
    let wrong = || "has headers that are no list of [name, value]".to_owned();
    let header = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(name), value]) => Ok((name.clone(), Format::String.parse_json(value)?)),
        _ => Err(wrong()),
    };
    value.as_array().ok_or_else(wrong)?.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Formats = Formats { key: Format::String, value: Format::String };

    #[test]
    fn a_line_is_read_field_by_field() {
        let line = br#"{"topic":"t","partition":3,"offset":9,"timestamp":5,"key":"k","value":null,"headers":[["a","1"],["b",null]]}"#;
        let expected = ReadRecord {
            partition: Some(3),
            timestamp: Some(5),
            key: Some(b"k".to_vec()),
            value: None,
            headers: vec![("a".into(), Some(b"1".to_vec())), ("b".into(), None)],
        };
        assert_eq!(from_json(line, TEXT), Ok(expected));
        assert_eq!(from_json(b"{}", TEXT), Ok(ReadRecord::default()));
    }

    #[test]
    fn a_wrong_line_is_refused_with_the_reason() {
        let refusal = |line: &str| from_json(line.as_bytes(), TEXT).unwrap_err();
        assert!(refusal("[1]").starts_with("is no JSON object"));
        assert_eq!(refusal(r#"{"vlaue":"x"}"#), "has a field \"vlaue\" that no record has");
        assert!(refusal(r#"{"partition":-1}"#).contains("partition"));
        assert!(refusal(r#"{"value":{"a":1}}"#).contains("--value-format json"));
        assert!(refusal(r#"{"headers":{"a":"b"}}"#).contains("headers"));
    }
}
