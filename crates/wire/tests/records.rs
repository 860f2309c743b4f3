//! Every persisted record in every version: what is read is written again to the same bytes, nothing malformed
//! panics or allocates out of proportion, and a second codec agrees where it knows the record.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use kafka_protocol::messages as other;
use kafka_protocol::protocol::{Decodable, Encodable, Message as OtherMessage};
use ottla_wire::{Reader, Record, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::random::Random;
use support::sample::{self, Options};

fn sample_of<R: Record>(version: i16, seed: u64, options: Options) -> Vec<u8> {
    let (file, schema) = support::schema_of(R::NAME);
    sample::bytes(file, schema, version, seed, options)
}

fn decode<R: Record>(bytes: &[u8], version: i16) -> R {
    let mut r = Reader::new(bytes);
    let record = R::decode(&mut r, version).unwrap_or_else(|e| panic!("{} v{version} {e}: {bytes:?}", R::NAME));
    r.finish().unwrap_or_else(|e| panic!("{} v{version} {e}", R::NAME));
    record
}

fn encode<R: Record>(record: &R, version: i16) -> Vec<u8> {
    let mut w = Writer::new();
    record.encode(&mut w, version).unwrap_or_else(|e| panic!("{} v{version}: {e}", R::NAME));
    w.into_vec()
}

fn reads_and_writes_the_same<R: Record + PartialEq + std::fmt::Debug>(seed: u64) -> usize {
    for version in R::VERSIONS {
        let bytes = sample_of::<R>(version, seed, Options::default());
        assert_eq!(encode(&decode::<R>(&bytes, version), version), bytes, "{} v{version} seed {seed}", R::NAME);
        let bytes = sample_of::<R>(version, seed, Options { unknown_tags: true });
        let record: R = decode(&bytes, version);
        assert_eq!(decode::<R>(&encode(&record, version), version), record, "{} v{version} seed {seed}", R::NAME);
    }
    R::VERSIONS.count()
}

fn refuses_truncations<R: Record>(seed: u64) {
    for version in R::VERSIONS {
        let bytes = sample_of::<R>(version, seed, Options::default());
        for end in 0..bytes.len() {
            let refused = R::decode(&mut Reader::new(&bytes[..end]), version);
            assert!(refused.is_err(), "{} v{version} seed {seed} cut at {end}", R::NAME);
        }
    }
}

fn survives_random_bytes<R: Record>(seed: u64) {
    let mut random = Random::new(seed);
    for version in R::VERSIONS {
        let mut bytes = random.bytes(200);
        let mask = [0xff, 0x0f, 0x03][random.below(3)];
        bytes.iter_mut().for_each(|byte| *byte &= mask);
        std::hint::black_box(R::decode(&mut Reader::new(&bytes), version)).ok();
    }
}

fn second_codec_agrees<R: Record, O: OtherMessage + Decodable + Encodable>(seed: u64) -> u32 {
    let mut compared = 0;
    for version in R::VERSIONS.filter(|version| (O::VERSIONS.min..=O::VERSIONS.max).contains(version)) {
        let bytes = sample_of::<R>(version, seed, Options::default());
        let second = O::decode(&mut bytes::Bytes::copy_from_slice(&bytes), version)
            .unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", R::NAME));
        let mut again = bytes::BytesMut::new();
        second.encode(&mut again, version).unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", R::NAME));
        assert_eq!(&again[..], &bytes[..], "{} v{version} seed {seed}", R::NAME);
        compared += 1;
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_record_reads_back_in_every_version(seed: u64) {
        let mut versions = 0;
        macro_rules! run {
            ($folder:ident, $module:ident, $record:ident) => {
                versions += reads_and_writes_the_same::<ottla_wire::records::$folder::$module::$record>(seed);
            };
        }
        ottla_wire::for_every_record!(run);
        prop_assert_eq!(versions, 117);
    }

    #[test]
    fn truncated_records_are_refused_at_every_byte(seed: u64) {
        macro_rules! run {
            ($folder:ident, $module:ident, $record:ident) => {
                refuses_truncations::<ottla_wire::records::$folder::$module::$record>(seed);
            };
        }
        ottla_wire::for_every_record!(run);
    }

    #[test]
    fn random_bytes_do_not_panic(seed: u64) {
        macro_rules! run {
            ($folder:ident, $module:ident, $record:ident) => {
                survives_random_bytes::<ottla_wire::records::$folder::$module::$record>(seed);
            };
        }
        ottla_wire::for_every_record!(run);
    }

    #[test]
    fn a_second_codec_writes_the_same_bytes(seed: u64) {
        // It also has the quorum's records, but takes their field `version` for the version to read.
        use ottla_wire::records::{client, transaction};
        let compared = [
            second_codec_agrees::<
                client::consumer_protocol_subscription::ConsumerProtocolSubscription,
                other::ConsumerProtocolSubscription,
            >(seed),
            second_codec_agrees::<
                client::consumer_protocol_assignment::ConsumerProtocolAssignment,
                other::ConsumerProtocolAssignment,
            >(seed),
            second_codec_agrees::<client::default_principal::DefaultPrincipalData, other::DefaultPrincipalData>(seed),
            second_codec_agrees::<transaction::end_txn_marker::EndTxnMarker, other::EndTxnMarker>(seed),
        ];
        prop_assert_eq!(compared.iter().sum::<u32>(), 10);
    }
}
