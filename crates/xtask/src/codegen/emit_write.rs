//! Emits `Codec::write` of a struct: its fields in the order of the wire, then the tagged ones.

use super::emit_type::{field_name, is_default, is_set, version_condition};
use super::model::{Field, Kind, Struct, Versions};

/// The body of the function.
pub(super) fn body(body: &Struct) -> String {
    let mut out = String::new();
    for field in body.fields.iter().filter(|field| field.tag.is_none()) {
        out.push_str(&untagged(body, field));
    }
    let mut tagged: Vec<&Field> = body.fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    for field in tagged.iter().filter(|field| !field.ignorable) {
        if let Some(condition) = version_condition(field.versions, body.versions) {
            let default = is_default(field);
            out.push_str(&require_default(body, field, &format!("{condition} || {default}")));
        }
    }
    match (body.flexible_from.is_some(), tagged.is_empty()) {
        (false, _) => {}
        (true, true) => out.push_str("codec::no_tags(w, form);\n"),
        (true, false) => out.push_str(&tags(body, &tagged)),
    }
    out.push_str("Ok(())");
    out
}

fn untagged(body: &Struct, field: &Field) -> String {
    let write = format!("{}{}", null_check(body, field), statement(field));
    match version_condition(field.versions, body.versions) {
        None => write,
        Some(condition) if field.ignorable => format!("if {condition} {{ {write} }}\n"),
        Some(condition) => {
            let refuse = require_default(body, field, &is_default(field));
            format!("if {condition} {{ {write} }} else {{ {refuse} }}\n")
        }
    }
}

fn require_default(body: &Struct, field: &Field, condition: &str) -> String {
    format!("codec::require_default({condition}, \"{}.{}\", version)?;\n", body.name, field.name)
}

/// Refuses null where only some of the field's versions allow it.
fn null_check(body: &Struct, field: &Field) -> String {
    let condition = field.nullable.and_then(|nullable| version_condition(nullable, field.versions));
    let Some(condition) = condition else { return String::new() };
    let (place, name) = (field_name(field), &field.name);
    format!("codec::require_value({condition} || self.{place}.is_some(), \"{}.{name}\", version)?;\n", body.name)
}

fn tags(body: &Struct, tagged: &[&Field]) -> String {
    let from = body.flexible_from.unwrap_or(0).max(body.versions.from);
    let mut out = "if form.is_compact() { let mut tags = w.tagged_fields();\n".to_owned();
    for field in tagged {
        let condition = version_condition(field.versions, Versions { from, ..body.versions });
        let condition = condition.map_or(String::new(), |condition| format!("{condition} && "));
        let statement = statement(field);
        let content = match statement.strip_suffix("?;\n") {
            Some(result) => result.to_owned(),
            None => format!("{{ {statement} Ok(()) }}"),
        };
        let tag = field.tag.unwrap_or(0);
        out.push_str(&format!("if {condition}{} {{ tags.field({tag}, |w| {content})?; }}\n", is_set(field)));
    }
    out.push_str("}\n");
    out
}

/// The statement that writes one field.
fn statement(field: &Field) -> String {
    let form = if field.plain { "Form::Plain" } else { "form" };
    let nullable = if field.nullable.is_some() { "nullable_" } else { "" };
    let place = format!("self.{}", field_name(field));
    let option = |of: &str| if field.nullable.is_some() { format!("{place}.{of}()") } else { format!("&{place}") };
    match &field.kind {
        Kind::Bool => format!("w.bool({place});\n"),
        Kind::Int8 => format!("w.i8({place});\n"),
        Kind::Int16 => format!("w.i16({place});\n"),
        Kind::Int32 => format!("w.i32({place});\n"),
        Kind::Int64 => format!("w.i64({place});\n"),
        Kind::Uint16 => format!("w.u16({place});\n"),
        Kind::Uint32 => format!("w.u32({place});\n"),
        Kind::Float64 => format!("w.f64({place});\n"),
        Kind::Uuid => format!("w.uuid({place});\n"),
        Kind::String => format!("w.{nullable}string({form}, {})?;\n", option("as_deref")),
        Kind::Bytes | Kind::Records => format!("w.{nullable}bytes({form}, {})?;\n", option("as_deref")),
        Kind::Struct(_) if field.nullable.is_none() => format!("{place}.write(w, form, version)?;\n"),
        Kind::Struct(_) if field.tag.is_some() => {
            format!("codec::write_tagged_nullable_struct(w, form, version, {place}.as_ref())?;\n")
        }
        Kind::Struct(_) => format!("codec::write_nullable_struct(w, form, version, {place}.as_ref())?;\n"),
        Kind::Array(_) => format!("codec::write_{nullable}array(w, form, version, {})?;\n", option("as_deref")),
    }
}
