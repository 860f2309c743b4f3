//! Requests and responses of every API in every version, persisted records of every kind, and what stands before them.
//!
//! The first byte of an input picks the version.

use std::ops::RangeInclusive;

use ottla_hostile::grown::grow;
use ottla_hostile::random::Random;
use ottla_hostile::recorded;
use ottla_protocol::fetch::FetchRequest;
use ottla_protocol::frame::{RequestHead, frame_size};
use ottla_protocol::produce::ProduceRequest;
use ottla_protocol::{ApiKey, FetchRequestView, Message, ProduceRequestView};
use ottla_wire::records::cluster::register_broker::RegisterBrokerRecord;
use ottla_wire::records::group::group_metadata::{GroupMetadataKey, GroupMetadataValue};
use ottla_wire::records::quorum::voters::VotersRecord;
use ottla_wire::{DecodeError, DecodeErrorKind, EncodeError, Reader, Record, Writer, framing};

use crate::Decoder;

/// Seeds of each version that are grown.
const GROWN_EACH: usize = 2;

pub(crate) fn decoders() -> Vec<Decoder> {
    let mut all = vec![
        Decoder::new("frame-size", size_of_frame, || vec![vec![0, 0, 1, 0]]),
        Decoder::new("request-head", request_head, || vec![b"\0\x03\0\x0c\0\0\0\x01\0\x01c\0".to_vec()]),
        Decoder::new("record-key", record_key, || vec![b"\0\x02\0\x01g".to_vec()]),
        Decoder::new("record-with-version", record_with_version, || vec![vec![0; 40]]),
        Decoder::new("record-self-versioned", record_self_versioned, || vec![vec![0; 8]]),
        Decoder::new("record-framed", record_framed, || vec![vec![1, 27, 0, 0, 0, 0, 0, 0]]),
        Decoder::new("produce-in-place", produce_in_place, seeds_of_message::<ProduceRequest>),
        Decoder::new("fetch-in-place", fetch_in_place, seeds_of_message::<FetchRequest>),
    ];
    macro_rules! message {
        ($module:ident, $request:ident, $response:ident) => {
            all.push(message::<ottla_protocol::$module::$request>());
            all.push(message::<ottla_protocol::$module::$response>());
        };
    }
    ottla_protocol::for_every_api!(message);
    macro_rules! record {
        ($folder:ident, $module:ident, $record:ident) => {
            all.push(record::<ottla_wire::records::$folder::$module::$record>());
        };
    }
    ottla_wire::for_every_record!(record);
    all
}

fn message<M: Message>() -> Decoder {
    let run = |bytes: &[u8]| {
        let [number, body @ ..] = bytes else { return };
        let version = pick_version(M::VERSIONS, *number);
        read_write_read(body, |r| M::decode(r, version), |message, w| message.encode(w, version));
    };
    Decoder::new(M::NAME, run, seeds_of_message::<M>)
}

fn record<R: Record>() -> Decoder {
    let run = |bytes: &[u8]| {
        let [number, body @ ..] = bytes else { return };
        let version = pick_version(R::VERSIONS, *number);
        read_write_read(body, |r| R::decode(r, version), |record, w| record.encode(w, version));
    };
    let seeds = || {
        let mut seeds = seeds_of_versions(R::VERSIONS, |w, version| R::default().encode(w, version));
        seeds.extend(grown_seeds(R::VERSIONS, |r, version| R::decode(r, version).map(drop)));
        seeds
    };
    Decoder::new(R::NAME, run, seeds)
}

/// The default in each version, some with something in their arrays, and requests that real clients sent.
fn seeds_of_message<M: Message>() -> Vec<Vec<u8>> {
    let mut seeds = seeds_of_versions(M::VERSIONS, |w, version| M::default().encode(w, version));
    seeds.extend(grown_seeds(M::VERSIONS, |r, version| M::decode(r, version).map(drop)));
    if M::NAME.ends_with("Request") {
        seeds.extend(recorded_seeds(M::KEY, M::VERSIONS));
    }
    seeds
}

/// Some of each version, grown.
fn grown_seeds(
    versions: RangeInclusive<i16>,
    decode: impl Fn(&mut Reader<'_>, i16) -> Result<(), DecodeError>,
) -> Vec<Vec<u8>> {
    let random = &mut Random::new(1);
    let mut seeds = Vec::new();
    for (number, version) in (0u8..).zip(versions) {
        for _ in 0..GROWN_EACH {
            seeds.extend(grow(random, |r| decode(r, version)).map(|body| [&[number][..], &body].concat()));
        }
    }
    seeds
}

/// The bodies of what was recorded of an API.
fn recorded_seeds(api: ApiKey, versions: RangeInclusive<i16>) -> Vec<Vec<u8>> {
    let body = |frame: Vec<u8>| {
        let head = RequestHead::parse(&frame[4..]).ok().filter(|head| head.api() == Some(api))?;
        let number = u8::try_from(head.api_version - versions.start()).ok()?;
        Some([&[number][..], &frame[4 + head.body..]].concat())
    };
    recorded::requests().into_iter().filter_map(body).collect()
}

/// The default in each version that can say it.
fn seeds_of_versions(
    versions: RangeInclusive<i16>,
    encode: impl Fn(&mut Writer, i16) -> Result<(), EncodeError>,
) -> Vec<Vec<u8>> {
    let seed = |(number, version)| {
        let mut w = Writer::new();
        encode(&mut w, version).ok()?;
        Some([&[number][..], &w.into_vec()].concat())
    };
    (0u8..).zip(versions).filter_map(seed).collect()
}

/// The version that `number` picks out of a range.
fn pick_version(versions: RangeInclusive<i16>, number: u8) -> i16 {
    let (from, to) = versions.into_inner();
    from + i16::from(number) % (to - from + 1)
}

/// What is read can be written, and what is written is read and written again to the same bytes.
fn read_write_read<T>(
    bytes: &[u8],
    read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
    write: impl Fn(&T, &mut Writer) -> Result<(), EncodeError>,
) {
    let Ok(value) = read(&mut Reader::new(bytes)) else { return };
    let written = |value: &T| {
        let mut w = Writer::new();
        write(value, &mut w).expect("what was read can be written");
        w.into_vec()
    };
    let first = written(&value);
    let mut r = Reader::new(&first);
    let again = read(&mut r).expect("what was written can be read");
    r.finish().expect("and all of it");
    assert_eq!(written(&again), first);
}

fn size_of_frame(bytes: &[u8]) {
    let Some(prefix) = bytes.first_chunk() else { return };
    if let Ok(size) = frame_size(*prefix, 100 << 20) {
        assert!(size <= 100 << 20);
    }
}

fn request_head(bytes: &[u8]) {
    if let Ok(head) = RequestHead::parse(bytes) {
        assert!(head.body <= bytes.len());
    }
}

fn record_key(bytes: &[u8]) {
    let _ = framing::key_type(bytes);
    if let Ok(key) = framing::read_key::<GroupMetadataKey>(bytes) {
        // Not the same bytes: text that is not UTF-8 is read as Kafka reads it.
        let written = framing::write_key(&key).expect("what was read can be written");
        assert_eq!(framing::read_key::<GroupMetadataKey>(&written), Ok(key));
    }
}

fn record_with_version(bytes: &[u8]) {
    let _ = framing::read_versioned_leniently::<GroupMetadataValue>(bytes);
    if let Ok((value, version)) = framing::read_versioned::<GroupMetadataValue>(bytes) {
        framing::write_versioned(&value, version).expect("what was read can be written");
    }
}

fn record_self_versioned(bytes: &[u8]) {
    if let Ok(voters) = framing::read_self_versioned::<VotersRecord>(bytes) {
        framing::write_self_versioned(&voters, voters.version).expect("what was read can be written");
    }
}

fn record_framed(bytes: &[u8]) {
    let mut r = Reader::new(bytes);
    let Ok(head) = framing::read_frame_head(&mut r) else { return };
    if let Ok(record) = RegisterBrokerRecord::decode(&mut r, head.version) {
        framing::write_framed(&record, head.version).expect("what was read can be written");
    }
}

/// Whether a reader in place, which borrows its texts, refuses one that is not UTF-8, where an owned request has U+FFFD.
fn is_of_text<T>(view: &Result<T, DecodeError>) -> bool {
    view.as_ref().err().is_some_and(|error| error.kind == DecodeErrorKind::NotUtf8)
}

/// The reader in place takes and refuses what the owned request does, at the same byte.
fn produce_in_place(bytes: &[u8]) {
    let [number, body @ ..] = bytes else { return };
    let version = pick_version(ProduceRequest::VERSIONS, *number);
    let owned = ProduceRequest::decode(&mut Reader::new(body), version);
    let (owned, view) = match (owned, ProduceRequestView::parse(body, version)) {
        (Ok(owned), Ok(view)) => (owned, view),
        (_, view) if is_of_text(&view) => return,
        (owned, view) => return assert_eq!(owned.err(), view.err()),
    };
    assert_eq!(view.topics().len(), owned.topic_data.len());
    for (topic, expected) in view.topics().zip(&owned.topic_data) {
        assert_eq!(topic.partitions().len(), expected.partition_data.len());
        for (partition, expected) in topic.partitions().zip(&expected.partition_data) {
            assert_eq!(partition.index, expected.index);
            assert_eq!(partition.records.map(|range| &body[range]), expected.records.as_deref());
        }
    }
}

/// The same for Fetch.
fn fetch_in_place(bytes: &[u8]) {
    let [number, body @ ..] = bytes else { return };
    let version = pick_version(FetchRequest::VERSIONS, *number);
    let owned = FetchRequest::decode(&mut Reader::new(body), version);
    let (owned, view) = match (owned, FetchRequestView::parse(body, version)) {
        (Ok(owned), Ok(view)) => (owned, view),
        (_, view) if is_of_text(&view) => return,
        (owned, view) => return assert_eq!(owned.err(), view.err()),
    };
    assert_eq!(view.topics().len(), owned.topics.len());
    for (topic, expected) in view.topics().zip(&owned.topics) {
        assert!(topic.partitions().map(|p| p.partition).eq(expected.partitions.iter().map(|p| p.partition)));
        assert!(topic.partitions().map(|p| p.fetch_offset).eq(expected.partitions.iter().map(|p| p.fetch_offset)));
    }
    assert_eq!(view.forgotten_topics().len(), owned.forgotten_topics_data.len());
}
