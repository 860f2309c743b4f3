//! The tables against facts printed from a real Kafka 4.3.1, and the properties reader against Java's.
//!
//! Where Ottla means to differ, the difference is listed here with its reason; a difference that is not listed, or
//! listed and gone, fails.

use std::collections::BTreeMap;

use ottla_config::key::{Allowed, Key, Kind, Status};
use ottla_config::{keys, parse_properties, parse_value};

const KAFKA: &str = include_str!("facts/kafka-4.3.1.tsv");
const JAVA: &str = include_str!("facts/java-properties.tsv");
const VALUES: &str = include_str!("facts/values.tsv");

/// Key, Kafka's default, ours, why.
const OTHER_DEFAULTS: &[(&str, &str, &str, &str)] = &[
    ("node.id", "(required)", "1", "a lone node needs no file"),
    ("process.roles", "(required)", "broker,controller", "a lone node needs no file"),
    ("controller.listener.names", "(required)", "(unset)", "controllers share the brokers' listeners"),
    ("log.dir", "/tmp/kafka-logs", "ottla-data", "/tmp is emptied at a reboot"),
];

/// Keys that only Ottla has.
const OWN: &[&str] = &["ottla.acks.flush", "ottla.http.listener"];

fn facts(what: &str) -> Vec<Vec<&'static str>> {
    let rows = KAFKA.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row[0] == what).map(|row| row[1..].to_vec()).collect()
}

fn as_fact(key: &Key) -> Vec<String> {
    let default = key.default.unwrap_or("(unset)").to_owned();
    let update = key.update.name().to_owned();
    let allowed = key.allowed.to_string();
    vec![key.name.to_owned(), key.kind.name().to_owned(), default, allowed, key.importance.name().to_owned(), update]
}

fn compare(what: &str, ours: BTreeMap<&str, Vec<String>>) {
    let theirs = facts(what);
    assert!(!theirs.is_empty());
    for fact in &theirs {
        let row = ours.get(fact[0]).unwrap_or_else(|| panic!("{} is missing", fact[0]));
        let mut expected: Vec<String> = fact.iter().map(ToString::to_string).collect();
        // Kafka tells "may be left unset" apart; here that is a missing default.
        expected[3] = expected[3].replace(" or unset", "");
        if let Some((_, kafka, own, _)) = OTHER_DEFAULTS.iter().find(|(name, ..)| what == "broker" && *name == fact[0])
        {
            assert_eq!(expected[2], *kafka);
            expected[2] = (*own).to_owned();
        }
        assert_eq!(*row, expected);
    }
    for name in ours.keys() {
        assert!(OWN.contains(name) || theirs.iter().any(|fact| fact[0] == *name), "{name} is no key of Kafka's");
    }
}

#[test]
fn every_broker_key_is_as_kafka_has_it() {
    compare("broker", keys::broker_keys().map(|key| (key.name, as_fact(key))).collect());
}

#[test]
fn every_topic_key_is_as_kafka_has_it() {
    compare("topic", keys::topic_keys().map(|topic| (topic.key.name, as_fact(&topic.key))).collect());
    assert_eq!(facts("topic").len(), 33);
}

#[test]
fn every_topic_key_has_kafkas_synonyms() {
    let facts = facts("synonyms");
    for topic in keys::topic_keys().filter(|topic| !OWN.contains(&topic.key.name)) {
        let ours: Vec<_> = topic.synonyms.iter().map(|s| format!("{} x{}", s.name, s.factor)).collect();
        let theirs = facts.iter().find(|fact| fact[0] == topic.key.name).map_or(&[][..], |fact| &fact[1..]);
        assert_eq!(ours, theirs, "{}", topic.key.name);
    }
}

#[test]
fn legacy_keys_are_gone_from_kafka() {
    let facts = facts("broker");
    for key in keys::legacy_keys() {
        assert!(facts.iter().all(|fact| fact[0] != key.name), "{} is still Kafka's", key.name);
        assert!(!matches!(key.status, Status::Refused(_)), "{} must not keep an old file from starting", key.name);
    }
}

#[test]
fn properties_are_read_as_java_reads_them() {
    let unescape = |field: &str| {
        let mut text = String::new();
        let mut chars = field.chars();
        while let Some(c) = chars.next() {
            text.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'f' => '\u{c}',
                    other => other,
                },
                c => c,
            });
        }
        text
    };
    let vectors: Vec<_> = JAVA.lines().skip(2).collect();
    assert!(vectors.len() > 400);
    for vector in vectors {
        let fields: Vec<_> = vector.split('\t').map(unescape).collect();
        let read = parse_properties(&fields[0]);
        if fields[1..] == ["MALFORMED"] {
            assert!(read.is_err(), "{vector}");
            continue;
        }
        let ours: Vec<_> = read.unwrap().into_iter().flat_map(|property| [property.key, property.value]).collect();
        assert_eq!(ours, fields[1..], "{vector}");
    }
}

#[test]
fn values_are_taken_and_refused_as_kafka_does() {
    let mut rows =
        VALUES.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let texts = rows.next().unwrap();
    let mut keys_seen = 0;
    for row in rows {
        let key = match row[0] {
            "topic" => &keys::topic_key(row[1]).unwrap().key,
            _ => keys::broker_key(row[1]).unwrap(),
        };
        for text in &texts[1..] {
            let taken = parse_value(key, text);
            if *text == "NaN" && key.kind == Kind::Double && key.allowed != Allowed::Any {
                // Kafka lets it through every bound, because it compares as neither less nor more.
                assert!(taken.is_err(), "{}", key.name);
                continue;
            }
            if *text == "delete,delete" && row[2..].contains(&"delete") && matches!(key.allowed, Allowed::List { .. }) {
                // The table has what the check of a list says by itself; before it Kafka leaves out what stands there twice.
                assert!(taken.is_ok(), "{}", key.name);
                continue;
            }
            assert_eq!(taken.is_ok(), row[2..].contains(text), "{}={text}: {taken:?}", key.name);
        }
        keys_seen += 1;
    }
    assert!(keys_seen > 60);
}

const OLD_KEYS: &str = include_str!("facts/old-keys.tsv");

/// The releases that the facts were taken from, oldest first.
fn releases() -> Vec<&'static str> {
    let line =
        OLD_KEYS.lines().find_map(|line| line.split_once("Releases looked at: ")).expect("the head names them").1;
    line.trim_end_matches('.').split(' ').collect()
}

#[test]
fn the_keys_of_every_old_release_are_known() {
    let releases = releases();
    let at = |release: &str| releases.iter().position(|known| *known == release).expect("a release of the head");
    let mut counts = vec![(0, 0); releases.len()];
    for row in OLD_KEYS.lines().filter(|line| !line.starts_with('#')) {
        let &[what, name, kind, first, last, public] = &row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        if public != "public" {
            continue;
        }
        let key = if what == "broker" { keys::broker_key(name) } else { keys::topic_key(name).map(|topic| &topic.key) };
        let key = key.unwrap_or_else(|| panic!("{what} {name} of {first} to {last} is not known"));
        // A key that lives on may have another type today.
        if kind != "-" && at(last) + 1 < releases.len() {
            assert_eq!(key.kind.name(), kind, "{what} {name}");
        }
        for count in &mut counts[at(first)..=at(last)] {
            *(if what == "broker" { &mut count.0 } else { &mut count.1 }) += 1;
        }
    }
    // As many as there are, so that the facts cannot shrink unseen.
    let expected = [
        ("0.8.0", (50, 0)),
        ("0.8.1.1", (66, 13)),
        ("0.8.2.2", (85, 16)),
        ("0.9.0.1", (126, 18)),
        ("0.10.0.1", (132, 21)),
        ("0.10.2.1", (141, 24)),
        ("0.11.0.3", (154, 24)),
        ("1.1.1", (171, 24)),
        ("2.0.1", (181, 25)),
        ("2.5.1", (207, 26)),
        ("2.8.2", (218, 26)),
        ("3.9.1", (314, 36)),
        ("4.0.2", (289, 33)),
        ("4.3.1", (340, 33)),
    ];
    let counted: Vec<_> = releases.into_iter().zip(counts).collect();
    assert_eq!(counted, expected);
}
