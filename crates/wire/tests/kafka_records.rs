//! The schemas of the persisted records against Kafka's own: every field of every version, the number of each kind,
//! and what a tagged field is when it is not there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use support::facts::{Fact, Printer, facts};
use xtask::codegen::model::{Default, Field, Kind};

fn kafka() -> Vec<Fact> {
    facts(include_str!("facts/kafka-4.3.1.txt"))
}

#[test]
fn fields_are_kafkas_in_every_version() {
    let mut compared = 0;
    for fact in kafka().into_iter().filter(|fact| fact.message == "record") {
        let (file, message) = support::schema_of(&fact.api);
        for version in fact.versions {
            assert!(message.versions.contains(version), "{} lacks v{version}", fact.api);
            let ours = Printer::print(file, message, version);
            assert_eq!(ours.join("\n"), fact.lines.join("\n"), "{} v{version}", fact.api);
            compared += 1;
        }
    }
    let messages = support::schemas().iter().flat_map(|file| &file.messages);
    let ours: i16 = messages.map(|message| message.versions.to - message.versions.from + 1).sum();
    assert_eq!(compared, ours, "every version of ours is one of Kafka's");
}

/// What stands before a record, and what tagged fields are by default, as the facts say it: by struct.
fn ours() -> BTreeMap<String, Vec<String>> {
    let mut blocks = BTreeMap::new();
    for file in support::schemas() {
        let mut message = "";
        for body in file.messages.iter().map(|message| &message.body).chain(&file.structs) {
            let record = file.messages.iter().find(|message| message.body.name == body.name);
            let number = record.and_then(|message| message.stored.and_then(|stored| stored.record_type));
            let mut lines: Vec<String> = number.iter().map(|number| format!("  type {number}")).collect();
            let mut tagged: Vec<&Field> = body.fields.iter().filter(|field| field.tag.is_some()).collect();
            tagged.sort_by_key(|field| field.tag);
            lines.extend(tagged.into_iter().map(|field| format!("  {} {}", field.name, default(field))));
            // Structs come last and belong to the value, which is the last message.
            let name = match record {
                Some(_) => body.name.clone(),
                None => format!("{message}.{}", body.name),
            };
            message = if record.is_some() { &body.name } else { message };
            if !lines.is_empty() {
                blocks.insert(name, lines);
            }
        }
    }
    blocks
}

fn default(field: &Field) -> String {
    match (field.default, &field.kind) {
        (Default::Natural, _) if field.nullable.is_some() => "null".to_owned(),
        (Default::Empty | Default::Natural, Kind::Array(_)) => "[]".to_owned(),
        (Default::Empty, Kind::Struct(name)) => format!("{name}(sessionTimeoutMs=0, supportedProtocols=[])"),
        (Default::Natural, Kind::Uuid) => "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        (Default::Natural, Kind::Bool) => "false".to_owned(),
        (Default::Natural, _) => "0".to_owned(),
        (Default::Number(number), _) => number.to_string(),
        (other, _) => panic!("{other:?} of {} is not printed yet", field.name),
    }
}

#[test]
fn numbers_and_defaults_are_kafkas() {
    let kafkas = kafka().into_iter().filter(|fact| fact.message == "defaults");
    let kafkas: BTreeMap<String, Vec<String>> = kafkas.map(|fact| (fact.api, fact.lines)).collect();
    assert_eq!(ours(), kafkas);
}
