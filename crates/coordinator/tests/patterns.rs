//! Regular expressions of subscriptions against what Kafka's Java accepts and matches (`patterns/README.md`).

use std::sync::Arc;

use ottla_coordinator::{check_pattern, matching};

/// The topics of `WriteVectors.java`.
const TOPICS: [&str; 30] = [
    "a",
    "b",
    "A",
    "k",
    "K",
    "s",
    "S",
    "0",
    "7",
    "_",
    "-",
    "ab",
    "aB",
    "ba",
    "abc",
    "aaa",
    "a.b",
    "a-b",
    "a_b",
    "a1",
    "10",
    "orders",
    "Orders",
    "orders-1",
    "orders.eu.2",
    "__consumer_offsets",
    "aaaaaaaaaa",
    "x-y_z.9",
    "bbb",
    "kk",
];

#[test]
fn accepts_and_matches_what_kafka_does() {
    let topics = TOPICS.map(Arc::<str>::from);
    let mut differences = Vec::new();
    let mut patterns = 0;
    for line in include_str!("patterns/vectors.txt").lines() {
        let (pattern, expected) = line.split_once('\t').expect("PATTERN and what it matches");
        patterns += 1;
        let found = match matching(pattern, &topics) {
            Ok(matched) => {
                let in_order = topics.iter().filter(|topic| matched.contains(*topic));
                in_order.fold("=".to_owned(), |text, topic| format!("{text} {topic}"))
            }
            Err(_) => "!".to_owned(),
        };
        assert_eq!(check_pattern(pattern).is_ok(), found != "!");
        if found != expected {
            differences.push(format!("{pattern}\n  Kafka {expected}\n  here  {found}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(patterns > 4000);
}
