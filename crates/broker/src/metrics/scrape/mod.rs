//! Reads the whole broker and writes what it finds, one file for each of Kafka's groups of metrics.
//!
//! Names are those that the usual rules of the JMX exporter (Strimzi's among them) make of Kafka's MBeans, where what they
//! tell is true here. What has no meaning here is left out rather than told as zero.

mod cleaner;
mod clients;
mod logs;
mod network;
mod process;
mod replicas;
mod topics;

use super::exposition::Exposition;
use crate::node::Node;

/// The text of `/metrics`.
pub(crate) fn scrape(node: &Node) -> String {
    let mut to = Exposition::default();
    topics::write(node, &mut to);
    network::write(node, &mut to);
    replicas::write(node, &mut to);
    logs::write(node, &mut to);
    cleaner::write(node, &mut to);
    process::write(node, &mut to);
    clients::write(node, &mut to);
    to.into_text()
}
