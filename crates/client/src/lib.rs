//! A client for any Kafka cluster from 0.11 on: producer, consumer by assigned partitions or within a
//! group, admin.
//!
//! Read in this order: `connection` is one broker, `cluster` is all of them with what is known of topics; `admin`,
//! `offsets`, [`producer`] and [`consumer`] stand on it, and [`group`] on them. `versions` and `murmur2` are pure.
//!
//! The world is reached only through [`ottla_runtime::Runtime`], so that all of it runs in the simulation too: no
//! thread, no clock of its own, nothing that iterates over a hash map.

mod address;
mod error;
mod settings;
mod versions;

mod connection;

mod cluster;

mod admin;
mod coordinator;
mod offsets;

mod murmur2;
pub mod producer;

pub mod consumer;
pub mod group;

pub use address::{Address, InvalidAddress};
pub use admin::{
    Admin, ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource, CreatedTopic, DescribedGroup,
    GroupKind, GroupMember, ListedGroup, NewTopic,
};
pub use cluster::{Cluster, Partition, Topic};
pub use connection::{Connection, Reply};
pub use consumer::{Consumer, ConsumerSettings, Fetched, OffsetReset, Start};
pub use coordinator::{CommittedOffset, GroupOffsets};
pub use error::{ClientError, ConnectionError, Refusal};
pub use group::{Assignor, GroupConsumer, GroupEvent, GroupProtocol, GroupSettings};
pub use murmur2::{murmur2, partition_for_key};
pub use offsets::OffsetSpec;
pub use ottla_record::{Codec, Header, Record as FetchedRecord};
pub use producer::{Acks, Delivered, Delivery, ProduceError, Producer, ProducerSettings, Record};
pub use settings::ClientSettings;
pub use versions::{OfferedVersions, wanted_versions};
