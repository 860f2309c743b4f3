//! `kafka.network:type=RequestMetrics` and `kafka.server:type=socket-server-metrics`: requests, and who sends them.

use super::super::exposition::{Exposition, Kind};
use super::super::requests::STAGES;
use crate::connections::{CLOSED_BECAUSE, Census};
use crate::handlers;
use crate::node::Node;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    requests(node, to);
    errors(node, to);
    times(node, to);
    connections(&node.connections.census(), to);
    memory(node, to);
    fetch_sessions(node, to);
}

fn requests(node: &Node, to: &mut Exposition) {
    let help = "Requests that were answered, or needed no answer.";
    let mut family = to.family("kafka_network_requestmetrics_requests_total", Kind::Counter, help);
    for (place, api) in node.metrics.requests.used() {
        for (version, count) in api.by_version() {
            family.sample(&[("request", handlers::name_of(place)), ("version", &version.to_string())], count);
        }
    }
}

fn errors(node: &Node, to: &mut Exposition) {
    let help =
        "Error codes in answers: of the whole, and of each topic, partition or resource in it. NONE is one, too.";
    let mut family = to.family("kafka_network_requestmetrics_errors_total", Kind::Counter, help);
    for (place, api) in node.metrics.requests.used() {
        for (code, count) in api.errors() {
            family.sample(&[("request", handlers::name_of(place)), ("error", code.name())], count);
        }
    }
}

fn times(node: &Node, to: &mut Exposition) {
    let now = node.runtime.clock.now();
    let helps = [
        "Time from a request's arrival to its answer being sent, in milliseconds.",
        "Part of it until the work on the request began.",
        "Part of it that the broker worked.",
        "Part of it that the broker waited: for a flush, for replicas, for more records.",
        "Part of it that the answer waited for those to earlier requests.",
        "Part of it that the answer was handed to the system.",
    ];
    for (at, ((_, stage), help)) in STAGES.iter().zip(helps).enumerate() {
        let name = format!("kafka_network_requestmetrics_{stage}");
        let mut family = to.family(&name, Kind::Summary, help);
        for (place, api) in node.metrics.requests.used() {
            let labels = [("request", handlers::name_of(place))];
            let Some((_, histogram)) = api.stages().nth(at) else { continue };
            // Those below a microsecond are not in the histogram: quantiles are of the others.
            let requests = api.by_version().map(|(_, count)| count).sum();
            family.times(&labels, histogram, requests, now);
        }
    }
}

fn connections(census: &Census, to: &mut Exposition) {
    let prefix = "kafka_server_socket_server_metrics";
    let name = format!("{prefix}_connection_count");
    let mut family = to.family(&name, Kind::Gauge, "Connections that are open.");
    for (listener, count) in &census.by_listener {
        family.sample(&[("listener", listener)], count);
    }
    let name = format!("{prefix}_connections");
    let mut family = to.family(&name, Kind::Gauge, "Connections of clients that said what they are.");
    for ((listener, software), count) in &census.by_software {
        let labels = [
            ("listener", &**listener),
            ("client_software_name", software.name.as_str()),
            ("client_software_version", software.version.as_str()),
        ];
        family.sample(&labels, count);
    }
    to.counter(&format!("{prefix}_connection_creation_total"), "Connections that were let in.", census.accepted);
    let help = "Connections that were closed at once: their address had as many as it may have.";
    to.counter("ottla_connections_refused_total", help, census.refused);
    let help = "Connections that the broker closed, by why.";
    let mut family = to.family("ottla_connections_closed_total", Kind::Counter, help);
    for (reason, count) in CLOSED_BECAUSE.iter().zip(census.closed) {
        family.sample(&[("reason", reason)], count);
    }
}

fn memory(node: &Node, to: &mut Exposition) {
    let fill = node.connections.memory.fill();
    to.gauge("ottla_request_memory_bytes", "Memory that requests in flight hold, but for small ones.", fill.used);
    to.gauge("ottla_request_memory_limit_bytes", "What they may hold: queued.max.request.bytes.", fill.limit);
    to.gauge("ottla_request_memory_waiting", "Connections that wait for memory to read a request.", fill.waiting);
}

fn fetch_sessions(node: &Node, to: &mut Exposition) {
    let prefix = "kafka_server_fetchsessioncache";
    let sessions = node.fetch_sessions.counts();
    let help = "Fetch sessions that are kept (KIP-227).";
    to.gauge(&format!("{prefix}_numincrementalfetchsessions"), help, sessions.sessions);
    let help = "Partitions of all fetch sessions.";
    to.gauge(&format!("{prefix}_numincrementalfetchpartitionscached"), help, sessions.partitions);
    let help = "Fetch sessions that were given up for others.";
    to.counter(&format!("{prefix}_incrementalfetchsessionevictions_total"), help, sessions.evictions);
}
