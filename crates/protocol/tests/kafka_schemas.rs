//! Our schemas against Kafka's own, field by field and version by version, for every release in `facts/`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use support::facts::{Printer, facts};

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
