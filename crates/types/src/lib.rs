//! The words every other crate speaks: ids, offsets, epochs, times, topic names and Kafka's error codes.
//!
//! Nothing here does anything but hold a value, print it and say whether it is allowed. No I/O, no clock, no
//! allocation beyond a name.

mod error_code;
mod ids;
mod time;
mod topic;
mod uuid;

pub use error_code::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence};
pub use time::{Instant, Timestamp};
pub use topic::{InvalidTopicName, TopicName, TopicPartition};
pub use uuid::{InvalidUuid, TopicId, Uuid};
