//! Many groups of one member each: all join, are assigned, commit, and stay.

use std::time::Instant;

use bytes::Bytes;
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::list_groups::ListGroupsRequest;
use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::connection::Connection;
use crate::{Outcome, Task, tell};

/// Connections that the members share. Each member waits three seconds for others that do not come, and its connection
/// with it.
const CONNECTIONS: usize = 1000;
const TOPIC: &str = "groups-at-scale";

/// A member that joined.
struct Member {
    group: String,
    id: String,
    generation: i32,
}

pub(crate) fn run(task: &Task) -> Outcome<()> {
    task.prepare(TOPIC, 1)?;
    let before = (task.broker.cpu_seconds()?, task.broker.resident_mb()?);
    let members = std::thread::scope(|scope| -> Outcome<Vec<Vec<Member>>> {
        let work = |share| {
            move || {
                let mut connection = task.connect()?;
                (share..task.count).step_by(CONNECTIONS).map(|index| begin(&mut connection, index)).collect()
            }
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|share| scope.spawn(work(share))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    })?;
    let cpu = task.broker.cpu_seconds()? - before.0;
    tell("groups that join, sync and commit", "CPU ms each", cpu * 1e3 / task.count as f64);
    tell("memory with them", "KB each", (task.broker.resident_mb()? - before.1) * 1e3 / task.count as f64);

    let (cpu, mut connection) = (task.broker.cpu_seconds()?, task.connect()?);
    let began = Instant::now();
    for member in members.iter().flatten() {
        let request = HeartbeatRequest {
            group_id: member.group.clone(),
            generation_id: member.generation,
            member_id: member.id.clone(),
            ..Default::default()
        };
        expect("Heartbeat", connection.ask(3, &request)?.error_code)?;
    }
    tell(
        "a heartbeat of each, on one connection",
        "thousand/s",
        task.count as f64 / began.elapsed().as_secs_f64() / 1e3,
    );
    tell(
        "a heartbeat of each, on one connection",
        "CPU ms each",
        (task.broker.cpu_seconds()? - cpu) * 1e3 / task.count as f64,
    );
    let began = Instant::now();
    let listed = connection.ask(4, &ListGroupsRequest::default())?.groups.len();
    tell("a list of all groups", "ms", began.elapsed().as_secs_f64() * 1e3);
    if listed < task.count { Err(format!("{listed} groups are listed")) } else { Ok(()) }
}

/// Joins, assigns, commits.
fn begin(connection: &mut Connection, index: usize) -> Outcome<Member> {
    let group = format!("group-{index}");
    let join = JoinGroupRequest {
        group_id: group.clone(),
        session_timeout_ms: 300_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(&[0; 32]) }],
        ..Default::default()
    };
    // Version 3 needs no second one with the id.
    let joined = connection.ask(3, &join)?;
    expect("JoinGroup", joined.error_code)?;
    let assignment =
        SyncGroupRequestAssignment { member_id: joined.member_id.clone(), assignment: Bytes::from_static(&[0; 32]) };
    let sync = SyncGroupRequest {
        group_id: group.clone(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..Default::default()
    };
    expect("SyncGroup", connection.ask(3, &sync)?.error_code)?;
    let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let commit = OffsetCommitRequest {
        group_id: group.clone(),
        generation_id_or_member_epoch: joined.generation_id,
        member_id: joined.member_id.clone(),
        topics: vec![OffsetCommitRequestTopic {
            name: TOPIC.into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    expect("OffsetCommit", connection.ask(6, &commit)?.topics[0].partitions[0].error_code)?;
    Ok(Member { group, id: joined.member_id, generation: joined.generation_id })
}

/// An error code that must be none.
pub(crate) fn expect(what: &str, error: i16) -> Outcome<()> {
    if error == 0 { Ok(()) } else { Err(format!("{what} was refused with error {error}")) }
}
