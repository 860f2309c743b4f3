//! What is set while the cluster runs: which layer wins, what is refused, what is left out.

use ottla_config::{
    BrokerConfig, ClientMatch, ClientMetricsConfig, NoticeKind, Origin, Overrides, Refusal, Scope,
    validate_broker_configs, validate_client_metrics_configs, validate_group_configs,
};
use ottla_types::ErrorCode;

fn broker(file: &str) -> BrokerConfig {
    BrokerConfig::from_layers(Some(file), &[]).expect("a good file").0
}

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn said(refusal: Result<(), Refusal>) -> String {
    let refusal = refusal.expect_err("refused");
    format!("{} {}", refusal.code, refusal.message)
}

#[test]
fn a_brokers_own_setting_wins_over_that_of_all_and_that_over_the_file() {
    let file = broker("message.max.bytes=1\nlog.retention.hours=2");
    let all = overrides(&[("message.max.bytes", "2"), ("log.retention.ms", "20")]);
    let own = overrides(&[("message.max.bytes", "3")]);
    let (both, notices) = file.with_dynamic(&all, &own).unwrap();
    assert_eq!((both.topic_defaults.batch_bytes_max, both.topic_defaults.retention_ms), (3, Some(20)));
    assert_eq!(both.settings.origin("message.max.bytes"), Origin::Broker);
    assert_eq!(both.settings.origin("log.retention.ms"), Origin::ClusterDefault);
    assert!(notices.iter().all(|notice| !matches!(notice.kind, NoticeKind::LeftOut(_))), "{notices:?}");
    let (one, _) = both.with_dynamic(&all, &Overrides::new()).unwrap();
    assert_eq!(one.topic_defaults.batch_bytes_max, 2);
    let (none, _) = one.with_dynamic(&Overrides::new(), &Overrides::new()).unwrap();
    assert_eq!(none.topic_defaults, file.topic_defaults);
    assert_eq!(none.topic_defaults.retention_ms, Some(7_200_000));
}

#[test]
fn a_topics_override_wins_over_all_of_them() {
    let (config, _) = broker("").with_dynamic(&overrides(&[("log.retention.ms", "5")]), &Overrides::new()).unwrap();
    assert_eq!(config.topic_config(&Overrides::new()).retention_ms, Some(5));
    assert_eq!(config.topic_config(&overrides(&[("retention.ms", "6")])).retention_ms, Some(6));
}

#[test]
fn the_file_decides_what_only_a_restart_changes() {
    let refused = |scope, key, value| said(validate_broker_configs(scope, &overrides(&[(key, value)]), &broker("")));
    for (key, value) in [("node.id", "5"), ("log.dirs", "/x"), ("zookeeper.connect", "z"), ("log.roll.hours", "5")] {
        let said = refused(Scope::Broker, key, value);
        assert!(said.starts_with(&format!("INVALID_REQUEST {key}={value}: cannot be changed while")), "{said}");
    }
    for (key, value) in [("listeners", "PLAINTEXT://:1"), ("sasl.enabled.mechanisms", "PLAIN")] {
        assert!(refused(Scope::Broker, key, value).contains("cannot be changed while the broker runs yet"));
        assert!(refused(Scope::ClusterDefault, key, value).contains("belongs to one broker"));
    }
    assert!(refused(Scope::Broker, "ssl.keystore.type", "JKS").contains("only be changed for a single listener"));
    let secret = refused(Scope::Broker, "ssl.key.password", "hunter2");
    assert!(secret.starts_with("INVALID_REQUEST ssl.key.password=(hidden): "), "{secret}");
}

#[test]
fn values_are_checked_alone_and_with_one_another() {
    let check = |pairs: &[(&str, &str)]| {
        validate_broker_configs(Scope::ClusterDefault, &overrides(pairs), &broker("log.dirs=/a"))
    };
    assert_eq!(check(&[("log.retention.ms", "-1"), ("compression.type", "zstd"), ("my.own", "x")]), Ok(()));
    let both = said(check(&[("log.retention.ms", "x"), ("message.max.bytes", "-1")]));
    assert!(both.contains("log.retention.ms=x: must be a whole number") && both.contains("; message.max.bytes=-1: "));
    assert!(said(check(&[("log.retention.ms", "0")])).contains("must be at least 1, or -1"));
    let lags = [("log.cleaner.min.compaction.lag.ms", "6"), ("log.cleaner.max.compaction.lag.ms", "5")];
    assert!(said(check(&lags)).contains("must not be above"));
    assert!(said(check(&[("config.providers", "file")])).contains("refused: Java classes"));
    assert_eq!(check(&[("config.providers", "")]), Ok(()));
    let own =
        |pairs: &[(&str, &str)]| validate_broker_configs(Scope::Broker, &overrides(pairs), &broker("log.dirs=/a"));
    assert_eq!(own(&[("cordoned.log.dirs", "/a")]), Ok(()));
    assert!(said(own(&[("cordoned.log.dirs", "/b")])).contains("/b is not one of log.dirs=/a"));
}

#[test]
fn threads_double_at_most() {
    let check = |value| {
        let new = overrides(&[("num.io.threads", value)]);
        validate_broker_configs(Scope::ClusterDefault, &new, &broker("num.io.threads=10"))
    };
    assert_eq!((check("5"), check("20")), (Ok(()), Ok(())));
    assert!(check("4").is_err() && said(check("21")).contains("from half to twice of what it is now, 10"));
}

#[test]
fn settings_of_a_single_listener_are_a_brokers_own_but_for_its_limits() {
    let check = |scope, key, value| validate_broker_configs(scope, &overrides(&[(key, value)]), &broker(""));
    assert_eq!(check(Scope::ClusterDefault, "listener.name.a.max.connections", "5"), Ok(()));
    assert!(check(Scope::ClusterDefault, "listener.name.a.max.connections", "x").is_err());
    let keystore = "listener.name.a.ssl.keystore.type";
    assert!(said(check(Scope::ClusterDefault, keystore, "JKS")).contains("belongs to one broker"));
    assert!(said(check(Scope::Broker, keystore, "JKS")).contains("TLS and SASL are not served yet"));
    let jaas = said(check(Scope::Broker, "listener.name.a.plain.sasl.jaas.config", "hunter2"));
    assert!(jaas.contains("not served yet") && !jaas.contains("hunter2"));
    assert_eq!(check(Scope::Broker, "listener.name.a.some.extension", "x"), Ok(()));
}

#[test]
fn what_is_not_allowed_is_left_out_when_it_stands_in_the_metadata() {
    let all = overrides(&[("message.max.bytes", "x"), ("log.retention.ms", "5"), ("node.id", "7"), ("my.own", "1")]);
    let (config, notices) = broker("").with_dynamic(&all, &overrides(&[("num.io.threads", "9")])).unwrap();
    assert_eq!((config.topic_defaults.retention_ms, config.topic_defaults.batch_bytes_max), (Some(5), 1_048_588));
    assert_eq!(config.node_id.0, 1);
    let said: Vec<_> = notices.iter().map(ToString::to_string).collect();
    let mut said: Vec<_> = said.iter().map(String::as_str).collect();
    said.retain(|text| !text.contains("log.retention.ms"));
    let expected = [
        "setting of all brokers: message.max.bytes: ignored: must be a whole number from -2147483648 to 2147483647, without \
         a unit",
        "setting of all brokers: my.own: not a known key, ignored",
        "setting of all brokers: node.id: ignored: cannot be changed while the broker runs, only in its file",
        "setting of this broker: num.io.threads: read at the start only, from the file or the command line",
    ];
    assert_eq!(said, expected);
    let contradiction = [("log.cleaner.min.compaction.lag.ms", "6"), ("log.cleaner.max.compaction.lag.ms", "5")];
    assert!(broker("").with_dynamic(&overrides(&contradiction), &Overrides::new()).is_err());
}

#[test]
fn a_subscription_says_what_it_wants_and_of_whom() {
    let said_of = |pairs: &[(&str, &str)]| said(validate_client_metrics_configs(&overrides(pairs)));
    let pattern = "client_id=a.*,client_source_port=[0-9]+";
    let good = [("interval.ms", "100"), ("metrics", "org.apache."), ("match", pattern)];
    assert_eq!(validate_client_metrics_configs(&overrides(&good)), Ok(()));
    let config = ClientMetricsConfig::resolve(&overrides(&good));
    assert_eq!((config.interval_ms, config.metrics), (100, vec!["org.apache.".to_owned()]));
    let matches = [(ClientMatch::Id, "a.*".to_owned()), (ClientMatch::SourcePort, "[0-9]+".to_owned())];
    assert_eq!(config.matches, matches);
    let default = ClientMetricsConfig::resolve(&Overrides::new());
    assert_eq!((default.interval_ms, default.metrics.len(), default.matches.len()), (300_000, 0, 0));

    assert!(said_of(&[("interval", "5")]).starts_with("INVALID_REQUEST interval is not a key"));
    assert!(said_of(&[("interval.ms", "99")]).starts_with("INVALID_REQUEST interval.ms=99: "));
    assert!(said_of(&[("interval.ms", "x")]).starts_with("INVALID_CONFIG interval.ms=x: "));
    for bad in ["client_id", "client_id=", "who=a", "client_id=a=b", "client_id=["] {
        assert!(said_of(&[("match", bad)]).starts_with(&format!("INVALID_CONFIG match={bad}: ")), "{bad}");
    }
}

#[test]
fn a_group_stays_within_the_bounds_that_the_broker_draws() {
    let broker = broker("group.consumer.max.session.timeout.ms=60000");
    let check = |pairs: &[(&str, &str)]| validate_group_configs(&overrides(pairs), &broker);
    assert_eq!(check(&[("consumer.session.timeout.ms", "60000")]), Ok(()));
    let above = said(check(&[("consumer.session.timeout.ms", "60001")]));
    assert!(above.contains("must not be above group.consumer.max.session.timeout.ms=60000"), "{above}");
    assert!(said(check(&[("share.record.lock.duration.ms", "1000")])).contains("must not be below"));
    assert!(said(check(&[("session.timeout.ms", "5")])).starts_with("INVALID_CONFIG session.timeout.ms is not a key"));
    assert!(check(&[("share.auto.offset.reset", "middle")]).is_err());
    assert!(check(&[("share.isolation.level", "none")]).is_err());
    let unspoilt = [("streams.num.standby.replicas", "1"), ("share.auto.offset.reset", "by_duration:PT1H")];
    assert_eq!(check(&unspoilt), Ok(()));
}

#[test]
fn every_problem_of_a_request_has_the_code_that_kafka_gives_it() {
    let code = |result: Result<(), Refusal>| result.expect_err("refused").code;
    let bad = overrides(&[("interval.ms", "1")]);
    assert_eq!(code(validate_client_metrics_configs(&bad)), ErrorCode::InvalidRequest);
    assert_eq!(code(validate_group_configs(&bad, &broker(""))), ErrorCode::InvalidConfig);
    let bad = overrides(&[("message.max.bytes", "x")]);
    assert_eq!(code(validate_broker_configs(Scope::Broker, &bad, &broker(""))), ErrorCode::InvalidRequest);
}
