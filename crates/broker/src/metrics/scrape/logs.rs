//! `kafka.log`: the logs on disk, and the directories that hold them.

use std::sync::Arc;

use ottla_types::Offset;

use super::super::exposition::{Exposition, Kind};
use crate::node::Node;
use crate::partition::Partition;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    directories(node, to);
    let mut partitions = node.partitions.all();
    partitions.sort_by(|one, other| one.name.cmp(&other.name));
    type Row = (&'static str, &'static str, fn(&Partition) -> u64);
    let rows: [Row; 5] = [
        ("kafka_log_log_size", "Bytes of the partition's records on disk.", |p| p.log().size()),
        ("kafka_log_log_numlogsegments", "Segments of the partition's log.", |p| p.log().segment_bases().len() as u64),
        ("kafka_log_log_logstartoffset", "The first offset that can be read.", |p| number(p.bounds().log_start)),
        ("kafka_log_log_logendoffset", "The offset that the next record gets.", |p| number(p.bounds().log_end)),
        ("ottla_log_highwatermark", "Below this offset all is safe, and readable.", |p| {
            number(p.bounds().high_watermark)
        }),
    ];
    for (name, help, value) in rows {
        each(&partitions, name, help, value, to);
    }
    flushes(node, to);
}

fn flushes(node: &Node, to: &mut Exposition) {
    let flushes = &node.metrics.flushes;
    let help = "Flushes, each of what the logs of a directory had written, and how long they took, in milliseconds.";
    let mut family = to.family("kafka_log_logflushstats_logflushrateandtimems", Kind::Summary, help);
    family.times(&[], &flushes.times, flushes.count(), node.runtime.clock.now());
}

/// Which log directories are offline.
fn directories(node: &Node, to: &mut Exposition) {
    let slots = node.directories.slots();
    let offline = slots.iter().filter(|slot| slot.online().is_none()).count();
    to.gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log directories that are offline.", offline);
    let help = "1 if the log directory is offline.";
    let mut family = to.family("kafka_log_logmanager_logdirectoryoffline", Kind::Gauge, help);
    for slot in slots {
        let path = slot.path.display().to_string();
        family.sample(&[("logdirectory", &path)], usize::from(slot.online().is_none()));
    }
}

fn number(offset: Offset) -> u64 {
    u64::try_from(offset.0).unwrap_or_default()
}

fn each(partitions: &[Arc<Partition>], name: &str, help: &str, value: fn(&Partition) -> u64, to: &mut Exposition) {
    let mut family = to.family(name, Kind::Gauge, help);
    for partition in partitions {
        let index = partition.name.partition.0.to_string();
        family.sample(&[("topic", partition.name.topic.as_str()), ("partition", &index)], value(partition));
    }
}
