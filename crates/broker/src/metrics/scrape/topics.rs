//! `kafka.server:type=BrokerTopicMetrics`: what goes in and out, in all and for each topic.

use std::collections::BTreeMap;

use ottla_types::TopicName;

use super::super::exposition::{Exposition, Kind};
use super::super::traffic::Counted;
use crate::node::Node;

/// A family: its name, what it counts, and which number it is.
type Row = (&'static str, &'static str, fn(&Counted) -> u64);

const ROWS: [Row; 7] = [
    ("kafka_server_brokertopicmetrics_messagesin_total", "Records that were appended.", |c| c.messages_in),
    ("kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches that were appended.", |c| c.bytes_in),
    ("kafka_server_brokertopicmetrics_bytesout_total", "Bytes of records that fetches were answered with.", |c| {
        c.bytes_out
    }),
    (
        "kafka_server_brokertopicmetrics_totalproducerequests_total",
        "Batches that were to be appended: one for each partition of a produce request.",
        |c| c.produce_requests,
    ),
    ("kafka_server_brokertopicmetrics_totalfetchrequests_total", "Partitions that fetches were answered for.", |c| {
        c.fetch_requests
    }),
    ("kafka_server_brokertopicmetrics_failedproducerequests_total", "Batches that were refused.", |c| {
        c.failed_produce_requests
    }),
    ("kafka_server_brokertopicmetrics_failedfetchrequests_total", "Partitions that fetches were refused for.", |c| {
        c.failed_fetch_requests
    }),
];

pub(super) fn write(node: &Node, to: &mut Exposition) {
    let mut by_topic: BTreeMap<TopicName, Counted> = BTreeMap::new();
    for partition in node.partitions.all() {
        let topic = by_topic.entry(partition.name.topic.clone()).or_default();
        *topic = topic.plus(partition.traffic.counted());
    }
    let all = node.metrics.traffic.counted();
    for (name, help, number) in ROWS {
        let mut family = to.family(name, Kind::Counter, help);
        family.sample(&[], number(&all));
        for (topic, counted) in &by_topic {
            family.sample(&[("topic", topic.as_str())], number(counted));
        }
    }
    let help = "Partitions that fetches looked into: all of a fetch first and last, those that moved while it waits.";
    to.counter("ottla_fetch_looks_total", help, all.looks);
}
