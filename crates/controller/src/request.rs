//! What the controller can be asked, and how it answers. Each request's own words are in the file of its name, how answers are
//! printed in `printed`.

use std::fmt;

use ottla_metadata::BrokerEpoch;
use ottla_types::{BrokerId, ErrorCode};

use crate::allocate_producer_ids::{AllocateProducerIds, AllocateProducerIdsRefusal, ProducerIdBlock};
use crate::alter_configs::{AlterConfigs, AlterConfigsRefusal};
use crate::alter_partition_reassignments::{AlterPartitionReassignments, ReassignmentRefusal};
use crate::create_partitions::{CreatePartitions, CreatePartitionsRefusal};
use crate::create_topics::{CreateTopicRefusal, CreateTopics, CreatedTopic};
use crate::delete_topics::{DeleteTopics, DeletedTopic};
use crate::elect_leaders::{ElectLeaders, ElectedLeaders};
use crate::register_broker::{RegisterBroker, RegisterBrokerRefusal};
use crate::unregister_broker::{UnregisterBroker, UnregisterBrokerRefusal};
use crate::update_features::{UpdateFeatures, UpdateFeaturesRefusal};

/// Tells requests apart; chosen by whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// A wish. Everything random or dependent on the time is in it already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// A broker starts, or says more about itself.
    RegisterBroker(RegisterBroker),
    /// Somebody wants topics.
    CreateTopics(CreateTopics),
    /// Somebody no longer wants topics.
    DeleteTopics(DeleteTopics),
    /// Somebody wants more partitions.
    CreatePartitions(CreatePartitions),
    /// Somebody wants other leaders.
    ElectLeaders(ElectLeaders),
    /// Somebody wants other brokers to keep partitions.
    AlterPartitionReassignments(AlterPartitionReassignments),
    /// Somebody wants other levels of features.
    UpdateFeatures(UpdateFeatures),
    /// A broker is gone for good.
    UnregisterBroker(UnregisterBroker),
    /// Somebody wants other overrides.
    AlterConfigs(AlterConfigs),
    /// A broker has run out of producer ids.
    AllocateProducerIds(AllocateProducerIds),
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Nothing was looked at: the answer to every part of the request.
    Refused(Refusal),
    /// To [`Request::RegisterBroker`].
    RegisterBroker(Result<BrokerEpoch, RegisterBrokerRefusal>),
    /// To [`Request::CreateTopics`]: a result for each name. Names that were asked for once come in the request's order,
    /// then those that were asked for more often.
    CreateTopics(Vec<(String, Result<CreatedTopic, CreateTopicRefusal>)>),
    /// To [`Request::DeleteTopics`]: a result for each topic; the order means nothing.
    DeleteTopics(Vec<DeletedTopic>),
    /// To [`Request::CreatePartitions`]: a result for each name. Names that were asked for once come in the request's
    /// order, then those that were asked for more often.
    CreatePartitions(Vec<(String, Result<(), CreatePartitionsRefusal>)>),
    /// To [`Request::ElectLeaders`]: a result for each topic and in it for each partition, in the request's order.
    ElectLeaders(Vec<ElectedLeaders>),
    /// To [`Request::AlterPartitionReassignments`]: a result for each partition, in the request's order.
    AlterPartitionReassignments(Vec<Result<(), ReassignmentRefusal>>),
    /// To [`Request::UpdateFeatures`]: for all of them.
    UpdateFeatures(Result<(), UpdateFeaturesRefusal>),
    /// To [`Request::UnregisterBroker`].
    UnregisterBroker(Result<(), UnregisterBrokerRefusal>),
    /// To [`Request::AlterConfigs`]: a result for each resource, in the request's order.
    AlterConfigs(Vec<Result<(), AlterConfigsRefusal>>),
    /// To [`Request::AllocateProducerIds`].
    AllocateProducerIds(Result<ProducerIdBlock, AllocateProducerIdsRefusal>),
}

/// Why a request as a whole is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// This node does not lead, or lost the lead before the answer was certain: the request may still take effect.
    #[error("this node is not the active controller")]
    NotController,
    /// Too many requests wait.
    #[error("{0} requests wait for the controller already; try again later")]
    Overloaded(usize),
    /// The request's time was over before the controller came to it. It has no effect.
    #[error("the controller did not come to this request in time")]
    TimedOut,
    /// The request changes more than one request may.
    #[error("the request makes {count} {what}, more than the {max} that one request may make")]
    TooLarge {
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// `delete.topic.enable` is off.
    #[error("topics cannot be deleted: delete.topic.enable is false")]
    DeletionDisabled,
    /// The device of the metadata log is full.
    #[error("nothing was changed: the device of the metadata log is full")]
    NoRoom,
}

impl Refusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotController => ErrorCode::NotController,
            // Kafka's queue has no end. This code has clients try again.
            Self::Overloaded(_) | Self::TimedOut => ErrorCode::RequestTimedOut,
            Self::TooLarge { .. } => ErrorCode::PolicyViolation,
            Self::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
            Self::NoRoom => ErrorCode::KafkaStorageError,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegisterBroker(request) => request.fmt(f),
            Self::CreateTopics(request) => request.fmt(f),
            Self::DeleteTopics(request) => request.fmt(f),
            Self::CreatePartitions(request) => request.fmt(f),
            Self::ElectLeaders(request) => request.fmt(f),
            Self::AlterPartitionReassignments(request) => request.fmt(f),
            Self::UpdateFeatures(request) => request.fmt(f),
            Self::UnregisterBroker(request) => request.fmt(f),
            Self::AlterConfigs(request) => request.fmt(f),
            Self::AllocateProducerIds(request) => request.fmt(f),
        }
    }
}

/// Why a broker's word does not count: it speaks for a registration that is not, or no longer, there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StaleBroker {
    /// The broker never registered.
    #[error("broker {0} is not registered")]
    NotRegistered(BrokerId),
    /// The broker registered anew since.
    #[error("broker {id} is registered with epoch {registered}, not {got}")]
    OtherEpoch {
        /// Which broker.
        id: BrokerId,
        /// The epoch of its registration.
        registered: BrokerEpoch,
        /// The epoch that the request names.
        got: BrokerEpoch,
    },
}

impl StaleBroker {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::StaleBrokerEpoch
    }
}
