//! What a field is in Rust: its type, its default, the test for the default; and how small a struct can be in bytes.

use super::model::{Default, Field, Kind, Message, SchemaFile, Struct, Versions};

/// The Rust name of a field.
pub(super) fn field_name(field: &Field) -> String {
    let word = matches!(field.name.as_str(), "match" | "type" | "move" | "ref" | "use");
    if word { format!("r#{}", field.name) } else { field.name.clone() }
}

/// The Rust type of a field.
pub(super) fn rust_type(field: &Field) -> String {
    let plain = kind_type(&field.kind);
    if field.nullable.is_some() { format!("Option<{plain}>") } else { plain }
}

fn kind_type(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int8 => "i8".to_owned(),
        Kind::Int16 => "i16".to_owned(),
        Kind::Int32 => "i32".to_owned(),
        Kind::Int64 => "i64".to_owned(),
        Kind::Uint16 => "u16".to_owned(),
        Kind::Uint32 => "u32".to_owned(),
        Kind::Float64 => "f64".to_owned(),
        Kind::Uuid => "Uuid".to_owned(),
        Kind::String => "String".to_owned(),
        Kind::Bytes | Kind::Records => "Bytes".to_owned(),
        Kind::Struct(name) => name.clone(),
        Kind::Array(element) => format!("Vec<{}>", kind_type(element)),
    }
}

/// The type as the notation spells it.
pub(super) fn notation(kind: &Kind) -> String {
    match kind {
        Kind::Struct(name) => name.clone(),
        Kind::Array(element) => format!("[{}]", notation(element)),
        simple => format!("{simple:?}").to_lowercase(),
    }
}

/// The default as a Rust expression.
pub(super) fn default_value(field: &Field) -> String {
    match (field.default, &field.kind) {
        (Default::Number(number), Kind::Int8) if number == i64::from(i8::MIN) => "i8::MIN".to_owned(),
        (Default::Number(number), Kind::Int32) if number == i64::from(i32::MIN) => "i32::MIN".to_owned(),
        (Default::Number(number), Kind::Int32) if number == i64::from(i32::MAX) => "i32::MAX".to_owned(),
        (Default::Number(number), Kind::Int64) if number == i64::MAX => "i64::MAX".to_owned(),
        (Default::Number(number), _) if number.unsigned_abs() > 9_999 => grouped(number),
        (Default::Number(number), _) => number.to_string(),
        (Default::True, _) => "true".to_owned(),
        (Default::Empty, kind) => format!("Some({})", natural_value(kind)),
        (Default::Natural, _) if field.nullable.is_some() => "None".to_owned(),
        (Default::Natural, kind) => natural_value(kind),
    }
}

/// Zero, false or empty, as a Rust expression.
fn natural_value(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "false".to_owned(),
        Kind::Float64 => "0.0".to_owned(),
        Kind::Uuid => "Uuid::ZERO".to_owned(),
        Kind::String => "String::new()".to_owned(),
        Kind::Bytes | Kind::Records => "Bytes::new()".to_owned(),
        Kind::Struct(name) => format!("{name}::default()"),
        Kind::Array(_) => "Vec::new()".to_owned(),
        _ => "0".to_owned(),
    }
}

/// A long number with `_` between groups of three digits.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Whether every field's default is what `Default` gives its Rust type anyway.
pub(super) fn has_natural_defaults(body: &Struct) -> bool {
    body.fields.iter().all(|field| field.default == Default::Natural)
}

/// A Rust condition: the field has its default.
pub(super) fn is_default(field: &Field) -> String {
    let place = format!("self.{}", field_name(field));
    match (&field.kind, field.default) {
        (kind, Default::Empty) => format!("{place} == Some({})", natural_value(kind)),
        _ if field.nullable.is_some() => format!("{place}.is_none()"),
        (Kind::Bool, Default::True) => place,
        (Kind::Bool, _) => format!("!{place}"),
        (Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_), _) => format!("{place}.is_empty()"),
        (Kind::Uuid, _) => format!("{place}.is_zero()"),
        _ => format!("{place} == {}", default_value(field)),
    }
}

/// A Rust condition: the field does not have its default.
pub(super) fn is_set(field: &Field) -> String {
    let condition = is_default(field);
    if field.nullable.is_some() && field.default != Default::Empty {
        return format!("self.{}.is_some()", field_name(field));
    }
    match condition.strip_prefix('!') {
        Some(bare) => bare.to_owned(),
        None if condition.contains(" == ") => condition.replacen(" == ", " != ", 1),
        None => format!("!{condition}"),
    }
}

/// A Rust condition on `version`: it is within `inner`, given that it is within `outer`. `None` if that is certain.
pub(super) fn version_condition(inner: Versions, outer: Versions) -> Option<String> {
    match (inner.from > outer.from, inner.to < outer.to) {
        (false, false) => None,
        (true, false) => Some(format!("version >= {}", inner.from)),
        (false, true) if inner.to == outer.from => Some(format!("version == {}", inner.to)),
        (false, true) => Some(format!("version <= {}", inner.to)),
        (true, true) if inner.from == inner.to => Some(format!("version == {}", inner.from)),
        (true, true) => Some(format!("({}..={}).contains(&version)", inner.from, inner.to)),
    }
}

/// The fewest bytes that a struct takes in any version.
pub(super) fn size_min(file: &SchemaFile, body: &Struct) -> usize {
    let versions = body.versions.from..=body.versions.to;
    versions.map(|version| size_in(file, body, version)).min().unwrap_or(0)
}

fn size_in(file: &SchemaFile, body: &Struct, version: i16) -> usize {
    let flexible = body.flexible_from.is_some_and(|from| version >= from);
    let present = body.fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version));
    let fields: usize = present.map(|field| field_size_in(file, field, flexible && !field.plain, version)).sum();
    fields + usize::from(flexible)
}

fn field_size_in(file: &SchemaFile, field: &Field, compact: bool, version: i16) -> usize {
    match &field.kind {
        Kind::Bool | Kind::Int8 => 1,
        Kind::Int16 | Kind::Uint16 => 2,
        Kind::Int32 | Kind::Uint32 => 4,
        Kind::Int64 | Kind::Float64 => 8,
        Kind::Uuid => 16,
        Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) if compact => 1,
        Kind::String => 2,
        Kind::Bytes | Kind::Records | Kind::Array(_) => 4,
        Kind::Struct(_) if field.nullable.is_some() => 1,
        Kind::Struct(name) => file.structure(name).map_or(0, |body| size_in(file, body, version)),
    }
}

impl SchemaFile {
    /// The struct of that name, messages left out.
    #[must_use]
    pub fn structure(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|body| body.name == name)
    }

    /// Every message's body and every struct, in the order in which they are generated.
    pub(super) fn bodies(&self) -> impl Iterator<Item = (&Struct, Option<&Message>)> {
        let messages = self.messages.iter().map(|message| (&message.body, Some(message)));
        messages.chain(self.structs.iter().map(|body| (body, None)))
    }
}
