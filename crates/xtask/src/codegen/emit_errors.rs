//! Emits how the error codes of a response are found: `visit_errors` of its structs that hold one, or whose parts do.

use super::emit_type::field_name;
use super::model::{Field, Kind, Message, SchemaFile, Struct};

/// What a field with an error code is called, in every response of Kafka's.
const ERROR_CODE: &str = "error_code";

/// The impls for `response` and for what is in it.
pub(super) fn response_impl(schema: &SchemaFile, response: &Message) -> String {
    let body = &response.body;
    let mut out = format!(
        "impl Response for {} {{
            fn visit_errors(&self, {}: &mut dyn FnMut(i16)) {{ {} }}
        }}\n\n",
        body.name,
        if has_errors(schema, body) { "visit" } else { "_visit" },
        visits(schema, body),
    );
    for inner in schema.structs.iter().filter(|inner| has_errors(schema, inner) && is_within(schema, body, inner)) {
        out.push_str(&format!(
            "impl {} {{
                fn visit_errors(&self, visit: &mut dyn FnMut(i16)) {{ {} }}
            }}\n\n",
            inner.name,
            visits(schema, inner),
        ));
    }
    out
}

fn visits(schema: &SchemaFile, body: &Struct) -> String {
    body.fields.iter().filter_map(|field| visit(schema, field)).collect()
}

fn visit(schema: &SchemaFile, field: &Field) -> Option<String> {
    if is_error_code(field) {
        return Some("visit(self.error_code);\n".to_owned());
    }
    inner(schema, field).filter(|inner| has_errors(schema, inner))?;
    let place = format!("self.{}", field_name(field));
    let each = match (&field.kind, field.nullable.is_some()) {
        (Kind::Array(_), true) => format!("{place}.iter().flatten()"),
        (Kind::Array(_), false) | (_, true) => format!("&{place}"),
        (_, false) => return Some(format!("{place}.visit_errors(visit);\n")),
    };
    Some(format!("for inner in {each} {{ inner.visit_errors(visit); }}\n"))
}

fn is_error_code(field: &Field) -> bool {
    field.name == ERROR_CODE && field.kind == Kind::Int16
}

/// The struct that a field holds, alone or as elements.
fn inner<'a>(schema: &'a SchemaFile, field: &Field) -> Option<&'a Struct> {
    schema.structs.iter().find(|inner| field.kind.struct_name() == inner.name)
}

fn has_errors(schema: &SchemaFile, body: &Struct) -> bool {
    body.fields
        .iter()
        .any(|field| is_error_code(field) || inner(schema, field).is_some_and(|inner| has_errors(schema, inner)))
}

/// Whether `body` or something in it holds `wanted`.
fn is_within(schema: &SchemaFile, body: &Struct, wanted: &Struct) -> bool {
    let inners = body.fields.iter().filter_map(|field| inner(schema, field));
    inners.into_iter().any(|inner| inner.name == wanted.name || is_within(schema, inner, wanted))
}
