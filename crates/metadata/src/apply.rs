//! What each fact does to an image.
//!
//! A fact either fits and is folded in, or is impossible and leaves the image as it was. The controller applies what it
//! decides to its next image through here before it proposes it, so an impossible fact in the log means that nodes
//! disagree about the past; whoever meets one stops.

use std::sync::Arc;

use imbl::OrdMap;
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicId, TopicName};

use crate::{
    Broker, BrokerEpoch, FACTS_VERSION, Fact, Feature, Image, Partition, PartitionEpoch, Resource, ResourceKind, Topic,
};

/// Why a fact cannot be true of an image.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImpossibleFact {
    /// The fact's kind was introduced above the level that the cluster is at.
    #[error("this fact needs {FACTS_VERSION} {needed}, the cluster is at {level}")]
    LevelTooLow {
        /// The level that introduced it.
        needed: i16,
        /// The level of the cluster.
        level: i16,
    },
    /// The level is set to one that this version does not know, or back.
    #[error("{feature} cannot go from {from} to {to}; this version knows {known}")]
    LevelNotReachable {
        /// The feature.
        feature: String,
        /// The level of the cluster.
        from: i16,
        /// The level it should get.
        to: i16,
        /// The levels that this version knows, in words.
        known: String,
    },
    /// The cluster has another id already.
    #[error("the cluster is called {0} already")]
    ClusterHasName(Arc<str>),
    /// A registration whose epoch was given out before.
    #[error("broker {id} registers with epoch {epoch}, but the next one is {next}")]
    BrokerEpochUsed {
        /// Which broker.
        id: BrokerId,
        /// Its epoch.
        epoch: BrokerEpoch,
        /// The next epoch that is free.
        next: BrokerEpoch,
    },
    /// Broker epochs would be given out twice.
    #[error("broker epochs are given out up to {now} already, and cannot go back to {next}")]
    BrokerEpochsUsed {
        /// The next epoch that is free now.
        now: BrokerEpoch,
        /// The next free epoch that the fact names.
        next: BrokerEpoch,
    },
    /// No broker of that id is registered with that epoch.
    #[error("no broker {id} is registered with epoch {epoch}")]
    UnknownBroker {
        /// Which broker.
        id: BrokerId,
        /// Which of its registrations.
        epoch: BrokerEpoch,
    },
    /// The id or the name of a new topic is taken.
    #[error("a topic {name} or a topic with the id {id} exists already")]
    TopicExists {
        /// The new topic's id.
        id: TopicId,
        /// The new topic's name.
        name: TopicName,
    },
    /// There is no topic of that id.
    #[error("no topic has the id {0}")]
    UnknownTopic(TopicId),
    /// There is no topic of that name.
    #[error("no topic is called {0}")]
    UnknownTopicName(String),
    /// A new partition is not the one that comes next.
    #[error("partition {got} is created where {expected} comes next")]
    PartitionOutOfOrder {
        /// The number of the new partition.
        got: PartitionIndex,
        /// The number that comes next.
        expected: PartitionIndex,
    },
    /// The topic has no partition of that number.
    #[error("topic {0} has no partition {1}")]
    UnknownPartition(TopicId, PartitionIndex),
    /// The invariants of [`Partition`] would not hold.
    #[error("a partition cannot be like this: {0}")]
    Inconsistent(&'static str),
    /// Producer ids would be given out twice.
    #[error("producer ids are given out up to {now} already, and cannot go back to {next}")]
    ProducerIdsUsed {
        /// The first free id now.
        now: ProducerId,
        /// The first free id that the fact names.
        next: ProducerId,
    },
}

impl Image {
    /// Folds one fact in. If it is impossible, nothing has changed.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), ImpossibleFact> {
        let (needed, level) = (fact.introduced_at(), self.level());
        if needed > level {
            return Err(ImpossibleFact::LevelTooLow { needed, level });
        }
        match fact {
            Fact::FeatureLevelSet { name, level } => self.set_feature_level(name, *level),
            Fact::ClusterNamed { cluster_id } => self.name_cluster(cluster_id),
            Fact::BrokerRegistered { id, incarnation, epoch, rack, endpoints, fenced } => {
                self.register_broker(Broker {
                    id: *id,
                    incarnation: *incarnation,
                    epoch: *epoch,
                    rack: rack.clone(),
                    endpoints: endpoints.clone(),
                    fenced: *fenced,
                })
            }
            Fact::BrokerFenced { id, epoch } => self.fence_broker(*id, *epoch, true),
            Fact::BrokerUnfenced { id, epoch } => self.fence_broker(*id, *epoch, false),
            Fact::TopicCreated { id, name } => self.create_topic(*id, name),
            Fact::PartitionCreated { topic_id, index, replicas, isr, leader, leader_epoch, partition_epoch } => {
                let partition = Partition {
                    replicas: replicas.clone(),
                    isr: isr.clone(),
                    adding: Vec::new(),
                    removing: Vec::new(),
                    leader: *leader,
                    leader_epoch: *leader_epoch,
                    partition_epoch: *partition_epoch,
                };
                self.create_partition(*topic_id, *index, partition)
            }
            Fact::PartitionChanged { topic_id, index, isr, leader, leader_epoch, partition_epoch } => {
                let change = Change { isr, leader: *leader, leader_epoch: *leader_epoch };
                self.change_partition(*topic_id, *index, change, *partition_epoch)
            }
            Fact::TopicDeleted { id } => self.delete_topic(*id),
            Fact::ConfigSet { kind, resource, key, value } => self.set_config(*kind, resource, key, value.as_deref()),
            Fact::ProducerIdsAllocated { next } => self.allocate_producer_ids(*next),
            Fact::BrokerUnregistered { id, epoch } => self.unregister_broker(*id, *epoch),
            Fact::BrokerEpochsAllocated { next } => self.allocate_broker_epochs(*next),
            Fact::PartitionReassigned {
                topic_id,
                index,
                replicas,
                isr,
                adding,
                removing,
                leader,
                leader_epoch,
                partition_epoch,
            } => {
                let after = Partition {
                    replicas: replicas.clone(),
                    isr: isr.clone(),
                    adding: adding.clone(),
                    removing: removing.clone(),
                    leader: *leader,
                    leader_epoch: *leader_epoch,
                    partition_epoch: *partition_epoch,
                };
                self.reassign_partition(*topic_id, *index, after)
            }
        }
    }

    fn set_feature_level(&mut self, name: &str, level: i16) -> Result<(), ImpossibleFact> {
        let from = self.feature_level(name);
        let known = Feature::called(name);
        let back = name == FACTS_VERSION && level < from;
        if back || !known.is_some_and(|feature| feature.supports(level)) {
            let known =
                known.map_or_else(|| "no such feature".to_owned(), |known| format!("{} to {}", known.min, known.max));
            return Err(ImpossibleFact::LevelNotReachable { feature: name.to_owned(), from, to: level, known });
        }
        if level == 0 {
            self.features.remove(name);
        } else {
            self.features.insert(name.into(), level);
        }
        Ok(())
    }

    fn name_cluster(&mut self, id: &str) -> Result<(), ImpossibleFact> {
        match &self.cluster_id {
            Some(name) if **name != *id => Err(ImpossibleFact::ClusterHasName(Arc::clone(name))),
            _ => {
                self.cluster_id = Some(id.into());
                Ok(())
            }
        }
    }

    fn register_broker(&mut self, broker: Broker) -> Result<(), ImpossibleFact> {
        // The same run of a process may say more about itself and keep its epoch.
        let amends = self
            .broker(broker.id)
            .is_some_and(|known| known.incarnation == broker.incarnation && known.epoch == broker.epoch);
        if !amends && broker.epoch < self.next_broker_epoch {
            let (id, epoch, next) = (broker.id, broker.epoch, self.next_broker_epoch);
            return Err(ImpossibleFact::BrokerEpochUsed { id, epoch, next });
        }
        self.next_broker_epoch = self.next_broker_epoch.max(broker.epoch.next());
        self.brokers.insert(broker.id, Arc::new(broker));
        Ok(())
    }

    fn fence_broker(&mut self, id: BrokerId, epoch: BrokerEpoch, fenced: bool) -> Result<(), ImpossibleFact> {
        let broker = self
            .brokers
            .get_mut(&id)
            .filter(|broker| broker.epoch == epoch)
            .ok_or(ImpossibleFact::UnknownBroker { id, epoch })?;
        Arc::make_mut(broker).fenced = fenced;
        Ok(())
    }

    fn unregister_broker(&mut self, id: BrokerId, epoch: BrokerEpoch) -> Result<(), ImpossibleFact> {
        self.broker(id).filter(|broker| broker.epoch == epoch).ok_or(ImpossibleFact::UnknownBroker { id, epoch })?;
        self.brokers.remove(&id);
        Ok(())
    }

    fn allocate_broker_epochs(&mut self, next: BrokerEpoch) -> Result<(), ImpossibleFact> {
        let now = self.next_broker_epoch;
        if next <= now {
            return Err(ImpossibleFact::BrokerEpochsUsed { now, next });
        }
        self.next_broker_epoch = next;
        Ok(())
    }

    fn create_topic(&mut self, id: TopicId, name: &TopicName) -> Result<(), ImpossibleFact> {
        if self.topics.contains_key(&id) || self.topic_ids.contains_key(name) {
            return Err(ImpossibleFact::TopicExists { id, name: name.clone() });
        }
        self.topics.insert(id, Arc::new(Topic { id, name: name.clone(), partitions: OrdMap::new() }));
        self.topic_ids.insert(name.clone(), id);
        if may_collide(name) {
            self.colliding.entry(name.collision_key().into()).or_default().insert(name.clone());
        }
        Ok(())
    }

    fn create_partition(
        &mut self,
        topic_id: TopicId,
        index: PartitionIndex,
        partition: Partition,
    ) -> Result<(), ImpossibleFact> {
        check(&partition)?;
        let topic = self.topics.get_mut(&topic_id).ok_or(ImpossibleFact::UnknownTopic(topic_id))?;
        let expected = PartitionIndex(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
        if index != expected {
            return Err(ImpossibleFact::PartitionOutOfOrder { got: index, expected });
        }
        Arc::make_mut(topic).partitions.insert(index, Arc::new(partition));
        Ok(())
    }

    fn change_partition(
        &mut self,
        topic_id: TopicId,
        index: PartitionIndex,
        change: Change<'_>,
        epoch: PartitionEpoch,
    ) -> Result<(), ImpossibleFact> {
        let topic = self.topics.get_mut(&topic_id).ok_or(ImpossibleFact::UnknownTopic(topic_id))?;
        let before = topic.partition(index).ok_or(ImpossibleFact::UnknownPartition(topic_id, index))?;
        let after = change.made_to(before, epoch)?;
        Arc::make_mut(topic).partitions.insert(index, Arc::new(after));
        Ok(())
    }

    fn reassign_partition(
        &mut self,
        topic_id: TopicId,
        index: PartitionIndex,
        after: Partition,
    ) -> Result<(), ImpossibleFact> {
        let topic = self.topics.get_mut(&topic_id).ok_or(ImpossibleFact::UnknownTopic(topic_id))?;
        let before = topic.partition(index).ok_or(ImpossibleFact::UnknownPartition(topic_id, index))?;
        if after.partition_epoch != before.partition_epoch.next() {
            return Err(ImpossibleFact::Inconsistent("the partition epoch is not one more than before"));
        }
        if after.leader_epoch < before.leader_epoch {
            return Err(ImpossibleFact::Inconsistent("the leader epoch goes back"));
        }
        if after.leader != before.leader && after.leader_epoch == before.leader_epoch {
            return Err(ImpossibleFact::Inconsistent("another leader without another leader epoch"));
        }
        check(&after)?;
        Arc::make_mut(topic).partitions.insert(index, Arc::new(after));
        Ok(())
    }

    fn delete_topic(&mut self, id: TopicId) -> Result<(), ImpossibleFact> {
        let topic = self.topics.remove(&id).ok_or(ImpossibleFact::UnknownTopic(id))?;
        self.topic_ids.remove(&topic.name);
        self.configs.remove(&Resource::topic(&topic.name));
        let key = topic.name.collision_key();
        if let Some(names) = self.colliding.get_mut(key.as_str()) {
            names.remove(&topic.name);
            if names.is_empty() {
                self.colliding.remove(key.as_str());
            }
        }
        Ok(())
    }

    fn set_config(
        &mut self,
        kind: ResourceKind,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), ImpossibleFact> {
        if kind == ResourceKind::Topic && !self.topic_ids.contains_key(name) {
            return Err(ImpossibleFact::UnknownTopicName(name.to_owned()));
        }
        let resource = Resource::new(kind, name);
        if let Some(value) = value {
            self.configs.entry(resource).or_default().insert(key.into(), value.into());
        } else if let Some(overrides) = self.configs.get_mut(&resource) {
            overrides.remove(key);
            if overrides.is_empty() {
                self.configs.remove(&resource);
            }
        }
        Ok(())
    }

    fn allocate_producer_ids(&mut self, next: ProducerId) -> Result<(), ImpossibleFact> {
        let now = self.next_producer_id;
        if next <= now {
            return Err(ImpossibleFact::ProducerIdsUsed { now, next });
        }
        self.next_producer_id = next;
        Ok(())
    }
}

/// What a [`Fact::PartitionChanged`] changes.
struct Change<'a> {
    isr: &'a Option<Vec<BrokerId>>,
    leader: Option<BrokerId>,
    leader_epoch: Option<LeaderEpoch>,
}

impl Change<'_> {
    /// `before` with this change made, if what comes of it can be.
    fn made_to(self, before: &Partition, epoch: PartitionEpoch) -> Result<Partition, ImpossibleFact> {
        if epoch != before.partition_epoch.next() {
            return Err(ImpossibleFact::Inconsistent("the partition epoch is not one more than before"));
        }
        if self.leader_epoch.is_some_and(|epoch| epoch <= before.leader_epoch) {
            return Err(ImpossibleFact::Inconsistent("the leader epoch does not rise"));
        }
        if self.leader.is_some_and(|leader| leader != before.leader) && self.leader_epoch.is_none() {
            return Err(ImpossibleFact::Inconsistent("another leader without another leader epoch"));
        }
        let after = Partition {
            replicas: before.replicas.clone(),
            isr: self.isr.as_ref().unwrap_or(&before.isr).clone(),
            adding: before.adding.clone(),
            removing: before.removing.clone(),
            leader: self.leader.unwrap_or(before.leader),
            leader_epoch: self.leader_epoch.unwrap_or(before.leader_epoch),
            partition_epoch: epoch,
        };
        check(&after)?;
        Ok(after)
    }
}

/// The invariants of [`Partition`] that concern one moment only.
fn check(partition: &Partition) -> Result<(), ImpossibleFact> {
    let Partition { replicas, isr, adding, removing, leader, leader_epoch, .. } = partition;
    let repeats = |ids: &[BrokerId]| (1..ids.len()).any(|i| ids[..i].contains(&ids[i]));
    let wrong = if replicas.is_empty() {
        "no replicas"
    } else if [replicas, isr, adding, removing].into_iter().any(|ids| repeats(ids)) {
        "a broker twice among the replicas, or those in sync, added or removed"
    } else if !isr.iter().all(|id| replicas.contains(id)) {
        "an in-sync replica that is no replica"
    } else if !adding.iter().chain(removing).all(|id| replicas.contains(id)) {
        "a broker that is added or removed and is no replica"
    } else if adding.iter().any(|id| removing.contains(id)) {
        "a broker that is both added and removed"
    } else if *leader != BrokerId::NONE && !isr.contains(leader) {
        "a leader that is not in sync"
    } else if leader_epoch.0 < 0 || partition.partition_epoch.0 < 0 {
        "a negative epoch"
    } else {
        return Ok(());
    };
    Err(ImpossibleFact::Inconsistent(wrong))
}

/// Whether another legal name can share this one's collision key.
fn may_collide(name: &TopicName) -> bool {
    name.as_str().contains(['.', '_'])
}
