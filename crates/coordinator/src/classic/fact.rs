//! A classic group as it is remembered: a picture at the end of a round.

use std::sync::Arc;
use std::time::Duration;

use ottla_types::Timestamp;
use ottla_wire::records::group::group_metadata::{GroupMetadataValue, MemberMetadata};

use super::member::Member;
use super::{ClassicGroup, State};
use crate::fact::Fact;
use crate::request::Protocol;

impl ClassicGroup {
    /// The group as it is now.
    pub(super) fn fact(&self) -> Fact {
        let text = |text: &Option<Arc<str>>| text.as_ref().map(|text| text.to_string());
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let millis = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
        let member = |(id, member): (&Arc<str>, &Member)| MemberMetadata {
            member_id: id.to_string(),
            group_instance_id: text(&member.instance),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            rebalance_timeout: millis(member.rebalance_timeout),
            session_timeout: millis(member.session_timeout),
            subscription: member.metadata(protocol),
            assignment: member.assignment.clone(),
        };
        let value = GroupMetadataValue {
            protocol_type: text(&self.protocol_type).unwrap_or_default(),
            generation: self.generation,
            protocol: text(&self.protocol),
            leader: text(&self.leader),
            current_state_timestamp: self.since.0,
            members: self.members.iter().map(member).collect(),
        };
        Fact::ClassicGroup { group: self.id.clone(), value: Some(value) }
    }

    /// The group that a picture shows.
    pub(crate) fn from_fact(id: Arc<str>, value: &GroupMetadataValue) -> Self {
        let mut group = Self::new(id, Timestamp(value.current_state_timestamp));
        let protocol: Option<Arc<str>> = value.protocol.as_deref().map(Into::into);
        group.generation = value.generation;
        group.protocol_type = Some(&*value.protocol_type).filter(|kind| !kind.is_empty()).map(Into::into);
        group.leader = value.leader.as_deref().map(Into::into);
        for member in &value.members {
            let millis = |millis: i32| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
            let id: Arc<str> = member.member_id.as_str().into();
            let instance: Option<Arc<str>> = member.group_instance_id.as_deref().map(Into::into);
            if let Some(instance) = &instance {
                group.statics.insert(instance.clone(), id.clone());
            }
            // A picture of version 0 has no rebalance timeout of its own.
            let session_timeout = millis(member.session_timeout);
            let rebalance_timeout =
                if member.rebalance_timeout < 0 { session_timeout } else { millis(member.rebalance_timeout) };
            let known =
                protocol.iter().map(|name| Protocol { name: name.clone(), metadata: member.subscription.clone() });
            let member = Member {
                instance,
                client_id: member.client_id.as_str().into(),
                client_host: member.client_host.as_str().into(),
                session_timeout,
                rebalance_timeout,
                protocols: known.collect(),
                assignment: member.assignment.clone(),
                joining: None,
                syncing: None,
                is_new: false,
            };
            group.members.insert(id, member);
        }
        group.protocol = protocol;
        if !group.members.is_empty() {
            group.state = State::Stable;
        }
        group.subscribed = group.subscriptions();
        group
    }
}
