//! Decides what becomes of the cluster: topics, partitions, leaders, brokers, producer ids.
//!
//! A machine and nothing else. It is given requests, news from the replicated log and the time; it says which facts to
//! propose and what to answer. It does no I/O, reads no clock and draws no random number: ids of new topics come with the
//! requests. The loop that drives it is the broker's, the log is the quorum's, what a fact does is `ottla-metadata`'s.
//!
//! # The protocol
//!
//! ```text
//!            BecameLeader{term, image}                       Request
//!   standby ───────────────────────────► leading, idle ─────────────────────► leading, one entry in flight
//!      ▲   ◄───────────────────────────      ▲   │  decided without facts:       │     │  Request: waits
//!      │     LostLeadership,                 │   └─ answered at once             │     │
//!      │     ProposeFailed, newer term       └───────────────────────────────────┘     │
//!      │                                       Committed: all its answers leave,       │
//!      │                                       then those who waited are decided       │
//!      └───────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! - Requests are decided one after another, each against the image as those before it will have left it. What a request
//!   decides goes through the same `Image::apply` as on every node. So two requests for one name cannot both pass.
//! - All that waits is decided together and proposed as one entry. One entry is in flight, no more: the longer an entry
//!   takes, the more the next one holds, so a slow quorum has fewer entries, not a longer queue of them.
//! - An answer leaves when the entry it rests on is committed. Refusals wait as well, for they too may rest on it.
//! - What was decided dies with the term. The image with undecided facts is dropped, all who wait are refused with
//!   `NOT_CONTROLLER`, and an entry carries the term that it was decided in, which the log compares. So nothing that was
//!   decided in an old term is written in a new one. An entry that was in flight may yet be committed; whoever asked finds
//!   out by asking again, as with Kafka.
//! - After [`Input::ProposeFailed`] nobody knows what the log holds, so the machine stands by until a newer term begins.
//!   The runtime must then give up its leadership, unless it has lost it anyway.
//! - After [`Input::NoRoom`] everybody knows: nothing was written. Those whose answers rested on the entry are refused with
//!   `KAFKA_STORAGE_ERROR`, those behind them are decided on what is committed.
//! - The first leader of an empty log begins by writing the levels of the features and the id of the cluster.
//!
//! Bounds: [`Settings::queue_max`] requests wait; one more is refused. A request that still waits at its deadline is
//! refused. A request makes at most [`CHANGES_MAX`] changes, but for a registration, which renews all that its broker
//! leads.
//!
//! # Deviations from Kafka
//!
//! - A broker that registers is active at once. There are no heartbeats yet; with them comes the fenced time between the
//!   two, and the refusal of a second broker with the same id (`DUPLICATE_BROKER_REGISTRATION`).
//! - A restarted leader's epoch rises by one. With Kafka it rises by two: once for leaving, once for coming back.
//! - Two names in one request that differ only in `.` and `_`: the second is refused, as it would be in a second request.
//!   Kafka looks only at topics that were there before the request.
//! - The queue is bounded; a request beyond is answered with `REQUEST_TIMED_OUT`, which clients try again.
//! - Broker epochs are counted one by one; Kafka takes the offset of the registration. Only their order has a meaning.
//! - An active broker is not unregistered. Kafka does it, and the broker serves nothing until it is started again.
//! - A reassignment that takes the place of another starts from the replicas from before both; a cancelled one whose way
//!   back would be unclean is refused, whatever `unclean.leader.election.enable` says.
//! - Overrides that stay as they are make no fact, those of brokers neither.
//! - Eligible leader replicas (KIP-966) do not exist yet.
//! - The placement of replicas is another (see `placement`).
//! - Policies and quotas on mutations do not exist yet.
//!
//! Read in this order: `machine.rs`, `draft.rs`, then the file of a request, such as `delete_topics.rs`; then
//! `tests/scripts/`.

mod allocate_producer_ids;
mod alter_configs;
mod alter_partition_reassignments;
mod config_rules;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod draft;
mod elect_leaders;
mod machine;
mod placement;
mod printed;
mod register_broker;
mod request;
mod settings;
mod unregister_broker;
mod update_features;

pub use allocate_producer_ids::{
    AllocateProducerIds, AllocateProducerIdsRefusal, PRODUCER_ID_BLOCK_SIZE, ProducerIdBlock,
};
pub use alter_configs::{AlterConfigs, AlterConfigsRefusal, AlteredResource, ConfigChange, ConfigOperation};
pub use alter_partition_reassignments::{AlterPartitionReassignments, Reassignment, ReassignmentRefusal};
pub use config_rules::{ConfigOverrides, ConfigRefusal, ConfigRules};
pub use create_partitions::{CreatePartitions, CreatePartitionsRefusal, GrownTopic};
pub use create_topics::{
    Assignment, CHANGES_MAX, CreateTopicRefusal, CreateTopics, CreatedTopic, InvalidAssignment, InvalidTopicConfig,
    NewTopic,
};
pub use delete_topics::{DeleteTopicRefusal, DeleteTopics, DeletedTopic, TopicReference};
pub use elect_leaders::{ElectLeaders, ElectedLeaders, ElectedTopic, Election, ElectionRefusal};
pub use machine::{Controller, Input, Output, founding_features};
pub use register_broker::{RegisterBroker, RegisterBrokerRefusal};
pub use request::{Refusal, Reply, Request, RequestId, StaleBroker};
pub use settings::Settings;
pub use unregister_broker::{UnregisterBroker, UnregisterBrokerRefusal};
pub use update_features::{FeatureUpdate, InvalidLevel, UpdateFeatures, UpdateFeaturesRefusal};
