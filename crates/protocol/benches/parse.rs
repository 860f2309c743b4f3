//! How long it takes to read a Produce and a Fetch request in place, and to write a Fetch response in parts.
//!
//! `cargo bench -p ottla-protocol`. Prints nanoseconds per partition; the shapes are those of a busy client.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock; the crate itself does not")]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::{
    FetchReply, FetchRequestView, FetchedPartition, FetchedTopic, Message, ProduceRequestView, RecordsAt,
};
use ottla_types::Uuid;
use ottla_wire::{Reader, Writer};

const TOPICS: usize = 10;
const PARTITIONS: usize = 100;

fn main() {
    let produce = produce_body();
    measure("produce v13: view, validate and walk", || {
        let view = ProduceRequestView::parse(black_box(&produce), 13).expect("a good request");
        let records = view.topics().flat_map(|topic| topic.partitions()).filter_map(|partition| partition.records);
        black_box(records.map(|range| range.len()).sum::<usize>());
    });
    measure("produce v13: owned", || {
        black_box(ProduceRequest::decode(&mut Reader::new(black_box(&produce)), 13).expect("a good request"));
    });
    let fetch = fetch_body();
    measure("fetch v17: view, validate and walk", || {
        let view = FetchRequestView::parse(black_box(&fetch), 17).expect("a good request");
        let offsets = view.topics().flat_map(|topic| topic.partitions()).map(|partition| partition.fetch_offset);
        black_box(offsets.sum::<i64>());
    });
    measure("fetch v17: owned", || {
        black_box(FetchRequest::decode(&mut Reader::new(black_box(&fetch)), 17).expect("a good request"));
    });
    measure("fetch v17: reply, built and in parts", || {
        black_box(reply().into_frame(1, 17).expect("a good response"));
    });
}

/// Runs for a moment, five times, and prints the fastest: the one that was disturbed least.
fn measure(name: &str, mut run: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut runs) = (Instant::now(), 0u32);
        while start.elapsed() < Duration::from_millis(200) {
            run();
            runs += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(runs));
    }
    println!("{name:<40} {:>8.1} ns per partition", best / (TOPICS * PARTITIONS) as f64);
}

fn encoded<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w, version).expect("nothing that the version lacks");
    w.into_vec()
}

fn topic_id(topic: usize) -> Uuid {
    Uuid((topic as u128 + 1).to_be_bytes())
}

fn produce_body() -> Vec<u8> {
    let partition = |index| PartitionProduceData { index, records: Some(Bytes::from_static(&[1; 1024])) };
    let topic = |topic| TopicProduceData {
        topic_id: topic_id(topic),
        partition_data: (0..PARTITIONS as i32).map(partition).collect(),
        ..Default::default()
    };
    encoded(&ProduceRequest { acks: -1, topic_data: (0..TOPICS).map(topic).collect(), ..Default::default() }, 13)
}

fn fetch_body() -> Vec<u8> {
    let partition = |partition| FetchPartition { partition, fetch_offset: 12_345, ..Default::default() };
    let topic = |topic| FetchTopic {
        topic_id: topic_id(topic),
        partitions: (0..PARTITIONS as i32).map(partition).collect(),
        ..Default::default()
    };
    encoded(&FetchRequest { topics: (0..TOPICS).map(topic).collect(), ..Default::default() }, 17)
}

fn reply() -> FetchReply<'static, u64> {
    let partition = |partition_index| FetchedPartition {
        partition_index,
        high_watermark: 12_345,
        records: Some(RecordsAt { length: 1024, place: 0 }),
        ..Default::default()
    };
    let topic = |topic| FetchedTopic {
        topic: "",
        topic_id: topic_id(topic),
        partitions: (0..PARTITIONS as i32).map(partition).collect(),
    };
    FetchReply {
        throttle_time_ms: 0,
        error_code: 0,
        session_id: 0,
        topics: (0..TOPICS).map(topic).collect(),
        node_endpoints: Vec::new(),
    }
}
