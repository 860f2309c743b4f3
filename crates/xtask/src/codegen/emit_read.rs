//! Emits `Codec::read` of a struct: a literal of its fields in the order of the wire, then the tagged ones.

use super::emit_type::{default_value, field_name, version_condition};
use super::model::{Field, Kind, Struct, Versions};

/// The body of the function.
pub(super) fn body(body: &Struct) -> String {
    let tagged: Vec<&Field> = body.fields.iter().filter(|field| field.tag.is_some()).collect();
    let mut out = String::new();
    let flexible = body.flexible_from.is_some();
    let (open, close) = match (flexible, tagged.is_empty()) {
        (false, _) => ("Ok(Self {", "})"),
        (true, true) => ("let it = Self {", "};"),
        (true, false) => ("let mut it = Self {", "};"),
    };
    out.push_str(open);
    for field in &body.fields {
        let value = if field.tag.is_some() { default_value(field) } else { value(field, body.versions) };
        out.push_str(&format!("{}: {value},\n", field_name(field)));
    }
    out.push_str(close);
    if flexible {
        out.push_str(&if tagged.is_empty() { "codec::skip_tags(r, form)?;".to_owned() } else { tags(body, &tagged) });
        out.push_str("\nOk(it)");
    }
    out
}

fn value(field: &Field, outer: Versions) -> String {
    let read = read(field);
    match version_condition(field.versions, outer) {
        Some(condition) => format!("if {condition} {{ {read} }} else {{ {} }}", default_value(field)),
        None => read,
    }
}

fn tags(body: &Struct, tagged: &[&Field]) -> String {
    let mut arms = String::new();
    let from = body.flexible_from.unwrap_or(0).max(body.versions.from);
    for field in tagged {
        let guard = version_condition(field.versions, Versions { from, ..body.versions });
        let guard = guard.map_or(String::new(), |condition| format!(" if {condition}"));
        let tag = field.tag.unwrap_or(0);
        arms.push_str(&format!("{tag}{guard} => it.{} = {},\n", field_name(field), read(field)));
    }
    format!(
        "if form.is_compact() {{
            let mut tags = r.tagged_fields()?;
            while let Some((tag, mut field)) = tags.next_field()? {{
                let r = &mut field;
                match tag {{ {arms} _ => continue, }}
                r.finish()?;
            }}
        }}"
    )
}

/// The expression that reads one field.
fn read(field: &Field) -> String {
    let form = if field.plain { "Form::Plain" } else { "form" };
    let word = match &field.kind {
        Kind::Bool => "r.bool()?",
        Kind::Int8 => "r.i8()?",
        Kind::Int16 => "r.i16()?",
        Kind::Int32 => "r.i32()?",
        Kind::Int64 => "r.i64()?",
        Kind::Uint16 => "r.u16()?",
        Kind::Uint32 => "r.u32()?",
        Kind::Float64 => "r.f64()?",
        Kind::Uuid => "r.uuid()?",
        Kind::String => "string",
        Kind::Bytes | Kind::Records => "bytes",
        Kind::Struct(_) if field.tag.is_some() && field.nullable.is_some() => "tagged_struct",
        Kind::Struct(_) => "struct",
        Kind::Array(_) => "array",
    };
    if word.ends_with('?') {
        return word.to_owned();
    }
    if word == "struct" && field.nullable.is_none() {
        return format!("Codec::read(r, {form}, version)?");
    }
    let versioned = if matches!(field.kind, Kind::Struct(_) | Kind::Array(_)) { ", version" } else { "" };
    match field.nullable {
        None => format!("codec::read_{word}(r, {form}{versioned})?"),
        Some(nullable) => {
            let allowed = version_condition(nullable, field.versions).unwrap_or_else(|| "true".to_owned());
            format!("codec::read_{word}_or_null(r, {form}{versioned}, {allowed})?")
        }
    }
}
