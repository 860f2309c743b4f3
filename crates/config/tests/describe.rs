//! Descriptions of configuration against what a real Kafka 4.3.1 answered.
//!
//! Where Ottla means to differ, the difference is listed here with its reason; a difference that is not listed, or listed
//! and gone, fails.

use std::collections::BTreeMap;

use ottla_config::{
    BrokerConfig, Described, Overrides, describe_broker_config, describe_client_metrics_config,
    describe_cluster_default_config, describe_created_topic_config, describe_group_config, describe_topic_config, keys,
};

const KAFKA: &str = include_str!("facts/describe-configs.tsv");

/// Resource, key, column counted from the value, what Kafka has there, what Ottla has, why.
const DIFFERENCES: &[(&str, &str, usize, &str, &str, &str)] = &[
    ("BROKER:1", "log.dir", 0, "/tmp/kafka-logs", "ottla-data", "/tmp is emptied at a reboot"),
    ("BROKER:1", "log.dir", 5, "5:log.dir=/tmp/kafka-logs", "5:log.dir=ottla-data", "the same"),
    ("BROKER:1", "node.id", 5, "4:node.id=1", "4:node.id=1 | 5:node.id=1", "a lone node needs no file"),
    (
        "BROKER:1",
        "process.roles",
        5,
        "4:process.roles=broker,controller",
        "4:process.roles=broker,controller | 5:process.roles=broker,controller",
        "a lone node needs no file",
    ),
];

fn rows(what: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = KAFKA.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let what = what.to_owned();
    rows.filter(move |row| row[0] == what).map(|row| row[1..].to_vec())
}

fn overrides(resource: &str) -> Overrides {
    rows("alter").filter(|row| row[0] == resource).map(|row| (row[1].to_owned(), row[2].to_owned())).collect()
}

fn broker() -> BrokerConfig {
    let set: Vec<_> = rows("set").map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    let (config, _) = BrokerConfig::from_layers(None, &set).expect("a good file");
    config.with_dynamic(&overrides("BROKER:"), &overrides("BROKER:1")).expect("good settings").0
}

fn as_row(described: &Described) -> Vec<String> {
    let null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms = described.synonyms.iter();
    let synonyms: Vec<_> =
        synonyms.map(|one| format!("{}:{}={}", one.source.raw(), one.name, null(&one.value))).collect();
    vec![
        null(&described.value),
        described.source.raw().to_string(),
        if described.sensitive { "sensitive" } else { "-" }.to_owned(),
        if described.read_only { "ro" } else { "rw" }.to_owned(),
        described.kind.map_or("UNKNOWN", |kind| kind.name()).to_owned(),
        synonyms.join(" | "),
    ]
}

fn compare(resource: &str, described: &[Described]) {
    let mut ours: BTreeMap<_, _> = described.iter().map(|one| (one.name.as_str(), as_row(one))).collect();
    assert_eq!(ours.len(), described.len(), "{resource}: a key is there twice");
    assert!(described.is_sorted_by_key(|one| &one.name));
    let mut count = 0;
    for theirs in rows(resource) {
        let row = ours.remove(theirs[0]).unwrap_or_else(|| panic!("{resource} {} is missing", theirs[0]));
        let mut expected: Vec<_> = theirs[1..].iter().map(ToString::to_string).collect();
        let differences = DIFFERENCES.iter().filter(|one| one.0 == resource && one.1 == theirs[0]);
        for (_, _, column, kafka, own, _) in differences {
            assert_eq!(expected[*column], *kafka);
            expected[*column] = (*own).to_owned();
        }
        assert_eq!(row, expected, "{resource} {}", theirs[0]);
        count += 1;
    }
    assert!(count > 2);
    let own: Vec<_> = ours.keys().filter(|name| !name.starts_with("ottla.")).collect();
    assert!(own.is_empty(), "{resource}: Kafka has no {own:?}");
}

#[test]
fn a_broker_is_described_as_kafka_describes_it() {
    compare("BROKER:1", &describe_broker_config(&broker()));
}

#[test]
fn what_is_set_for_all_brokers_is_described_as_kafka_describes_it() {
    compare("BROKER:", &describe_cluster_default_config(&broker()));
}

#[test]
fn a_topic_is_described_as_kafka_describes_it() {
    compare("TOPIC:t", &describe_topic_config(&overrides("TOPIC:t"), &broker()));
}

#[test]
fn subscriptions_and_groups_are_described_as_kafka_describes_them() {
    for resource in ["CLIENT_METRICS:sub", "CLIENT_METRICS:none"] {
        compare(resource, &describe_client_metrics_config(&overrides(resource)));
    }
    for resource in ["GROUP:g", "GROUP:none"] {
        compare(resource, &describe_group_config(&overrides(resource), &broker()));
    }
}

#[test]
fn every_known_key_is_described_with_what_it_does() {
    let broker = broker();
    for described in describe_broker_config(&broker) {
        let known = keys::broker_key(&described.name).is_some();
        assert_eq!(described.documentation.is_some(), known, "{}", described.name);
        assert_eq!(described.kind.is_none(), described.sensitive && described.documentation.is_none());
    }
}

#[test]
fn secrets_and_unknown_keys_keep_their_values_to_themselves() {
    let set =
        [("ssl.key.password", "hunter2"), ("my.key", "hunter2"), ("listener.name.a.plain.sasl.jaas.config", "hunter2")];
    let set: Vec<_> = set.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let (config, _) = BrokerConfig::from_layers(None, &set).unwrap();
    let config =
        config.with_dynamic(&Overrides::from([("their.key".to_owned(), "hunter2".to_owned())]), &Overrides::new());
    let (config, _) = config.unwrap();
    let told = format!("{:?} {:?}", describe_broker_config(&config), describe_cluster_default_config(&config));
    assert!(told.contains("ssl.key.password") && told.contains("their.key") && !told.contains("hunter2"));
}

#[test]
fn a_key_of_old_is_described_where_it_is_set() {
    let broker = broker();
    let set = Overrides::from([("message.format.version".to_owned(), "2.8".to_owned())]);
    for described in [describe_topic_config(&set, &broker), describe_created_topic_config(&set, &broker)] {
        let old = described.iter().find(|one| one.name == "message.format.version").expect("it is set");
        assert_eq!(old.value.as_deref(), Some("2.8"));
    }
    let without = describe_topic_config(&Overrides::new(), &broker);
    assert!(without.iter().all(|one| one.name != "message.format.version"));
}
