//! An answer's fields from its bytes, by its schema. A codec of its own, as [`super::encode`] is.
//!
//! Fields that have their default are left out, so that an answer shows what is special about it, and is the same in all
//! versions that say the same. Errors are words. What [`super::masks`] hides is hidden here.

use super::encode::default_of;
use super::masks::Names;
use super::notation::{Fields, Value};
use super::records;
use super::schemas::{Place, Schema};
use ottla_types::ErrorCode;
use xtask::codegen::model::{Kind, Struct};

/// Reads a response's body to its end.
pub(super) fn decode(
    schema: &Schema,
    api: &str,
    version: i16,
    bytes: &[u8],
    names: &mut Names<'_>,
) -> Result<Fields, String> {
    let mut reader =
        Reader { schema, version, is_flexible: schema.is_flexible(version), left: bytes, path: api.to_owned() };
    let mut fields = reader.structure(&schema.response().body, names)?;
    if !reader.left.is_empty() {
        fields.push(("behind-the-end".to_owned(), Value::Bytes(reader.left.to_vec())));
    }
    Ok(fields)
}

struct Reader<'a> {
    schema: &'a Schema,
    version: i16,
    is_flexible: bool,
    left: &'a [u8],
    /// The names of the API and of the fields around this one, with points between.
    path: String,
}

impl<'a> Reader<'a> {
    fn structure(&mut self, body: &Struct, names: &mut Names<'_>) -> Result<Fields, String> {
        let mut fields = Fields::new();
        let depth = self.path.len();
        let version = self.version;
        for field in body.fields.iter().filter(|field| field.versions.contains(version)) {
            if field.tag.is_some() && self.is_flexible {
                continue;
            }
            self.path = format!("{}.{}", &self.path[..depth], field.name);
            let place = Place { field, is_flexible: self.is_flexible && !field.plain };
            let value = self.value(&field.kind, place, names).map_err(|why| format!("{}: {why}", self.path))?;
            self.keep(&mut fields, place, value, names);
            self.path.truncate(depth);
        }
        if self.is_flexible {
            self.tagged(body, &mut fields, names)?;
            self.path.truncate(depth);
        }
        names.learn(&fields);
        names.hide_ids(&mut fields);
        Ok(fields)
    }

    fn keep(&self, fields: &mut Fields, place: Place<'_>, value: Value, names: &mut Names<'_>) {
        let field = place.field;
        let is_error = field.name.ends_with("error_code");
        // A field that is not there reads like one with its default, but for an error, which is always of interest.
        let is_default = value == default_of(field, self.version) && field.name != "error_code";
        if is_default || names.is_unseen(&self.path) {
            return;
        }
        let value = if is_error { error(&value) } else { names.hide(&self.path, value) };
        fields.push((field.name.clone(), value));
    }

    fn tagged(&mut self, body: &Struct, fields: &mut Fields, names: &mut Names<'_>) -> Result<(), String> {
        let depth = self.path.len();
        for _ in 0..self.varint()? {
            let (tag, length) = (self.varint()?, self.varint()?);
            let content = self.take(length)?;
            let known = |field: &&xtask::codegen::model::Field| {
                field.versions.contains(self.version) && field.tag.is_some_and(|known| known as usize == tag)
            };
            match body.fields.iter().find(known) {
                Some(field) => {
                    self.path = format!("{}.{}", &self.path[..depth], field.name);
                    let behind = std::mem::replace(&mut self.left, content);
                    let place = Place { field, is_flexible: true };
                    let value = self.value(&field.kind, place, names)?;
                    self.left = behind;
                    self.keep(fields, place, value, names);
                }
                None => fields.push((format!("tag{tag}"), Value::Bytes(content.to_vec()))),
            }
        }
        Ok(())
    }

    fn value(&mut self, kind: &Kind, place: Place<'_>, names: &mut Names<'_>) -> Result<Value, String> {
        Ok(match kind {
            Kind::Bool => match self.number::<1>()?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => Value::Int(i64::from(other)),
            },
            Kind::Int8 => Value::Int(i64::from(i8::from_be_bytes(self.number()?))),
            Kind::Int16 => Value::Int(i64::from(i16::from_be_bytes(self.number()?))),
            Kind::Uint16 => Value::Int(i64::from(u16::from_be_bytes(self.number()?))),
            Kind::Int32 => Value::Int(i64::from(i32::from_be_bytes(self.number()?))),
            Kind::Uint32 => Value::Int(i64::from(u32::from_be_bytes(self.number()?))),
            Kind::Int64 => Value::Int(i64::from_be_bytes(self.number()?)),
            Kind::Float64 => Value::Float(f64::from_be_bytes(self.number()?)),
            Kind::Uuid => Value::Bytes(self.take(16)?.to_vec()),
            Kind::String => match self.length(place, 2)? {
                None => Value::Null,
                Some(length) => {
                    let bytes = self.take(length)?;
                    let text = std::str::from_utf8(bytes).map(|text| Value::Text(text.to_owned()));
                    text.unwrap_or_else(|_| Value::Bytes(bytes.to_vec()))
                }
            },
            Kind::Bytes => match self.length(place, 4)? {
                None => Value::Null,
                Some(length) => Value::Bytes(self.take(length)?.to_vec()),
            },
            Kind::Records => match self.length(place, 4)? {
                None => Value::Null,
                Some(length) => {
                    let path = self.path.clone();
                    records::tell(self.take(length)?, &mut |name, value| names.hide(&format!("{path}.{name}"), value))
                }
            },
            Kind::Array(inner) => match self.length(place, 4)? {
                None => Value::Null,
                Some(count) => {
                    let mut values = Vec::new();
                    for _ in 0..count {
                        values.push(self.value(inner, place, names)?);
                    }
                    Value::List(values)
                }
            },
            Kind::Struct(name) => {
                let is_nullable = place.field.nullable.is_some_and(|versions| versions.contains(self.version));
                if is_nullable && kind == &place.field.kind && i8::from_be_bytes(self.number()?) < 0 {
                    return Ok(Value::Null);
                }
                let body = self.schema.structure(name)?;
                Value::Fields(self.structure(body, names)?)
            }
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.left.split_at_checked(count).ok_or("the answer ends within it")?;
        self.left = left;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(*self.take(N)?.first_chunk().expect("as many as were taken"))
    }

    /// How many bytes or elements follow; `None` for null.
    fn length(&mut self, place: Place<'_>, width: usize) -> Result<Option<usize>, String> {
        let length = match (place.is_flexible, width) {
            (true, _) => i64::try_from(self.varint()?).map_err(|e| e.to_string())? - 1,
            (false, 2) => i64::from(i16::from_be_bytes(self.number()?)),
            (false, _) => i64::from(i32::from_be_bytes(self.number()?)),
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| format!("a length is {length}")),
        }
    }

    fn varint(&mut self) -> Result<usize, String> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.number::<1>()?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a varint has no end".to_owned())
    }
}

/// The name of an error.
fn error(value: &Value) -> Value {
    let Value::Int(raw) = value else { return value.clone() };
    let known = i16::try_from(*raw).ok().and_then(ErrorCode::from_raw);
    known.map_or_else(|| value.clone(), |error| Value::Word(error.name().to_owned()))
}
