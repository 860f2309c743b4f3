//! Facts about consumer groups as records of `__consumer_offsets`: version 0 of each of Kafka's schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_types::Timestamp;
use ottla_wire::framing::{read_key, read_versioned_leniently, write_key, write_versioned};
use ottla_wire::records::group::consumer_group_current_member_assignment::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue, TopicPartitions,
};
use ottla_wire::records::group::consumer_group_member_metadata::{
    self as member_metadata, ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue,
};
use ottla_wire::records::group::consumer_group_metadata::{ConsumerGroupMetadataKey, ConsumerGroupMetadataValue};
use ottla_wire::records::group::consumer_group_partition_metadata::{
    ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue,
};
use ottla_wire::records::group::consumer_group_regular_expression::{
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
};
use ottla_wire::records::group::consumer_group_target_assignment_member::{
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue, TopicPartition,
};
use ottla_wire::records::group::consumer_group_target_assignment_metadata::{
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};
use ottla_wire::{DecodeError, EncodeError, Record, TypedRecord};

use super::fact::{ConsumerFact, GroupEpoch, Resolved, TargetEpoch};
use super::member::{ClassicMember, Held, MemberState, Standing, Subscription};
use crate::assignors::Assignment;
use crate::record::KeyAndValue;
use crate::request::Protocol;

impl ConsumerFact {
    /// The record that keeps the fact.
    pub(crate) fn to_record(&self, group: &str) -> Result<KeyAndValue, EncodeError> {
        let group_id = group.to_owned();
        Ok(match self {
            Self::Epoch(value) => {
                let of = |epoch: GroupEpoch| value_of(&epoch.to_value());
                (write_key(&ConsumerGroupMetadataKey { group_id })?, value.map(of).transpose()?)
            }
            Self::PartitionMetadata(is_there) => {
                let value = is_there.then(|| value_of(&ConsumerGroupPartitionMetadataValue::default()));
                (write_key(&ConsumerGroupPartitionMetadataKey { group_id })?, value.transpose()?)
            }
            Self::Member(member, value) => {
                let key = ConsumerGroupMemberMetadataKey { group_id, member_id: member.to_string() };
                (write_key(&key)?, value.as_ref().map(|said| value_of(&said.to_value())).transpose()?)
            }
            Self::TargetEpoch(value) => {
                let of = |target: TargetEpoch| value_of(&target.to_value());
                (write_key(&ConsumerGroupTargetAssignmentMetadataKey { group_id })?, value.map(of).transpose()?)
            }
            Self::Target(member, value) => {
                let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: member.to_string() };
                (write_key(&key)?, value.as_ref().map(|target| value_of(&target_value(target))).transpose()?)
            }
            Self::Standing(member, value) => {
                let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: member.to_string() };
                (write_key(&key)?, value.as_ref().map(|standing| value_of(&standing.to_value())).transpose()?)
            }
            Self::Regex(regex, value) => {
                let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression: regex.to_string() };
                (write_key(&key)?, value.as_ref().map(|resolved| value_of(&resolved.to_value())).transpose()?)
            }
        })
    }
}

/// The group and the fact that a record of this kind keeps; `None` if it is of another kind.
pub(crate) fn consumer_fact(
    kind: i16,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Option<(Arc<str>, ConsumerFact)>, DecodeError> {
    let (group, fact) = match kind {
        ConsumerGroupMetadataKey::TYPE => {
            let key: ConsumerGroupMetadataKey = read_key(key)?;
            (key.group_id, ConsumerFact::Epoch(read(value)?.map(GroupEpoch::from_value)))
        }
        ConsumerGroupPartitionMetadataKey::TYPE => {
            let key: ConsumerGroupPartitionMetadataKey = read_key(key)?;
            (key.group_id, ConsumerFact::PartitionMetadata(value.is_some()))
        }
        ConsumerGroupMemberMetadataKey::TYPE => {
            let key: ConsumerGroupMemberMetadataKey = read_key(key)?;
            (key.group_id, ConsumerFact::Member(key.member_id.into(), read(value)?.map(Subscription::from_value)))
        }
        ConsumerGroupTargetAssignmentMetadataKey::TYPE => {
            let key: ConsumerGroupTargetAssignmentMetadataKey = read_key(key)?;
            (key.group_id, ConsumerFact::TargetEpoch(read(value)?.map(TargetEpoch::from_value)))
        }
        ConsumerGroupTargetAssignmentMemberKey::TYPE => {
            let key: ConsumerGroupTargetAssignmentMemberKey = read_key(key)?;
            (key.group_id, ConsumerFact::Target(key.member_id.into(), read(value)?.map(target_from)))
        }
        ConsumerGroupCurrentMemberAssignmentKey::TYPE => {
            let key: ConsumerGroupCurrentMemberAssignmentKey = read_key(key)?;
            (key.group_id, ConsumerFact::Standing(key.member_id.into(), read(value)?.map(Standing::from_value)))
        }
        ConsumerGroupRegularExpressionKey::TYPE => {
            let key: ConsumerGroupRegularExpressionKey = read_key(key)?;
            let resolved = read(value)?.map(Resolved::from_value);
            (key.group_id, ConsumerFact::Regex(key.regular_expression.into(), resolved))
        }
        _ => return Ok(None),
    };
    Ok(Some((group.into(), fact)))
}

fn value_of<R: Record>(value: &R) -> Result<Vec<u8>, EncodeError> {
    write_versioned(value, 0)
}

fn read<R: Record>(value: Option<&[u8]>) -> Result<Option<R>, DecodeError> {
    value.map(read_versioned_leniently).transpose()
}

fn text(text: &Option<Arc<str>>) -> Option<String> {
    text.as_ref().map(|text| text.to_string())
}

impl GroupEpoch {
    const fn to_value(self) -> ConsumerGroupMetadataValue {
        ConsumerGroupMetadataValue { epoch: self.epoch, metadata_hash: self.metadata_hash }
    }

    const fn from_value(value: ConsumerGroupMetadataValue) -> Self {
        Self { epoch: value.epoch, metadata_hash: value.metadata_hash }
    }
}

impl TargetEpoch {
    const fn to_value(self) -> ConsumerGroupTargetAssignmentMetadataValue {
        ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch: self.epoch,
            assignment_timestamp: self.assigned_at.0,
        }
    }

    const fn from_value(value: ConsumerGroupTargetAssignmentMetadataValue) -> Self {
        Self { epoch: value.assignment_epoch, assigned_at: Timestamp(value.assignment_timestamp) }
    }
}

impl Resolved {
    fn to_value(&self) -> ConsumerGroupRegularExpressionValue {
        ConsumerGroupRegularExpressionValue {
            topics: self.topics.iter().map(ToString::to_string).collect(),
            version: self.version,
            timestamp: self.resolved_at.0,
        }
    }

    fn from_value(value: ConsumerGroupRegularExpressionValue) -> Self {
        Self {
            topics: value.topics.into_iter().map(Into::into).collect(),
            version: value.version,
            resolved_at: Timestamp(value.timestamp),
        }
    }
}

impl Subscription {
    fn to_value(&self) -> ConsumerGroupMemberMetadataValue {
        let protocol = |protocol: &Protocol| member_metadata::ClassicProtocol {
            name: protocol.name.to_string(),
            metadata: protocol.metadata.clone(),
        };
        let classic = |classic: &ClassicMember| member_metadata::ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic.protocols.iter().map(protocol).collect(),
        };
        ConsumerGroupMemberMetadataValue {
            instance_id: text(&self.instance),
            rack_id: text(&self.rack),
            client_id: self.client_id.to_string(),
            client_host: self.client_host.to_string(),
            subscribed_topic_names: self.topics.iter().map(ToString::to_string).collect(),
            subscribed_topic_regex: text(&self.regex),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: text(&self.assignor),
            classic_member_metadata: self.classic.as_ref().map(classic),
        }
    }

    fn from_value(value: ConsumerGroupMemberMetadataValue) -> Self {
        let protocol = |protocol: member_metadata::ClassicProtocol| Protocol {
            name: protocol.name.into(),
            metadata: protocol.metadata,
        };
        let classic = |classic: member_metadata::ClassicMemberMetadata| ClassicMember {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.supported_protocols.into_iter().map(protocol).collect(),
        };
        Self {
            instance: value.instance_id.map(Into::into),
            rack: value.rack_id.map(Into::into),
            client_id: value.client_id.into(),
            client_host: value.client_host.into(),
            topics: Arc::new(value.subscribed_topic_names.into_iter().map(Into::into).collect()),
            regex: value.subscribed_topic_regex.map(Into::into),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            assignor: value.server_assignor.map(Into::into),
            classic: value.classic_member_metadata.map(classic),
        }
    }
}

fn target_value(target: &Assignment) -> ConsumerGroupTargetAssignmentMemberValue {
    let topic = |(id, partitions): (&ottla_types::Uuid, &BTreeSet<i32>)| TopicPartition {
        topic_id: *id,
        partitions: partitions.iter().copied().collect(),
    };
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: target.iter().map(topic).collect() }
}

fn target_from(value: ConsumerGroupTargetAssignmentMemberValue) -> Arc<Assignment> {
    let topics = value.topic_partitions.into_iter();
    Arc::new(topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect())
}

impl Standing {
    fn to_value(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        let topic = |(id, partitions): (&ottla_types::Uuid, &BTreeMap<i32, i32>)| TopicPartitions {
            topic_id: *id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
        };
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.raw(),
            assigned_partitions: self.assigned.iter().map(topic).collect(),
            partitions_pending_revocation: self.revoking.iter().map(topic).collect(),
        }
    }

    fn from_value(value: ConsumerGroupCurrentMemberAssignmentValue) -> Self {
        // Before 4.3 nobody wrote since when a partition is held: since now is what can be vouched for.
        let epoch = value.member_epoch.max(0);
        let held = |topics: Vec<TopicPartitions>| -> Held {
            let topic = |topic: TopicPartitions| {
                let known = topic.assignment_epochs.filter(|epochs| epochs.len() == topic.partitions.len());
                let epochs = known.unwrap_or_else(|| vec![epoch; topic.partitions.len()]);
                (topic.topic_id, topic.partitions.into_iter().zip(epochs).collect())
            };
            topics.into_iter().map(topic).collect()
        };
        Self {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::from_raw(value.state),
            assigned: held(value.assigned_partitions),
            revoking: held(value.partitions_pending_revocation),
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_types::Uuid;

    use super::*;
    use crate::fact::Fact;

    fn facts() -> Vec<ConsumerFact> {
        let topic = Uuid([7; 16]);
        let member: Arc<str> = "m".into();
        let said = Subscription {
            instance: Some("one".into()),
            rack: Some("r".into()),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            topics: Arc::new(["a".into(), "b".into()].into()),
            regex: Some("c.*".into()),
            rebalance_timeout_ms: 60_000,
            assignor: Some("range".into()),
            classic: Some(ClassicMember {
                session_timeout_ms: 30_000,
                protocols: vec![Protocol { name: "range".into(), metadata: vec![1, 2].into() }],
            }),
        };
        let standing = Standing {
            epoch: 4,
            previous_epoch: 3,
            state: MemberState::Unrevoked,
            assigned: [(topic, [(0, 2), (1, 4)].into())].into(),
            revoking: [(topic, [(2, 3)].into())].into(),
        };
        let resolved = Resolved { topics: ["a".into()].into(), version: 9, resolved_at: Timestamp(11) };
        vec![
            ConsumerFact::Epoch(Some(GroupEpoch { epoch: 4, metadata_hash: -5 })),
            ConsumerFact::PartitionMetadata(true),
            ConsumerFact::Member(member.clone(), Some(said)),
            ConsumerFact::Member("other".into(), Some(Subscription::default())),
            ConsumerFact::TargetEpoch(Some(TargetEpoch { epoch: 4, assigned_at: Timestamp(10) })),
            ConsumerFact::Target(member.clone(), Some(Arc::new([(topic, [0, 1].into())].into()))),
            ConsumerFact::Standing(member.clone(), Some(standing)),
            ConsumerFact::Regex("c.*".into(), Some(resolved)),
            ConsumerFact::Epoch(None),
            ConsumerFact::PartitionMetadata(false),
            ConsumerFact::Member(member.clone(), None),
            ConsumerFact::TargetEpoch(None),
            ConsumerFact::Target(member.clone(), None),
            ConsumerFact::Standing(member, None),
            ConsumerFact::Regex("c.*".into(), None),
        ]
    }

    #[test]
    fn facts_come_back_from_their_records_and_are_no_larger_than_they_say() {
        for fact in facts() {
            let fact = Fact::Consumer { group: "g".into(), fact };
            let (key, value) = fact.to_record().expect("short");
            assert_eq!(Fact::from_record(&key, value.as_deref()), Ok(Some(fact.clone())));
            assert!(key.len() + value.map_or(0, |value| value.len()) <= fact.size_at_most(), "{fact}");
        }
    }

    #[test]
    fn partitions_without_epochs_are_held_since_the_members() {
        let topic = TopicPartitions { topic_id: Uuid([7; 16]), partitions: vec![0, 3], assignment_epochs: None };
        let value = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: -2,
            previous_member_epoch: 5,
            state: 9,
            assigned_partitions: vec![topic],
            partitions_pending_revocation: Vec::new(),
        };
        let standing = Standing::from_value(value);
        assert_eq!(standing.state, MemberState::Unknown);
        assert_eq!(standing.assigned, [(Uuid([7; 16]), [(0, 0), (3, 0)].into())].into());
    }
}
