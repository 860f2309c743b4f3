//! What one fact costs on an image of a million partitions, and how much memory such an image takes.
//!
//! `cargo bench -p ottla-metadata --bench loops`; how loops are named, timed and counted is told in `ottla-loops`. With
//! `-- --memory` it tells the memory instead.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads its arguments and its memory; the crate itself does not"
)]

use std::process::ExitCode;

use ottla_loops::{Loops, Prepared};
use ottla_metadata::{Difference, FACTS_VERSION, Fact, Image, LEVEL_NEWEST, PartitionEpoch};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName, Uuid};

/// A million partitions in topics of so many each.
const PARTITIONS: usize = 1_000_000;
const EACH: usize = 100;
const BROKERS: [BrokerId; 3] = [BrokerId(1), BrokerId(2), BrokerId(3)];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--memory") {
        return tell_memory();
    }
    let mut loops = Loops::default();
    for (name, partitions) in [("a thousand", 1000), ("a million", PARTITIONS)] {
        loops.add(format!("image of {name}: one change"), move || {
            let (mut image, mut round) = (image(partitions), 0);
            Prepared::new(1, move || {
                image.apply(&change(round, partitions)).expect("it is possible");
                round += 1;
            })
        });
        loops.add(format!("image of {name}: cloned, one change, compared"), move || {
            let (mut image, mut round) = (image(partitions), 0);
            Prepared::new(1, move || {
                let before = image.clone();
                image.apply(&change(round, partitions)).expect("it is possible");
                round += 1;
                Difference::between(&before, &image, BROKERS[0]).is_empty()
            })
        });
    }
    loops.add("image of a million: a look-up", || {
        let (image, mut round) = (image(PARTITIONS), 0);
        Prepared::new(1, move || {
            let (topic, index) = place(round, PARTITIONS);
            round += 1;
            image.partition(topic, index).is_some()
        })
    });
    loops.main()
}

/// So many partitions, each on the three brokers.
fn image(partitions: usize) -> Image {
    let mut image = Image::default();
    let mut apply = |fact| image.apply(&fact).expect("it is possible");
    apply(Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: LEVEL_NEWEST });
    for topic in 0..partitions / EACH {
        let id = topic_id(topic);
        apply(Fact::TopicCreated { id, name: TopicName::new(&format!("topic-{topic}")).expect("a good name") });
        for index in 0..EACH {
            apply(Fact::PartitionCreated {
                topic_id: id,
                index: PartitionIndex(index as i32),
                replicas: BROKERS.to_vec(),
                isr: BROKERS.to_vec(),
                leader: BROKERS[0],
                leader_epoch: LeaderEpoch(0),
                partition_epoch: PartitionEpoch(0),
            });
        }
    }
    image
}

fn topic_id(topic: usize) -> TopicId {
    Uuid((topic as u128 + 1).to_be_bytes())
}

/// The partitions in turn, far from one another: the stride and the number of partitions have no factor in common.
fn place(round: usize, partitions: usize) -> (TopicId, PartitionIndex) {
    let partition = round * 7919 % partitions;
    (topic_id(partition / EACH), PartitionIndex((partition % EACH) as i32))
}

/// Another broker leads.
fn change(round: usize, partitions: usize) -> Fact {
    let (topic_id, index) = place(round, partitions);
    let epoch = (round / partitions) as i32 + 1;
    Fact::PartitionChanged {
        topic_id,
        index,
        isr: None,
        leader: Some(BROKERS[epoch as usize % BROKERS.len()]),
        leader_epoch: Some(LeaderEpoch(epoch)),
        partition_epoch: PartitionEpoch(epoch),
    }
}

#[expect(clippy::print_stdout, reason = "for the one who asked")]
fn tell_memory() -> ExitCode {
    let before = resident_bytes();
    let image = image(PARTITIONS);
    let bytes = resident_bytes() - before;
    println!("{PARTITIONS} partitions: {} MB, {} bytes each", bytes / 1_000_000, bytes / PARTITIONS);
    drop(image);
    ExitCode::SUCCESS
}

/// What the process has in memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second is what is resident");
    pages * 4096
}
