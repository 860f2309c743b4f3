//! What the broker tells those who watch it over HTTP: that it is well, and what it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use ottla_protocol::push_telemetry::PushTelemetryRequest;

use crate::restart::delete;
use crate::support::{Client, Recipe, Running, built, corrupted, create, fetch_of, otlp_gauge, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;

/// The page that names every metric, and where its table begins and ends.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
const BEGIN: &str = "<!-- metrics:begin -->\n";
const END: &str = "<!-- metrics:end -->\n";

fn watched() -> Running {
    Running::with("ottla.http.listener=http://127.0.0.1:0\n")
}

/// The value of a sample, as it stands in the text.
fn value(text: &str, sample: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(sample)?.strip_prefix(' ')?.to_owned()))
}

fn metrics(running: &Running) -> String {
    let (status, text) = running.http("/metrics");
    assert_eq!(status, 200);
    text
}

#[test]
fn a_running_broker_is_well_and_ready_and_says_what_else_there_is() {
    let running = watched();
    assert_eq!(running.http("/health"), (200, "ok\n".to_owned()));
    assert_eq!(running.http("/ready"), (200, "ok\n".to_owned()));
    let (status, text) = running.http("/");
    assert!(status == 404 && text.contains("/metrics"), "{text}");
}

#[test]
fn what_goes_in_and_out_is_counted_for_all_and_for_each_topic() {
    let running = watched();
    let mut client = running.connect();
    let topic = ("a", create(&mut client, "a", 2, &[]));
    let batch = built(&Recipe::of(3, 100));
    client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, batch.clone()));
    client.ask(PRODUCE, &produce_of(PRODUCE, topic, 1, -1, batch.clone()));
    client.ask(PRODUCE, &produce_of(PRODUCE, topic, 1, -1, corrupted(&batch, "crc")));
    client.ask(FETCH, &fetch_of(FETCH, topic, 0, 0));
    client.ask(FETCH, &fetch_of(FETCH, topic, 0, 99));
    // The next request is read after the one before was counted.
    assert!(client.is_served());
    let text = metrics(&running);
    let topics = |name: &str| value(&text, &format!("kafka_server_brokertopicmetrics_{name}"));
    for (name, expected) in [
        ("messagesin_total", 6),
        ("messagesin_total{topic=\"a\"}", 6),
        ("bytesin_total{topic=\"a\"}", 2 * batch.len()),
        ("bytesout_total{topic=\"a\"}", batch.len()),
        ("totalproducerequests_total", 3),
        ("failedproducerequests_total", 1),
        ("totalfetchrequests_total", 2),
        ("failedfetchrequests_total{topic=\"a\"}", 1),
    ] {
        assert_eq!(topics(name), Some(expected.to_string()), "{name}");
    }
    for (name, expected) in [
        ("kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"13\"}", "3"),
        ("kafka_network_requestmetrics_totaltimems_count{request=\"Fetch\"}", "2"),
        ("kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NONE\"}", "2"),
        ("kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"CORRUPT_MESSAGE\"}", "1"),
        // Each answer has one of the whole and one of its partition.
        ("kafka_network_requestmetrics_errors_total{request=\"Fetch\",error=\"NONE\"}", "3"),
        ("kafka_network_requestmetrics_errors_total{request=\"Fetch\",error=\"OFFSET_OUT_OF_RANGE\"}", "1"),
        ("kafka_network_requestmetrics_errors_total{request=\"CreateTopics\",error=\"NONE\"}", "1"),
        ("kafka_log_log_logendoffset{topic=\"a\",partition=\"1\"}", "3"),
        ("kafka_server_replicamanager_leadercount", "2"),
        ("kafka_controller_kafkacontroller_globaltopiccount", "1"),
        ("kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\"}", "1"),
    ] {
        assert_eq!(value(&text, name).as_deref(), Some(expected), "{name}");
    }
    let flushes = value(&text, "kafka_log_logflushstats_logflushrateandtimems_count").expect("it is told");
    assert!(
        (2..=4).contains(&flushes.parse().expect("a number")),
        "one for each batch that was acknowledged: {flushes}"
    );
    delete(&mut client, "a");
    let text = metrics(&running);
    assert!(!text.contains("topic=\"a\""), "a topic's numbers go with it");
    assert_eq!(value(&text, "kafka_server_brokertopicmetrics_messagesin_total").as_deref(), Some("6"));
}

#[test]
fn what_a_client_pushes_is_told_until_it_goes_away() {
    let running = watched();
    let mut client = running.connect();
    let told = client.ask(0, &GetTelemetrySubscriptionsRequest::default());
    let push = PushTelemetryRequest {
        client_instance_id: told.client_instance_id,
        subscription_id: told.subscription_id,
        metrics: otlp_gauge("org.apache.kafka.producer.x", 2.5).into(),
        ..PushTelemetryRequest::default()
    };
    assert_eq!(client.ask(0, &push).error_code, 0);
    let text = metrics(&running);
    let line = text.lines().find(|line| line.starts_with("org_apache_kafka_producer_x{")).expect("it is told");
    let id = format!("client_instance_id=\"{}\",client_id=\"test\"", told.client_instance_id);
    assert!(line.contains(&id) && line.ends_with(" 2.5"), "{line}");
    drop(client);
    // The broker hears of the end in its own time.
    while metrics(&running).contains("org_apache_kafka_producer_x{") {}
}

/// What a family is: its kind, the names of its labels, its description.
#[derive(Default)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut present = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            present = name.to_owned();
            let family = Family { help: help.to_owned(), ..Family::default() };
            assert!(families.insert(present.clone(), family).is_none(), "{name} is told twice");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.get_mut(name).expect("a family has a description").kind = kind.to_owned();
        } else {
            let family = families.get_mut(&present).expect("a sample belongs to a family");
            assert!(line.starts_with(&present), "{line} stands under {present}");
            let labels = line.split_once('{').map_or("", |(_, rest)| rest);
            let names = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()));
            family.labels.extend(names);
        }
    }
    families
}

/// A broker that has something of everything.
fn busy() -> (Running, Client) {
    let running = watched();
    let mut client = running.connect();
    let software =
        ApiVersionsRequest { client_software_name: "test".to_owned(), client_software_version: "1".to_owned() };
    client.ask(3, &software);
    let topic = ("a", create(&mut client, "a", 1, &[]));
    client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
    crate::groups_watched::find_coordinator(&mut client);
    while crate::groups_watched::commit(&mut client, "g", "a", 0) != 0 {}
    (running, client)
}

#[test]
fn every_metric_is_on_the_page_and_the_page_names_no_other() {
    let (running, _client) = busy();
    let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for (name, family) in families(&metrics(&running)) {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
        table.push_str(&format!("| `{name}` | {} | {} | {} |\n", family.kind, labels.join(", "), family.help));
    }
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the table");
    let (told, after) = rest.split_once(END).expect("the mark behind it");
    if std::env::var("OTTLA_REWRITE").is_ok_and(|value| value == "1") {
        fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}")).expect("the page can be written");
        return;
    }
    assert_eq!(told, table, "docs/metrics.md: with OTTLA_REWRITE=1 this test writes the table anew");
}
