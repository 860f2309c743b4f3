//! Topic configurations: what overrides and broker settings make of each other, and what clients are told of it.

use std::collections::BTreeMap;

use ottla_config::{
    BrokerConfig, CompressionType, ConfigSource, Overrides, TimestampType, describe_created_topic_config,
    describe_topic_config, validate_topic_config, validate_topic_configs,
};

const ANSWER: &str = include_str!("facts/create-topics.tsv");

fn broker(file: &str) -> BrokerConfig {
    BrokerConfig::from_layers(Some(file), &[]).expect("a good file").0
}

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[test]
fn a_topic_is_described_as_kafka_describes_it() {
    let rows = |what: &'static str| {
        let rows = ANSWER.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        rows.filter(move |row| row[0] == what).map(|row| row[1..].to_vec())
    };
    let settings: Vec<_> = rows("set").map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    let (broker, _) = BrokerConfig::from_layers(None, &settings).unwrap();
    let overrides = rows("override").map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    let mut ours: Vec<_> = describe_created_topic_config(&overrides, &broker)
        .into_iter()
        .map(|d| {
            let source = (d.source as i8).to_string();
            vec![d.name.to_owned(), d.value.unwrap(), source, d.read_only.to_string(), d.sensitive.to_string()]
        })
        .collect();
    let own = ours.iter().position(|row| row[0] == "ottla.acks.flush").unwrap();
    ours.remove(own);
    let mut theirs: Vec<_> = rows("answer").collect();
    // Kafka's eligible leader replicas (KIP-966) set this one for the whole cluster when it is formatted: source 3.
    let isr = theirs.iter_mut().find(|row| row[0] == "min.insync.replicas").unwrap();
    assert_eq!(std::mem::replace(&mut isr[2], "5"), "3");
    assert_eq!(ours, theirs);
}

#[test]
fn an_empty_configuration_is_kafkas_default() {
    let topic = broker("").topic_config(&Overrides::new());
    assert_eq!(topic.segment_bytes, 1 << 30);
    assert_eq!(topic.segment_ms, 604_800_000);
    assert_eq!(topic.index_bytes_max, 10 << 20);
    assert_eq!(topic.index_interval_bytes, 4096);
    assert_eq!(topic.batch_bytes_max, 1_048_588);
    assert_eq!(topic.timestamp_type, TimestampType::CreateTime);
    assert_eq!(topic.timestamp_before_max_ms, i64::MAX);
    assert_eq!(topic.timestamp_after_max_ms, 3_600_000);
    assert_eq!(topic.compression, CompressionType::Producer);
    assert_eq!((topic.compact, topic.delete), (false, true));
    assert_eq!((topic.retention_ms, topic.retention_bytes), (Some(604_800_000), None));
    assert_eq!(topic.min_insync_replicas, 1);
    assert!(topic.acks_flush && !topic.preallocate && !topic.unclean_leader_election);
}

#[test]
fn an_override_wins_over_the_broker_and_the_broker_over_the_default() {
    let broker =
        broker("log.segment.bytes=2000000\nmessage.max.bytes=7\nottla.acks.flush=false\ncompression.type=zstd");
    assert_eq!(broker.topic_defaults, broker.topic_config(&Overrides::new()));
    let set = [
        ("segment.bytes", " 3000000 "),
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "-1"),
        ("ottla.acks.flush", "TRUE"),
    ];
    let topic = broker.topic_config(&overrides(&set));
    assert_eq!((topic.segment_bytes, topic.batch_bytes_max), (3_000_000, 7));
    assert_eq!((topic.compact, topic.delete), (true, false));
    assert_eq!(topic.timestamp_type, TimestampType::LogAppendTime);
    assert_eq!(topic.compression, CompressionType::Zstd);
    assert_eq!(topic.retention_ms, None);
    assert!(topic.acks_flush && !broker.topic_defaults.acks_flush);
}

#[test]
fn the_finer_unit_of_retention_wins() {
    let retention = |file: &str| broker(file).topic_defaults.retention_ms;
    assert_eq!(retention("log.retention.hours=2"), Some(7_200_000));
    assert_eq!(retention("log.retention.hours=2\nlog.retention.minutes=3"), Some(180_000));
    assert_eq!(retention("log.retention.ms=4\nlog.retention.hours=2\nlog.retention.minutes=3"), Some(4));
    assert_eq!(retention("log.retention.hours=-1"), None);
    assert_eq!(retention("log.retention.ms=-5"), None);
}

#[test]
fn an_override_that_is_not_allowed_counts_as_not_set() {
    let set = overrides(&[("segment.bytes", "12"), ("cleanup.policy", "shred")]);
    let broker = broker("");
    assert_eq!(broker.topic_config(&set), broker.topic_defaults);
    let described = describe_topic_config(&set, &broker);
    assert!(described.iter().all(|described| described.source == ConfigSource::Default));
}

#[test]
fn refusals_name_key_value_and_what_is_allowed() {
    let refused: BTreeMap<_, _> = [
        ("segment.bytes=12", "segment.bytes=12: must be at least 1048576"),
        ("retention.ms=7d", "retention.ms=7d: must be a whole number from"),
        ("cleanup.policy=shred", "cleanup.policy=shred: shred must be one of compact, delete"),
        ("remote.storage.enable=true", "remote.storage.enable=true: refused: there is no tiered storage yet"),
        ("segment.byte=12", "segment.byte is not a key of a topic"),
        ("log.segment.bytes=2000000", "log.segment.bytes is not a key of a topic"),
    ]
    .into();
    for (pair, message) in refused {
        let (key, value) = pair.split_once('=').unwrap();
        let said = validate_topic_config(key, value).unwrap_err();
        assert!(said.starts_with(message), "{said}");
    }
    assert_eq!(validate_topic_config("remote.storage.enable", "false"), Ok(()));
}

#[test]
fn compaction_lags_are_checked_against_each_other_and_the_broker() {
    let broker = broker("log.cleaner.max.compaction.lag.ms=100");
    let check = |pairs| validate_topic_configs(&overrides(pairs), &broker);
    assert_eq!(check(&[("min.compaction.lag.ms", "100")]), Ok(()));
    assert!(check(&[("min.compaction.lag.ms", "101")]).is_err());
    assert_eq!(check(&[("min.compaction.lag.ms", "101"), ("max.compaction.lag.ms", "102")]), Ok(()));
    assert!(check(&[("retention.ms", "x")]).is_err());
}
