//! Facts as the records of `__consumer_offsets`: a key that tells the kind, and a value behind its version.
//!
//! Versions are those that Kafka 4.3 writes: 3 of classic groups; of offsets 4, or 1 for one that expires by itself.

use std::sync::Arc;

use ottla_types::{LeaderEpoch, Offset, Timestamp};
use ottla_wire::framing::{key_type, read_key, read_versioned_leniently, write_key, write_versioned};
use ottla_wire::records::group::group_metadata::GroupMetadataKey;
use ottla_wire::records::group::legacy_offset_commit::LegacyOffsetCommitKey;
use ottla_wire::records::group::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use ottla_wire::{DecodeError, EncodeError, TypedRecord};

use crate::consumer::consumer_fact;
use crate::fact::Fact;
use crate::offsets::CommittedOffset;

/// The version in which classic groups are written.
const CLASSIC_GROUP_VERSION: i16 = 3;
/// The version in which offsets are written.
const OFFSET_VERSION: i16 = 4;
/// The only version in which offsets have a time to expire at.
const EXPIRING_OFFSET_VERSION: i16 = 1;

/// A record's key and value; without a value it is a tombstone.
pub type KeyAndValue = (Vec<u8>, Option<Vec<u8>>);

impl Fact {
    /// The record that keeps the fact. An error is a text that is longer than the format allows.
    pub fn to_record(&self) -> Result<KeyAndValue, EncodeError> {
        match self {
            Self::ClassicGroup { group, value } => {
                let key = write_key(&GroupMetadataKey { group: group.to_string() })?;
                let value = value.as_ref().map(|value| write_versioned(value, CLASSIC_GROUP_VERSION));
                Ok((key, value.transpose()?))
            }
            Self::Offset { group, topic, partition, value } => {
                let (group, topic) = (group.to_string(), topic.to_string());
                let key = write_key(&OffsetCommitKey { group, topic, partition: *partition })?;
                Ok((key, value.as_ref().map(offset_value).transpose()?))
            }
            Self::Consumer { group, fact } => fact.to_record(group),
        }
    }

    /// The fact that a record keeps; `None` for a kind that says nothing here.
    pub fn from_record(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match key_type(key)? {
            LegacyOffsetCommitKey::TYPE => {
                let key: LegacyOffsetCommitKey = read_key(key)?;
                offset_fact(key.group, key.topic, key.partition, value)?
            }
            OffsetCommitKey::TYPE => {
                let key: OffsetCommitKey = read_key(key)?;
                offset_fact(key.group, key.topic, key.partition, value)?
            }
            GroupMetadataKey::TYPE => {
                let key: GroupMetadataKey = read_key(key)?;
                Self::ClassicGroup { group: key.group.into(), value: value.map(read_versioned_leniently).transpose()? }
            }
            kind => return Ok(consumer_fact(kind, key, value)?.map(|(group, fact)| Self::Consumer { group, fact })),
        }))
    }
}

fn offset_value(offset: &CommittedOffset) -> Result<Vec<u8>, EncodeError> {
    let expires = offset.expires_at != Timestamp::NONE;
    let value = OffsetCommitValue {
        offset: offset.offset.0,
        // The version that knows when it expires does not know more.
        leader_epoch: if expires { LeaderEpoch::UNKNOWN.0 } else { offset.leader_epoch.0 },
        metadata: offset.metadata.to_string(),
        commit_timestamp: offset.committed_at.0,
        expire_timestamp: offset.expires_at.0,
        topic_id: if expires { ottla_types::Uuid::default() } else { offset.topic_id },
    };
    write_versioned(&value, if expires { EXPIRING_OFFSET_VERSION } else { OFFSET_VERSION })
}

fn offset_fact(group: String, topic: String, partition: i32, value: Option<&[u8]>) -> Result<Fact, DecodeError> {
    let value: Option<OffsetCommitValue> = value.map(read_versioned_leniently).transpose()?;
    let offset = |value: OffsetCommitValue| CommittedOffset {
        offset: Offset(value.offset),
        leader_epoch: LeaderEpoch(value.leader_epoch),
        metadata: value.metadata.into(),
        committed_at: Timestamp(value.commit_timestamp),
        expires_at: Timestamp(value.expire_timestamp),
        topic_id: value.topic_id,
    };
    let (group, topic): (Arc<str>, Arc<str>) = (group.into(), topic.into());
    Ok(Fact::Offset { group, topic, partition, value: value.map(offset) })
}

#[cfg(test)]
mod tests {
    use ottla_types::Uuid;
    use ottla_wire::records::group::group_metadata::{GroupMetadataValue, MemberMetadata};

    use super::*;

    fn offset(expires_at: i64) -> Fact {
        let value = CommittedOffset {
            offset: Offset(7),
            leader_epoch: LeaderEpoch(if expires_at < 0 { 3 } else { -1 }),
            metadata: "m".into(),
            committed_at: Timestamp(5),
            expires_at: Timestamp(expires_at),
            topic_id: if expires_at < 0 { Uuid([9; 16]) } else { Uuid::default() },
        };
        Fact::Offset { group: "g".into(), topic: "t".into(), partition: 2, value: Some(value) }
    }

    fn group() -> Fact {
        let member = MemberMetadata { member_id: "m-1".to_owned(), session_timeout: 9, ..MemberMetadata::default() };
        let value = GroupMetadataValue {
            protocol_type: "consumer".to_owned(),
            generation: 4,
            members: vec![member],
            ..GroupMetadataValue::default()
        };
        Fact::ClassicGroup { group: "g".into(), value: Some(value) }
    }

    #[test]
    fn a_record_keeps_its_fact() {
        let gone = Fact::Offset { group: "g".into(), topic: "t".into(), partition: 2, value: None };
        for fact in [offset(-1), offset(99), gone, group(), Fact::ClassicGroup { group: "g".into(), value: None }] {
            let (key, value) = fact.to_record().expect("short");
            assert_eq!(Fact::from_record(&key, value.as_deref()), Ok(Some(fact)));
        }
    }

    #[test]
    fn versions_are_those_that_kafka_writes() {
        let version =
            |fact: Fact| fact.to_record().expect("short").1.map(|value| i16::from_be_bytes([value[0], value[1]]));
        assert_eq!((version(offset(-1)), version(offset(99)), version(group())), (Some(4), Some(1), Some(3)));
    }

    #[test]
    fn other_kinds_say_nothing_and_damage_is_told() {
        assert_eq!(Fact::from_record(&[0, 99, 1], None), Ok(None));
        assert!(Fact::from_record(&[0], None).is_err());
        assert!(Fact::from_record(&[0, 1, 0, 9, b'g'], None).is_err());
        let (key, _) = group().to_record().expect("short");
        assert!(Fact::from_record(&key, Some(&[0, 3, 0])).is_err());
    }
}
