//! Our schemas against Kafka's own, field by field and version by version, for every release in `facts/`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use xtask::codegen::model::{Field, Kind, Message, SchemaFile, Struct};

/// The schema of a message in one version, in the notation of the facts.
struct Printer<'a> {
    file: &'a SchemaFile,
    version: i16,
    compact: bool,
}

impl Printer<'_> {
    fn print(file: &SchemaFile, message: &Message, version: i16) -> Vec<String> {
        let printer = Printer { file, version, compact: message.is_flexible(version) };
        let mut lines = Vec::new();
        printer.structure(&mut lines, 1, &message.body);
        lines
    }

    fn structure(&self, lines: &mut Vec<String>, depth: usize, body: &Struct) {
        let present = |field: &&Field| field.versions.contains(self.version);
        for field in body.fields.iter().filter(present).filter(|field| field.tag.is_none()) {
            self.field(lines, depth, &field.name, field);
        }
        if self.compact {
            lines.push(format!("{}tags", "  ".repeat(depth)));
            let mut tagged: Vec<(u32, &Field)> =
                body.fields.iter().filter(present).filter_map(|field| Some((field.tag?, field))).collect();
            tagged.sort_by_key(|(tag, _)| *tag);
            for (tag, field) in tagged {
                self.field(lines, depth + 1, &format!("{tag} {}", field.name), field);
            }
        }
    }

    fn field(&self, lines: &mut Vec<String>, depth: usize, name: &str, field: &Field) {
        let nullable = field.nullable.is_some_and(|versions| versions.contains(self.version));
        let mark = if nullable { "?" } else { "" };
        let word = match &field.kind {
            Kind::Struct(_) => format!("struct{mark}"),
            Kind::Array(element) if matches!(**element, Kind::Struct(_)) => format!("{}{mark}", self.sized("array")),
            Kind::Array(element) => format!("{}{mark} of {}", self.sized("array"), self.word(element, false)),
            simple => self.word(simple, nullable),
        };
        lines.push(format!("{}{name} {word}", "  ".repeat(depth)));
        if let Some(body) = self.file.structure(field.kind.struct_name()) {
            self.structure(lines, depth + 1, body);
        }
    }

    fn word(&self, kind: &Kind, nullable: bool) -> String {
        let null = if nullable { "nullable_" } else { "" };
        match kind {
            Kind::Bool => "boolean".to_owned(),
            Kind::String | Kind::Bytes | Kind::Records => {
                self.sized(&format!("{null}{}", format!("{kind:?}").to_lowercase()))
            }
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn sized(&self, word: &str) -> String {
        if self.compact { format!("compact_{word}") } else { word.to_owned() }
    }
}

/// One block of the facts: a message in a range of versions.
struct Fact {
    api: String,
    message: String,
    versions: std::ops::RangeInclusive<i16>,
    lines: Vec<String>,
}

fn facts(text: &str) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for line in text.lines() {
        if line.starts_with(' ') {
            facts.last_mut().expect("a block begins with its title").lines.push(line.to_owned());
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [api, message, range] = words[..] else { panic!("not a title: {line}") };
        let (from, to) = range.split_once('-').expect("a range");
        let versions = from.parse().unwrap()..=to.parse().unwrap();
        facts.push(Fact { api: api.to_owned(), message: message.to_owned(), versions, lines: Vec::new() });
    }
    facts
}

/// Compares every version that the release has; returns the (API, message, version)s compared.
fn compare(release: &Release) -> BTreeSet<(String, String, i16)> {
    let mut compared = BTreeSet::new();
    for fact in facts(release.facts) {
        let file = support::schemas().iter().find(|file| file.api.as_ref().is_some_and(|api| api.name == fact.api));
        let file = file.unwrap_or_else(|| panic!("{} has no schema", fact.api));
        let message = &file.messages[usize::from(fact.message == "response")];
        for version in fact.versions {
            assert!(message.versions.contains(version), "{} {} lacks v{version}", fact.api, fact.message);
            let (mut ours, mut facts) = (Printer::print(file, message, version).join("\n"), fact.lines.join("\n"));
            if !release.shows_null {
                ours = ours.replace(" struct?", " struct").replace("nullable_records", "records");
                facts = facts.replace("nullable_records", "records");
            }
            for (_, before, now) in release.renamed.iter().filter(|(api, ..)| *api == fact.api) {
                facts = facts.replace(before, now);
            }
            assert_eq!(ours, facts, "{} {} v{version}", fact.api, fact.message);
            compared.insert((fact.api.clone(), fact.message.clone(), version));
        }
    }
    compared
}

/// What a release says.
struct Release {
    facts: &'static str,
    /// Releases before 4.0 do not print whether structs and records may be null.
    shows_null: bool,
    /// Fields that a later release has renamed: the API, the name here, the name now.
    renamed: &'static [(&'static str, &'static str, &'static str)],
}

const KAFKA_3_9: Release = Release {
    facts: include_str!("facts/kafka-3.9.1.txt"),
    shows_null: false,
    renamed: &[
        ("Vote", "candidate_epoch", "replica_epoch"),
        ("Vote", "candidate_id", "replica_id"),
        ("Vote", "candidate_directory_id", "replica_directory_id"),
    ],
};
const KAFKA_4_3: Release = Release { facts: include_str!("facts/kafka-4.3.1.txt"), shows_null: true, renamed: &[] };

#[test]
fn schemas_are_those_of_kafka_3_9() {
    assert_eq!(compare(&KAFKA_3_9).len(), 574);
}

#[test]
fn schemas_are_those_of_kafka_4_3() {
    assert_eq!(compare(&KAFKA_4_3).len(), 604);
}

#[test]
fn every_version_of_ours_is_in_one_of_the_releases() {
    let mut known = compare(&KAFKA_3_9);
    known.extend(compare(&KAFKA_4_3));
    for file in support::schemas() {
        let Some(api) = &file.api else { continue };
        for (message, which) in file.messages.iter().zip(["request", "response"]) {
            for version in message.versions.from..=message.versions.to {
                assert!(
                    known.contains(&(api.name.clone(), which.to_owned(), version)),
                    "{} {which} v{version}",
                    api.name
                );
            }
        }
    }
}
