//! The inner loops over messages: hot requests read in place or whole, and answers written, by number of partitions.
//!
//! `cargo bench -p ottla-protocol --bench loops`; how loops are named, timed and counted is told in `ottla-loops`.

use std::process::ExitCode;

use bytes::Bytes;
use ottla_loops::{Loops, Prepared};
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::frame::{RequestHead, request_frame, response_frame};
use ottla_protocol::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use ottla_protocol::{
    FetchReply, FetchRequestView, FetchedPartition, FetchedTopic, Message, ProduceRequestView, RecordsAt,
};
use ottla_types::Uuid;
use ottla_wire::{Reader, Writer};

const PRODUCE: i16 = 13;
const FETCH: i16 = 17;
const METADATA: i16 = 13;

/// Topics of a message, and partitions of each of them.
#[derive(Clone, Copy)]
struct Shape {
    topics: usize,
    each: i32,
}

impl Shape {
    const ALL: [Self; 3] = [Self { topics: 1, each: 1 }, Self { topics: 1, each: 6 }, Self { topics: 10, each: 100 }];
    const NOTHING: Self = Self { topics: 0, each: 0 };

    const fn partitions(self) -> usize {
        self.topics * self.each as usize
    }
}

fn main() -> ExitCode {
    let mut loops = Loops::default();
    loops.add("request head", || {
        let frame = request_frame(1, Some("a client"), PRODUCE, &ProduceRequest::default()).expect("a good request");
        Prepared::new(1, move || RequestHead::parse(&frame[4..]).expect("a good head").body)
    });
    for shape in Shape::ALL {
        let partitions = shape.partitions();
        loops.add(format!("produce read, {partitions}"), move || produce_read(shape));
        loops.add(format!("produce answer, {partitions}"), move || produce_answer(shape));
        loops.add(format!("fetch read, {partitions}"), move || fetch_read(shape));
        loops.add(format!("fetch answer, {partitions}"), move || fetch_answer(shape));
    }
    // What a client sends that follows the same partitions as before (KIP-227), and what it gets if nothing is new.
    loops.add("fetch read, incremental", || fetch_read(Shape::NOTHING));
    loops.add("fetch answer, incremental", || fetch_answer(Shape::NOTHING));
    loops.add("metadata read, 10 topics", || {
        let topic = |topic| MetadataRequestTopic { name: Some(format!("topic-{topic}")), ..Default::default() };
        let request = MetadataRequest { topics: Some((0..10).map(topic).collect()), ..Default::default() };
        let body = encoded(&request, METADATA);
        Prepared::new(10, move || MetadataRequest::decode(&mut Reader::new(&body), METADATA).expect("a good request"))
    });
    loops.add("metadata answer, 1000", metadata_answer);
    loops.main()
}

fn encoded<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w, version).expect("nothing that the version lacks");
    w.into_vec()
}

fn topic_id(topic: usize) -> Uuid {
    Uuid((topic as u128 + 1).to_be_bytes())
}

fn produce_read(shape: Shape) -> Prepared {
    let partition = |index| PartitionProduceData { index, records: Some(Bytes::from_static(&[1; 1024])) };
    let topic = |topic| TopicProduceData {
        topic_id: topic_id(topic),
        partition_data: (0..shape.each).map(partition).collect(),
        ..Default::default()
    };
    let topic_data = (0..shape.topics).map(topic).collect();
    let body = encoded(&ProduceRequest { acks: -1, topic_data, ..Default::default() }, PRODUCE);
    Prepared::new(shape.partitions(), move || {
        let view = ProduceRequestView::parse(&body, PRODUCE).expect("a good request");
        let records = view.topics().flat_map(|topic| topic.partitions()).filter_map(|partition| partition.records);
        records.map(|range| range.len()).sum::<usize>()
    })
}

fn produce_answer(shape: Shape) -> Prepared {
    Prepared::new(shape.partitions(), move || {
        let partition = |index| PartitionProduceResponse { index, base_offset: 12_345, ..Default::default() };
        let topic = |topic| TopicProduceResponse {
            topic_id: topic_id(topic),
            partition_responses: (0..shape.each).map(partition).collect(),
            ..Default::default()
        };
        let response = ProduceResponse { responses: (0..shape.topics).map(topic).collect(), ..Default::default() };
        response_frame(1, PRODUCE, &response).expect("a good answer")
    })
}

fn fetch_read(shape: Shape) -> Prepared {
    let partition = |partition| FetchPartition { partition, fetch_offset: 12_345, ..Default::default() };
    let topic = |topic| FetchTopic {
        topic_id: topic_id(topic),
        partitions: (0..shape.each).map(partition).collect(),
        ..Default::default()
    };
    let request = FetchRequest { topics: (0..shape.topics).map(topic).collect(), ..Default::default() };
    let body = encoded(&request, FETCH);
    Prepared::new(shape.partitions().max(1), move || {
        let view = FetchRequestView::parse(&body, FETCH).expect("a good request");
        view.topics().flat_map(|topic| topic.partitions()).map(|partition| partition.fetch_offset).sum::<i64>()
    })
}

fn fetch_answer(shape: Shape) -> Prepared {
    Prepared::new(shape.partitions().max(1), move || {
        let partition = |partition_index| FetchedPartition {
            partition_index,
            high_watermark: 12_345,
            records: Some(RecordsAt { length: 1024, place: 0u64 }),
            ..Default::default()
        };
        let topic = |topic| FetchedTopic {
            topic: "",
            topic_id: topic_id(topic),
            partitions: (0..shape.each).map(partition).collect(),
        };
        let topics = (0..shape.topics).map(topic).collect();
        let reply =
            FetchReply { throttle_time_ms: 0, error_code: 0, session_id: 7, topics, node_endpoints: Vec::new() };
        reply.into_frame(1, FETCH).expect("a good answer")
    })
}

fn metadata_answer() -> Prepared {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |topic| MetadataResponseTopic {
        name: Some(format!("topic-{topic}")),
        topic_id: topic_id(topic),
        partitions: (0..100).map(partition).collect(),
        ..Default::default()
    };
    let response = MetadataResponse { topics: (0..10).map(topic).collect(), ..Default::default() };
    Prepared::new(1000, move || response_frame(1, METADATA, &response).expect("a good answer"))
}
