//! Reads the whole broker and writes what it finds, one file for each of Kafka's groups of metrics.
//!
//! Names are those that the usual rules of the JMX exporter (Strimzi's among them) make of Kafka's MBeans, where what they
//! tell is true here. What has no meaning here is left out rather than told as zero.

mod cleaner;
mod clients;
mod groups;
mod logs;
mod network;
mod process;
mod replicas;
mod topics;

use super::exposition::Exposition;
use crate::node::Node;

/// How many lags of groups are told at most: each is a line of its own.
const LAGS_MAX: usize = 10_000;

/// The text of `/metrics`.
pub(crate) async fn scrape(node: &Node) -> String {
    let watched = node.groups.watched(LAGS_MAX).await;
    let mut to = Exposition::default();
    topics::write(node, &mut to);
    network::write(node, &mut to);
    replicas::write(node, &mut to);
    logs::write(node, &mut to);
    groups::write(node, &watched, &mut to);
    cleaner::write(node, &mut to);
    process::write(node, &mut to);
    clients::write(node, &mut to);
    to.into_text()
}
