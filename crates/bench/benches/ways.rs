//! The way of a produce request and of a fetch through the crates, without sockets, tasks and locks of the broker.
//!
//! `cargo bench -p ottla-bench [-- DIRECTORY]`; the directory's file system is the one measured. Printed is the CPU time
//! of the process and the time that passed, for one request and for a gigabyte of values. What a step costs by itself is
//! measured in the benches of `protocol`, `record` and `storage`; what the whole broker costs, by `cargo xtask bench`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured and may stop at once"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::frame::{RequestHead, request_frame, response_frame};
use ottla_protocol::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use ottla_protocol::{FetchReply, FetchedPartition, FetchedTopic, ProduceRequestView, RecordsAt};
use ottla_record::{
    BatchBuilder, BatchOptions, Compressor, Limits, Rules, Scratch, TimestampRule, check_batch, single_batch,
};
use ottla_storage::disk::block_on;
use ottla_storage::disk::system::SystemDisk;
use ottla_storage::{Batch, Log, LogConfig, Slice};
use ottla_types::{LeaderEpoch, Offset, Timestamp, Uuid};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const PRODUCE_VERSION: i16 = 11;
const FETCH_VERSION: i16 = 16;
const PARTITIONS: usize = 6;

/// Bytes of values that a round produces: less than a segment, so that no round rolls.
const ROUND_BYTES: usize = 256 << 20;
/// Rounds of each case, in turn with the others; the median is printed. One more before them warms memory and disk.
const ROUNDS: usize = 7;
/// Frames that are sent in turn: the next one is not in the CPU's nearest caches, as one from a socket would not be.
const FRAMES: usize = 8;

/// CPU time and time that passed in a round, and the requests in it.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    time: Duration,
    requests: usize,
    bytes: usize,
}

struct Case {
    name: &'static str,
    run: fn(&Path) -> Cost,
}

const CASES: [Case; 5] = [
    Case { name: "produce, 1 MB batch of 1000 B records", run: |path| produce(path, 1_000_000, 1000) },
    Case { name: "produce, 1 MB batch of 100 B records", run: |path| produce(path, 1_000_000, 100) },
    Case { name: "produce, one 1000 B record", run: |path| produce(path, 1000, 1000) },
    Case { name: "fetch, 6 partitions of 1 MB at the end", run: |path| fetch(path, 1_000_000) },
    Case { name: "fetch, 6 partitions of 1 KB at the end", run: |path| fetch(path, 1000) },
];

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = directory.map_or_else(std::env::temp_dir, PathBuf::from).join("ottla-bench-ways");
    let mut costs: Vec<Vec<Cost>> = CASES.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (case, costs) in CASES.iter().zip(&mut costs) {
            let cost = (case.run)(&path);
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    println!("{:42} {:>12} {:>12} {:>12}", "median of each", "CPU", "time", "CPU s/GB");
    for (case, costs) in CASES.iter().zip(&costs) {
        let median = |of: fn(&Cost) -> f64| {
            let mut sorted: Vec<f64> = costs.iter().map(of).collect();
            sorted.sort_by(f64::total_cmp);
            sorted[ROUNDS / 2]
        };
        println!(
            "{:42} {:>9.2} µs {:>9.2} µs {:>12.3}",
            case.name,
            median(|cost| cost.cpu.as_secs_f64() * 1e6 / cost.requests as f64),
            median(|cost| cost.time.as_secs_f64() * 1e6 / cost.requests as f64),
            median(|cost| cost.cpu.as_secs_f64() * 1e9 / cost.bytes as f64),
        );
    }
}

/// A batch of as many values as come to `value_bytes` together, and at least one.
fn batch(value_bytes: usize, record_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let mut noise = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..value_bytes / record_bytes {
        let value: Vec<u8> = std::iter::repeat_with(|| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise as u8
        })
        .take(record_bytes)
        .collect();
        builder.append(NOW, None, Some(&value), &[]).unwrap();
    }
    builder.build(&mut Compressor::default()).unwrap()
}

/// A produce request as it comes out of the connection: without its size.
fn produce_frame(records: Bytes) -> Bytes {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(records) }];
    let topic = TopicProduceData { name: "bench".to_owned(), partition_data, ..Default::default() };
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
    Bytes::from(request_frame(1, Some("bench"), PRODUCE_VERSION, &request).unwrap()).slice(4..)
}

/// An empty log in an empty directory.
fn new_log(path: &Path) -> Arc<Log> {
    let _ = std::fs::remove_dir_all(path);
    block_on(Log::create(SystemDisk::inline(), path, LogConfig { flush: false, ..LogConfig::default() })).unwrap()
}

fn produce(path: &Path, value_bytes: usize, record_bytes: usize) -> Cost {
    let records = batch(value_bytes, record_bytes);
    let frames: Vec<Bytes> = (0..FRAMES).map(|_| produce_frame(records.clone())).collect();
    let log = new_log(path);
    let mut scratch = Scratch::default();
    // Small requests are many; a fourth of the bytes will do for them.
    let requests = (if value_bytes < 10_000 { ROUND_BYTES / 4 } else { ROUND_BYTES }) / value_bytes;
    let cost = measure(requests, value_bytes, |request| {
        std::hint::black_box(serve_produce(&log, &frames[request % FRAMES], &mut scratch));
    });
    drop(log);
    std::fs::remove_dir_all(path).unwrap();
    cost
}

/// What the broker does with a produce request between the frame and the answer's bytes.
fn serve_produce(log: &Arc<Log>, frame: &Bytes, scratch: &mut Scratch) -> Vec<u8> {
    let head = RequestHead::parse(frame).unwrap();
    let body = frame.slice(head.body..);
    let view = ProduceRequestView::parse(&body, head.api_version).unwrap();
    let timestamps = TimestampRule::CreateTime { now: NOW, before_max_ms: i64::MAX, after_max_ms: 3_600_000 };
    let (limits, rules) =
        (Limits { batch_bytes_max: 2 << 20, ..Limits::default() }, Rules { timestamps, compacted: false });
    let mut responses = Vec::new();
    for topic in view.topics() {
        let mut partition_responses = Vec::new();
        for partition in topic.partitions() {
            let records = body.slice(partition.records.unwrap());
            let bytes = records.slice_ref(single_batch(&records).unwrap());
            let header = check_batch(&bytes, &limits, &rules, scratch).unwrap().header;
            let appended = log.append(Batch { header, bytes }, LeaderEpoch(0), NOW).unwrap();
            block_on(log.write_queued()).unwrap();
            partition_responses.push(PartitionProduceResponse {
                index: partition.index,
                base_offset: appended.base_offset.0,
                ..Default::default()
            });
        }
        responses.push(TopicProduceResponse { partition_responses, ..Default::default() });
    }
    let response = ProduceResponse { responses, ..Default::default() };
    response_frame(head.correlation_id, head.api_version, &response).unwrap()
}

/// Fetches of the newest batch of a log, as if it were six partitions; the bytes themselves are left to sendfile.
fn fetch(path: &Path, value_bytes: usize) -> Cost {
    let log = new_log(path);
    let frame = produce_frame(batch(value_bytes, 1000));
    let mut scratch = Scratch::default();
    for _ in 0..100 {
        serve_produce(&log, &frame, &mut scratch);
    }
    let end = log.ends().written;
    let from = Offset(end.0 - (value_bytes / 1000) as i64);
    let cost = measure(20_000, PARTITIONS * value_bytes, |_| {
        std::hint::black_box(serve_fetch(&log, from, end));
    });
    drop(log);
    std::fs::remove_dir_all(path).unwrap();
    cost
}

/// What the broker does between a fetch's view and the answer's parts.
fn serve_fetch(log: &Arc<Log>, from: Offset, end: Offset) -> usize {
    let partition = |partition_index| {
        let slice: Slice = block_on(log.read(from, 1 << 20, end, false)).unwrap().unwrap();
        FetchedPartition {
            partition_index,
            high_watermark: end.0,
            records: Some(RecordsAt { length: slice.bytes, place: slice }),
            ..Default::default()
        }
    };
    let partitions = (0..PARTITIONS as i32).map(partition).collect();
    let topics = vec![FetchedTopic { topic: "", topic_id: Uuid([1; 16]), partitions }];
    let reply = FetchReply { throttle_time_ms: 0, error_code: 0, session_id: 0, topics, node_endpoints: Vec::new() };
    reply.into_frame(1, FETCH_VERSION).unwrap().length
}

fn measure(requests: usize, bytes: usize, mut request: impl FnMut(usize)) -> Cost {
    let (cpu, start) = (cpu_time(), Instant::now());
    for number in 0..requests {
        request(number);
    }
    Cost { cpu: cpu_time() - cpu, time: start.elapsed(), requests, bytes: requests * bytes }
}

/// CPU time that all threads of the process used, user and system.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
}
