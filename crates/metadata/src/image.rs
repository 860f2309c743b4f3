//! The cluster at one moment, and the questions one may ask about it.
//!
//! How an image changes is in `apply`; how two images differ in `difference`; how one becomes facts again in `snapshot`.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use ottla_types::{BrokerId, PartitionIndex, ProducerId, TopicId, TopicName};

use crate::{Broker, BrokerEpoch, Endpoint, FACTS_VERSION, Partition, Position, Resource, ResourceKind, Topic};

/// Overrides of one resource, by key.
pub(crate) type Overrides = OrdMap<Arc<str>, Arc<str>>;

/// The cluster at one moment. A clone is a handful of reference counts, and shares all that later facts leave alone.
///
/// Invariants: `topic_ids[n] = i ⇔ topics[i].name = n`; `colliding[k]` = names of `topics` that hold `.` or `_` and
/// whose collision key is `k`, never empty; a topic in `configs` is in `topic_ids`; `next_broker_epoch` > the epoch of
/// every broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    pub(crate) position: Position,
    pub(crate) cluster_id: Option<Arc<str>>,
    pub(crate) features: OrdMap<Arc<str>, i16>,
    pub(crate) brokers: OrdMap<BrokerId, Arc<Broker>>,
    pub(crate) topics: OrdMap<TopicId, Arc<Topic>>,
    pub(crate) topic_ids: OrdMap<TopicName, TopicId>,
    pub(crate) colliding: OrdMap<Arc<str>, OrdSet<TopicName>>,
    pub(crate) configs: OrdMap<Resource, Overrides>,
    pub(crate) next_producer_id: ProducerId,
    pub(crate) next_broker_epoch: BrokerEpoch,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            position: Position::default(),
            cluster_id: None,
            features: OrdMap::new(),
            brokers: OrdMap::new(),
            topics: OrdMap::new(),
            topic_ids: OrdMap::new(),
            colliding: OrdMap::new(),
            configs: OrdMap::new(),
            next_producer_id: ProducerId(0),
            next_broker_epoch: BrokerEpoch(1),
        }
    }
}

impl Image {
    /// The last entry of the log that is folded in.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Notes that the image now holds every entry up to `position`.
    pub const fn set_position(&mut self, position: Position) {
        self.position = position;
    }

    /// The id of the cluster, once it has one.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The finalized level of a feature; 0 if it is off.
    #[must_use]
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// The finalized features that are on, in the order of their names.
    pub fn features(&self) -> impl ExactSizeIterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (&**name, *level))
    }

    /// The level of [`FACTS_VERSION`]: which kinds of facts may be written.
    #[must_use]
    pub fn level(&self) -> i16 {
        self.feature_level(FACTS_VERSION)
    }

    /// A registered broker.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, fenced ones too, in the order of their ids.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// Whether `id` is registered and not fenced.
    #[must_use]
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(|broker| !broker.fenced)
    }

    /// What clients that came through the listener `listener` are told: the brokers that are not fenced and have an
    /// endpoint of that name, in the order of their ids.
    pub fn brokers_at<'a>(&'a self, listener: &'a str) -> impl Iterator<Item = (&'a Broker, &'a Endpoint)> {
        self.brokers
            .values()
            .filter(|broker| !broker.fenced)
            .filter_map(move |broker| Some((&**broker, broker.endpoint(listener)?)))
    }

    /// The topic called `name`. Takes any text: one that is no legal name is no topic's.
    #[must_use]
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    /// The topic with that id.
    #[must_use]
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// All topics in the order of their names.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.topic_ids.values().map(|id| self.topics.get(id).expect("every name leads to a topic"))
    }

    /// How many topics there are.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A topic, not called `name`, whose name is the same once every `.` is a `_`.
    #[must_use]
    pub fn topic_colliding_with(&self, name: &TopicName) -> Option<&TopicName> {
        let names = self.colliding.get(name.collision_key().as_str())?;
        names.iter().find(|other| *other != name)
    }

    /// One partition: its leader, epochs, replicas and in-sync replicas.
    #[must_use]
    pub fn partition(&self, topic_id: TopicId, index: PartitionIndex) -> Option<&Arc<Partition>> {
        self.topic_by_id(topic_id)?.partition(index)
    }

    /// The overrides of a resource as keys and values, in the order of the keys; empty if it has none.
    pub fn configs<'a>(&'a self, resource: &Resource) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.configs.get(resource).into_iter().flatten().map(|(key, value)| (&**key, &**value))
    }

    /// The resources of a kind that have overrides, in the order of their names.
    pub fn configured(&self, kind: ResourceKind) -> impl Iterator<Item = &Resource> {
        self.configs.keys().filter(move |resource| resource.kind == kind)
    }

    /// Every override there is: what it belongs to, its key and its value.
    pub fn all_configs(&self) -> impl Iterator<Item = (&Resource, &str, &str)> {
        self.configs.iter().flat_map(|(resource, overrides): (&Resource, &Overrides)| {
            overrides.iter().map(move |(key, value)| (resource, &**key, &**value))
        })
    }

    /// One override of a resource.
    #[must_use]
    pub fn config(&self, resource: &Resource, key: &str) -> Option<&str> {
        self.configs.get(resource)?.get(key).map(|value| &**value)
    }

    /// The first producer id that is still free.
    #[must_use]
    pub const fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// The epoch that the next registration of a broker gets.
    #[must_use]
    pub const fn next_broker_epoch(&self) -> BrokerEpoch {
        self.next_broker_epoch
    }
}
