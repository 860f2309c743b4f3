//! What clients pushed about themselves (KIP-714), under the names that they have for it with `_` for what Prometheus
//! does not allow, and with labels that say which client it is.

use std::collections::BTreeMap;

use ottla_types::Uuid;

use super::super::exposition::{Exposition, Kind};
use crate::client_metrics::{Client, Labels};
use crate::node::Node;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    let known = node.client_metrics.lock();
    let help = "Clients that push metrics, or may (KIP-714).";
    to.gauge("kafka_server_client_metrics_instance_count", help, known.instances().len());
    let help = "Numbers that clients pushed and that are not told: of other kinds, or too many.";
    to.counter("ottla_client_metrics_dropped_total", help, known.dropped());
    // By name first: all samples of a family stand together.
    let mut families: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    for (id, instance) in known.instances() {
        for ((name, own), value) in &instance.points {
            families.entry(family_of(name)).or_default().push((labels(id, &instance.client, own), *value));
        }
    }
    drop(known);
    for (name, samples) in families {
        let mut family = to.family(&name, Kind::Gauge, "Pushed by clients.");
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
            family.sample(&labels, value);
        }
    }
}

/// Who it is, and what the client says of the number itself.
fn labels(id: &Uuid, client: &Client, own: &Labels) -> Labels {
    let who = [
        ("client_instance_id", id.to_string()),
        ("client_id", client.id.clone()),
        ("client_software_name", client.software.name.clone()),
        ("client_software_version", client.software.version.clone()),
    ];
    let mut labels: Vec<_> = who.into_iter().map(|(label, value)| (label.to_owned(), value)).collect();
    for (label, value) in own {
        let label = allowed(label);
        // Two labels of one name would spoil the whole answer.
        if labels.iter().all(|(known, _)| *known != label) {
            labels.push((label, value.clone()));
        }
    }
    labels
}

/// What a metric is called here. Kafka's clients name theirs in a domain of its own; any other must not be taken for one of
/// the broker's, or spoil the answer by its name.
fn family_of(name: &str) -> String {
    let name = allowed(name);
    if name.starts_with("org_apache_kafka_") { name } else { format!("client_{name}") }
}

/// The name with `_` for every character that Prometheus does not take.
fn allowed(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_such_as_prometheus_takes() {
        assert_eq!(allowed("org.apache.kafka.producer.connection-count"), "org_apache_kafka_producer_connection_count");
        assert_eq!(family_of("kafka.log.log.size"), "client_kafka_log_log_size");
        assert_eq!(family_of("org.apache.kafka.x"), "org_apache_kafka_x");
        assert_eq!((allowed("9a").as_str(), allowed("").as_str(), allowed("ü").as_str()), ("_9a", "_", "_"));
    }
}
