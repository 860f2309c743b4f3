//! `kafka.server:type=ReplicaManager`, `kafka.controller`, `kafka.cluster:type=Partition`: partitions and who leads them.

use ottla_metadata::{Image, Partition};
use ottla_types::BrokerId;

use super::super::exposition::{Exposition, Kind};
use crate::node::Node;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    let image = node.image();
    of_this_broker(node, &image, to);
    of_the_cluster(node, &image, to);
    of_each(node, &image, to);
}

fn partitions(image: &Image) -> impl Iterator<Item = &Partition> {
    image.topics().flat_map(|topic| topic.partitions().map(|(_, partition)| &**partition))
}

fn of_this_broker(node: &Node, image: &Image, to: &mut Exposition) {
    let id = node.config().node_id;
    let here = || partitions(image).filter(|partition| partition.replicas.contains(&id));
    let led = || here().filter(|partition| partition.leader == id);
    let behind = |partition: &&Partition| partition.isr.len() < partition.replicas.len();
    let open = node.partitions.all();
    let failed = open.iter().filter(|partition| partition.log().failed().is_some()).count();
    let short = open.iter().filter(|partition| !partition.has_enough_replicas()).count();
    let mut gauge = |name: &str, help: &str, count: usize| {
        to.gauge(&format!("kafka_server_replicamanager_{name}"), help, count);
    };
    gauge("partitioncount", "Partitions that have a replica here.", here().count());
    gauge("leadercount", "Partitions that this broker leads.", led().count());
    gauge(
        "underreplicatedpartitions",
        "Partitions led here that lack a replica in sync.",
        led().filter(behind).count(),
    );
    gauge("underminisrpartitioncount", "Partitions led here with fewer in sync than min.insync.replicas.", short);
    let missing = led().count().saturating_sub(open.len());
    gauge("offlinereplicacount", "Replicas here whose log failed or could not be opened.", failed + missing);
}

fn of_the_cluster(node: &Node, image: &Image, to: &mut Exposition) {
    let is_controller = node.quorum.watch().borrow().stopped.is_none();
    let brokers = image.brokers();
    let active = brokers.filter(|broker| image.is_active(broker.id)).count();
    let fenced = image.brokers().len() - active;
    let offline = partitions(image).filter(|partition| !image.is_active(partition.leader)).count();
    let not_preferred = |partition: &&Partition| {
        let first = partition.replicas.first().copied().unwrap_or(BrokerId::NONE);
        partition.leader != first
    };
    let mut gauge = |name: &str, help: &str, count: usize| {
        to.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, count);
    };
    gauge("activecontrollercount", "1 on the node that decides for the cluster.", usize::from(is_controller));
    gauge("activebrokercount", "Brokers that may lead.", active);
    gauge("fencedbrokercount", "Brokers that are known and may not lead.", fenced);
    gauge("globaltopiccount", "Topics of the cluster.", image.topic_count());
    gauge("globalpartitioncount", "Partitions of the cluster.", partitions(image).count());
    gauge("offlinepartitionscount", "Partitions without a leader.", offline);
    let help = "Partitions that another than their first replica leads.";
    gauge("preferredreplicaimbalancecount", help, partitions(image).filter(not_preferred).count());
    let help = "Position of the newest metadata record that this node has applied.";
    to.gauge("kafka_server_broker_metadata_metrics_last_applied_record_offset", help, image.position().index);
}

fn of_each(node: &Node, image: &Image, to: &mut Exposition) {
    let id = node.config().node_id;
    type Row = (&'static str, &'static str, fn(&Partition) -> usize);
    let rows: [Row; 3] = [
        ("replicascount", "Replicas of the partition.", |partition| partition.replicas.len()),
        ("insyncreplicascount", "Replicas that are in sync.", |partition| partition.isr.len()),
        ("underreplicated", "1 if a replica is not in sync.", |partition| {
            usize::from(partition.isr.len() < partition.replicas.len())
        }),
    ];
    for (name, help, number) in rows {
        let name = format!("kafka_cluster_partition_{name}");
        let mut family = to.family(&name, Kind::Gauge, help);
        for topic in image.topics() {
            for (index, partition) in topic.partitions().filter(|(_, partition)| partition.leader == id) {
                let labels = [("topic", topic.name.as_str()), ("partition", &index.0.to_string())];
                family.sample(&labels, number(partition));
            }
        }
    }
}
