//! A classic group as tools see it.

use std::sync::Arc;

use super::{ClassicGroup, State};
use crate::request::{DescribedGroup, DescribedMember, ListedGroup};

impl State {
    /// As Kafka's tools print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

impl ClassicGroup {
    /// The group in a list.
    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            state: self.state.name(),
            kind: "classic",
        }
    }

    /// The group with its members. What they were assigned is told until the next round has come to its end.
    pub(crate) fn described(&self) -> DescribedGroup {
        let protocol: Arc<str> = match &self.protocol {
            Some(protocol) if self.state == State::Stable => protocol.clone(),
            _ => "".into(),
        };
        let member = |(id, member): (&Arc<str>, &super::Member)| DescribedMember {
            member: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(&protocol),
            assignment: member.assignment.clone(),
        };
        DescribedGroup {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            members: self.members.iter().map(member).collect(),
            protocol,
        }
    }
}
