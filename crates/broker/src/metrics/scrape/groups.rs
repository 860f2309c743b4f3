//! `kafka.coordinator.group:type=GroupMetadataManager` and `kafka.server:type=group-coordinator-metrics`: groups and their
//! offsets; and how far behind each group is, which Kafka leaves to tools.

use std::collections::BTreeMap;

use ottla_metadata::Image;
use ottla_types::PartitionIndex;

use super::super::exposition::{Exposition, Kind};
use crate::groups::Watched;
use crate::node::Node;

/// The states that are told, as Kafka calls them, and as its metrics do.
const CLASSIC: [(&str, &str); 4] = [
    ("Empty", "empty"),
    ("PreparingRebalance", "preparingrebalance"),
    ("CompletingRebalance", "completingrebalance"),
    ("Stable", "stable"),
];
const CONSUMER: [(&str, &str); 4] =
    [("Empty", "empty"), ("Assigning", "assigning"), ("Reconciling", "reconciling"), ("Stable", "stable")];
const TYPES: [(&str, &str); 2] = [("classic", "classic"), ("consumer", "consumer")];

pub(super) fn write(node: &Node, groups: &Watched, to: &mut Exposition) {
    counts(groups, to);
    counters(groups, to);
    lags(node, groups, to);
}

fn counts(groups: &Watched, to: &mut Exposition) {
    let mut by_state = BTreeMap::<(String, String), usize>::new();
    for ((kind, state), count) in groups.censuses.iter().flat_map(|census| &census.groups) {
        *by_state.entry((kind.to_ascii_lowercase(), state.to_ascii_lowercase())).or_default() += count;
    }
    let of =
        |kind: &str| by_state.iter().filter(|((known, _), _)| known == kind).map(|(_, count)| count).sum::<usize>();
    let in_state = |kind: &str, state: &str| {
        by_state.get(&(kind.to_owned(), state.to_ascii_lowercase())).copied().unwrap_or_default()
    };
    let name = |what: &str| format!("kafka_coordinator_group_groupmetadatamanager_num{what}");
    to.gauge(&name("groups"), "Groups of the classic protocol that this broker coordinates.", of("classic"));
    for (state, label) in CLASSIC {
        let help = format!("Those of them that are in the state {state}.");
        to.gauge(&name(&format!("groups{label}")), &help, in_state("classic", state));
    }
    let offsets: usize = groups.censuses.iter().map(|census| census.offsets).sum();
    to.gauge(&name("offsets"), "Offsets that groups have committed and this broker keeps.", offsets);
    let help = "Groups that this broker coordinates, by protocol.";
    let mut family = to.family("kafka_server_group_coordinator_metrics_group_count", Kind::Gauge, help);
    TYPES.iter().for_each(|(kind, label)| family.sample(&[("protocol", label)], of(kind)));
    let help = "Groups of the consumer protocol (KIP-848), by state.";
    let mut family = to.family("kafka_server_group_coordinator_metrics_consumer_group_count", Kind::Gauge, help);
    CONSUMER.iter().for_each(|(state, label)| family.sample(&[("state", label)], in_state("consumer", state)));
    let help = "Partitions of __consumer_offsets that this broker coordinates the groups of, or is reading.";
    let mut family = to.family("kafka_server_group_coordinator_metrics_num_partitions", Kind::Gauge, help);
    family.sample(&[("state", "active")], groups.active);
    family.sample(&[("state", "loading")], groups.loading);
}

fn counters(groups: &Watched, to: &mut Exposition) {
    let counted = &groups.counted;
    for (name, help, number) in [
        (
            "group_completed_rebalance",
            "Rounds of classic groups that ended with an assignment.",
            counted.classic_rebalances,
        ),
        ("consumer_group_rebalance", "Times that a group's epoch rose (KIP-848).", counted.consumer_rebalances),
        ("offset_commit", "Offsets that were committed.", counted.offsets_committed),
        ("offset_expiration", "Offsets that were forgotten because nobody used them.", counted.offsets_expired),
        (
            "offset_deletion",
            "Offsets that were deleted, by themselves, with their group or their topic.",
            counted.offsets_deleted,
        ),
    ] {
        to.counter(&format!("kafka_server_group_coordinator_metrics_{name}_count"), help, number);
    }
}

fn lags(node: &Node, groups: &Watched, to: &mut Exposition) {
    let image = node.image();
    let help = "Records that the group has not committed yet: the high watermark less the committed offset.";
    let mut family = to.family("ottla_group_lag", Kind::Gauge, help);
    let positions = || groups.censuses.iter().flat_map(|census| &census.positions);
    for position in positions() {
        let Some(high_watermark) = high_watermark(node, &image, &position.topic, position.partition) else { continue };
        let partition = position.partition.to_string();
        let labels = [("group", &*position.group), ("topic", &*position.topic), ("partition", &partition)];
        family.sample(&labels, high_watermark.saturating_sub(position.offset.0).max(0));
    }
    let kept: usize = groups.censuses.iter().map(|census| census.offsets).sum();
    let help = "Committed offsets whose lag is not told, because there are too many.";
    to.gauge("ottla_group_lag_untold", help, kept.saturating_sub(positions().count()));
}

/// Of a partition that is led here.
fn high_watermark(node: &Node, image: &Image, topic: &str, partition: i32) -> Option<i64> {
    let id = image.topic_by_name(topic)?.id;
    Some(node.partitions.get(id, PartitionIndex(partition))?.high_watermark().0)
}
