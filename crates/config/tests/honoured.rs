//! A key may only be called honoured if setting it changes what the broker runs with, or stops it from starting; and one
//! that is called otherwise changes nothing. That the typed settings are read by somebody is held by `cargo xtask tidy`.

use ottla_config::key::{Key, Kind, Status};
use ottla_config::{BrokerConfig, Overrides, Value, keys, parse_value};

/// A legal value other than the default.
fn other_value(key: &Key) -> String {
    let text = match key.name {
        "listeners" => "PLAINTEXT://:1",
        "advertised.listeners" => "PLAINTEXT://h:1",
        "listener.security.protocol.map" => "PLAINTEXT:SSL",
        "controller.listener.names" => "PLAINTEXT",
        "controller.quorum.voters" => "2@h:1",
        "process.roles" => "broker",
        "log.message.timestamp.type" | "message.timestamp.type" => "LogAppendTime",
        "compression.type" => "gzip",
        "compression.gzip.level" => "1",
        "inter.broker.listener.name" => "nix",
        "ottla.http.listener" => "http://:1",
        "max.connections.per.ip.overrides" => "127.0.0.1:1",
        "max.connection.creation.rate" | "max.connections" | "max.connections.per.ip" => "5",
        "port" | "advertised.port" => "1",
        "log.message.timestamp.before.max.ms" | "message.timestamp.before.max.ms" => "1",
        "group.consumer.migration.policy" => "disabled",
        "group.coordinator.rebalance.protocols" => "classic",
        "cleanup.policy" | "log.cleanup.policy" => "compact",
        "log.cleaner.io.max.bytes.per.second" => "5",
        _ => "",
    };
    if !text.is_empty() {
        return text.to_owned();
    }
    match key.default.map(|default| parse_value(key, default).expect("a default is allowed")) {
        Some(Value::Boolean(on)) => (!on).to_string(),
        // The most that an Int may be.
        Some(Value::Number(number)) if number == i64::from(i32::MAX) => (number - 1).to_string(),
        Some(Value::Number(number)) => number.checked_add(1).unwrap_or(number - 1).to_string(),
        Some(Value::Double(number)) => (number / 2.0).to_string(),
        None if matches!(key.kind, Kind::Int | Kind::Long) => "5".to_owned(),
        Some(Value::Text(_) | Value::List(_)) | None => "other".to_owned(),
    }
}

#[test]
fn every_honoured_broker_key_has_an_effect() {
    // Everything typed; the settings themselves are the last field.
    let typed = |overrides: &[(String, String)]| {
        BrokerConfig::from_layers(None, overrides)
            .map(|(config, _)| format!("{config:?}").split_once("settings:").map(|(typed, _)| typed.to_owned()))
    };
    let without = typed(&[]);
    let mut checked = 0;
    for key in keys::broker_keys().chain(keys::legacy_keys()).filter(|key| key.status == Status::Honoured) {
        let value = other_value(key);
        assert!(parse_value(key, &value).is_ok(), "{}={value}", key.name);
        assert_ne!(typed(&[(key.name.to_owned(), value.clone())]), without, "{}={value}", key.name);
        checked += 1;
    }
    assert!(checked > 30);
}

#[test]
fn every_other_broker_key_has_none() {
    // What has a part of the effect that its name promises, which its notice tells.
    const SOME: &[&str] = &["log.cleanup.policy", "unclean.leader.election.enable"];
    let typed = |overrides: &[(String, String)]| {
        BrokerConfig::from_layers(None, overrides)
            .map(|(config, _)| format!("{config:?}").split_once("settings:").map(|(typed, _)| typed.to_owned()))
    };
    let without = typed(&[]);
    let accepted = |key: &&Key| matches!(key.status, Status::Accepted(_));
    for key in keys::broker_keys().chain(keys::legacy_keys()).filter(accepted) {
        let value = other_value(key);
        if parse_value(key, &value).is_err() {
            continue;
        }
        let same = typed(&[(key.name.to_owned(), value.clone())]) == without;
        assert_eq!(same, !SOME.contains(&key.name), "{}={value}", key.name);
    }
}

#[test]
fn every_honoured_topic_key_has_an_effect() {
    let (broker, _) = BrokerConfig::from_layers(None, &[]).unwrap();
    for topic in keys::topic_keys().filter(|topic| topic.key.status == Status::Honoured) {
        let overrides = Overrides::from([(topic.key.name.to_owned(), other_value(&topic.key))]);
        assert_ne!(broker.topic_config(&overrides), broker.topic_defaults, "{}", topic.key.name);
    }
}
