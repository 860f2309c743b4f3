//! What the controller must be told once. The one judgement that it leaves to others is in `config_rules`.

use ottla_metadata::Fact;

/// What a controller is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The id that a cluster without one gets: what formatting wrote into `meta.properties`.
    pub cluster_id: String,
    /// `num.partitions`: how many partitions a topic gets whose creator does not say.
    pub partitions_default: i32,
    /// `default.replication.factor`: how many replicas a partition gets where the creator does not say.
    pub replication_factor_default: i16,
    /// `delete.topic.enable`.
    pub topics_deletable: bool,
    /// What the cluster begins with beside its features and its id: all that a Kafka left whose directory is taken over.
    /// Every one of these facts must be possible in this order.
    pub founding: Vec<Fact>,
    /// How many requests may wait for the entry in flight; one more is refused.
    pub queue_max: usize,
}

impl Default for Settings {
    /// Kafka's defaults, no cluster id, and room for 1,000 requests.
    fn default() -> Self {
        Self {
            cluster_id: String::new(),
            partitions_default: 1,
            replication_factor_default: 1,
            topics_deletable: true,
            founding: Vec::new(),
            queue_max: 1_000,
        }
    }
}
