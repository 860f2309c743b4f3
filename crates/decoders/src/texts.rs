//! Settings, names and ids as text, and what clients push about themselves.

use std::sync::Arc;

use ottla_config::{
    BrokerConfig, Overrides, Scope, parse_properties, validate_broker_configs, validate_client_metrics_configs,
    validate_topic_configs,
};
use ottla_coordinator::{check_pattern, matching};
use ottla_types::{TopicName, Uuid};

use crate::Decoder;

pub(crate) fn decoders() -> Vec<Decoder> {
    vec![
        Decoder::new("server-properties", server_properties, || {
            vec![
                b"node.id=1\nlisteners=PLAINTEXT://:9092\nlog.dirs=/a,/b\n".to_vec(),
                b"# c\nlog.retention.ms : 5\\\n  7\nnum.partitions\t3\nauto.create.topics.enable=\\u0074rue\n".to_vec(),
            ]
        }),
        Decoder::new("changed-settings", changes, || {
            vec![b"retention.ms=5\nmin.compaction.lag.ms=7\nlog.retention.ms=9\ninterval.ms=100\n".to_vec()]
        }),
        Decoder::new("client-metrics-match", client_metrics_match, || {
            vec![b"client_software_name=a.*,client_id=[b-z]+".to_vec(), b"client_source_address=127\\.0.*".to_vec()]
        }),
        Decoder::new("subscription-pattern", subscription_pattern, || {
            vec![
                b"orders|(?i:PAYMENTS)-[0-9]+\norders\npayments-7\n".to_vec(),
                b"(a{2,3}|\\Q.\\E\\p{L}[^[:digit:]x-z])*?\naa.b\n".to_vec(),
                b"((a{1000}){1000}){1000}\na".to_vec(),
            ]
        }),
        Decoder::new("topic-name", topic_name, || vec![b"a.topic-of_ours".to_vec()]),
        Decoder::new("uuid", uuid, || vec![b"G7AEhuQQZHCRO1jdmvdrpA".to_vec()]),
        Decoder::new("pushed-metrics", pushed_metrics, || {
            // A gauge `g` with one number.
            vec![b"\x0a\x14\x12\x12\x12\x10\x0a\x01g\x2a\x0b\x0a\x09\x21\0\0\0\0\0\0\xf8\x3f".to_vec()]
        }),
    ]
}

fn server_properties(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(problems) = BrokerConfig::from_layers(Some(text), &[]) {
        std::hint::black_box(problems.to_string());
    }
    let Ok(properties) = parse_properties(text) else { return };
    std::hint::black_box(properties.len());
}

/// Lines of a properties file as the changes that a client asks for.
fn changes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(properties) = parse_properties(text) else { return };
    let overrides: Overrides = properties.into_iter().map(|property| (property.key, property.value)).collect();
    let (present, _) = BrokerConfig::from_layers(None, &[]).expect("the defaults are sound");
    let _ = validate_broker_configs(Scope::ClusterDefault, &overrides, &present);
    let _ = validate_topic_configs(&overrides, &present);
    let _ = validate_client_metrics_configs(&overrides);
}

fn client_metrics_match(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = validate_client_metrics_configs(&Overrides::from([("match".to_owned(), text.to_owned())]));
}

/// A line for the pattern, and one for each topic.
fn subscription_pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let pattern = lines.next().unwrap_or_default();
    let topics: Vec<Arc<str>> = lines.map(Into::into).collect();
    let matched = matching(pattern, &topics);
    assert_eq!(check_pattern(pattern).is_ok(), matched.is_ok(), "what is none matches nothing");
    if let Ok(matched) = matched {
        // The whole name has to match, so that each matches alone, too.
        let alone = |topic: &&Arc<str>| matching(pattern, [*topic]).is_ok_and(|one| one.contains(*topic));
        assert!(topics.iter().take(2).all(|topic| matched.contains(topic) == alone(&topic)));
    }
}

fn topic_name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = TopicName::new(text) {
        assert_eq!(name.as_str(), text);
    }
}

/// An id that is read is written so that it is read again.
fn uuid(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<Uuid>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

fn pushed_metrics(bytes: &[u8]) {
    if let Some((points, _)) = ottla_broker::count_pushed(bytes) {
        assert!(points <= bytes.len(), "a number takes a byte at least");
    }
}
