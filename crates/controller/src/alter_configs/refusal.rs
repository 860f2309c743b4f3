//! Why the overrides of a resource are not changed: every reason, its code, its words.

use ottla_metadata::ResourceKind;
use ottla_types::{BrokerId, ErrorCode, InvalidTopicName};

use crate::config_rules::{ConfigRefusal, VALUE_LENGTH_MAX};

/// Why the overrides of one resource stay as they are. The checks are made in about this order; the first that fails
/// answers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AlterConfigsRefusal {
    /// The request names the resource more than once.
    #[error("the request names this resource more than once")]
    DuplicateResource,
    /// The request names a key more than once.
    #[error("the request names the key {0} more than once")]
    DuplicateKey(String),
    /// Keys without a value that need one.
    #[error("no value is given for {}", .0.join(", "))]
    NoValue(Vec<String>),
    /// No kind of resource has this number, or it is not kept in the cluster's metadata.
    #[error("resources of type {0} cannot be changed by this request")]
    UnknownKind(i8),
    /// The empty name, where there is no default of all resources.
    #[error("a resource of the kind {0} needs a name")]
    NoName(ResourceKind),
    /// A broker that is not called by its id.
    #[error("brokers are named by their id, which is a number; {0:?} is none")]
    NotABrokerId(String),
    /// Another broker than the one that was asked.
    #[error("the overrides of broker {named} are changed through that broker, and this is broker {here}")]
    OtherBroker {
        /// Which broker was asked.
        here: BrokerId,
        /// Which one the request names.
        named: BrokerId,
    },
    /// No operation has this number.
    #[error("the operation {operation} on {key} is unknown: 0 sets, 1 deletes, 2 appends, 3 subtracts")]
    UnknownOperation {
        /// The number.
        operation: i8,
        /// The key that it is about.
        key: String,
    },
    /// A key is added to or taken from that is no list.
    #[error("{0} is not a list: it can be set and deleted, not appended to or subtracted from")]
    NotAList(String),
    /// A value is longer than Kafka stores.
    #[error("the value of {key} has {length} characters, {max} are allowed", max = VALUE_LENGTH_MAX)]
    TooLong {
        /// The key.
        key: String,
        /// How long its value is, in UTF-16 units, as Kafka counts.
        length: usize,
    },
    /// The name is none that a topic can have.
    #[error(transparent)]
    InvalidTopicName(InvalidTopicName),
    /// What the rules say.
    #[error(transparent)]
    Rules(#[from] ConfigRefusal),
    /// No topic has the name.
    #[error("there is no topic called {0}")]
    UnknownTopic(String),
}

impl AlterConfigsRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::DuplicateResource
            | Self::DuplicateKey(_)
            | Self::NoValue(_)
            | Self::UnknownKind(_)
            | Self::NoName(_)
            | Self::NotABrokerId(_)
            | Self::OtherBroker { .. }
            | Self::UnknownOperation { .. } => ErrorCode::InvalidRequest,
            Self::NotAList(_) | Self::TooLong { .. } => ErrorCode::InvalidConfig,
            Self::InvalidTopicName(_) => ErrorCode::InvalidTopicException,
            Self::Rules(refusal) => refusal.code,
            Self::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
        }
    }
}
