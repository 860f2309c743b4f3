//! Requests that are as large as may be, in bytes or in elements.

use ottla_protocol::Request;
use ottla_protocol::create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla_protocol::frame::request_frame;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};

use super::Scene;
use super::honest::{CREATE, PRODUCE, create, produce};
use super::peer::{Peer, is_timeout};

mod repeated;

/// The default of `socket.request.max.bytes`.
const REQUEST_BYTES_MAX: usize = 100 << 20;
/// Connections that send such requests at once.
const PEERS: usize = 12;
/// Connections that send requests of millions of elements at once.
const COUNTING_PEERS: usize = 2;
/// Elements of a request, unless its size allows fewer: as many as the broker takes, but for a few around them.
const MILLION: usize = 999_000;
/// Of Metadata, and of CreatePartitions.
const METADATA: i16 = 12;
const CREATE_PARTITIONS: i16 = 3;

/// Records as large as a request may be, from many at once.
pub(super) fn full_size(scene: &mut Scene) -> Result<String, String> {
    create(&mut scene.connect()?, "full-size")?;
    let empty = frame(PRODUCE, &produce("full-size", 1, bytes::Bytes::from(vec![0; 16 << 10])))?;
    let room = REQUEST_BYTES_MAX + 4 - empty.len() - 8;
    let whole = frame(PRODUCE, &produce("full-size", 1, bytes::Bytes::from(vec![0; room + (16 << 10)])))?;
    let sent: Result<usize, String> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..PEERS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut peer, mut sent) = (scene.connect()?, 0);
                    while sent == 0 || scene.goes_on() {
                        answered_or_closed(&mut peer, &whole)?;
                        sent += 1;
                    }
                    Ok(sent)
                })
            })
            .collect();
        begun.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?).sum()
    });
    Ok(format!("{} requests of {} bytes from {PEERS} connections", sent?, whole.len()))
}

/// Every API with an array, full; each from several connections at once.
pub(super) fn millions(scene: &mut Scene) -> Result<String, String> {
    let (mut sent, mut answered) = (0, 0);
    let mut kinds = repeated::requests(MILLION, REQUEST_BYTES_MAX);
    kinds.push(("Metadata of a million names", metadata(false)?));
    kinds.push(("Metadata of a million names that may be made", metadata(true)?));
    kinds.push(("CreateTopics of a million names", million_topics()?));
    while sent == 0 || scene.goes_on() {
        for (what, request) in &kinds {
            let outcomes: Vec<Result<bool, String>> = std::thread::scope(|scope| {
                let ask = || answered_or_closed(&mut scene.connect()?, request);
                let begun: Vec<_> = (0..COUNTING_PEERS).map(|_| scope.spawn(ask)).collect();
                begun.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?).collect()
            });
            for outcome in outcomes {
                answered += usize::from(outcome.map_err(|why| format!("{what}: {why}"))?);
                sent += 1;
            }
        }
    }
    Ok(format!("{sent} requests of {} kinds, {answered} answered", kinds.len()))
}

fn metadata(make: bool) -> Result<Vec<u8>, String> {
    let topic = |number| MetadataRequestTopic { name: Some(format!("m{number}")), ..MetadataRequestTopic::default() };
    let topics = Some((0..MILLION).map(topic).collect());
    frame(METADATA, &MetadataRequest { topics, allow_auto_topic_creation: make, ..MetadataRequest::default() })
}

fn million_topics() -> Result<Vec<u8>, String> {
    let topic = |number| CreatableTopic {
        name: format!("c{number}"),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    frame(CREATE, &CreateTopicsRequest { topics: (0..MILLION).map(topic).collect(), ..CreateTopicsRequest::default() })
}

/// Topics beyond all bounds, none of which may come to be.
pub(super) fn enormous_topics(scene: &mut Scene) -> Result<String, String> {
    const NAME: &str = "enormous";
    create(&mut scene.connect()?, "partitioned")?;
    let topic = |partitions, factor| CreatableTopic {
        name: NAME.to_owned(),
        num_partitions: partitions,
        replication_factor: factor,
        ..CreatableTopic::default()
    };
    let assigned = |assignments: Vec<(i32, Vec<i32>)>| CreatableTopic {
        assignments: assignments
            .into_iter()
            .map(|(partition_index, broker_ids)| CreatableReplicaAssignment { partition_index, broker_ids })
            .collect(),
        ..topic(-1, -1)
    };
    let setting = CreatableTopicConfig { name: "retention.ms".to_owned(), value: Some("9".repeat(30_000)) };
    let topics = [
        topic(i32::MAX, 1),
        topic(i32::MIN, 1),
        topic(1, i16::MAX),
        topic(i32::MAX, i16::MAX),
        CreatableTopic { name: "n".repeat(30_000), ..topic(1, 1) },
        assigned((0..1_000_000).map(|partition| (partition, vec![1])).collect()),
        assigned(vec![(0, vec![1; 2_000_000])]),
        assigned(vec![(i32::MAX, vec![1]), (i32::MIN, vec![])]),
        CreatableTopic { configs: vec![setting; 1000], ..topic(1, 1) },
    ];
    let mut requests = Vec::new();
    for topic in topics {
        requests.push(frame(CREATE, &CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() })?);
    }
    let assignment = CreatePartitionsAssignment { broker_ids: vec![1; 1_000_000] };
    for (count, assignments) in [
        (i32::MAX, None),
        (-1, None),
        (1_000_000, Some(vec![CreatePartitionsAssignment { broker_ids: vec![1] }; 999_999])),
        (2, Some(vec![assignment])),
    ] {
        let topics = vec![CreatePartitionsTopic { name: "partitioned".to_owned(), count, assignments }];
        requests
            .push(frame(CREATE_PARTITIONS, &CreatePartitionsRequest { topics, ..CreatePartitionsRequest::default() })?);
    }
    let mut sent = 0;
    while sent == 0 || scene.goes_on() {
        for request in &requests {
            answered_or_closed(&mut scene.connect()?, request)?;
            sent += 1;
        }
    }
    let named = |name: &str| MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() };
    let topics = Some(vec![named(NAME), named("partitioned")]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let answer = scene.connect()?.ask(METADATA, &request).map_err(|error| error.to_string())?;
    match answer.topics.iter().find(|topic| topic.partitions.len() > 1) {
        None => Ok(format!("{sent} requests of {} kinds", requests.len())),
        Some(topic) => Err(format!("{:?} came to be with {} partitions", topic.name, topic.partitions.len())),
    }
}

fn frame<M: Request>(version: i16, request: &M) -> Result<Vec<u8>, String> {
    request_frame(1, Some("hostile"), version, request).map_err(|error| format!("{} v{version}: {error}", M::NAME))
}

/// Sends a request; whether it was answered. A broker that closes has said no; one that does neither hangs.
fn answered_or_closed(peer: &mut Peer, request: &[u8]) -> Result<bool, String> {
    peer.send(request);
    match peer.skip() {
        Ok(_) => Ok(true),
        Err(error) if is_timeout(&error) => Err("neither answered nor closed".to_owned()),
        Err(_) => Ok(false),
    }
}
