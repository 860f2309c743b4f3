//! What a configuration override belongs to.

use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use ottla_types::{BrokerId, TopicName};

/// The kinds of things that carry overrides; the numbers are Kafka's (`ConfigResource.Type`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ResourceKind {
    /// A topic, by name.
    #[n(2)]
    Topic,
    /// A broker, by its id in decimal; the empty name is the default of all brokers.
    #[n(4)]
    Broker,
    /// A subscription to clients' metrics (KIP-714).
    #[n(16)]
    ClientMetrics,
    /// A group, by its id (KIP-848).
    #[n(32)]
    Group,
}

impl ResourceKind {
    /// The kind with Kafka's number `raw`; `None` for one that carries no overrides here. The levels of a broker's loggers
    /// (8) are nobody's overrides: they end with the process.
    #[must_use]
    pub const fn from_raw(raw: i8) -> Option<Self> {
        match raw {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }

    /// Kafka's number.
    #[must_use]
    pub const fn raw(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::Broker => "broker",
            Self::ClientMetrics => "client-metrics",
            Self::Group => "group",
        })
    }
}

/// One thing that carries overrides.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// What it is called; the meaning is the kind's.
    pub name: Arc<str>,
}

impl Resource {
    /// The resource of `kind` called `name`.
    #[must_use]
    pub fn new(kind: ResourceKind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }

    /// The resource that carries a topic's overrides.
    #[must_use]
    pub fn topic(name: &TopicName) -> Self {
        Self::new(ResourceKind::Topic, name.as_str())
    }

    /// The resource that carries the overrides of one broker.
    #[must_use]
    pub fn broker(id: BrokerId) -> Self {
        Self::new(ResourceKind::Broker, &id.to_string())
    }

    /// The resource that carries the overrides of all brokers, each of which may have its own on top.
    #[must_use]
    pub fn brokers_default() -> Self {
        Self::new(ResourceKind::Broker, "")
    }
}

impl fmt::Display for Resource {
    /// `<kind>:<name>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}
