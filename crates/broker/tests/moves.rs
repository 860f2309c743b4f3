//! Partitions that are moved between log directories while they are served, and what may go wrong on the way.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ottla_protocol::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest};
use ottla_protocol::describe_log_dirs::DescribeLogDirsRequest;
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_record::Batches;
use ottla_storage::disk::Disk;
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_types::{ErrorCode, Uuid};

use crate::restart::delete;
use crate::support::{Client, Gate, PATIENCE, Recipe, Running, built, create, fetch_of, produce_of};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const TWO: &str = "log.dirs=/a,/b\n";
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
/// More than a move at one byte per second copies in one go.
const LARGE: usize = 20_000;

type Topic = (&'static str, Uuid);

fn produce(client: &mut Client, topic: Topic, recipe: &Recipe) -> (ErrorCode, i64) {
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(recipe)));
    let answer = &answer.responses[0].partition_responses[0];
    (ErrorCode::from_raw(answer.error_code).expect("a code"), answer.base_offset)
}

/// The offsets from `from` on of one fetch's records.
fn fetch(client: &mut Client, topic: Topic, from: i64) -> Vec<i64> {
    let answer = client.ask(FETCH, &fetch_of(FETCH, topic, 0, from)).responses[0].partitions[0].clone();
    assert_eq!(answer.error_code, 0);
    let records = answer.records.unwrap_or_default();
    let batches = Batches::new(&records).map(|batch| *batch.expect("whole").header());
    batches.flat_map(|header| header.base_offset.0..header.next_offset().0).collect()
}

/// All offsets, which follow one another.
fn all(client: &mut Client, topic: Topic) -> Vec<i64> {
    let mut offsets: Vec<i64> = Vec::new();
    loop {
        let more = fetch(client, topic, offsets.last().map_or(0, |last| last + 1));
        if more.is_empty() {
            return offsets;
        }
        offsets.extend(more);
    }
}

fn alter(client: &mut Client, topic: &str, path: &str) -> ErrorCode {
    let topics = vec![AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![0] }];
    let request = AlterReplicaLogDirsRequest { dirs: vec![AlterReplicaLogDir { path: path.to_owned(), topics }] };
    ErrorCode::from_raw(client.ask(2, &request).results[0].partitions[0].error_code).expect("a code")
}

/// Where partition 0 of a topic is, and where it is being moved to.
fn places(client: &mut Client, topic: &str) -> (Vec<String>, Vec<String>) {
    let (mut current, mut future) = (Vec::new(), Vec::new());
    for result in client.ask(4, &DescribeLogDirsRequest { topics: None }).results {
        for found in result.topics.iter().filter(|found| found.name == topic).flat_map(|found| &found.partitions) {
            if found.partition_index == 0 {
                if found.is_future_key { &mut future } else { &mut current }.push(result.log_dir.clone());
            }
        }
    }
    (current, future)
}

/// Asks until `is_so` says of the places of a topic.
fn wait_until(client: &mut Client, topic: &str, is_so: impl Fn(&[String], &[String]) -> bool) {
    let begun = Instant::now();
    loop {
        let (current, future) = places(client, topic);
        if is_so(&current, &future) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{topic} is in {current:?}, on its way to {future:?}");
        std::thread::yield_now();
    }
}

fn wait_until_in(client: &mut Client, topic: &str, path: &str) {
    wait_until(client, topic, |current, future| current == [path] && future.is_empty());
}

/// Sets how fast moves may be; `None` takes the bound away.
fn set_rate(client: &mut Client, rate: Option<&str>) {
    let config = AlterableConfig {
        name: RATE.to_owned(),
        config_operation: i8::from(rate.is_none()),
        value: rate.map(str::to_owned),
    };
    let resource = AlterConfigsResource { resource_type: 4, resource_name: String::new(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = client.ask(1, &request).responses[0].clone();
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
}

fn names(disk: &SimulatedDisk, directory: &str) -> Vec<String> {
    let entries = disk.list(Path::new(directory)).wait().expect("there");
    let folders = entries.into_iter().filter(|entry| entry.is_directory).map(|entry| entry.name);
    folders.filter(|name| name != "ottla-metadata").collect()
}

/// A broker with a topic in /a that holds more than a slow move copies at once.
fn large_topic(properties: &str) -> (Running, Client, Topic) {
    let running = Running::with(properties);
    let mut client = running.connect();
    let topic = ("t", create(&mut client, "t", 1, &[]));
    for _ in 0..3 {
        assert_eq!(produce(&mut client, topic, &Recipe::of(1, LARGE)).0, ErrorCode::None);
    }
    (running, client, topic)
}

/// The same, with the move to /b begun and held in the middle.
fn half_moved(properties: &str) -> (Running, Client, Topic) {
    let (running, mut client, topic) = large_topic(properties);
    set_rate(&mut client, Some("1"));
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::None);
    let begun = Instant::now();
    // Something was copied, and the rest is far away.
    while !names(&running.disk, "/b").iter().any(|name| {
        let path = format!("/b/{name}");
        name.ends_with("-future")
            && running.disk.list(path.as_ref()).wait().expect("there").iter().any(|entry| entry.bytes > 4000)
    }) {
        assert!(begun.elapsed() < PATIENCE, "nothing is copied: {:?}", names(&running.disk, "/b"));
    }
    assert_eq!(places(&mut client, "t"), (vec!["/a".to_owned()], vec!["/b".to_owned()]));
    (running, client, topic)
}

#[test]
fn moves_under_load_lose_and_double_nothing_and_no_client_notices() {
    let running = Running::with(TWO);
    let topic = ("t", create(&mut running.connect(), "t", 1, &[("segment.bytes", "1048576")]));
    let done = AtomicBool::new(false);
    let (taken, read) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let written = std::thread::scope(|scope| {
        let (running, done, taken, read) = (&running, &done, &taken, &read);
        let producer = |seed: i64| {
            move || {
                let mut client = running.connect();
                let mut offsets = Vec::new();
                for sequence in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let recipe = Recipe::of(2, 1000).produced_by(seed, 0, 2 * sequence);
                    let (error, base) = produce(&mut client, topic, &recipe);
                    assert_eq!(error, ErrorCode::None);
                    offsets.extend([base, base + 1]);
                    taken.fetch_add(1, Ordering::Relaxed);
                }
                offsets
            }
        };
        let producers: Vec<_> = (1..=3).map(|seed| scope.spawn(producer(seed))).collect();
        let reader = scope.spawn(move || {
            let (mut client, mut next) = (running.connect(), 0);
            while !done.load(Ordering::Relaxed) {
                for offset in fetch(&mut client, topic, next) {
                    assert!(offset >= next || next == 0, "{offset} after {next}");
                    next = offset + 1;
                    read.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let mut client = running.connect();
        for path in ["/b", "/a"].into_iter().cycle().take(12) {
            assert_eq!(alter(&mut client, topic.0, path), ErrorCode::None);
            // A move is over when it was one under load, however the threads are scheduled.
            let (taken_before, read_before) = (taken.load(Ordering::Relaxed), read.load(Ordering::Relaxed));
            wait_until_in(&mut client, topic.0, path);
            let begun = Instant::now();
            while taken.load(Ordering::Relaxed) < taken_before + 5 || read.load(Ordering::Relaxed) == read_before {
                assert!(begun.elapsed() < PATIENCE, "nothing is written or read beside the moves");
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
        let written =
            producers.into_iter().flat_map(|producer| producer.join().expect("no error")).collect::<Vec<i64>>();
        reader.join().expect("no error");
        written
    });
    let count = i64::try_from(written.len()).expect("few");
    assert_eq!(written.iter().copied().collect::<BTreeSet<_>>().len(), written.len(), "each has an offset of its own");
    assert_eq!(all(&mut running.connect(), topic), (0..count).collect::<Vec<_>>());
    until_left(&running.disk, 1);
}

/// Waits for what has no sign of its own: that the broker has taken a request. Too short a while does no harm; too long a
/// one is the end of a request's patience, where many threads share a core.
fn a_while() {
    let begun = Instant::now();
    (0..2000).take_while(|_| begun.elapsed() < Duration::from_secs(1)).for_each(|_| std::thread::yield_now());
}

#[test]
fn a_producer_that_comes_while_the_log_is_exchanged_waits_and_is_answered() {
    let (mut held, mut passed) = (0, 0);
    // From one round to the next the disk stands still at a later operation of the move.
    for operations in 0..200 {
        let (gate, disk) = Gate::with_disk();
        let running = Running::on(disk, TWO);
        let (mut mover, mut client) = (running.connect(), running.connect());
        let topic = ("t", create(&mut client, "t", 1, &[]));
        assert_eq!(produce(&mut client, topic, &Recipe::default()).0, ErrorCode::None);
        gate.close_after(operations);
        let topics = vec![AlterReplicaLogDirTopic { name: "t".to_owned(), partitions: vec![0] }];
        let dirs = vec![AlterReplicaLogDir { path: "/b".to_owned(), topics }];
        mover.send(2, &AlterReplicaLogDirsRequest { dirs });
        a_while();
        let is_held = gate.holds_something();
        client.send(PRODUCE, &produce_of(PRODUCE, topic, 0, -1, built(&Recipe::default())));
        a_while();
        gate.open();
        let answer = client.receive::<ottla_protocol::produce::ProduceRequest>(PRODUCE).expect("an answer");
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), (0, 1), "held at operation {operations}");
        let moved = mover.receive::<AlterReplicaLogDirsRequest>(2).expect("an answer");
        assert_eq!(moved.results[0].partitions[0].error_code, 0);
        wait_until_in(&mut client, "t", "/b");
        assert_eq!(all(&mut client, topic), [0, 1]);
        if is_held {
            held += 1
        } else {
            passed += 1
        }
        if passed > 5 {
            // The move has fewer operations.
            break;
        }
    }
    assert!(held > 10, "held {held} times");
}

#[test]
fn a_move_that_a_crash_interrupts_goes_on_at_the_next_start() {
    let ends: [fn(&mut Running); 3] = [Running::stop, Running::kill, Running::lose_power];
    for end in ends {
        let (mut running, _, topic) = half_moved(TWO);
        end(&mut running);
        running.start_again();
        let mut client = running.connect();
        assert_eq!(places(&mut client, "t"), (vec!["/a".to_owned()], vec!["/b".to_owned()]));
        assert_eq!(produce(&mut client, topic, &Recipe::of(1, LARGE)), (ErrorCode::None, 3));
        set_rate(&mut client, None);
        wait_until_in(&mut client, "t", "/b");
        assert_eq!(produce(&mut client, topic, &Recipe::default()), (ErrorCode::None, 4));
        running.lose_power();
        running.start_again();
        let mut client = running.connect();
        assert_eq!(all(&mut client, topic), [0, 1, 2, 3, 4]);
        assert_eq!((names(&running.disk, "/a").len(), names(&running.disk, "/b")), (0, vec!["t-0".to_owned()]));
    }
}

/// Waits until the disk has nothing to do for a while, or no power. Too short a while does no harm where it is used.
fn until_idle(disk: &SimulatedDisk) {
    let (mut seen, mut looks) = (disk.operations(), 0);
    while looks < 2000 {
        std::thread::yield_now();
        let now = disk.operations();
        looks = if now == seen { looks + 1 } else { 0 };
        seen = now;
    }
}

/// Waits until there are no more folders in both directories: the files of what was moved go a little later.
fn until_left(disk: &SimulatedDisk, count: usize) {
    let begun = Instant::now();
    while names(disk, "/a").len() + names(disk, "/b").len() != count {
        assert!(begun.elapsed() < PATIENCE, "{:?} and {:?}", names(disk, "/a"), names(disk, "/b"));
    }
}

#[test]
fn wherever_the_power_goes_during_a_move_the_partition_is_in_one_place_and_whole() {
    let mut is_moved = false;
    let mut places_seen = BTreeSet::new();
    for operations in (0..300).step_by(2) {
        let (mut running, mut client, topic) = large_topic(TWO);
        running.disk.crash_after(operations);
        alter(&mut client, topic.0, "/b");
        until_idle(&running.disk);
        // In the last round there is power to the end of the move.
        let listed = running.disk.list("/a".as_ref()).wait();
        is_moved = listed.is_ok_and(|left| !left.iter().any(|entry| entry.name.starts_with("t-0")));
        running.lose_power();
        running.start_again();
        let mut client = running.connect();
        assert_eq!(all(&mut client, topic), [0, 1, 2], "after {operations}");
        wait_until(&mut client, topic.0, |current, future| current.len() == 1 && future.is_empty());
        places_seen.extend(places(&mut client, topic.0).0);
        until_left(&running.disk, 1);
        assert_eq!(produce(&mut client, topic, &Recipe::default()), (ErrorCode::None, 3));
        if is_moved {
            break;
        }
    }
    assert!(is_moved && places_seen.len() == 2, "{is_moved}, {places_seen:?}");
}

#[test]
fn another_directory_replaces_a_move_and_the_own_one_cancels_it() {
    let (running, mut client, topic) = half_moved("log.dirs=/a,/b,/c\n");
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::None);
    assert_eq!(places(&mut client, "t").1, ["/b"], "asked again, it goes on");
    assert_eq!(alter(&mut client, topic.0, "/c"), ErrorCode::None);
    assert_eq!(places(&mut client, "t"), (vec!["/a".to_owned()], vec!["/c".to_owned()]));
    assert!(names(&running.disk, "/b").is_empty());
    assert_eq!(alter(&mut client, topic.0, "/a"), ErrorCode::None);
    assert_eq!(places(&mut client, "t"), (vec!["/a".to_owned()], vec![]));
    assert!(names(&running.disk, "/c").is_empty());
    assert_eq!(produce(&mut client, topic, &Recipe::default()), (ErrorCode::None, 3));
    set_rate(&mut client, None);
    assert_eq!(alter(&mut client, topic.0, "/c"), ErrorCode::None);
    wait_until_in(&mut client, "t", "/c");
    assert_eq!(all(&mut client, topic), [0, 1, 2, 3]);
}

#[test]
fn a_topic_that_is_deleted_during_a_move_leaves_nothing() {
    let (mut running, mut client, _) = half_moved(TWO);
    delete(&mut client, "t");
    assert_eq!((names(&running.disk, "/a").len(), names(&running.disk, "/b").len()), (0, 0));
    let again = ("t", create(&mut client, "t", 1, &[]));
    assert_eq!(produce(&mut client, again, &Recipe::default()), (ErrorCode::None, 0));
    running.lose_power();
    running.start_again();
    let mut client = running.connect();
    assert_eq!(all(&mut client, again), [0]);
    assert!(places(&mut client, "t").1.is_empty());
}

#[test]
fn what_was_copied_of_a_topic_that_is_gone_is_never_taken_for_its_namesake() {
    let (mut running, _, _) = half_moved(TWO);
    running.stop();
    running.disk.set_faults(Faults { lost: Some("/b".into()), ..Faults::default() });
    running.start_again();
    let mut client = running.connect();
    delete(&mut client, "t");
    let again = ("t", create(&mut client, "t", 1, &[]));
    assert_eq!(produce(&mut client, again, &Recipe::of(1, LARGE)), (ErrorCode::None, 0));
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    let mut client = running.connect();
    assert_eq!(places(&mut client, "t"), (vec!["/a".to_owned()], vec![]));
    assert!(names(&running.disk, "/b").is_empty());
    assert_eq!(all(&mut client, again), [0]);
}

#[test]
fn a_target_that_is_lost_leaves_the_partition_where_it_is_and_the_move_goes_on_when_it_is_back() {
    let (mut running, mut client, topic) = half_moved(TWO);
    // In the emptier of the two: what shows the broker that the directory is lost.
    let other = ("other", create(&mut client, "other", 1, &[]));
    wait_until_in(&mut client, "other", "/a");
    assert_eq!(alter(&mut client, "other", "/b"), ErrorCode::None);
    wait_until_in(&mut client, "other", "/b");
    running.disk.set_faults(Faults { lost: Some("/b".into()), ..Faults::default() });
    assert_eq!(produce(&mut client, other, &Recipe::default()).0, ErrorCode::KafkaStorageError);
    wait_until(&mut client, "t", |current, future| current == ["/a"] && future.is_empty());
    assert_eq!(produce(&mut client, topic, &Recipe::default()), (ErrorCode::None, 3));
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::KafkaStorageError);
    assert_eq!(alter(&mut client, topic.0, "/a"), ErrorCode::None, "where it is");
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    let mut client = running.connect();
    assert_eq!(places(&mut client, "t").1, ["/b"]);
    set_rate(&mut client, None);
    wait_until_in(&mut client, "t", "/b");
    assert_eq!(all(&mut client, topic), [0, 1, 2, 3]);
}

#[test]
fn a_source_that_is_lost_takes_its_partition_along_and_no_half_copy_is_served() {
    let (mut running, _, topic) = half_moved("log.dirs=/m,/a,/b\ncordoned.log.dirs=/m\nmetadata.log.dir=/m\n");
    running.stop();
    running.disk.set_faults(Faults { lost: Some("/a".into()), ..Faults::default() });
    running.start_again();
    let mut client = running.connect();
    assert_eq!(produce(&mut client, topic, &Recipe::default()).0, ErrorCode::KafkaStorageError);
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::KafkaStorageError);
    set_rate(&mut client, None);
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    let mut client = running.connect();
    wait_until_in(&mut client, "t", "/b");
    assert_eq!(all(&mut client, topic), [0, 1, 2]);
}

#[test]
fn a_move_that_fails_is_given_up_and_the_partition_stays() {
    let (running, mut client, topic) = large_topic(TWO);
    running.disk.set_faults(Faults { full_after_bytes: Some(running.disk.space() + 10_000), ..Faults::default() });
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::None);
    wait_until_in(&mut client, topic.0, "/a");
    until_left(&running.disk, 1);
    running.disk.set_faults(Faults::default());
    assert_eq!(all(&mut client, topic), [0, 1, 2]);
    assert_eq!(produce(&mut client, topic, &Recipe::default()), (ErrorCode::None, 3));
    assert_eq!(alter(&mut client, topic.0, "/b"), ErrorCode::None, "it can be asked for again");
    wait_until_in(&mut client, topic.0, "/b");
    assert_eq!(all(&mut client, topic), [0, 1, 2, 3]);
}
