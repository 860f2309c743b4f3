//! What a client gets: asked over a socket, as a client does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use ottla_protocol::api_versions::ApiVersionsResponse;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::frame::{parse_response_head, request_frame};
use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::{Message, Request};
use ottla_record::{BatchBuilder, BatchHeader, BatchOptions, Batches, Compressor};
use ottla_types::Timestamp;
use ottla_wire::Reader;

use crate::options::Options;
use crate::{Answers, serve};

const TOPIC: &str = "topic";

/// Runs `client` against answers with these options.
fn with(options: Options, client: impl FnOnce(&mut TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let answers = Answers::new(options, listener.local_addr().unwrap()).unwrap();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| serve::serve(&answers, listener.accept().unwrap().0));
        let mut socket = TcpStream::connect(answers.address).unwrap();
        client(&mut socket);
        drop(socket);
        serving.join().unwrap().unwrap();
    });
}

fn ask<R: Request>(socket: &mut TcpStream, version: i16, request: &R) -> R::Response {
    socket.write_all(&request_frame(7, Some("test"), version, request).unwrap()).unwrap();
    let mut size = [0; 4];
    socket.read_exact(&mut size).unwrap();
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    socket.read_exact(&mut frame).unwrap();
    let (correlation, body) = parse_response_head(&frame, R::KEY, version).unwrap();
    assert_eq!(correlation, 7);
    R::Response::decode(&mut Reader::new(&frame[body..]), version).unwrap()
}

/// Sends a batch of so many records; its first offset and its error.
fn produce(socket: &mut TcpStream, partition: i32, records: usize) -> (i64, i16) {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    for record in 0..records {
        builder.append(Timestamp(1), None, Some(&record.to_be_bytes()), &[]).unwrap();
    }
    let records = Some(builder.build(&mut Compressor::default()).unwrap());
    let partition_data = vec![PartitionProduceData { index: partition, records }];
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let answer = ask(socket, 9, &ProduceRequest { acks: -1, topic_data, ..Default::default() });
    let partition = &answer.responses[0].partition_responses[0];
    (partition.base_offset, partition.error_code)
}

/// The first offset of each batch that is read, each batch checked by its checksum.
fn fetch(socket: &mut TcpStream, partition: i32, fetch_offset: i64, partition_max_bytes: i32) -> Vec<i64> {
    let partitions = vec![FetchPartition { partition, fetch_offset, partition_max_bytes, ..Default::default() }];
    let topics = vec![FetchTopic { topic: TOPIC.into(), partitions, ..Default::default() }];
    let request = FetchRequest { max_bytes: 50 << 20, min_bytes: 1, max_wait_ms: 1, topics, ..Default::default() };
    let answer = ask(socket, 11, &request);
    let records = answer.responses[0].partitions[0].records.clone().unwrap_or_default();
    Batches::new(&records).map(|batch| batch.unwrap().header().base_offset.0).collect()
}

/// Where the partition begins (−2) or ends (−1).
fn list_offset(socket: &mut TcpStream, partition_index: i32, timestamp: i64) -> i64 {
    let partitions = vec![ListOffsetsPartition { partition_index, timestamp, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions }];
    ask(socket, 6, &ListOffsetsRequest { topics, ..Default::default() }).topics[0].partitions[0].offset
}

fn folder(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ottla-answers-{test}-{}", std::process::id()))
}

#[test]
fn tells_a_client_that_is_too_new_what_there_is() {
    with(Options::default(), |socket| {
        // ApiVersions v99, correlation 7, no client id, and what nobody here knows.
        socket.write_all(b"\0\0\0\x0c\0\x12\0\x63\0\0\0\x07\xff\xff\0\0").unwrap();
        let mut size = [0; 4];
        socket.read_exact(&mut size).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        socket.read_exact(&mut frame).unwrap();
        let answer = ApiVersionsResponse::decode(&mut Reader::new(&frame[4..]), 0).unwrap();
        assert_eq!(answer.error_code, 35);
        assert!(answer.api_keys.iter().any(|api| api.api_key == 0 && api.max_version == 12));
    });
}

#[test]
fn counts_records_and_forgets_them() {
    with(Options::default(), |socket| {
        assert_eq!([produce(socket, 2, 10), produce(socket, 2, 5)], [(0, 0), (10, 0)]);
        assert_eq!((list_offset(socket, 2, -2), list_offset(socket, 2, -1)), (0, 15));
    });
}

#[test]
fn sends_its_own_batch_without_end() {
    with(Options { value_bytes: 1000, ..Options::default() }, |socket| {
        assert_eq!(fetch(socket, 0, 0, 2_000_000), [0, 900]);
        assert_eq!(fetch(socket, 0, 900, 2_000_000), [900, 1800]);
        // The batch that has the offset, not what begins there.
        assert_eq!(fetch(socket, 5, 1_000_000, 1), [999_900]);
    });
}

#[test]
fn keeps_what_it_writes_and_sends_it_with_its_offsets() {
    let folder = folder("keeps");
    let options = Options { write: Some(folder.clone()), ..Options::default() };
    with(options, |socket| {
        for first in [0, 3, 6] {
            assert_eq!(produce(socket, 1, 3), (first, 0));
        }
        assert_eq!(fetch(socket, 1, 0, 1 << 20), [0, 3, 6]);
        assert_eq!(fetch(socket, 1, 4, 1 << 20), [3, 6]);
        // Its first batch comes whole, whatever the limit.
        assert_eq!(fetch(socket, 1, 3, 1), [3]);
        assert_eq!(fetch(socket, 1, 9, 1 << 20), [] as [i64; 0]);
    });
    let kept = std::fs::read(folder.join("topic-1.log")).unwrap();
    assert_eq!(BatchHeader::parse(&kept).unwrap().record_count, 3);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_topic_has_the_partitions_that_it_was_created_with() {
    with(Options::default(), |socket| {
        let topics = vec![CreatableTopic { name: TOPIC.into(), num_partitions: 8, ..Default::default() }];
        ask(socket, 5, &CreateTopicsRequest { topics, ..Default::default() });
        assert_eq!([produce(socket, 7, 1), produce(socket, 8, 1)], [(0, 0), (-1, 3)]);
    });
}

#[test]
fn what_is_no_name_of_a_topic_makes_no_file() {
    let folder = folder("names");
    let options = Options { write: Some(folder.join("below")), ..Options::default() };
    let answers = Answers::new(options, "127.0.0.1:1".parse().unwrap()).unwrap();
    assert!(answers.topics.topic("../escaped", None).is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
