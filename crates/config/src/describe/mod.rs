//! Configuration as clients see it (DescribeConfigs, and CreateTopics from version 5 on): every key with its value, where
//! that comes from, and what stands behind it.
//!
//! The fields, their order and their oddities are those of a real Kafka 4.3.1 (`ConfigHelper`), held by
//! `tests/describe.rs`. One file for each kind of resource.

mod broker;
mod client_metrics;
mod group;
mod topic;

use crate::key::Kind;

pub use broker::{describe_broker_config, describe_cluster_default_config};
pub use client_metrics::describe_client_metrics_config;
pub use group::describe_group_config;
pub use topic::{describe_created_topic_config, describe_topic_config};

/// One key with the value it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// The key's name.
    pub name: String,
    /// Its value; `None` where there is none or it must not be shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can only be changed by a restart.
    pub read_only: bool,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// Its type; `None` for a key that nobody knows.
    pub kind: Option<Kind>,
    /// Everything that would be its value, the strongest first: the value itself if it was set, and what it hides.
    pub synonyms: Vec<DescribedSynonym>,
    /// What the key does; `None` for one that nobody knows.
    pub documentation: Option<&'static str>,
}

/// A value behind a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedSynonym {
    /// The key's name in the place where it is set.
    pub name: String,
    /// Its value as it was written; `None` where it must not be shown.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// Where a described value comes from, with the number that the wire has for it (`DescribeConfigsResponse`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i8)]
pub enum ConfigSource {
    /// The topic's own override.
    Topic = 1,
    /// Set for the broker while the cluster runs.
    Broker = 2,
    /// Set for all brokers while the cluster runs.
    ClusterDefault = 3,
    /// The file or the command line of the broker.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// The broker's loggers.
    BrokerLogger = 6,
    /// The subscription's own.
    ClientMetrics = 7,
    /// The group's own.
    Group = 8,
}

impl ConfigSource {
    /// Kafka's number for it. Before version 1 of DescribeConfigs there was none.
    #[must_use]
    pub const fn raw(self) -> i8 {
        self as i8
    }
}

/// The source of the strongest synonym.
fn source_of(synonyms: &[DescribedSynonym]) -> ConfigSource {
    synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source)
}
