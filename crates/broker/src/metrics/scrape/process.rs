//! The process, under the names that Prometheus's client libraries have for it, and what it is.

use ottla_runtime::system;

use super::super::exposition::{Exposition, Kind};
use crate::node::Node;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    if let Some(usage) = system::usage() {
        to.gauge("process_resident_memory_bytes", "Memory that the process holds.", usage.resident_bytes);
        to.gauge("process_virtual_memory_bytes", "Addresses that the process has mapped.", usage.virtual_bytes);
        to.counter("process_cpu_seconds_total", "User and system time of the process.", usage.cpu_seconds);
        to.gauge("process_open_fds", "Descriptors that are open.", usage.open_descriptors);
        to.gauge("process_max_fds", "Descriptors that may be open.", usage.descriptors_max);
        to.gauge("process_threads", "Threads of the process.", usage.threads);
        to.gauge("process_start_time_seconds", "When the process started, since 1970.", usage.started_seconds);
    }
    let image = node.image();
    let version = env!("CARGO_PKG_VERSION");
    let id = node.config().node_id.to_string();
    let labels =
        [("version", version), ("node_id", id.as_str()), ("cluster_id", image.cluster_id().unwrap_or_default())];
    to.family("ottla_build_info", Kind::Gauge, "Always 1; the labels say what runs here.").sample(&labels, 1);
}
