//! Emits `Tell` of a struct that is persisted: its fields by Kafka's names, in the schema's order.

use super::emit_type::{field_name, is_set, version_condition};
use super::model::{Field, Struct};

/// The implementation.
pub(super) fn tell_impl(body: &Struct) -> String {
    let conditions: Vec<Option<String>> = body.fields.iter().map(|field| condition(body, field)).collect();
    // The first ones are always there, most often all of them.
    let certain = conditions.iter().take_while(|condition| condition.is_none()).count();
    let listed: String = body.fields[..certain].iter().map(|field| pair(field) + ", ").collect();
    let rest: String = body
        .fields
        .iter()
        .zip(&conditions)
        .skip(certain)
        .map(|(field, condition)| {
            let push = format!("fields.push({});\n", pair(field));
            condition.as_ref().map_or(push.clone(), |condition| format!("if {condition} {{ {push} }}\n"))
        })
        .collect();
    let version = if body.fields.is_empty() { "_version" } else { "version" };
    let text = match rest.as_str() {
        "" => format!("Value::Fields(vec![{listed}])"),
        rest => format!("let mut fields = vec![{listed}];\n{rest}Value::Fields(fields)"),
    };
    format!("impl Tell for {} {{ fn tell(&self, {version}: i16) -> Value {{ {text} }} }}\n\n", body.name)
}

/// A field's name and value.
fn pair(field: &Field) -> String {
    format!("(\"{}\", self.{}.tell(version))", kafkas_name(&field.name), field_name(field))
}

/// When a field is told: if the version has it; of tagged ones, if it is not as by default. `None` for always.
fn condition(body: &Struct, field: &Field) -> Option<String> {
    let in_version = version_condition(field.versions, body.versions);
    let is_set = field.tag.map(|_| is_set(field));
    match (in_version, is_set) {
        (Some(in_version), Some(is_set)) => Some(format!("{in_version} && {is_set}")),
        (in_version, is_set) => in_version.or(is_set),
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
