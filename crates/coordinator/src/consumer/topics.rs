//! The cluster's topics as groups see them: by name and id, with their partitions, and as a number that tells whether
//! they changed.

use std::sync::Arc;

use ottla_metadata::{Image, Topic};
use ottla_types::Uuid;
use twox_hash::xxhash3_64::Hasher;

use crate::assignors::TopicsView;

/// The topics of an image.
#[derive(Clone, Default, Debug)]
pub(crate) struct Topics {
    pub(crate) image: Image,
    /// The place in the metadata log of the last image with a topic that was not in the one before.
    pub(crate) has_new_since: i64,
}

impl Topics {
    /// The image's place in the metadata log.
    pub(crate) fn version(&self) -> i64 {
        i64::try_from(self.image.position().index).unwrap_or(i64::MAX)
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<Uuid> {
        self.image.topic_by_name(name).map(|topic| topic.id)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.image.topic_by_id(id).map(|topic| topic.name.as_str())
    }

    /// One number for topics of these names, in their order; 0 if none of them exists. As Kafka computes it (KIP-1101), so
    /// that a coordinator of either kind that takes over sees no change.
    pub(crate) fn hash<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) -> i64 {
        let mut bytes = Vec::new();
        for topic in names.filter_map(|name| self.image.topic_by_name(name)) {
            bytes.extend_from_slice(&self.topic_hash(topic).to_le_bytes());
        }
        if bytes.is_empty() { 0 } else { Hasher::oneshot(&bytes).cast_signed() }
    }

    fn topic_hash(&self, topic: &Topic) -> u64 {
        let mut bytes = vec![0];
        let (most, least) = topic.id.0.split_at(8);
        bytes.extend(most.iter().rev());
        bytes.extend(least.iter().rev());
        put_text(&mut bytes, topic.name.as_str());
        put_number(&mut bytes, topic.partition_count());
        for (index, partition) in topic.partitions() {
            bytes.extend_from_slice(&index.0.to_le_bytes());
            let brokers = partition.replicas.iter().filter_map(|id| self.image.broker(*id));
            let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
            racks.sort_unstable();
            for rack in racks {
                put_number(&mut bytes, rack.encode_utf16().count());
                put_text(&mut bytes, rack);
            }
        }
        Hasher::oneshot(&bytes)
    }
}

impl TopicsView for Topics {
    fn partitions(&self, topic: Uuid) -> Option<i32> {
        self.image.topic_by_id(topic).map(|topic| i32::try_from(topic.partition_count()).unwrap_or(i32::MAX))
    }
}

/// A text as two bytes for each of Java's characters, and their number.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let before = bytes.len();
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
    let count = (bytes.len() - before) / 2;
    put_number(bytes, count);
}

fn put_number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&i32::try_from(number).unwrap_or(i32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use ottla_metadata::{BrokerEpoch, FACTS_VERSION, Fact, LEVEL_NEWEST, PartitionEpoch};
    use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, TopicName};

    use super::*;

    /// Topics of four partitions at one broker.
    fn topics(rack: Option<&str>, named: &[(&str, &str)]) -> Topics {
        let leader = BrokerId(1);
        let mut facts = vec![
            Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: LEVEL_NEWEST },
            Fact::BrokerRegistered {
                id: leader,
                incarnation: Uuid([1; 16]),
                epoch: BrokerEpoch(1),
                rack: rack.map(str::to_owned),
                endpoints: Vec::new(),
                fenced: false,
            },
        ];
        for (name, id) in named {
            let id: Uuid = id.parse().expect("an id");
            facts.push(Fact::TopicCreated { id, name: TopicName::new(name).expect("legal") });
            facts.extend((0..4).map(|index| Fact::PartitionCreated {
                topic_id: id,
                index: PartitionIndex(index),
                replicas: vec![leader],
                isr: vec![leader],
                leader,
                leader_epoch: LeaderEpoch(0),
                partition_epoch: PartitionEpoch(0),
            }));
        }
        let mut topics = Topics::default();
        facts.iter().for_each(|fact| topics.image.apply(fact).expect("possible"));
        topics
    }

    #[test]
    fn topics_have_the_number_that_kafka_writes() {
        // From records that a 4.3.1 wrote about groups that read these topics.
        let (t, u) = (("t", "QIBwwCjwTuWczpv04gYa-A"), ("u", "ojmCyBUgTIqDxnEYjku_Hg"));
        let names: Vec<Arc<str>> = vec!["none".into(), "t".into(), "u".into()];
        let cases = [
            (None, vec![t], -5_435_223_368_690_139_785),
            (None, vec![t, u], -5_273_604_585_685_661_668),
            (Some("rack-1"), vec![t, u], -2_899_961_645_465_209_353),
            (None, vec![], 0),
        ];
        for (rack, named, hash) in cases {
            assert_eq!(topics(rack, &named).hash(names.iter()), hash, "{rack:?} {named:?}");
        }
    }
}
