//! Records of the brokers' own topics, as Kafka's dump tool prints them: JSON of what each says, or for
//! `__remote_log_metadata` the text that Kafka's classes make of themselves ([`remote_log`](super::remote_log)).
//!
//! What each record is made of is in `ottla_wire::records`.

use data_encoding::BASE64;
use ottla_record::Record;
use ottla_wire::records::client::consumer_protocol_assignment::ConsumerProtocolAssignment;
use ottla_wire::records::client::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_wire::{DecodeError, Reader, Tell, TypedRecord, Value as Told, framing};
use serde_json::{Map, Value, json};

use super::remote_log;

/// The topic that a segment belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decoder {
    /// `__consumer_offsets`
    Offsets,
    /// `__transaction_state`
    TransactionLog,
    /// `__share_group_state`
    ShareGroupState,
    /// `__cluster_metadata`
    ClusterMetadata,
    /// `__remote_log_metadata`
    RemoteLogMetadata,
}

/// What a record says.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) key: Option<Value>,
    pub(super) value: Option<Value>,
}

impl Decoder {
    /// What a record says. One that cannot be read says so in the place of its key or value, as with Kafka's tool; without
    /// the key that it must have, it is an error.
    pub(super) fn decode(self, record: &Record<'_>) -> Result<Decoded, String> {
        match self {
            Self::Offsets => keyed("group", record),
            Self::TransactionLog => keyed("transaction", record),
            Self::ShareGroupState => keyed("share", record),
            Self::ClusterMetadata => Ok(alone("Error at", record, framed)),
            Self::RemoteLogMetadata => {
                Ok(alone("Error at offset", record, |value| remote_log::text(value).map(Value::from)))
            }
        }
    }
}

/// As it stands in a line: text as it is, all else as JSON.
pub(super) fn printed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A record of a coordinator: the key tells what it is.
fn keyed(folder: &str, record: &Record<'_>) -> Result<Decoded, String> {
    let Some(key) = record.key else { return Err(format!("offset {}: the key is missing", record.offset)) };
    let read = framing::key_type(key).map(|kind| (kind, read_keyed(folder, kind, key, record.value)));
    let said = |text: String| Decoded { key: Some(Value::from(text)), value: None };
    Ok(match read {
        Ok((_, Some(Ok(decoded)))) => decoded,
        Ok((kind, None)) => said(format!("Unknown record type {kind} at offset {}, skipping.", record.offset)),
        Ok((_, Some(Err(error)))) | Err(error) => said(format!("Error at offset {}, skipping. {error}", record.offset)),
    })
}

/// `None` if no record has that number.
fn read_keyed(folder: &str, kind: i16, key: &[u8], value: Option<&[u8]>) -> Option<Result<Decoded, DecodeError>> {
    macro_rules! try_one {
        ($folder:ident, $module:ident, $key:ident, $value:ident) => {
            use ottla_wire::records::$folder::$module;
            if folder == stringify!($folder) && kind == <$module::$key as TypedRecord>::TYPE {
                return Some(read_pair::<$module::$key, $module::$value>(key, value));
            }
        };
    }
    ottla_wire::for_every_keyed_record!(try_one);
    None
}

fn read_pair<K: TypedRecord + Tell, V: TypedRecord + Tell>(
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Decoded, DecodeError> {
    let told = framing::read_key::<K>(key)?.tell(*K::VERSIONS.end());
    let key = json!({ "type": K::TYPE.to_string(), "data": to_json(told) });
    let value = match value {
        None => Value::from("<DELETE>"),
        Some(value) => {
            let (record, version) = framing::read_versioned::<V>(value)?;
            let mut told = record.tell(version);
            if V::NAME == "GroupMetadataValue" {
                open_protocol(&mut told);
            }
            json!({ "version": version.to_string(), "data": to_json(told) })
        }
    };
    Ok(Decoded { key: Some(key), value: Some(value) })
}

/// Of a group of consumers the members' subscriptions and assignments are told, too, in the place of their bytes.
fn open_protocol(group: &mut Told) {
    let Told::Fields(fields) = group else { return };
    let is_consumers = Told::Text("consumer".to_owned());
    if !fields.iter().any(|(name, value)| *name == "protocolType" && *value == is_consumers) {
        return;
    }
    let members = fields.iter_mut().find(|(name, _)| *name == "members");
    let Some((_, Told::List(members))) = members else { return };
    for (name, value) in members.iter_mut().filter_map(fields_of).flatten() {
        let Told::Bytes(bytes) = &*value else { continue };
        let opened = match *name {
            "subscription" => open::<ConsumerProtocolSubscription>(bytes),
            "assignment" => open::<ConsumerProtocolAssignment>(bytes),
            _ => None,
        };
        if let Some(opened) = opened {
            *value = opened;
        }
    }
}

fn fields_of(value: &mut Told) -> Option<&mut Vec<(&'static str, Told)>> {
    match value {
        Told::Fields(fields) => Some(fields),
        _ => None,
    }
}

/// `None` for bytes that are something else: they stay as they are.
fn open<R: ottla_wire::Record + Tell>(bytes: &[u8]) -> Option<Told> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16().ok()?;
    R::decode(&mut reader, version).ok().map(|record| record.tell(version))
}

/// A record that says in its value what it is. The key says nothing.
fn alone(error: &str, record: &Record<'_>, read: impl Fn(&[u8]) -> Result<Value, String>) -> Decoded {
    let read = record.value.ok_or_else(|| "the value is missing".to_owned()).and_then(read);
    let value = read.unwrap_or_else(|reason| Value::from(format!("{error} {}, skipping. {reason}", record.offset)));
    Decoded { key: None, value: Some(value) }
}

/// A record of the cluster's metadata.
fn framed(value: &[u8]) -> Result<Value, String> {
    let mut reader = Reader::new(value);
    let head = framing::read_frame_head(&mut reader).map_err(|error| error.to_string())?;
    macro_rules! try_one {
        (cluster, $module:ident, $record:ident) => {
            use ottla_wire::records::cluster::$module::$record;
            if head.record_type == $record::TYPE {
                let told = read_rest::<$record>(&mut reader, head.version).map_err(|error| error.to_string())?;
                let kind = upper_snake(<$record as ottla_wire::Record>::NAME);
                return Ok(json!({ "type": kind, "version": head.version, "data": told }));
            }
        };
        ($($other:tt)*) => {};
    }
    ottla_wire::for_every_framed_record!(try_one);
    Err(format!("no record has the number {}", head.record_type))
}

fn read_rest<R: TypedRecord + Tell>(reader: &mut Reader<'_>, version: i16) -> Result<Value, DecodeError> {
    let record = R::decode(reader, version)?;
    reader.finish()?;
    Ok(to_json(record.tell(version)))
}

/// `TopicRecord` as Kafka's list of kinds has it: `TOPIC_RECORD`.
fn upper_snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

/// As Kafka's own converters do: bytes in base64, ids as Kafka writes them.
pub(super) fn to_json(told: Told) -> Value {
    match told {
        Told::Null => Value::Null,
        Told::Bool(value) => Value::from(value),
        Told::Int(value) => Value::from(value),
        Told::Float(value) => Value::from(value),
        Told::Text(value) => Value::from(value),
        Told::Bytes(value) => Value::from(BASE64.encode(&value)),
        Told::Uuid(value) => Value::from(value.to_string()),
        Told::List(values) => values.into_iter().map(to_json).collect(),
        Told::Fields(fields) => Value::Object(
            fields.into_iter().map(|(name, value)| (name.to_owned(), to_json(value))).collect::<Map<_, _>>(),
        ),
    }
}
