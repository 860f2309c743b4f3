//! Every message in every version: what is read can be written again, to the same bytes, and a second, independent
//! codec agrees on them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use kafka_protocol::messages as other;
use kafka_protocol::protocol::{Decodable, Encodable, Message as OtherMessage};
use ottla_protocol::Message;
use ottla_wire::{Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::sample::{self, Options};

fn decode<M: Message>(bytes: &[u8], version: i16) -> M {
    let mut r = Reader::new(bytes);
    let message = M::decode(&mut r, version).unwrap_or_else(|e| panic!("{} v{version} {e}: {bytes:?}", M::NAME));
    r.finish().unwrap_or_else(|e| panic!("{} v{version} {e}", M::NAME));
    message
}

fn encode<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w, version).unwrap_or_else(|e| panic!("{} v{version}: {e}", M::NAME));
    w.into_vec()
}

fn reads_and_writes_the_same<M: Message + std::fmt::Debug>(seed: u64) {
    let (file, schema) = support::schema_of(M::NAME);
    for version in M::VERSIONS {
        let bytes = sample::bytes(file, schema, version, seed, Options::default());
        let message: M = decode(&bytes, version);
        assert_eq!(encode(&message, version), bytes, "{} v{version} seed {seed}: {message:?}", M::NAME);
    }
}

fn passes_over_unknown_tags<M: Message + PartialEq + std::fmt::Debug>(seed: u64) {
    let (file, schema) = support::schema_of(M::NAME);
    for version in M::VERSIONS {
        let bytes = sample::bytes(file, schema, version, seed, Options { unknown_tags: true });
        let message: M = decode(&bytes, version);
        let again: M = decode(&encode(&message, version), version);
        assert_eq!(again, message, "{} v{version}", M::NAME);
    }
}

fn second_codec_agrees<M: Message, O: OtherMessage + Decodable + Encodable>(seed: u64) -> u32 {
    let (file, schema) = support::schema_of(M::NAME);
    let mut compared = 0;
    for version in M::VERSIONS.filter(|version| (O::VERSIONS.min..=O::VERSIONS.max).contains(version)) {
        let bytes = sample::bytes(file, schema, version, seed, Options::default());
        let other = O::decode(&mut bytes::Bytes::copy_from_slice(&bytes), version)
            .unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", M::NAME));
        let mut again = bytes::BytesMut::new();
        other.encode(&mut again, version).unwrap_or_else(|e| panic!("{} v{version} seed {seed}: {e}", M::NAME));
        assert_eq!(&again[..], &bytes[..], "{} v{version} seed {seed}", M::NAME);
        assert_eq!(encode(&decode::<M>(&bytes, version), version), &again[..]);
        compared += 1;
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_message_reads_back_in_every_version(seed: u64) {
        macro_rules! run { ($ours:ty) => { reads_and_writes_the_same::<$ours>(seed) } }
        for_every_message!(run);
    }

    #[test]
    fn unknown_tagged_fields_are_passed_over(seed: u64) {
        macro_rules! run { ($ours:ty) => { passes_over_unknown_tags::<$ours>(seed) } }
        for_every_message!(run);
    }

    #[test]
    fn a_second_codec_writes_the_same_bytes(seed: u64) {
        let mut compared = 0;
        macro_rules! run {
            // The second codec does not know these.
            (streams_group_heartbeat, $request:ident, $response:ident) => {};
            (streams_group_describe, $request:ident, $response:ident) => {};
            ($module:ident, $request:ident, $response:ident) => {
                compared += second_codec_agrees::<ottla_protocol::$module::$request, other::$request>(seed);
                compared += second_codec_agrees::<ottla_protocol::$module::$response, other::$response>(seed);
            };
        }
        ottla_protocol::for_every_api!(run);
        prop_assert_eq!(compared, 577);
    }
}
