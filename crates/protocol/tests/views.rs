//! The readers in place see what the owned decoders see, and refuse what those refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use ottla_protocol::fetch::{FetchPartition, FetchRequest};
use ottla_protocol::produce::ProduceRequest;
use ottla_protocol::{FetchRequestView, Message, ProduceRequestView, TopicKey};
use ottla_types::Uuid;
use ottla_wire::{DecodeError, DecodeErrorKind, Reader};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::sample::{self, Options};

fn sample_of<M: Message>(version: i16, seed: u64) -> Vec<u8> {
    let (file, schema) = support::schema_of(M::NAME);
    sample::bytes(file, schema, version, seed, Options { unknown_tags: true })
}

fn check_topic(key: TopicKey<'_>, version: i16, name: &str, id: Uuid) {
    let expected = if version >= 13 { TopicKey::Id(id) } else { TopicKey::Name(name) };
    assert_eq!(key, expected);
}

fn compare_produce(body: &[u8], version: i16) {
    let owned = ProduceRequest::decode(&mut Reader::new(body), version);
    let view = ProduceRequestView::parse(body, version);
    let (owned, view) = match (owned, view) {
        (Ok(owned), Ok(view)) => (owned, view),
        // A view borrows its texts, so that it cannot read what is not UTF-8 as something else.
        (_, Err(DecodeError { kind: DecodeErrorKind::NotUtf8, .. })) => return,
        (owned, view) => return assert_eq!(owned.err(), view.err(), "v{version}"),
    };
    assert_eq!(view.transactional_id, owned.transactional_id.as_deref());
    assert_eq!((view.acks, view.timeout_ms), (owned.acks, owned.timeout_ms));
    assert_eq!(view.topics().len(), owned.topic_data.len());
    for (topic, expected) in view.topics().zip(&owned.topic_data) {
        check_topic(topic.topic, version, &expected.name, expected.topic_id);
        assert_eq!(topic.partitions().len(), expected.partition_data.len());
        for (partition, expected) in topic.partitions().zip(&expected.partition_data) {
            assert_eq!(partition.index, expected.index);
            assert_eq!(partition.records.map(|range| &body[range]), expected.records.as_deref());
        }
    }
}

fn compare_fetch(body: &[u8], version: i16) {
    let owned = FetchRequest::decode(&mut Reader::new(body), version);
    let view = FetchRequestView::parse(body, version);
    let (owned, view) = match (owned, view) {
        (Ok(owned), Ok(view)) => (owned, view),
        // A view borrows its texts, so that it cannot read what is not UTF-8 as something else.
        (_, Err(DecodeError { kind: DecodeErrorKind::NotUtf8, .. })) => return,
        (owned, view) => return assert_eq!(owned.err(), view.err(), "v{version}"),
    };
    let replica = if version >= 15 { owned.replica_state.replica_id } else { owned.replica_id };
    assert_eq!((view.replica_id, view.replica_epoch), (replica, owned.replica_state.replica_epoch));
    assert_eq!(view.cluster_id, owned.cluster_id.as_deref());
    assert_eq!((view.max_wait_ms, view.min_bytes), (owned.max_wait_ms, owned.min_bytes));
    assert_eq!((view.max_bytes, view.isolation_level), (owned.max_bytes, owned.isolation_level));
    assert_eq!((view.session_id, view.session_epoch), (owned.session_id, owned.session_epoch));
    assert_eq!(view.rack_id, owned.rack_id);
    assert_eq!(view.topics().len(), owned.topics.len());
    for (topic, expected) in view.topics().zip(&owned.topics) {
        check_topic(topic.topic, version, &expected.topic, expected.topic_id);
        let partitions: Vec<FetchPartition> = topic
            .partitions()
            .map(|p| FetchPartition {
                partition: p.partition,
                current_leader_epoch: p.current_leader_epoch,
                fetch_offset: p.fetch_offset,
                last_fetched_epoch: p.last_fetched_epoch,
                log_start_offset: p.log_start_offset,
                partition_max_bytes: p.partition_max_bytes,
                replica_directory_id: p.replica_directory_id,
                high_watermark: p.high_watermark,
            })
            .collect();
        assert_eq!(partitions, expected.partitions);
    }
    assert_eq!(view.forgotten_topics().len(), owned.forgotten_topics_data.len());
    for (topic, expected) in view.forgotten_topics().zip(&owned.forgotten_topics_data) {
        check_topic(topic.topic, version, &expected.topic, expected.topic_id);
        assert!(topic.partitions().eq(expected.partitions.iter().copied()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn produce_view_sees_what_the_owned_request_sees(seed: u64) {
        for version in ProduceRequest::VERSIONS {
            compare_produce(&sample_of::<ProduceRequest>(version, seed), version);
        }
    }

    #[test]
    fn fetch_view_sees_what_the_owned_request_sees(seed: u64) {
        for version in FetchRequest::VERSIONS {
            compare_fetch(&sample_of::<FetchRequest>(version, seed), version);
        }
    }

    #[test]
    fn views_and_owned_requests_refuse_the_same_damage(seed: u64, at: prop::sample::Index, value: u8) {
        for version in ProduceRequest::VERSIONS {
            let mut body = sample_of::<ProduceRequest>(version, seed);
            let at = at.index(body.len());
            body[at] = value;
            compare_produce(&body, version);
        }
        for version in FetchRequest::VERSIONS {
            let mut body = sample_of::<FetchRequest>(version, seed);
            let at = at.index(body.len());
            body[at] = value;
            compare_fetch(&body, version);
        }
    }
}

#[test]
fn views_and_owned_requests_refuse_the_same_truncations() {
    for seed in 0..8 {
        for version in ProduceRequest::VERSIONS {
            let body = sample_of::<ProduceRequest>(version, seed);
            (0..body.len()).for_each(|end| compare_produce(&body[..end], version));
        }
        for version in FetchRequest::VERSIONS {
            let body = sample_of::<FetchRequest>(version, seed);
            (0..body.len()).for_each(|end| compare_fetch(&body[..end], version));
        }
    }
}

#[test]
fn views_refuse_versions_that_do_not_exist() {
    assert!(ProduceRequestView::parse(&[0; 64], 14).is_err());
    assert!(FetchRequestView::parse(&[0; 64], -1).is_err());
}
