//! Groups whose log is in trouble: what they are told, and that others do not suffer. What they are told otherwise is in
//! `scripts`, restarts included.

use std::path::Path;
use std::time::Instant;

use ottla_protocol::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_protocol::list_groups::ListGroupsRequest;
use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponseGroup};
use ottla_storage::disk::simulated::Faults;
use ottla_storage::disk::{Disk, Open, block_on};
use ottla_types::ErrorCode;

use crate::support::{Client, PATIENCE, Recipe, Running, built, create};

/// Two partitions of the topic of groups: `a` belongs to 1, `b` to 0. And texts that outgrow what a log has set aside.
const PROPERTIES: &str = "offsets.topic.num.partitions=2\noffset.metadata.max.bytes=40000\n";
const OF_PARTITION_1: &str = "a";
const OF_PARTITION_0: &str = "b";
/// The most bytes that a text may have on the wire.
const LONG_TEXT: usize = 30_000;

fn commit(client: &mut Client, group: &str, offset: i64, times: usize, text: usize) -> ErrorCode {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_metadata: Some("x".repeat(text)),
        ..<_>::default()
    };
    let topic = OffsetCommitRequestTopic { name: "t".to_owned(), partitions: vec![partition; times], ..<_>::default() };
    let request = OffsetCommitRequest { group_id: group.to_owned(), topics: vec![topic], ..<_>::default() };
    let answer = client.ask(9, &request);
    ErrorCode::from_raw(answer.topics[0].partitions[0].error_code).expect("a code")
}

fn fetch(client: &mut Client, group: &str) -> OffsetFetchResponseGroup {
    let group = OffsetFetchRequestGroup { group_id: group.to_owned(), topics: None, ..<_>::default() };
    let request = OffsetFetchRequest { groups: vec![group], ..<_>::default() };
    client.ask(9, &request).groups.swap_remove(0)
}

/// Asks until the group's coordinator has read its log; the offset of the group then.
fn offset_in_the_end(client: &mut Client, group: &str) -> Option<i64> {
    let patience = Instant::now() + PATIENCE;
    client.ask(4, &FindCoordinatorRequest { coordinator_keys: vec![group.to_owned()], ..<_>::default() });
    loop {
        let fetched = fetch(client, group);
        if fetched.error_code == ErrorCode::None.raw() {
            return fetched.topics.first().map(|topic| topic.partitions[0].committed_offset);
        }
        assert!(Instant::now() < patience, "{group}: error {}", fetched.error_code);
    }
}

#[test]
fn what_cannot_be_appended_is_refused_and_the_groups_go_on_from_their_log() {
    let mut running = Running::with(PROPERTIES);
    let mut client = running.connect();
    create(&mut client, "t", 1, &[]);
    for group in [OF_PARTITION_0, OF_PARTITION_1] {
        assert_eq!(offset_in_the_end(&mut client, group), None);
        assert_eq!(commit(&mut client, group, 5, 1, 0), ErrorCode::None);
    }
    running.disk.set_faults(Faults { full_after_bytes: Some(0), ..Faults::default() });
    let refused = commit(&mut client, OF_PARTITION_0, 6, 20, LONG_TEXT);
    assert_eq!(refused, ErrorCode::NotCoordinator, "the client asks for the coordinator and comes again");
    assert_eq!(commit(&mut client, OF_PARTITION_1, 7, 1, 0), ErrorCode::None, "it has room set aside");
    assert_eq!(fetch(&mut client, OF_PARTITION_1).error_code, ErrorCode::None.raw());
    running.disk.set_faults(Faults::default());
    assert_eq!(offset_in_the_end(&mut client, OF_PARTITION_0), Some(5), "what was refused is nowhere");
    assert_eq!(offset_in_the_end(&mut client, OF_PARTITION_1), Some(7));
    running.pass_wall_time(10_000);
    assert_eq!(commit(&mut client, OF_PARTITION_0, 8, 20, LONG_TEXT), ErrorCode::None);
    running.stop();
    running.start_again();
    let mut client = running.connect();
    assert_eq!(offset_in_the_end(&mut client, OF_PARTITION_0), Some(8));
}

#[test]
fn a_log_that_says_nothing_of_groups_holds_up_its_own_alone() {
    let mut running = Running::with(PROPERTIES);
    let mut client = running.connect();
    create(&mut client, "t", 1, &[]);
    assert_eq!(offset_in_the_end(&mut client, OF_PARTITION_1), None);
    assert_eq!(commit(&mut client, OF_PARTITION_1, 5, 1, 0), ErrorCode::None);
    running.kill();
    // A key of one byte: the version of a key has two.
    let log = Path::new("/kafka/__consumer_offsets-0/00000000000000000000.log");
    let file = block_on(running.disk.open(log, Open::Truncate)).expect("a log");
    block_on(file.write(0, vec![built(&Recipe::default())])).expect("written");
    block_on(file.sync()).expect("synced");
    running.start_again();
    let mut client = running.connect();
    assert_eq!(offset_in_the_end(&mut client, OF_PARTITION_1), Some(5));
    let loading = ErrorCode::CoordinatorLoadInProgress;
    assert_eq!(fetch(&mut client, OF_PARTITION_0).error_code, loading.raw());
    assert_eq!(commit(&mut client, OF_PARTITION_0, 1, 1, 0), loading);
    assert_eq!(client.ask(5, &ListGroupsRequest::default()).error_code, loading.raw(), "nobody knows all");
    assert_eq!(commit(&mut client, OF_PARTITION_1, 6, 1, 0), ErrorCode::None);
}

#[test]
fn a_coordinator_that_was_found_takes_questions_at_once() {
    let running = Running::start();
    let mut client = running.connect();
    // The first of them makes the topic of groups; each belongs to another of its partitions.
    for group in ["a", "b", "c", "d", "e"] {
        let asked = FindCoordinatorRequest { key: group.to_owned(), ..<_>::default() };
        assert_eq!(client.ask(0, &asked).error_code, 0, "{group}");
        let beat = HeartbeatRequest { group_id: group.to_owned(), ..<_>::default() };
        let answer = client.ask(0, &beat);
        assert_eq!(answer.error_code, ErrorCode::UnknownMemberId.raw(), "{group} has a coordinator, and no members");
    }
}
