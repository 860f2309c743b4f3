//! Whole files: what Kafka shipped over the years (settings only), and what users make of them.

use ottla_config::{BrokerConfig, ConfigError, Notice, NoticeKind, Origin};
use ottla_types::BrokerId;

const V4_3: &str = "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
log.dirs=/tmp/kraft-combined-logs
num.partitions=3
offsets.topic.replication.factor=1
log.retention.hours=168
log.segment.bytes=1073741824
";

const V0_8: &str = "broker.id=0
port=9095
host.name=192.0.2.1
advertised.host.name=kafka.example
advertised.port=19095
num.network.threads=3
log.dirs=/tmp/kafka-logs
log.retention.hours=168
log.cleaner.enable=false
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=6000
";

const V0_10: &str = "broker.id=0
num.network.threads=3
log.dirs=/tmp/kafka-logs
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=6000
inter.broker.protocol.version=0.10.0
log.message.format.version=0.9.0
";

const V2_5: &str = "broker.id=0
listeners=PLAINTEXT://127.0.0.1:9092
log.dirs=/tmp/kafka-logs
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
zookeeper.connect=localhost:2181
zookeeper.connection.timeout.ms=18000
group.initial.rebalance.delay.ms=0
some.vendors.key=true
";

const V3_9_KRAFT: &str = "process.roles=broker,controller
node.id=7
controller.quorum.voters=7@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=/tmp/kraft-combined-logs
";

fn start(file: &str) -> Result<(BrokerConfig, Vec<Notice>), ConfigError> {
    BrokerConfig::from_layers(Some(file), &[])
}

fn refusal(file: &str) -> String {
    start(file).expect_err("a bad file").to_string()
}

fn addresses(file: &str) -> (Vec<String>, Vec<String>) {
    let (config, _) = start(file).expect("a good file");
    let print = |listeners: &[ottla_config::Listener]| listeners.iter().map(ToString::to_string).collect();
    (print(&config.listeners), print(&config.advertised_listeners))
}

fn keys_without_effect(notices: &[Notice]) -> Vec<&str> {
    let without = notices.iter().filter(|notice| matches!(notice.kind, NoticeKind::NoEffect(_)));
    without.map(|notice| notice.key.as_str()).collect()
}

#[test]
fn no_file_at_all_starts_a_broker() {
    let (config, notices) = BrokerConfig::from_layers(None, &[]).unwrap();
    assert_eq!(config.node_id, BrokerId(1));
    assert_eq!(config.log_dirs, [std::path::PathBuf::from("ottla-data")]);
    assert_eq!(config.listeners[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!((config.default_partitions, config.default_replication_factor), (1, 1));
    assert_eq!((config.network_threads, config.io_threads, config.recovery_threads_per_dir), (3, 8, 2));
    assert_eq!((config.request_bytes_max, config.fetch_bytes_max), (104_857_600, 57_671_680));
    assert_eq!((config.recovery_point_interval_ms, config.producer_id_expiration_ms), (60_000, 86_400_000));
    assert!(config.auto_create_topics && config.delete_topics && config.rack.is_none());
    // The one thing to know: nobody outside this host can reach it.
    assert_eq!(notices.len(), 1);
    assert!(notices[0].to_string().contains("only programs on this host"), "{}", notices[0]);
}

#[test]
fn the_file_of_4_3_starts_and_its_controller_listener_stays_closed() {
    let (config, notices) = start(V4_3).unwrap();
    assert_eq!(config.default_partitions, 3);
    assert_eq!(config.log_dirs, [std::path::PathBuf::from("/tmp/kraft-combined-logs")]);
    let (listeners, advertised) = addresses(V4_3);
    assert_eq!((listeners, advertised), (vec!["PLAINTEXT://:9092".into()], vec!["PLAINTEXT://localhost:9092".into()]));
    let said: Vec<_> = notices.iter().map(|notice| (notice.origin, notice.key.as_str())).collect();
    let expected = [(Origin::Line(3), "controller.quorum.bootstrap.servers"), (Origin::Line(4), "listeners")];
    assert_eq!(said, expected);
}

#[test]
fn the_file_of_0_8_starts_with_its_host_and_port() {
    let (config, notices) = start(V0_8).unwrap();
    assert_eq!(config.node_id, BrokerId(0));
    let (listeners, advertised) = addresses(V0_8);
    assert_eq!(listeners, ["PLAINTEXT://192.0.2.1:9095"]);
    assert_eq!(advertised, ["PLAINTEXT://kafka.example:19095"]);
    let without = ["zookeeper.connect", "zookeeper.connection.timeout.ms"];
    assert_eq!(keys_without_effect(&notices), without);
}

#[test]
fn the_files_of_0_10_and_2_5_start_without_zookeeper() {
    let (_, notices) = start(V0_10).unwrap();
    let versions = ["inter.broker.protocol.version", "log.message.format.version"];
    assert_eq!(keys_without_effect(&notices)[2..], versions);
    let (config, notices) = start(V2_5).unwrap();
    assert_eq!(config.recovery_threads_per_dir, 1);
    let unknown: Vec<_> = notices.iter().filter(|n| n.kind == NoticeKind::Unknown).map(ToString::to_string).collect();
    assert_eq!(unknown, ["line 9: some.vendors.key: not a known key, ignored"]);
}

#[test]
fn the_kraft_file_of_3_9_starts_when_it_names_this_node_only() {
    assert_eq!(start(V3_9_KRAFT).unwrap().0.node_id, BrokerId(7));
    let several = V3_9_KRAFT.replace("7@localhost:9093", "7@localhost:9093,8@other:9093");
    assert!(refusal(&several).contains("8@other:9093 is another node"), "{}", refusal(&several));
    assert!(refusal(&V3_9_KRAFT.replace("broker,controller", "broker")).starts_with("line 1: process.roles=broker: "));
    assert!(start("controller.quorum.bootstrap.servers=a:1,b:1").is_err());
}

#[test]
fn the_command_line_wins_over_the_file() {
    let overrides = [("node.id".to_owned(), "3".to_owned()), ("num.partitions".to_owned(), "5".to_owned())];
    let (config, notices) = BrokerConfig::from_layers(Some("num.partitions=4\nbroker.rack=r"), &overrides).unwrap();
    assert_eq!((config.node_id, config.default_partitions), (BrokerId(3), 5));
    assert_eq!(config.rack.as_deref(), Some("r"));
    assert_eq!(config.settings.origin("num.partitions"), Origin::CommandLine);
    assert!(notices.iter().all(|notice| notice.kind != NoticeKind::Repeated));
}

#[test]
fn a_key_that_stands_twice_counts_as_it_stands_last() {
    let (config, notices) = start("num.partitions=2\nnum.partitions=3").unwrap();
    assert_eq!(config.default_partitions, 3);
    let repeated = notices.iter().find(|notice| notice.kind == NoticeKind::Repeated).unwrap();
    assert_eq!(repeated.origin, Origin::Line(1));
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let file = "log.segment.bytes=12\n\n# fine\nnum.partitions = 4\nnum.io.threads=many\nmessage.max.bytes=-1";
    let expected = "line 1: log.segment.bytes=12: must be at least 1048576
line 5: num.io.threads=many: must be a whole number from -2147483648 to 2147483647, without a unit
line 6: message.max.bytes=-1: must be at least 0";
    assert_eq!(refusal(file), expected);
    // A value that cannot be read is not held against other rules as well.
    let unreadable = "node.id=x\nbroker.id=5\ncontroller.quorum.voters=5@h:1\ndefault.replication.factor=x
log.cleaner.max.compaction.lag.ms=x\nlog.cleaner.min.compaction.lag.ms=5\nlisteners=\nlog.dirs=";
    let lines: Vec<_> = start(unreadable).unwrap_err().problems.into_iter().map(|problem| problem.origin).collect();
    assert_eq!(lines, [1, 4, 5, 7, 8].map(Origin::Line));
    assert!(refusal("a=1\nb=\\u00g0").starts_with("line 2: \\u must"));
}

#[test]
fn secrets_are_not_shown() {
    let (config, notices) = start("ssl.key.password=hunter2").unwrap();
    assert!(notices.iter().all(|notice| !notice.to_string().contains("hunter2")));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_must_not_be_ignored_stops_the_start() {
    let refused = [
        "listeners=SSL://:9093",
        "listeners=PLAINTEXT://:9092,SASL_SSL://:9093",
        "listeners=WEB://:9092\nlistener.security.protocol.map=WEB:SASL_PLAINTEXT",
        "authorizer.class.name=kafka.security.authorizer.AclAuthorizer",
        "remote.log.storage.system.enable=true",
        "create.topic.policy.class.name=a.B",
        "config.providers=file",
    ];
    for file in refused {
        assert!(start(file).is_err(), "{file}");
    }
    for harmless in ["authorizer.class.name=", "remote.log.storage.system.enable=false", "config.providers="] {
        assert!(start(harmless).is_ok(), "{harmless}");
    }
    let said = refusal("listeners=SSL://:9093");
    assert!(said.contains("SSL://:9093 asks for SSL, which is not served yet"), "{said}");
}

#[test]
fn node_id_and_broker_id_must_agree() {
    let id = |file| start(file).map(|(config, _)| config.node_id.0);
    assert_eq!(id("broker.id=5"), Ok(5));
    assert_eq!(id("broker.id=-1"), Ok(1));
    assert_eq!(id("node.id=5\nbroker.id=5"), Ok(5));
    assert_eq!(id("node.id=5\nbroker.id=-1"), Ok(5));
    assert!(refusal("node.id=5\nbroker.id=6").starts_with("line 2: broker.id=6: must be the same as node.id=5"));
    assert!(refusal("broker.id=-2").starts_with("line 1: broker.id=-2: must be at least 0"));
}

#[test]
fn listeners_need_a_protocol_and_an_address_of_their_own() {
    let said = refusal("listeners=WEB://:9092");
    assert!(said.contains("WEB has no protocol in listener.security.protocol.map"), "{said}");
    assert_eq!(addresses("listeners=web://h:1\nlistener.security.protocol.map=Web:PLAINTEXT").0, ["WEB://h:1"]);
    assert!(refusal("listeners=PLAINTEXT://:1,PLAINTEXT://:2").contains("PLAINTEXT is named twice"));
    assert!(refusal("listeners=").contains("must not be empty"));
    let only = "listeners=CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER";
    assert!(refusal(only).contains("not in controller.listener.names"));
    // A map that is set must name every listener, those of controllers too.
    let map = format!("{V3_9_KRAFT}listener.security.protocol.map=PLAINTEXT:PLAINTEXT");
    assert!(refusal(&map).contains("CONTROLLER has no protocol"), "{}", refusal(&map));
}

#[test]
fn advertised_listeners_follow_the_listeners_unless_set() {
    let advertised = |file| addresses(file).1;
    assert_eq!(advertised("listeners=PLAINTEXT://10.0.0.1:0"), ["PLAINTEXT://10.0.0.1:0"]);
    for wildcard in ["", "0.0.0.0", "[::]"] {
        let file = format!("listeners=PLAINTEXT://{wildcard}:9092");
        assert_eq!(addresses(&file).1, ["PLAINTEXT://localhost:9092"], "{wildcard}");
    }
    assert_eq!(advertised("port=1\nadvertised.host.name=h"), ["PLAINTEXT://h:1"]);
    assert_eq!(advertised("listeners=PLAINTEXT://:2\nport=1"), ["PLAINTEXT://localhost:2"]);
    assert_eq!(advertised("advertised.listeners=PLAINTEXT://[2001:db8::1]:1"), ["PLAINTEXT://[2001:db8::1]:1"]);
    for bad in ["PLAINTEXT://:1", "PLAINTEXT://0.0.0.0:1", "OTHER://h:1", "nonsense"] {
        let file = format!("advertised.listeners={bad}");
        assert!(refusal(&file).starts_with(&format!("line 1: advertised.listeners={bad}: ")), "{}", refusal(&file));
    }
}

#[test]
fn several_log_directories_are_kept_in_their_order_and_the_first_holds_the_metadata() {
    let dirs = |file: &str| {
        let (config, _) = start(file).unwrap();
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        (config.log_dirs.iter().map(|dir| text(dir)).collect::<Vec<_>>().join(" "), text(&config.metadata_log_dir))
    };
    assert_eq!(dirs("log.dirs=/a, /b\nlog.dir=/c"), ("/a /b".into(), "/a".into()));
    assert_eq!(dirs("log.dir=/c"), ("/c".into(), "/c".into()));
    assert_eq!(dirs("log.dirs=/a,/b\nmetadata.log.dir=/b"), ("/a /b".into(), "/b".into()));
    assert_eq!(dirs("log.dirs=/a\nmetadata.log.dir=/m"), ("/a".into(), "/m".into()));
    assert_eq!(dirs("log.dirs=/a,/b,/a"), ("/a /b".into(), "/a".into()));
}

#[test]
fn numbers_that_kafka_checks_beyond_its_table_are_checked() {
    for bad in ["log.retention.hours=0", "log.roll.ms=0", "log.roll.jitter.ms=-1", "default.replication.factor=0"] {
        assert!(refusal(bad).starts_with(&format!("line 1: {bad}: must be")), "{}", refusal(bad));
    }
    assert!(refusal("offsets.topic.compression.codec=5").contains("must be 0 (none), 1 (gzip)"));
    assert!(
        refusal("group.consumer.assignors=uniform,sticky").contains("names \"sticky\": there are uniform and range")
    );
    let lags = "log.cleaner.max.compaction.lag.ms=5\nlog.cleaner.min.compaction.lag.ms=6";
    assert!(refusal(lags).contains("must not be above log.cleaner.max.compaction.lag.ms=5"));
}
