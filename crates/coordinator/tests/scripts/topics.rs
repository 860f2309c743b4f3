//! The topics of a script or a schedule: an image that grows and shrinks as it is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordinator::TopicsChanged;
use ottla_metadata::{BrokerEpoch, FACTS_VERSION, Fact, Image, LEVEL_NEWEST, PartitionEpoch, Position};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, TopicName, Uuid};

/// The image, and how many topics there ever were: the number of a topic is its id.
pub(super) struct Topics {
    image: Image,
    made: u128,
}

impl Topics {
    pub(super) fn new() -> Self {
        let mut topics = Self { image: Image::default(), made: 0 };
        topics.apply(&Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: LEVEL_NEWEST });
        topics.apply(&Fact::BrokerRegistered {
            id: BrokerId(1),
            incarnation: Uuid([1; 16]),
            epoch: BrokerEpoch(1),
            rack: None,
            endpoints: Vec::new(),
            fenced: false,
        });
        topics
    }

    /// From now on these topics exist, with so many partitions each.
    pub(super) fn set(&mut self, wanted: &[(Arc<str>, i32)]) -> TopicsChanged {
        let mut changed = BTreeSet::new();
        let mut has_new = false;
        let gone: Vec<_> = self.image.topics().map(|topic| (topic.id, topic.name.clone())).collect();
        for (id, name) in
            gone.into_iter().filter(|(_, name)| wanted.iter().all(|(wanted, _)| **wanted != *name.as_str()))
        {
            self.apply(&Fact::TopicDeleted { id });
            changed.insert(name.as_str().into());
        }
        for (name, partitions) in wanted {
            let known = self.image.topic_by_name(name).map(|topic| (topic.id, topic.partition_count()));
            let (id, count) = known.unwrap_or_else(|| {
                has_new = true;
                self.made += 1;
                let id = Uuid(self.made.to_be_bytes());
                self.apply(&Fact::TopicCreated { id, name: TopicName::new(name).expect("legal") });
                (id, 0)
            });
            for index in i32::try_from(count).expect("small")..*partitions {
                let (topic_id, leader) = (id, BrokerId(1));
                self.apply(&Fact::PartitionCreated {
                    topic_id,
                    index: PartitionIndex(index),
                    replicas: vec![leader],
                    isr: vec![leader],
                    leader,
                    leader_epoch: LeaderEpoch(0),
                    partition_epoch: PartitionEpoch(0),
                });
                changed.insert(name.clone());
            }
        }
        let index = self.image.position().index + 1;
        self.image.set_position(Position { index, ..self.image.position() });
        TopicsChanged { image: self.image.clone(), changed: Arc::new(changed), has_new }
    }

    /// All of them, for a shard that knows none.
    pub(super) fn all(&self) -> TopicsChanged {
        let changed = Arc::new(self.image.topics().map(|topic| topic.name.as_str().into()).collect());
        TopicsChanged { image: self.image.clone(), changed, has_new: true }
    }

    pub(super) const fn image(&self) -> &Image {
        &self.image
    }

    fn apply(&mut self, fact: &Fact) {
        self.image.apply(fact).expect("possible");
    }
}
