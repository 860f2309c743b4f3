//! Several log directories: where partitions go, and what is lost with a directory and what is not.

use std::path::Path;
use std::time::Instant;

use ottla_protocol::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_storage::disk::simulated::{Faults, SimulatedDisk};
use ottla_storage::disk::{Disk, Open};
use ottla_types::{ErrorCode, Uuid};

use crate::restart::delete;
use crate::support::{
    Client, ListOffsetsOf, PATIENCE, Recipe, Running, built, create, fetch_of, list_offsets_of, produce_of,
};

const PRODUCE: i16 = 13;
const FETCH: i16 = 18;
const TWO: &str = "log.dirs=/a,/b\n";

fn produce(client: &mut Client, topic: (&str, Uuid), partition: i32) -> ErrorCode {
    let answer = client.ask(PRODUCE, &produce_of(PRODUCE, topic, partition, -1, built(&Recipe::default())));
    ErrorCode::from_raw(answer.responses[0].partition_responses[0].error_code).expect("a code")
}

/// The error and the high watermark.
fn fetch(client: &mut Client, topic: (&str, Uuid), partition: i32) -> (ErrorCode, i64) {
    let answer = client.ask(FETCH, &fetch_of(FETCH, topic, partition, 0)).responses[0].partitions[0].clone();
    (ErrorCode::from_raw(answer.error_code).expect("a code"), answer.high_watermark)
}

fn names(disk: &SimulatedDisk, directory: &str) -> Vec<String> {
    let entries = disk.list(Path::new(directory)).wait().expect("there");
    entries.into_iter().filter(|entry| entry.is_directory).map(|entry| entry.name).collect()
}

fn put(disk: &SimulatedDisk, path: &str, text: &'static str) {
    let file = disk.open(Path::new(path), Open::Truncate).wait().expect("opened");
    file.write(0, vec![text.into()]).wait().expect("written");
}

fn lost(directory: &str) -> Faults {
    Faults { lost: Some(directory.into()), ..Faults::default() }
}

/// A broker on two directories, with a topic of four partitions and a record in each: 0 and 2 are in /a, 1 and 3 in /b.
fn four_partitions() -> (Running, (&'static str, Uuid)) {
    let running = Running::with(TWO);
    let mut client = running.connect();
    let topic = ("t", create(&mut client, "t", 4, &[]));
    for partition in 0..4 {
        assert_eq!(produce(&mut client, topic, partition), ErrorCode::None);
    }
    (running, topic)
}

const IN_A: [i32; 2] = [0, 2];
const IN_B: [i32; 2] = [1, 3];

#[test]
fn partitions_are_spread_and_found_again_after_every_end() {
    let ends: [fn(&mut Running); 3] = [Running::stop, Running::kill, Running::lose_power];
    for end in ends {
        let (mut running, topic) = four_partitions();
        assert_eq!(names(&running.disk, "/a"), ["ottla-metadata", "t-0", "t-2"]);
        assert_eq!(names(&running.disk, "/b"), ["t-1", "t-3"]);
        end(&mut running);
        running.start_again();
        let mut client = running.connect();
        for partition in 0..4 {
            assert_eq!(fetch(&mut client, topic, partition), (ErrorCode::None, 1));
        }
        create(&mut client, "u", 1, &[]);
        create(&mut client, "v", 1, &[]);
        delete(&mut client, "t");
        create(&mut client, "w", 2, &[]);
        assert_eq!(names(&running.disk, "/a"), ["ottla-metadata", "u-0", "w-0"]);
        assert_eq!(names(&running.disk, "/b"), ["v-0", "w-1"]);
    }
}

#[test]
fn a_cordoned_directory_gets_no_new_partition_unless_all_are() {
    let mut running = Running::with("log.dirs=/a,/b\ncordoned.log.dirs=/a\n");
    create(&mut running.connect(), "t", 3, &[]);
    assert_eq!(names(&running.disk, "/b"), ["t-0", "t-1", "t-2"]);
    running.stop();
    let running = Running::on(running.disk.clone(), "log.dirs=/a,/b\ncordoned.log.dirs=*\n");
    create(&mut running.connect(), "u", 2, &[]);
    assert_eq!(names(&running.disk, "/a"), ["ottla-metadata", "u-0", "u-1"]);
}

/// What holds while /b is lost.
fn only_b_is_lost(running: &Running, topic: (&str, Uuid)) {
    let mut client = running.connect();
    for partition in IN_B {
        assert_eq!(produce(&mut client, topic, partition), ErrorCode::KafkaStorageError);
        assert_eq!(fetch(&mut client, topic, partition).0, ErrorCode::KafkaStorageError);
    }
    for partition in IN_A {
        assert_eq!(fetch(&mut client, topic, partition), (ErrorCode::None, 1));
    }
    let new = ("new", create(&mut client, "new", 2, &[]));
    for partition in [0, 1] {
        assert_eq!(produce(&mut client, new, partition), ErrorCode::None, "there is a place for what is new");
    }
    assert_eq!(names(&running.disk, "/a"), ["new-0", "new-1", "ottla-metadata", "t-0", "t-2"]);
}

/// What holds when /b is back, its partitions as they were.
fn all_is_back(running: &Running, topic: (&str, Uuid)) {
    let mut client = running.connect();
    for partition in 0..4 {
        assert_eq!(fetch(&mut client, topic, partition), (ErrorCode::None, 1));
        assert_eq!(produce(&mut client, topic, partition), ErrorCode::None);
    }
}

#[test]
fn a_directory_that_is_lost_at_the_start_takes_only_its_partitions_with_it() {
    let (mut running, topic) = four_partitions();
    running.stop();
    running.disk.set_faults(lost("/b"));
    running.start_again();
    only_b_is_lost(&running, topic);
    running.stop();
    running.start_again();
    assert_eq!(produce(&mut running.connect(), topic, 1), ErrorCode::KafkaStorageError, "nor is it made elsewhere");
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    all_is_back(&running, topic);
}

#[test]
fn a_directory_that_is_lost_under_a_running_broker_takes_only_its_partitions_with_it() {
    let (mut running, topic) = four_partitions();
    running.disk.set_faults(lost("/b"));
    let mut client = running.connect();
    assert_eq!(produce(&mut client, topic, 1), ErrorCode::KafkaStorageError);
    // The one log that met the fault is offline at once, its directory when it has been looked at. Asked for an offset and
    // not for records: those could not be read any more, which ends the connection.
    let begun = Instant::now();
    let latest = list_offsets_of(&ListOffsetsOf { topic: topic.0, partition: 3, timestamp: -1 });
    while client.ask(9, &latest).topics[0].partitions[0].error_code != ErrorCode::KafkaStorageError.raw() {
        assert!(begun.elapsed() < PATIENCE, "the directory is not given up");
    }
    only_b_is_lost(&running, topic);
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    all_is_back(&running, topic);
}

#[test]
fn a_topic_that_is_deleted_and_made_again_while_its_directory_is_lost_is_the_new_one_afterwards() {
    let (mut running, topic) = four_partitions();
    running.stop();
    running.disk.set_faults(lost("/b"));
    running.start_again();
    let mut client = running.connect();
    delete(&mut client, topic.0);
    let again = ("t", create(&mut client, "t", 2, &[]));
    assert_eq!(names(&running.disk, "/a"), ["ottla-metadata", "t-0", "t-1"]);
    running.stop();
    running.disk.set_faults(Faults::default());
    running.start_again();
    let mut client = running.connect();
    for partition in [0, 1] {
        assert_eq!(fetch(&mut client, again, partition), (ErrorCode::None, 0));
    }
    let strays = names(&running.disk, "/b");
    assert!(strays[0].starts_with("t-1.") && strays[0].ends_with("-stray"), "{strays:?}");
}

#[test]
fn a_partition_that_cannot_be_opened_is_offline_alone() {
    let (mut running, topic) = four_partitions();
    running.stop();
    put(&running.disk, "/a/t-2/partition.metadata", "nonsense");
    running.start_again();
    let mut client = running.connect();
    for (partition, expected) in
        [(0, ErrorCode::None), (1, ErrorCode::None), (2, ErrorCode::KafkaStorageError), (3, ErrorCode::None)]
    {
        assert_eq!(produce(&mut client, topic, partition), expected, "{partition}");
        assert_eq!(fetch(&mut client, topic, partition).0, expected, "{partition}");
    }
    delete(&mut client, "t");
    assert_eq!(names(&running.disk, "/a"), ["ottla-metadata"], "what cannot be opened can be deleted");
}

#[test]
fn a_broker_without_any_directory_ends() {
    let (mut running, topic) = four_partitions();
    running.disk.set_faults(lost("/"));
    let mut client = running.connect();
    for partition in [0, 1] {
        assert_eq!(produce(&mut client, topic, partition), ErrorCode::KafkaStorageError);
    }
    running.failed();
    running.kill();
    running.disk.set_faults(lost("/a"));
    let fault = running.try_start().expect_err("the metadata is there").to_string();
    assert!(fault.contains("/a"), "{fault}");
}

/// What the start says, and that it says it before anything is changed.
fn refused(running: &mut Running) -> String {
    running.try_start().expect_err("refused").to_string()
}

#[test]
fn directories_that_contradict_each_other_stop_the_start() {
    let (mut running, _) = four_partitions();
    running.stop();
    let meta = |id: &str| format!("version=1\ncluster.id={id}\nnode.id=1\ndirectory.id=G7AEhuQQZHCRO1jdmvdrpA\n");
    let (ours, theirs) = (read(&running.disk, "/b/meta.properties"), meta("GZ69cQN8SzO_S09rRVQRkQ"));
    put(&running.disk, "/b/meta.properties", theirs.leak());
    let fault = refused(&mut running);
    assert!(fault.contains("/b/meta.properties has cluster.id=GZ69cQN8SzO_S09rRVQRkQ, expected "), "{fault}");
    put(&running.disk, "/b/meta.properties", read(&running.disk, "/a/meta.properties").leak());
    let fault = refused(&mut running);
    assert!(fault.contains("is both in /a and in /b: one is a copy of the other"), "{fault}");
    put(&running.disk, "/b/meta.properties", ours.leak());
    running.disk.create_directory(Path::new("/b/t-0")).wait().expect("made");
    let fault = refused(&mut running);
    assert!(fault.starts_with("t-0 is both in /a and in /b"), "{fault}");
    running.disk.remove_directory(Path::new("/b/t-0")).wait().expect("removed");
    running.start_again();
}

fn read(disk: &SimulatedDisk, path: &str) -> String {
    let file = disk.open(Path::new(path), Open::Read).wait().expect("there");
    String::from_utf8(file.read(0, 1000).wait().expect("read").to_vec()).expect("text")
}

#[test]
fn the_metadata_is_where_the_configuration_says_or_the_start_stops() {
    let (mut running, topic) = four_partitions();
    running.stop();
    let start = |properties: &str| {
        let mut running = Running::stopped(running.disk.clone(), properties);
        running.try_start().map(|()| running)
    };
    let fault = start("log.dirs=/b,/a\n").err().expect("refused").to_string();
    assert!(fault.starts_with("the cluster's metadata is in /a, and not in /b"), "{fault}");
    let mut other_order = start("log.dirs=/b,/a\nmetadata.log.dir=/a\n").expect("starts");
    assert_eq!(fetch(&mut other_order.connect(), topic, 3), (ErrorCode::None, 1));
    other_order.stop();

    let mut apart = Running::with("log.dirs=/a,/b\nmetadata.log.dir=/m\n");
    let topic = ("t", create(&mut apart.connect(), "t", 2, &[]));
    assert_eq!(names(&apart.disk, "/m"), ["ottla-metadata"]);
    assert_eq!(names(&apart.disk, "/a"), ["t-0"]);
    assert!(read(&apart.disk, "/m/meta.properties").contains("directory.id="));
    apart.lose_power();
    apart.start_again();
    assert_eq!(produce(&mut apart.connect(), topic, 1), ErrorCode::None);
}

/// As if the disk of a directory were not mounted.
fn unmount(running: &Running, directory: &str) {
    let away = format!("{directory}-away");
    running.disk.rename(Path::new(directory), Path::new(&away)).wait().expect("renamed");
}

fn mount(running: &Running, directory: &str) {
    let disk = &running.disk;
    // Nothing may have been put where the disk belongs.
    assert!(disk.list(Path::new(directory)).wait().map_or(true, |entries| entries.is_empty()));
    let _ = disk.remove_directory(Path::new(directory)).wait();
    disk.rename(Path::new(&format!("{directory}-away")), Path::new(directory)).wait().expect("renamed");
}

#[test]
fn a_directory_that_is_not_mounted_is_not_taken_for_a_new_one() {
    let (mut running, topic) = four_partitions();
    running.stop();
    for is_there in [false, true] {
        unmount(&running, "/b");
        if is_there {
            running.disk.create_directory(Path::new("/b")).wait().expect("made");
        }
        running.start_again();
        let mut client = running.connect();
        for (partitions, expected) in [(IN_A, ErrorCode::None), (IN_B, ErrorCode::KafkaStorageError)] {
            for partition in partitions {
                assert_eq!(fetch(&mut client, topic, partition).0, expected, "{partition}");
                assert_eq!(produce(&mut client, topic, partition), expected, "{partition}");
            }
        }
        running.stop();
        mount(&running, "/b");
    }
    running.start_again();
    let mut client = running.connect();
    for partition in IN_B {
        assert_eq!(fetch(&mut client, topic, partition), (ErrorCode::None, 1));
    }
}

#[test]
fn a_directory_whose_loss_is_accepted_is_taken_for_a_new_one() {
    let (mut running, topic) = four_partitions();
    running.stop();
    unmount(&running, "/b");
    let known = read(&running.disk, "/a/ottla-metadata/log-dirs");
    let left: String = known.split_inclusive('\n').filter(|line| !line.ends_with(" /b\n")).collect();
    assert_ne!(known, left);
    put(&running.disk, "/a/ottla-metadata/log-dirs", left.leak());
    running.start_again();
    let mut client = running.connect();
    assert_eq!(fetch(&mut client, topic, 1), (ErrorCode::None, 0));
    assert_eq!(produce(&mut client, topic, 1), ErrorCode::None);
}

#[test]
fn partitions_without_the_metadata_that_knows_them_stop_the_start() {
    let (mut running, topic) = four_partitions();
    running.stop();
    unmount(&running, "/a");
    let fault = refused(&mut running);
    let told = "/b holds partitions, but the cluster's metadata is not in /a";
    assert!(fault.starts_with(told) && fault.contains("holds ottla-metadata"), "{fault}");
    mount(&running, "/a");
    running.start_again();
    all_is_back(&running, topic);
}

/// Each directory: its error, its partitions with lag, and whether the volume's size is known.
fn described(answer: &DescribeLogDirsResponse) -> Vec<String> {
    let partitions = |result: &ottla_protocol::describe_log_dirs::DescribeLogDirsResult| {
        let each = result.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| format!("{}-{}:{}", topic.name, p.partition_index, p.offset_lag))
        });
        each.collect::<Vec<_>>().join(" ")
    };
    let line = |result: &ottla_protocol::describe_log_dirs::DescribeLogDirsResult| {
        let sized = result.total_bytes > 0 && result.usable_bytes <= result.total_bytes;
        format!("{} {} [{}] {sized} {}", result.log_dir, result.error_code, partitions(result), result.is_cordoned)
    };
    answer.results.iter().map(line).collect()
}

#[test]
fn log_directories_are_described_with_what_is_in_them_and_whether_they_are_lost() {
    let (mut running, _) = four_partitions();
    running.stop();
    let mut running = Running::on(running.disk.clone(), "log.dirs=/a,/b\ncordoned.log.dirs=/b\n");
    let all = DescribeLogDirsRequest { topics: None };
    let answer = running.connect().ask(5, &all);
    assert_eq!(described(&answer), ["/a 0 [t-0:0 t-2:0] true false", "/b 0 [t-1:0 t-3:0] true true"]);
    let size = answer.results[0].topics[0].partitions[0].partition_size;
    assert_eq!(size, built(&Recipe::default()).len() as i64);
    let some = DescribableLogDirTopic { topic: "t".to_owned(), partitions: vec![3, 9] };
    let answer = running.connect().ask(1, &DescribeLogDirsRequest { topics: Some(vec![some]) });
    assert_eq!(answer.results[0].topics.len() + answer.results[1].topics.len(), 1);
    running.stop();
    running.disk.set_faults(lost("/b"));
    running.start_again();
    let answer = running.connect().ask(4, &all);
    assert_eq!(described(&answer), ["/a 0 [t-0:0 t-2:0] true false", "/b 56 [] false false"]);
}
