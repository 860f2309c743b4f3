//! Many connections and hostile ones: who is let in, who is sent away, and that nobody harms the others.

use std::net::TcpListener;

use ottla_protocol::api_versions::ApiVersionsRequest;
use ottla_protocol::fetch::FetchRequest;
use ottla_protocol::metadata::MetadataRequest;
use ottla_protocol::produce::ProduceRequest;

use crate::support::{Client, Recipe, Running, built, create, fetch_of, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const LONG_MS: i32 = 600_000;

/// The first bytes of a request that announces `size` bytes.
fn announce(size: i32) -> [u8; 4] {
    size.to_be_bytes()
}

#[test]
fn a_connection_beyond_its_addresss_number_is_closed_at_once_until_another_ends() {
    let running = Running::with("max.connections.per.ip=2\n");
    let (mut first, mut second) = (running.connect(), running.connect());
    assert!(first.is_served() && second.is_served());
    assert!(running.connect().receive_frame().is_none());
    assert!(first.is_served());
    drop(first);
    // The broker hears of the end in its own time.
    while !running.connect().is_served() {}
    assert!(second.is_served());
}

#[test]
fn a_connection_beyond_the_brokers_number_waits_until_another_ends() {
    let running = Running::with("max.connections=2\n");
    let (mut first, mut second) = (running.connect(), running.connect());
    assert!(first.is_served() && second.is_served());
    let mut third = running.connect();
    third.send(0, &ApiVersionsRequest::default());
    assert!(third.hears_nothing());
    assert!(first.is_served());
    drop(second);
    assert!(third.receive::<ApiVersionsRequest>(0).is_some());
}

#[test]
fn the_brokers_listener_takes_more_and_an_idle_client_gives_way() {
    let running = Running::with(
        "listeners=CLIENTS://127.0.0.1:0,BROKERS://127.0.0.1:0\ninter.broker.listener.name=BROKERS\n\
         listener.security.protocol.map=CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT\nmax.connections=1\n",
    );
    let mut client = Client::connect(running.address_of("CLIENTS"));
    assert!(client.is_served());
    let mut broker = Client::connect(running.address_of("BROKERS"));
    assert!(broker.is_served());
    assert!(client.receive_frame().is_none(), "it was closed to make room");
    assert!(broker.is_served());
}

#[test]
fn a_listener_has_a_number_of_its_own() {
    let running = Running::with(
        "listeners=A://127.0.0.1:0,B://127.0.0.1:0\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n\
         listener.name.a.max.connections=1\n",
    );
    let mut first = Client::connect(running.address_of("A"));
    assert!(first.is_served());
    let mut second = Client::connect(running.address_of("A"));
    second.send(0, &ApiVersionsRequest::default());
    assert!(second.hears_nothing());
    assert!(Client::connect(running.address_of("B")).is_served());
    drop(first);
    assert!(second.receive::<ApiVersionsRequest>(0).is_some());
}

#[test]
fn an_idle_connection_is_closed_and_a_waiting_one_is_not() {
    let running = Running::with("connections.max.idle.ms=300\n");
    let (mut producer, mut consumer) = (running.connect(), running.connect());
    let topic = ("a", create(&mut producer, "a", 1, &[]));
    consumer.send(FETCH, &FetchRequest { max_wait_ms: LONG_MS, ..fetch_of(FETCH, topic, 0, 0) });
    assert!(producer.receive_frame().is_none(), "idle");
    // By now the consumer has waited for longer than an idle connection lives.
    let mut producer = running.connect();
    producer.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
    assert!(consumer.receive::<FetchRequest>(FETCH).is_some());
}

#[test]
fn a_reader_that_never_reads_holds_up_nobody_and_is_closed_in_the_end() {
    let running = Running::with("connections.max.idle.ms=1000\n");
    let mut producer = running.connect();
    let topic = ("a", create(&mut producer, "a", 1, &[]));
    let batch = built(&Recipe::of(1, 900_000));
    for _ in 0..30 {
        producer.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, 1, batch.clone()));
    }
    let mut deaf = running.connect();
    let mut all = FetchRequest { max_bytes: 50 << 20, ..fetch_of(FETCH, topic, 0, 0) };
    all.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    for _ in 0..3 {
        deaf.send(FETCH, &all);
    }
    for _ in 0..20 {
        let mut other = running.connect();
        assert!(other.ask(FETCH, &fetch_of(FETCH, topic, 0, 29)).responses[0].partitions[0].records.is_some());
    }
    // Nothing of it is read until the broker gave up; then what the sockets hold comes, and the end.
    drop(producer);
    let mut idle = running.connect();
    assert!(idle.receive_frame().is_none());
    assert!(deaf.drain() < 60 * 900_000, "of three times thirty batches");
}

#[test]
fn many_that_announce_much_and_send_nothing_hold_up_nobody() {
    let running = Running::with("queued.max.request.bytes=30000000\n");
    let mut worker = running.connect();
    let topic = ("a", create(&mut worker, "a", 1, &[]));
    let hostile: Vec<Client> = (0..400)
        .map(|_| {
            let mut client = running.connect();
            client.send_bytes(&announce(100 << 20));
            client.send_bytes(&[0; 10]);
            client
        })
        .collect();
    let request = produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(1, 900_000)));
    for offset in 0..20 {
        let answer = worker.ask(PRODUCE, &request);
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
    drop(hostile);
}

#[test]
fn one_that_holds_all_memory_and_sends_no_more_gives_it_up_when_others_need_it() {
    let running = Running::with("queued.max.request.bytes=1000000\n");
    let mut worker = running.connect();
    let topic = ("a", create(&mut worker, "a", 1, &[]));
    let mut hostile = running.connect();
    hostile.send_bytes(&announce(100 << 20));
    hostile.send_bytes(&vec![0; 3_000_000]);
    // Small requests need none of that memory.
    for _ in 0..10 {
        assert!(worker.is_served());
    }
    let answer = worker.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(1, 900_000))));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

#[test]
fn more_large_requests_than_memory_are_all_answered() {
    let running = Running::with("queued.max.request.bytes=1000000\n");
    let topic = ("a", create(&mut running.connect(), "a", 1, &[]));
    let mut clients: Vec<Client> = (0..20).map(|_| running.connect()).collect();
    let frames: Vec<Vec<u8>> = clients
        .iter_mut()
        .map(|client| client.frame(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::of(3, 300_000)))))
        .collect();
    // The first half of each, then the rest: all memory belongs to requests that are not whole.
    for (client, frame) in clients.iter_mut().zip(&frames) {
        client.send_bytes(&frame[..300_000]);
    }
    std::thread::scope(|scope| {
        for (client, frame) in clients.iter_mut().zip(&frames) {
            scope.spawn(|| {
                client.send_bytes(&frame[300_000..]);
                let answer = client.receive::<ProduceRequest>(PRODUCE).expect("an answer");
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            });
        }
    });
}

#[test]
fn every_listener_tells_its_own_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let running = Running::with(
        "listeners=IN://[::1]:0,OUT://[::]:0\nlistener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT\n\
         advertised.listeners=OUT://broker.example.com:19092,IN://[::1]:0\n",
    );
    let told = |client: &mut Client| {
        let answer = client.ask(12, &MetadataRequest::default());
        answer.brokers.iter().map(|broker| format!("{} {}", broker.host, broker.port)).collect::<Vec<_>>()
    };
    let inside = running.address_of("IN");
    assert_eq!(told(&mut Client::connect(inside)), [format!("::1 {}", inside.port())]);
    // The wildcard takes both families.
    for host in ["::1", "127.0.0.1"] {
        let outside = (host.parse::<std::net::IpAddr>().expect("an address"), running.address_of("OUT").port());
        assert_eq!(told(&mut Client::connect(outside.into())), ["broker.example.com 19092"]);
    }
}
