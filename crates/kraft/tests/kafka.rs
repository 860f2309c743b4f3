//! What real Kafkas wrote, read; and what is written, read again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the vectors are files")]

use std::fs;
use std::path::{Path, PathBuf};

use ottla_kraft::{Cluster, Export, Reading, Unreadable, bootstrap_checkpoint};
use ottla_metadata::{FEATURES, Fact, Image, Resource};
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, Uuid};

const RELEASES: [&str; 2] = ["3.9.1", "4.3.1"];
const NODE: BrokerId = BrokerId(1);

fn folder(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/kafka-{release}"))
}

fn log(release: &str) -> Vec<u8> {
    fs::read(folder(release).join("00000000000000000000.log")).unwrap()
}

/// The snapshots by the offset that they end at, rising.
fn snapshots(release: &str) -> Vec<(Offset, Vec<u8>)> {
    let names = fs::read_dir(folder(release)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".checkpoint")).collect();
    names.sort();
    let read = |name: &String| (Offset(name[..20].parse().unwrap()), fs::read(folder(release).join(name)).unwrap());
    names.iter().map(read).collect()
}

fn from_log(release: &str) -> Cluster {
    let mut reading = Reading::new();
    reading.segment(&log(release)).unwrap();
    reading.finish()
}

fn image(facts: &[Fact]) -> Image {
    let mut image = Image::default();
    for feature in FEATURES {
        image.apply(&Fact::FeatureLevelSet { name: feature.name.to_owned(), level: feature.max }).unwrap();
    }
    facts.iter().for_each(|fact| image.apply(fact).unwrap());
    image
}

#[test]
fn a_log_of_kafka_says_what_its_cluster_was() {
    for (release, level) in RELEASES.into_iter().zip([21, 30]) {
        let cluster = from_log(release);
        let names: Vec<_> = cluster.topics.values().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names, ["kept"], "{release}");
        let kept = cluster.topics.values().next().unwrap();
        assert_eq!(kept.partitions.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        assert!(kept.partitions.values().all(|partition| partition.replicas == [1]), "{kept:?}");
        assert_eq!(cluster.configs[&(2, "kept".to_owned())]["retention.ms"], "777777");
        assert_eq!(cluster.configs[&(4, String::new())]["log.retention.ms"], "1000000");
        assert!(!cluster.configs.contains_key(&(2, "gone".to_owned())), "{release}");
        assert_eq!((cluster.features["metadata.version"], cluster.next_producer_id), (level, 1000), "{release}");
        assert_eq!(cluster.passed_over.iter().collect::<Vec<_>>(), [(&"client quotas", &1)], "{release}");
    }
}

#[test]
fn a_snapshot_and_the_log_behind_it_say_the_same_as_the_whole_log() {
    for release in RELEASES {
        for (end, snapshot) in snapshots(release) {
            let mut reading = Reading::new();
            reading.snapshot(&snapshot, end).unwrap();
            reading.segment(&log(release)).unwrap();
            let cluster = Cluster { passed_over: from_log(release).passed_over, ..reading.finish() };
            assert_eq!(cluster, from_log(release), "{release} from {end}");
        }
    }
}

#[test]
fn the_node_that_takes_over_leads_in_epochs_that_kafka_never_gave() {
    for release in RELEASES {
        let cluster = from_log(release);
        let image = image(&cluster.facts(NODE).unwrap());
        let topic = image.topic_by_name("kept").unwrap();
        for (index, partition) in topic.partitions() {
            let before = &cluster.topics[&topic.id].partitions[&index.0];
            assert_eq!((partition.leader, &partition.isr), (NODE, &vec![NODE]));
            assert!(partition.leader_epoch > LeaderEpoch(before.leader_epoch), "{release} {index}");
        }
        assert_eq!(image.config(&Resource::topic(&topic.name), "retention.ms"), Some("777777"));
        assert_eq!(image.next_producer_id().0, 1000);
    }
}

#[test]
fn partitions_of_other_nodes_are_not_taken_over() {
    let refusal = from_log("4.3.1").facts(BrokerId(7)).unwrap_err();
    assert!(refusal.to_string().contains("is kept by nodes [1]; node 7 alone cannot take it over"), "{refusal}");
}

#[test]
fn what_is_written_for_a_kafka_reads_as_the_image_it_was_written_from() {
    let before = image(&from_log("4.3.1").facts(NODE).unwrap());
    let directory = Uuid::from_random(7);
    let export = Export { image: &before, node: NODE, directory: &|_| directory, now: Timestamp(1_700_000_000_000) };
    let mut reading = Reading::new();
    reading.snapshot(&bootstrap_checkpoint(&export).unwrap(), Offset(100)).unwrap();
    let cluster = reading.finish();
    assert_eq!(cluster.features["metadata.version"], 30);
    assert_eq!(cluster.features.get("group.version").copied().unwrap_or(0), before.feature_level("group.version"));
    let after = image(&cluster.facts(NODE).unwrap());
    let (before, after) = (before.topic_by_name("kept").unwrap(), after.topic_by_name("kept").unwrap());
    assert_eq!((before.id, before.partition_count()), (after.id, after.partition_count()));
    let epoch = |topic: &ottla_metadata::Topic| topic.partition(PartitionIndex(0)).unwrap().leader_epoch;
    assert!(epoch(after) > epoch(before));
}

#[test]
fn damage_is_refused_or_ends_the_log() {
    for at in (0..log("4.3.1").len()).step_by(7) {
        let mut bytes = log("4.3.1");
        bytes[at] ^= 0x40;
        let mut reading = Reading::new();
        // Damage to a length may make the rest look like the cut end that a kill leaves: then what was before is read.
        if reading.segment(&bytes).is_ok() {
            let names = ["kept", "gone"];
            assert!(reading.finish().topics.values().all(|topic| names.contains(&topic.name.as_str())), "byte {at}");
        }
    }
}

#[test]
fn a_segment_that_is_missing_is_told() {
    let bytes = log("4.3.1");
    let first = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let mut reading = Reading::new();
    let refused = reading.segment(&bytes[first..]).unwrap_err();
    assert_eq!(refused, Unreadable::Gap { expected: Offset(0), found: Offset(1) });
}
