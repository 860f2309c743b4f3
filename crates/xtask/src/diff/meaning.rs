//! What words and functions of a script stand for: its values, worked out into plain ones.
//!
//! - `$v` within a text: the version that the scene is at; `$DATA`: the brokers' folder;
//! - `pid#1`, `session#2`…: the number or id that an answer of this scene showed under that name;
//! - `id"NAME"`: the id of a topic, as an answer of this scene told it; `id"?"` one that none has, `id""` the zero id;
//! - `batch{…}`: a record batch or message set, see [`super::records`];
//! - `patch(BYTES, AT, BYTES)`: other bytes from a position on, counted from the end if it is negative;
//!   `cut(BYTES, N)`: without the last N; `join(BYTES…)`; `sealed(BYTES)`: with the right CRC; `zeros(N)`;
//!   `repeat(BYTES, N)`; `gzip(BYTES)`: compressed, for wrappers made by hand; `int32(N)` and such: big-endian numbers;
//! - `sized(BYTES)`: the same with the length that stands in its first four made right, for a request that was cut;
//! - `error(NAME)`: an error's number; `now(N)`: the clock's milliseconds and N more;
//! - `many(N, VALUE)`: a list of N values, in whose texts `$i` counts from 0;
//! - `request(API@VERSION, {fields})`: a whole request with its length in front, for `! send`; what its header says
//!   stands behind: `request(API@VERSION, {fields}, {correlation=7 client="x" header=1 tags=[{tag=5 bytes=hex"00"}]})`;
//!   `message(…)`: the same without the length; `framed(BYTES)`: the length in front of any bytes.

use std::time::SystemTime;

use super::encode::{encode, tagged};
use super::masks::Names;
use super::notation::{Fields, Value, line};
use super::records;
use super::schemas::Schemas;
use ottla_types::ErrorCode;

/// Where a value is worked out.
pub(super) struct Meaning<'a, 'b> {
    pub(super) schemas: &'a Schemas,
    pub(super) names: &'a mut Names<'b>,
    /// What `$v` stands for.
    pub(super) version: i16,
}

impl Meaning<'_, '_> {
    /// The plain value: no words, no functions.
    pub(super) fn of(&mut self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::Text(text) => Value::Text(self.text(text)),
            Value::List(values) => Value::List(self.all(values)?),
            Value::Fields(fields) => Value::Fields(self.fields(fields)?),
            // The words of a batch are read by its builder.
            Value::Word(word) if word.contains('#') => {
                self.names.named(word).ok_or_else(|| format!("no answer showed {word} yet"))?
            }
            Value::Call(name, arguments) => self.call(name, arguments)?,
            plain => plain.clone(),
        })
    }

    /// A text with `$v` filled in.
    pub(super) fn text(&mut self, text: &str) -> String {
        self.names.fill_in(text, self.version)
    }

    /// The fields of a request.
    pub(super) fn fields(&mut self, fields: &Fields) -> Result<Fields, String> {
        fields.iter().map(|(name, value)| Ok((name.clone(), self.of(value)?))).collect()
    }

    fn all(&mut self, values: &[Value]) -> Result<Vec<Value>, String> {
        values.iter().map(|value| self.of(value)).collect()
    }

    /// A value that has to be bytes.
    pub(super) fn bytes(&mut self, value: &Value) -> Result<Vec<u8>, String> {
        match self.of(value)? {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Text(text) => Ok(text.into_bytes()),
            other => Err(format!("{} are no bytes", line(&other))),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let bytes = match (name, arguments) {
            ("id", [Value::Text(topic)]) if topic.is_empty() => vec![0; 16],
            ("id", [Value::Text(topic)]) => {
                self.names.id(topic).ok_or_else(|| format!("no answer told the id of {topic} yet"))?
            }
            ("batch", [Value::Fields(fields)]) => records::build(&self.fields(fields)?)?,
            ("patch", [bytes, Value::Int(at), other]) => patch(self.bytes(bytes)?, *at, &self.bytes(other)?)?,
            ("cut", [bytes, Value::Int(count)]) => {
                let mut bytes = self.bytes(bytes)?;
                let left = usize::try_from(*count).ok().and_then(|count| bytes.len().checked_sub(count));
                bytes.truncate(left.ok_or("cut takes more than there is")?);
                bytes
            }
            ("join", parts) => parts.iter().map(|part| self.bytes(part)).collect::<Result<Vec<_>, _>>()?.concat(),
            ("sized", [bytes]) => {
                let bytes = self.bytes(bytes)?;
                let length = bytes.len().checked_sub(4).ok_or("a request is longer than its length")?;
                patch(bytes, 0, &i32::try_from(length).map_err(|e| e.to_string())?.to_be_bytes())?
            }
            ("now", [Value::Int(more)]) => {
                let now = SystemTime::UNIX_EPOCH.elapsed().map_err(|e| e.to_string())?;
                return Ok(Value::Int(i64::try_from(now.as_millis()).map_err(|e| e.to_string())? + more));
            }
            ("sealed", [bytes]) => records::sealed(self.bytes(bytes)?)?,
            ("gzip", [bytes]) => gzip(&self.bytes(bytes)?)?,
            ("zeros", [Value::Int(count)]) => vec![0; usize::try_from(*count).map_err(|e| e.to_string())?],
            ("repeat", [bytes, Value::Int(count)]) => {
                self.bytes(bytes)?.repeat(usize::try_from(*count).map_err(|e| e.to_string())?)
            }
            ("int8", [Value::Int(n)]) => i8::try_from(*n).map_err(|e| e.to_string())?.to_be_bytes().to_vec(),
            ("int16", [Value::Int(n)]) => i16::try_from(*n).map_err(|e| e.to_string())?.to_be_bytes().to_vec(),
            ("int32", [Value::Int(n)]) => i32::try_from(*n).map_err(|e| e.to_string())?.to_be_bytes().to_vec(),
            ("int64", [Value::Int(n)]) => n.to_be_bytes().to_vec(),
            ("request", [Value::Word(api), Value::Fields(fields), more @ ..]) => {
                framed(self.message(api, fields, more)?)?
            }
            ("message", [Value::Word(api), Value::Fields(fields), more @ ..]) => self.message(api, fields, more)?,
            ("framed", [bytes]) => framed(self.bytes(bytes)?)?,
            ("error", [Value::Word(name)]) => {
                let known = (-1..200).filter_map(ErrorCode::from_raw).find(|error| error.name() == name);
                let known = known.ok_or_else(|| format!("no error is called {name}"))?;
                return Ok(Value::Int(i64::from(known.raw())));
            }
            ("many", [Value::Int(count), value]) => {
                let count = usize::try_from(*count).map_err(|e| e.to_string())?;
                return (0..count)
                    .map(|index| self.of(&numbered(value, index)))
                    .collect::<Result<_, _>>()
                    .map(Value::List);
            }
            _ => {
                return Err(format!(
                    "no function is called {name} and takes {}",
                    arguments.iter().map(line).collect::<Vec<_>>().join(", ")
                ));
            }
        };
        Ok(Value::Bytes(bytes))
    }

    fn message(&mut self, api: &str, fields: &Fields, more: &[Value]) -> Result<Vec<u8>, String> {
        let (api, version) = api_at(api)?;
        let version = version.unwrap_or(self.version);
        let mut head = Head { correlation: 1, ..Head::default() };
        if let [Value::Fields(more)] = more {
            for (name, value) in self.fields(more)? {
                match (name.as_str(), value) {
                    ("correlation", Value::Int(number)) => {
                        head.correlation = i32::try_from(number).map_err(|e| e.to_string())?;
                    }
                    ("client", Value::Text(name)) => head.client = Some(name.into_bytes()),
                    ("client", Value::Bytes(name)) => head.client = Some(name),
                    ("client", Value::Null) => head.client = None,
                    ("header", Value::Int(version)) => head.version = Some(version),
                    ("tags", tags @ Value::List(_)) => head.tags = vec![("tags".to_owned(), tags)],
                    _ => return Err(format!("a request's header has no {name} of that kind")),
                }
            }
        }
        let body = self.fields(fields)?;
        message(self.schemas, api, version, &head, &body)
    }
}

/// `API` or `API@VERSION`.
pub(super) fn api_at(text: &str) -> Result<(&str, Option<i16>), String> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((api, version)) => {
            let version = version.parse().map_err(|_| format!("{text}: \"{version}\" is no version"))?;
            Ok((api, Some(version)))
        }
    }
}

/// What stands before a request's body.
pub(super) struct Head {
    pub(super) correlation: i32,
    /// What the client calls itself.
    client: Option<Vec<u8>>,
    /// The header's version, if it is not the one that is due.
    version: Option<i64>,
    /// `tags=[…]` or nothing.
    tags: Fields,
}

impl Default for Head {
    fn default() -> Self {
        Self { correlation: 0, client: Some(b"diff".to_vec()), version: None, tags: Fields::new() }
    }
}

/// A request with its header, without its length.
fn message(schemas: &Schemas, api: &str, version: i16, head: &Head, fields: &Fields) -> Result<Vec<u8>, String> {
    let schema = schemas.of(api)?;
    let mut bytes = [schema.key().to_be_bytes(), version.to_be_bytes()].concat();
    bytes.extend(head.correlation.to_be_bytes());
    let due = if schema.is_flexible(version) { 2 } else { 1 };
    let header = head.version.unwrap_or(due);
    match &head.client {
        _ if header == 0 => {}
        None => bytes.extend((-1i16).to_be_bytes()),
        Some(client) => {
            bytes.extend(i16::try_from(client.len()).map_err(|e| e.to_string())?.to_be_bytes());
            bytes.extend(client);
        }
    }
    if header == 2 {
        bytes.extend(tagged(&head.tags)?);
    }
    let body = encode(schema, &schema.request().body, version, fields);
    bytes.extend(body.map_err(|why| format!("{api} v{version}: {why}"))?);
    Ok(bytes)
}

/// Any bytes with their length in front.
fn framed(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let length = i32::try_from(bytes.len()).map_err(|e| e.to_string())?;
    Ok([length.to_be_bytes().to_vec(), bytes].concat())
}

/// A request with its header and its length in front.
pub(super) fn request(
    schemas: &Schemas,
    api: &str,
    version: i16,
    correlation: i32,
    fields: &Fields,
) -> Result<Vec<u8>, String> {
    framed(message(schemas, api, version, &Head { correlation, ..Head::default() }, fields)?)
}

fn patch(mut bytes: Vec<u8>, at: i64, other: &[u8]) -> Result<Vec<u8>, String> {
    let length = i64::try_from(bytes.len()).map_err(|e| e.to_string())?;
    let at = usize::try_from(if at < 0 { length + at } else { at }).map_err(|_| "patch begins before the bytes")?;
    let place = bytes.get_mut(at..at + other.len()).ok_or("patch reaches beyond the bytes")?;
    place.copy_from_slice(other);
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).map_err(|e| e.to_string())?;
    encoder.finish().map_err(|e| e.to_string())
}

/// The value with `$i` in its texts filled in.
fn numbered(value: &Value, index: usize) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.replace("$i", &index.to_string())),
        Value::List(values) => Value::List(values.iter().map(|value| numbered(value, index)).collect()),
        Value::Fields(fields) => {
            Value::Fields(fields.iter().map(|(name, value)| (name.clone(), numbered(value, index))).collect())
        }
        Value::Call(name, arguments) => {
            Value::Call(name.clone(), arguments.iter().map(|value| numbered(value, index)).collect())
        }
        Value::Word(word) if word == "$i" => Value::Int(i64::try_from(index).unwrap_or(i64::MAX)),
        plain => plain.clone(),
    }
}
