//! What stands before persisted records, against bytes that Kafka 4.3.1 wrote.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ottla_types::Uuid;
use ottla_wire::framing::{self, FrameHead};
use ottla_wire::records::cluster::feature_level::FeatureLevelRecord;
use ottla_wire::records::group::consumer_group_current_member_assignment::{
    ConsumerGroupCurrentMemberAssignmentValue, TopicPartitions,
};
use ottla_wire::records::group::consumer_group_member_metadata::{
    ClassicMemberMetadata, ConsumerGroupMemberMetadataValue,
};
use ottla_wire::records::group::legacy_offset_commit::LegacyOffsetCommitKey;
use ottla_wire::records::group::offset_commit::{OffsetCommitKey, OffsetCommitValue};
use ottla_wire::records::quorum::leader_change::{LeaderChangeMessage, Voter};
use ottla_wire::records::transaction::end_txn_marker::EndTxnMarker;
use ottla_wire::{DecodeError, DecodeErrorKind, EncodeError, Reader, Record, TypedRecord, Writer};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn keys_begin_with_the_number_of_their_kind() {
    let written = bytes("000100016700017400000003");
    let key = OffsetCommitKey { group: "g".to_owned(), topic: "t".to_owned(), partition: 3 };
    assert_eq!(framing::key_type(&written), Ok(1));
    assert_eq!(framing::read_key::<OffsetCommitKey>(&written), Ok(key.clone()));
    assert_eq!(framing::write_key(&key).unwrap(), written);

    let refused = framing::read_key::<LegacyOffsetCommitKey>(&written).unwrap_err();
    assert_eq!(refused, DecodeError { position: 0, kind: DecodeErrorKind::UnsupportedVersion(1) });
    let refused = framing::read_key::<OffsetCommitKey>(&[&written[..], &[0]].concat()).unwrap_err();
    assert_eq!(refused.kind, DecodeErrorKind::TrailingBytes(1));
    assert!(framing::key_type(&[0]).is_err());
}

#[test]
fn values_begin_with_their_version() {
    let written = bytes("0003000000000000002a0000000700016d00000000000003e8");
    let value = OffsetCommitValue {
        offset: 42,
        leader_epoch: 7,
        metadata: "m".to_owned(),
        commit_timestamp: 1000,
        ..Default::default()
    };
    assert_eq!(framing::read_versioned(&written), Ok((value.clone(), 3)));
    assert_eq!(framing::write_versioned(&value, 3).unwrap(), written);

    let future = [&[0, 9], &written[2..]].concat();
    let refused = framing::read_versioned::<OffsetCommitValue>(&future).unwrap_err();
    assert_eq!(refused, DecodeError { position: 2, kind: DecodeErrorKind::UnsupportedVersion(9) });
}

#[test]
fn markers_of_the_future_are_read_as_those_of_today() {
    let marker = EndTxnMarker { coordinator_epoch: 5 };
    assert_eq!(framing::write_versioned(&marker, 0).unwrap(), bytes("000000000005"));
    assert_eq!(framing::read_versioned_leniently(&bytes("000000000005")), Ok(marker.clone()));
    assert_eq!(framing::read_versioned_leniently(&bytes("000700000005ffff")), Ok(marker));
    assert!(framing::read_versioned_leniently::<EndTxnMarker>(&bytes("ffff00000005")).is_err());
}

#[test]
fn records_of_the_metadata_log_are_framed() {
    let written = bytes("010c00116d657461646174612e76657273696f6e001e00");
    let record = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 30 };
    assert_eq!(framing::write_framed(&record, 0).unwrap(), written);

    let mut r = Reader::new(&written);
    let head = framing::read_frame_head(&mut r).unwrap();
    assert_eq!(head, FrameHead { record_type: FeatureLevelRecord::TYPE, version: 0 });
    assert_eq!(FeatureLevelRecord::decode(&mut r, head.version), Ok(record));
    assert_eq!(r.finish(), Ok(()));

    for (head, expected) in [
        (&[0, 0x0c, 0][..], DecodeErrorKind::UnsupportedVersion(0)),
        (&[2, 0x0c, 0], DecodeErrorKind::UnsupportedVersion(2)),
        (&[1, 0x80, 0x80, 0x04, 0], DecodeErrorKind::VarintTooLong),
        (&[1], DecodeErrorKind::Truncated { needed: 1, remaining: 0 }),
    ] {
        assert_eq!(framing::read_frame_head(&mut Reader::new(head)).unwrap_err().kind, expected, "{head:?}");
    }
}

#[test]
fn records_of_the_quorum_name_their_version_themselves() {
    let written = bytes("000100000001020000000100000000000000010000000000000002000100");
    let mut id = [0; 16];
    (id[7], id[15]) = (1, 2);
    let record = LeaderChangeMessage {
        version: 1,
        leader_id: 1,
        voters: vec![Voter { voter_id: 1, voter_directory_id: Uuid(id) }],
        granting_voters: Vec::new(),
    };
    assert_eq!(framing::read_self_versioned(&written), Ok(record.clone()));
    assert_eq!(framing::write_self_versioned(&record, 1).unwrap(), written);
    let record = LeaderChangeMessage { version: 0, ..record };
    assert_eq!(
        framing::write_self_versioned(&record, 1),
        Err(EncodeError::NotInVersion { field: "version", version: 1 })
    );
}

/// Some tagged fields that may be null are empty and not null where they are missing; null has to be written.
#[test]
fn null_in_a_tagged_field_is_not_the_same_as_no_tagged_field() {
    let member = |classic_member_metadata| ConsumerGroupMemberMetadataValue {
        client_id: "c".to_owned(),
        client_host: "h".to_owned(),
        subscribed_topic_names: vec!["t".to_owned()],
        classic_member_metadata,
        ..Default::default()
    };
    let classic = ClassicMemberMetadata { session_timeout_ms: 9, ..Default::default() };
    for (metadata, tags) in
        [(None, "01000100"), (Some(ClassicMemberMetadata::default()), "00"), (Some(classic), "01000701000000090100")]
    {
        let written = bytes(&format!("000000000263026802027400ffffffff00{tags}"));
        assert_eq!(framing::write_versioned(&member(metadata.clone()), 0).unwrap(), written);
        assert_eq!(framing::read_versioned(&written), Ok((member(metadata), 0)));
    }

    let written = bytes("000000000000000000020000000000000000000000000000000001010001000100");
    let partitions = TopicPartitions { assignment_epochs: None, ..Default::default() };
    let value =
        ConsumerGroupCurrentMemberAssignmentValue { assigned_partitions: vec![partitions], ..Default::default() };
    let mut w = Writer::new();
    value.encode(&mut w, 0).unwrap();
    assert_eq!(w.into_vec(), written);
    assert_eq!(ConsumerGroupCurrentMemberAssignmentValue::decode(&mut Reader::new(&written), 0), Ok(value));
}
