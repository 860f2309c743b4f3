//! Emits `Tell` of a struct that is persisted: its fields by Kafka's names, in the schema's order.

use super::emit_type::{field_name, is_set, version_condition};
use super::model::{Field, Struct};

/// The implementation.
pub(super) fn tell_impl(body: &Struct) -> String {
    let fields: String = body.fields.iter().map(|field| told(body, field)).collect();
    let (version, text) = match body.fields.len() {
        0 => ("_version", "Value::Fields(Vec::new())".to_owned()),
        count => {
            let begin = format!("let mut fields = Vec::with_capacity({count});\n");
            ("version", format!("{begin}{fields}Value::Fields(fields)"))
        }
    };
    format!("impl Tell for {} {{ fn tell(&self, {version}: i16) -> Value {{ {text} }} }}\n\n", body.name)
}

/// A field that the version has; of tagged ones those that are not as by default.
fn told(body: &Struct, field: &Field) -> String {
    let push = format!("fields.push((\"{}\", self.{}.tell(version)));\n", kafkas_name(&field.name), field_name(field));
    let in_version = version_condition(field.versions, body.versions);
    let is_set = field.tag.map(|_| is_set(field));
    match (in_version, is_set) {
        (None, None) => push,
        (Some(condition), None) | (None, Some(condition)) => format!("if {condition} {{ {push} }}\n"),
        (Some(in_version), Some(is_set)) => format!("if {in_version} && {is_set} {{ {push} }}\n"),
    }
}

/// `snake_case` as Kafka writes it: `snakeCase`.
fn kafkas_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_kafka_does() {
        assert_eq!(kafkas_name("topic"), "topic");
        assert_eq!(kafkas_name("client_transaction_version"), "clientTransactionVersion");
    }
}
