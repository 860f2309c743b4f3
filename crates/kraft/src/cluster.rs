//! What Kafka's metadata says of a cluster, as far as one broker without security has a use for it, and what one record
//! changes in it.

use std::collections::BTreeMap;

use ottla_types::Uuid;
use ottla_wire::framing::read_frame_head;
use ottla_wire::records::cluster::config::ConfigRecord;
use ottla_wire::records::cluster::feature_level::FeatureLevelRecord;
use ottla_wire::records::cluster::partition::PartitionRecord;
use ottla_wire::records::cluster::partition_change::PartitionChangeRecord;
use ottla_wire::records::cluster::producer_ids::ProducerIdsRecord;
use ottla_wire::records::cluster::remove_topic::RemoveTopicRecord;
use ottla_wire::records::cluster::topic::TopicRecord;
use ottla_wire::{DecodeError, Reader};
use ottla_wire::{Record, TypedRecord};

/// The leader of a partition that nobody leads.
const NO_LEADER: i32 = -1;
/// What a change says of a leader that stays.
const SAME_LEADER: i32 = -2;

/// A cluster as Kafka's metadata describes it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cluster {
    /// The topics by id.
    pub topics: BTreeMap<Uuid, Topic>,
    /// Settings by Kafka's number of the resource's kind and its name; then by key.
    pub configs: BTreeMap<(i8, String), BTreeMap<String, String>>,
    /// The levels of features, such as `metadata.version`.
    pub features: BTreeMap<String, i16>,
    /// The first producer id that was not given out.
    pub next_producer_id: i64,
    /// How many records were passed over, by what they are about: nothing here has a use for them yet.
    pub passed_over: BTreeMap<&'static str, usize>,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions by number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Partition {
    /// The nodes that keep it.
    pub replicas: Vec<i32>,
    /// Who leads it; −1 for nobody, as after an orderly stop.
    pub leader: i32,
    /// How often the lead was given.
    pub leader_epoch: i32,
    /// How often anything changed.
    pub partition_epoch: i32,
}

impl Cluster {
    /// Folds one record in, as it stands in the log: its frame, then itself.
    pub(crate) fn apply(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let mut r = Reader::new(value);
        let head = read_frame_head(&mut r)?;
        match head.record_type {
            TopicRecord::TYPE => {
                let record: TopicRecord = body(&mut r, head.version)?;
                self.topics.insert(record.topic_id, Topic { name: record.name, ..Topic::default() });
            }
            PartitionRecord::TYPE => self.partition(body(&mut r, head.version)?),
            PartitionChangeRecord::TYPE => self.partition_change(&body(&mut r, head.version)?),
            RemoveTopicRecord::TYPE => {
                let record: RemoveTopicRecord = body(&mut r, head.version)?;
                if let Some(topic) = self.topics.remove(&record.topic_id) {
                    self.configs.remove(&(TOPIC, topic.name));
                }
            }
            ConfigRecord::TYPE => self.config(body(&mut r, head.version)?),
            FeatureLevelRecord::TYPE => {
                let record: FeatureLevelRecord = body(&mut r, head.version)?;
                self.features.insert(record.name, record.feature_level);
            }
            ProducerIdsRecord::TYPE => {
                let record: ProducerIdsRecord = body(&mut r, head.version)?;
                self.next_producer_id = self.next_producer_id.max(record.next_producer_id);
            }
            other => {
                if let Some(what) = passed_over(other) {
                    *self.passed_over.entry(what).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    fn partition(&mut self, record: PartitionRecord) {
        let Some(topic) = self.topics.get_mut(&record.topic_id) else { return };
        let PartitionRecord { replicas, leader, leader_epoch, partition_epoch, .. } = record;
        topic.partitions.insert(record.partition_id, Partition { replicas, leader, leader_epoch, partition_epoch });
    }

    /// A change of the leader, to nobody too, is a new epoch of it; any change is one of the partition.
    fn partition_change(&mut self, record: &PartitionChangeRecord) {
        let topic = self.topics.get_mut(&record.topic_id);
        let Some(partition) = topic.and_then(|topic| topic.partitions.get_mut(&record.partition_id)) else { return };
        if record.leader != SAME_LEADER {
            partition.leader = record.leader.max(NO_LEADER);
            partition.leader_epoch = partition.leader_epoch.saturating_add(1);
        }
        if let Some(replicas) = &record.replicas {
            partition.replicas.clone_from(replicas);
        }
        partition.partition_epoch = partition.partition_epoch.saturating_add(1);
    }

    fn config(&mut self, record: ConfigRecord) {
        let resource = (record.resource_type, record.resource_name);
        match record.value {
            Some(value) => {
                self.configs.entry(resource).or_default().insert(record.name, value);
            }
            None => {
                if let Some(overrides) = self.configs.get_mut(&resource) {
                    overrides.remove(&record.name);
                }
            }
        }
    }
}

/// Kafka's number of topics among the kinds of resources.
const TOPIC: i8 = 2;

fn body<R: Record>(r: &mut Reader<'_>, version: i16) -> Result<R, DecodeError> {
    let record = R::decode(r, version)?;
    r.finish()?;
    Ok(record)
}

/// What a kind of record is about that somebody may miss; `None` for those that only the quorum and its brokers need.
fn passed_over(record_type: i16) -> Option<&'static str> {
    match record_type {
        10 | 26 => Some("delegation tokens"),
        11 | 22 => Some("SCRAM credentials"),
        14 => Some("client quotas"),
        18 | 19 => Some("ACLs"),
        _ => None,
    }
}
