//! What the broker tells about itself.

use crate::key::{ACCEPTED, ANY, HONOURED, Key, LIST, at_least};

keys! {
    /// Where /metrics, /health and /ready are served, as `http://host:port`; empty serves them nowhere. If nobody set it
    /// and the port is taken, the broker starts without. Ottla's own key.
    "ottla.http.listener": String = "http://127.0.0.1:9404", ANY, Medium, ReadOnly, HONOURED;
    /// Java classes that report metrics.
    "metric.reporters": List = "org.apache.kafka.common.metrics.JmxReporter", LIST, Low, ClusterWide, ACCEPTED;
    /// Windows over which a metric is computed.
    "metrics.num.samples": Int = "2", at_least(1), Low, ReadOnly, ACCEPTED;
    /// The length of such a window.
    "metrics.sample.window.ms": Long = "30000", at_least(1), Low, ReadOnly, ACCEPTED;
    /// Which metrics are recorded.
    "metrics.recording.level": String = "INFO", ANY, Low, ReadOnly, ACCEPTED;
    /// Java classes that report the older kind of metrics.
    "kafka.metrics.reporters": List = "", LIST, Low, ReadOnly, ACCEPTED;
    /// How often those are polled.
    "kafka.metrics.polling.interval.secs": Int = "10", at_least(1), Low, ReadOnly, ACCEPTED;
}
