//! Why a topic is not created: every reason, its code, its words.

use ottla_types::{BrokerId, ErrorCode, InvalidTopicName, PartitionIndex, TopicName};

use crate::config_rules::{ConfigRefusal, VALUE_LENGTH_MAX};

/// Why one topic of a request is not created. The checks are made in about this order; the first that fails answers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CreateTopicRefusal {
    /// The request names the topic more than once.
    #[error("the request names this topic more than once")]
    Duplicate,
    /// Kafka keeps its metadata under this name.
    #[error("the name is reserved for the metadata log of Kafka")]
    Reserved,
    /// The name is not legal.
    #[error(transparent)]
    InvalidName(InvalidTopicName),
    /// The topic is there.
    #[error("topic {0} exists already")]
    Exists(TopicName),
    /// Another topic has the same name but for `.` and `_`.
    #[error("the name differs from that of topic {0} only in '.' and '_', which metrics cannot tell apart")]
    Collides(TopicName),
    /// The overrides are not allowed.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidTopicConfig),
    /// Replicas are assigned, and numbers of replicas or partitions are given all the same.
    #[error("replicas are assigned to the partitions, so {0} must be -1")]
    AssignedAndCounted(&'static str),
    /// The replicas that are assigned cannot be.
    #[error(transparent)]
    InvalidAssignment(#[from] InvalidAssignment),
    /// Neither -1 nor a number of replicas.
    #[error("a replication factor of {0}: it must be larger than 0, or -1 for the default")]
    InvalidReplicationFactor(i16),
    /// Neither -1 nor a number of partitions.
    #[error("{0} partitions: the number must be larger than 0, or -1 for the default")]
    InvalidPartitions(i32),
    /// There are not as many brokers as replicas are wished for.
    #[error("a replication factor of {wanted} needs as many brokers, and {registered} are registered")]
    TooFewBrokers {
        /// How many replicas are wished for.
        wanted: usize,
        /// How many brokers there are.
        registered: usize,
    },
    /// There is no broker that could lead.
    #[error("no registered broker is active: all are fenced")]
    AllBrokersFenced,
    /// The id that was drawn for the topic is another's, or none: a bug or a very bad source of random numbers.
    #[error("the id drawn for the topic is taken; try again")]
    IdTaken,
}

/// Why a topic's overrides are refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidTopicConfig {
    /// Keys without a value.
    #[error("no value is given for {}", .0.join(", "))]
    NoValue(Vec<String>),
    /// What the rules say.
    #[error(transparent)]
    Rules(#[from] ConfigRefusal),
    /// A value is longer than Kafka stores.
    #[error("the value of {key} has {length} characters, {max} are allowed", max = VALUE_LENGTH_MAX)]
    TooLong {
        /// The key.
        key: String,
        /// How long its value is, in UTF-16 units, as Kafka counts.
        length: usize,
    },
}

/// Why replicas cannot be assigned like that.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidAssignment {
    /// A partition is there twice.
    #[error("replicas are assigned to partition {0} more than once")]
    PartitionTwice(PartitionIndex),
    /// A partition gets no replica.
    #[error("no replicas are assigned to partition {0}")]
    NoReplicas(PartitionIndex),
    /// A broker is not registered.
    #[error("a replica of partition {partition} is assigned to broker {broker}, which is not registered")]
    UnknownBroker {
        /// The partition.
        partition: PartitionIndex,
        /// The broker.
        broker: BrokerId,
    },
    /// A broker gets two replicas of a partition.
    #[error("broker {broker} is assigned to partition {partition} more than once")]
    BrokerTwice {
        /// The partition.
        partition: PartitionIndex,
        /// The broker.
        broker: BrokerId,
    },
    /// Partitions get different numbers of replicas.
    #[error("partition {partition} gets {got} replicas, those before it {before}")]
    UnequalReplicas {
        /// The first partition that differs.
        partition: PartitionIndex,
        /// How many replicas it gets.
        got: usize,
        /// How many those before it get.
        before: usize,
    },
    /// A partition would have no leader.
    #[error("all brokers that partition {0} is assigned to are fenced")]
    AllFenced(PartitionIndex),
    /// The partitions are not 0, 1, …
    #[error("partitions are numbered from 0 without a gap, and replicas are assigned to {count} but not to {missing}")]
    Gap {
        /// To how many replicas are assigned.
        count: usize,
        /// The first that is missing.
        missing: PartitionIndex,
    },
}

impl CreateTopicRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate | Self::Reserved | Self::AssignedAndCounted(_) => ErrorCode::InvalidRequest,
            Self::InvalidName(_) | Self::Collides(_) => ErrorCode::InvalidTopicException,
            Self::Exists(_) => ErrorCode::TopicAlreadyExists,
            Self::InvalidConfig(InvalidTopicConfig::Rules(refusal)) => refusal.code,
            Self::InvalidConfig(_) => ErrorCode::InvalidConfig,
            Self::InvalidAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::InvalidReplicationFactor(_) | Self::TooFewBrokers { .. } | Self::AllBrokersFenced => {
                ErrorCode::InvalidReplicationFactor
            }
            Self::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
            Self::IdTaken => ErrorCode::UnknownServerError,
        }
    }
}
