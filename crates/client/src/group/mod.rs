//! A consumer that belongs to a group: the others of the group and it share topics, and go on where the group was.
//!
//! [`GroupConsumer`] is what a caller has: it subscribes, polls and commits. What the membership asks of it comes by
//! polling too, as events. Behind it runs a task (`task`) that owns the connection to the coordinator and a machine,
//! which takes time and randomness as arguments and says what to ask (`member` tells its words): `classic` for
//! JoinGroup and SyncGroup, `consumer` for ConsumerGroupHeartbeat (KIP-848). `exchange` puts the machine's words into
//! Kafka's. `assignor` is what the leader of a classic group does.

mod assignor;
mod classic;
mod consumer;
mod exchange;
mod group_consumer;
mod member;
mod offsets_link;
mod settings;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use assignor::{Assignor, Subscription};
pub use group_consumer::{GroupConsumer, GroupEvent};
pub use settings::{GroupProtocol, GroupSettings};

pub(crate) use crate::coordinator::PartitionKey;

/// Partitions by topic and number.
pub type Partitions = BTreeSet<(std::sync::Arc<str>, i32)>;
