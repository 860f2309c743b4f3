//! A message's bytes, from its schema and the fields that a script names: any version, any value, null and unknown tags
//! included. It is a codec of its own, so that what is sent does not depend on the code under test.

use super::notation::{Fields, Value};
use crate::diff::schemas::{Place, Schema};
use xtask::codegen::model::{Default, Field, Kind, Struct};

/// The bytes of the struct `body`. A field that is not named has its default; one that the version lacks is left out;
/// one that no version has is an error.
pub(super) fn encode(schema: &Schema, body: &Struct, version: i16, fields: &Fields) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    Writer { schema, version, is_flexible: schema.is_flexible(version) }.structure(&mut out, body, fields)?;
    Ok(out)
}

struct Writer<'a> {
    schema: &'a Schema,
    version: i16,
    is_flexible: bool,
}

impl Writer<'_> {
    fn structure(&self, out: &mut Vec<u8>, body: &Struct, fields: &Fields) -> Result<(), String> {
        let is_known = |name: &str| name == "tags" || body.fields.iter().any(|field| field.name == name);
        if let Some((name, _)) = fields.iter().find(|(name, _)| !is_known(name)) {
            return Err(format!("{} has no field {name}", body.name));
        }
        let named = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let mut tagged = Vec::<(u32, Vec<u8>)>::new();
        for field in body.fields.iter().filter(|field| field.versions.contains(self.version)) {
            let place = Place { field, is_flexible: self.is_flexible && !field.plain };
            let value = named(&field.name).cloned();
            match field.tag.filter(|_| self.is_flexible) {
                Some(tag) => {
                    if let Some(value) = value {
                        let mut bytes = Vec::new();
                        self.value(&mut bytes, &field.kind, place, &value)?;
                        tagged.push((tag, bytes));
                    }
                }
                None => {
                    let value = value.unwrap_or_else(|| default_of(field, self.version));
                    self.value(out, &field.kind, place, &value).map_err(|why| format!("{}: {why}", field.name))?;
                }
            }
        }
        if self.is_flexible {
            tagged.extend(unknown_of(fields)?);
            out.extend(written(tagged));
        }
        Ok(())
    }

    fn value(&self, out: &mut Vec<u8>, kind: &Kind, place: Place<'_>, value: &Value) -> Result<(), String> {
        let wrong = || format!("{kind:?} is expected, not {}", super::notation::line(value));
        match (kind, value) {
            (Kind::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
            (Kind::Bool | Kind::Int8, Value::Int(value)) => out.push(whole::<i8>(*value)?.to_be_bytes()[0]),
            (Kind::Int16, Value::Int(value)) => out.extend(whole::<i16>(*value)?.to_be_bytes()),
            (Kind::Uint16, Value::Int(value)) => out.extend(whole::<u16>(*value)?.to_be_bytes()),
            (Kind::Int32, Value::Int(value)) => out.extend(whole::<i32>(*value)?.to_be_bytes()),
            (Kind::Uint32, Value::Int(value)) => out.extend(whole::<u32>(*value)?.to_be_bytes()),
            (Kind::Int64, Value::Int(value)) => out.extend(value.to_be_bytes()),
            (Kind::Float64, Value::Float(value)) => out.extend(value.to_be_bytes()),
            (Kind::Uuid, Value::Bytes(bytes)) if bytes.len() == 16 => out.extend(bytes),
            (Kind::String, Value::Text(text)) => self.lengthed(out, text.as_bytes(), place, 2)?,
            // Text that is not UTF-8.
            (Kind::String, Value::Bytes(bytes)) => self.lengthed(out, bytes, place, 2)?,
            (Kind::Bytes | Kind::Records, Value::Bytes(bytes)) => self.lengthed(out, bytes, place, 4)?,
            (Kind::Bytes | Kind::Records, Value::Text(text)) => self.lengthed(out, text.as_bytes(), place, 4)?,
            (Kind::String, Value::Null) if !place.is_flexible => out.extend((-1i16).to_be_bytes()),
            (Kind::Bytes | Kind::Records | Kind::Array(_), Value::Null) if !place.is_flexible => {
                out.extend((-1i32).to_be_bytes());
            }
            (Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_), Value::Null) => out.push(0),
            (Kind::Array(inner), Value::List(values)) => {
                if place.is_flexible {
                    varint(out, values.len() + 1);
                } else {
                    out.extend(whole::<i32>(i64::try_from(values.len()).map_err(|_| wrong())?)?.to_be_bytes());
                }
                for value in values {
                    self.value(out, inner, place, value)?;
                }
            }
            (Kind::Struct(_), Value::Null) => out.push(u8::MAX),
            (Kind::Struct(name), Value::Fields(fields)) => {
                if place.field.nullable.is_some_and(|versions| versions.contains(self.version))
                    && kind == &place.field.kind
                {
                    out.push(1);
                }
                self.structure(out, self.schema.structure(name)?, fields)?;
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Bytes behind their length, which takes `width` bytes in the plain form.
    fn lengthed(&self, out: &mut Vec<u8>, bytes: &[u8], place: Place<'_>, width: usize) -> Result<(), String> {
        let length = i64::try_from(bytes.len()).map_err(|e| e.to_string())?;
        match (place.is_flexible, width) {
            (true, _) => varint(out, bytes.len() + 1),
            (false, 2) => out.extend(whole::<i16>(length)?.to_be_bytes()),
            (false, _) => out.extend(whole::<i32>(length)?.to_be_bytes()),
        }
        out.extend(bytes);
        Ok(())
    }
}

/// What `tags=[…]` among the fields stands for, as it stands behind a struct or a header.
pub(super) fn tagged(fields: &Fields) -> Result<Vec<u8>, String> {
    Ok(written(unknown_of(fields)?))
}

fn unknown_of(fields: &Fields) -> Result<Vec<(u32, Vec<u8>)>, String> {
    match fields.iter().find(|(name, _)| name == "tags") {
        Some((_, Value::List(more))) => more.iter().map(unknown).collect(),
        _ => Ok(Vec::new()),
    }
}

fn written(mut tagged: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::new();
    tagged.sort_by_key(|(tag, _)| *tag);
    varint(&mut out, tagged.len());
    for (tag, bytes) in tagged {
        varint(&mut out, tag as usize);
        varint(&mut out, bytes.len());
        out.extend(bytes);
    }
    out
}

/// An element of `tags=[{tag=5 bytes=hex"00"}]`: a tagged field that no schema knows.
fn unknown(value: &Value) -> Result<(u32, Vec<u8>), String> {
    let wrong = || format!("tags have the form {{tag=5 bytes=hex\"00\"}}, not {}", super::notation::line(value));
    let Value::Fields(fields) = value else { return Err(wrong()) };
    match &fields[..] {
        [(tag, Value::Int(number)), (bytes, Value::Bytes(content))] if tag == "tag" && bytes == "bytes" => {
            Ok((whole(*number)?, content.clone()))
        }
        _ => Err(wrong()),
    }
}

fn whole<T: TryFrom<i64>>(value: i64) -> Result<T, String> {
    T::try_from(value).map_err(|_| format!("{value} does not fit into the field"))
}

/// An unsigned varint.
pub(super) fn varint(out: &mut Vec<u8>, value: usize) {
    let mut left = value;
    while left >= 0x80 {
        out.push(0x80 | u8::try_from(left & 0x7f).expect("seven bits"));
        left >>= 7;
    }
    out.push(u8::try_from(left).expect("seven bits"));
}

/// What a field is when nobody says anything.
pub(super) fn default_of(field: &Field, version: i16) -> Value {
    let is_nullable = field.nullable.is_some_and(|versions| versions.contains(version));
    match (&field.default, &field.kind) {
        (Default::Number(number), Kind::Float64) => Value::Float(*number as f64),
        (Default::Number(number), _) => Value::Int(*number),
        (Default::True, _) => Value::Bool(true),
        (Default::Natural, _) if is_nullable => Value::Null,
        (_, Kind::Bool) => Value::Bool(false),
        (_, Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Uint16 | Kind::Uint32) => Value::Int(0),
        (_, Kind::Float64) => Value::Float(0.0),
        (_, Kind::Uuid) => Value::Bytes(vec![0; 16]),
        (_, Kind::String) => Value::Text(String::new()),
        (_, Kind::Bytes | Kind::Records) => Value::Bytes(Vec::new()),
        (_, Kind::Struct(_)) => Value::Fields(Fields::new()),
        (_, Kind::Array(_)) => Value::List(Vec::new()),
    }
}
