//! The readers in place of Produce and Fetch: they take and refuse what the owned requests do, at the same byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::pick_version;
use ottla_protocol::fetch::FetchRequest;
use ottla_protocol::produce::ProduceRequest;
use ottla_protocol::{FetchRequestView, Message, ProduceRequestView};
use ottla_wire::Reader;

fuzz_target!(|bytes: &[u8]| {
    let [which, number, body @ ..] = bytes else { return };
    if which & 1 == 0 {
        let version = pick_version(ProduceRequest::VERSIONS, *number);
        let owned = ProduceRequest::decode(&mut Reader::new(body), version);
        match (owned, ProduceRequestView::parse(body, version)) {
            (Ok(owned), Ok(view)) => produce_agrees(&owned, &view, body),
            (owned, view) => assert_eq!(owned.err(), view.err()),
        }
    } else {
        let version = pick_version(FetchRequest::VERSIONS, *number);
        let owned = FetchRequest::decode(&mut Reader::new(body), version);
        match (owned, FetchRequestView::parse(body, version)) {
            (Ok(owned), Ok(view)) => fetch_agrees(&owned, &view),
            (owned, view) => assert_eq!(owned.err(), view.err()),
        }
    }
});

fn produce_agrees(owned: &ProduceRequest, view: &ProduceRequestView<'_>, body: &[u8]) {
    assert_eq!(view.topics().len(), owned.topic_data.len());
    for (topic, expected) in view.topics().zip(&owned.topic_data) {
        assert_eq!(topic.partitions().len(), expected.partition_data.len());
        for (partition, expected) in topic.partitions().zip(&expected.partition_data) {
            assert_eq!(partition.index, expected.index);
            assert_eq!(partition.records.map(|range| &body[range]), expected.records.as_deref());
        }
    }
}

fn fetch_agrees(owned: &FetchRequest, view: &FetchRequestView<'_>) {
    assert_eq!(view.topics().len(), owned.topics.len());
    for (topic, expected) in view.topics().zip(&owned.topics) {
        assert!(topic.partitions().map(|p| p.partition).eq(expected.partitions.iter().map(|p| p.partition)));
        assert!(topic.partitions().map(|p| p.fetch_offset).eq(expected.partitions.iter().map(|p| p.fetch_offset)));
    }
    assert_eq!(view.forgotten_topics().len(), owned.forgotten_topics_data.len());
}
