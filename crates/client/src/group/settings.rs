//! Settings of a member, with Kafka's names for them.

use std::time::Duration;

use super::Assignor;
use crate::consumer::{ConsumerSettings, OffsetReset};

/// How a member speaks with its coordinator (`group.protocol`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum GroupProtocol {
    /// The members of the group agree among themselves.
    #[default]
    Classic,
    /// The coordinator tells each member what to read (KIP-848).
    Consumer,
}

/// Settings of a member. Defaults are Kafka's unless said otherwise.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// `group.id`.
    pub group: String,
    /// `group.protocol`.
    pub protocol: GroupProtocol,
    /// `group.instance.id`: an id that outlives the process, so that the group does not move while it restarts.
    pub instance: Option<String>,
    /// `partition.assignment.strategy`, the preferred one first; for the classic protocol.
    pub assignors: Vec<Assignor>,
    /// `group.remote.assignor`: how the coordinator shall assign; for the consumer protocol.
    pub remote_assignor: Option<String>,
    /// `session.timeout.ms`: who is silent for so long is out of the group; for the classic protocol.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`; for the classic protocol.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: who does not poll for so long leaves the group. Also how long it may take to give up
    /// partitions when others want them.
    pub poll_interval_max: Duration,
    /// `auto.commit.interval.ms`; `None` for `enable.auto.commit=false`.
    pub auto_commit: Option<Duration>,
    /// `metadata.max.age.ms`: how often the leader looks whether topics have come or grown.
    pub metadata_age_max: Duration,
    /// How records are fetched. Its `auto.offset.reset` is for partitions without a committed offset too.
    pub consumer: ConsumerSettings,
}

impl GroupSettings {
    /// Kafka's defaults for a member of `group`.
    #[must_use]
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            protocol: GroupProtocol::default(),
            instance: None,
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            remote_assignor: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            poll_interval_max: Duration::from_secs(300),
            auto_commit: Some(Duration::from_secs(5)),
            metadata_age_max: Duration::from_secs(300),
            consumer: ConsumerSettings { offset_reset: OffsetReset::Latest, ..ConsumerSettings::default() },
        }
    }

    /// Whether a member keeps what it has while it joins again: only if every assignor that may be chosen can do that.
    pub(crate) fn is_cooperative(&self) -> bool {
        !self.assignors.is_empty() && self.assignors.iter().all(|assignor| assignor.is_cooperative())
    }
}
